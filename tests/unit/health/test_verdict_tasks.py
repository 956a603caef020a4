"""Which stopped tasks count, in the words that ECS, its agents and the registries use."""

from __future__ import annotations

import pytest

from slipway.health.failed_tasks import describe, has_failed
from slipway.health.verdict import Verdict, judge
from tests.support.builders import at, exited, observation, stopped, watch
from tests.support.stopped_reasons import MAY_DO_BETTER, NEVER


@pytest.mark.parametrize("message", NEVER)
def test_a_task_whose_image_cannot_ever_be_pulled_fails_the_deployment_at_once(message):
    judged = judge(observation(stopped=(stopped("TaskFailedToStart", message),)), watch(), at(1))

    assert judged.verdict is Verdict.FAILED
    assert message in judged.reason


@pytest.mark.parametrize("message", MAY_DO_BETTER)
def test_a_task_that_may_start_next_time_does_not_fail_the_deployment_alone(message):
    judged = judge(observation(stopped=(stopped("TaskFailedToStart", message),)), watch(), at(1))

    assert judged.verdict is Verdict.HEALTHY


def test_the_agent_on_ec2_says_why_a_pull_failed_in_the_container_only():
    task = stopped("TaskFailedToStart", "Task failed to start", exited(None, reason=NEVER[0]))

    assert judge(observation(stopped=(task,)), watch(), at(1)).reason == (
        f"a task can never start: Task failed to start; container api, {NEVER[0]} (task s1)"
    )


@pytest.mark.parametrize(
    ("code", "reason", "failed"),
    [
        ("TaskFailedToStart", "", True),
        ("EssentialContainerExited", "Essential container in task exited", True),
        (
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group arn:x)",
            True,
        ),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (elb elb-name)", True),
        ("ServiceSchedulerInitiated", "Task failed container health checks", True),
        (
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by (deployment ecs-svc/2)",
            False,
        ),
        ("UserInitiated", "Task stopped by user", False),
        ("SpotInterruption", "Your Spot Task was interrupted.", False),
        ("TerminationNotice", "Host EC2 (instance i-1) terminated.", False),
        ("InfrastructureHealth", "", False),
        ("", "", False),
    ],
)
def test_a_task_failed_when_it_did_not_start_exited_or_failed_its_checks(code, reason, failed):
    assert has_failed(stopped(code, reason)) is failed


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (
            stopped("X", "exited", exited(1), exited(None, "never"), exited(0, "web")),
            "exited; container api, exit code 1; container web, exit code 0",
        ),
        (stopped("UserInitiated"), "UserInitiated"),
        (stopped(""), "no reason given"),
    ],
)
def test_a_stopped_task_is_described_in_one_line(task, line):
    assert describe(task) == f"{line} (task s1)"
