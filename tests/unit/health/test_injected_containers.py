"""Containers that AWS adds to tasks: when one of them ended a task, the image is not to blame."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.health.cause import Cause
from slipway.health.failed_tasks import (
    cause_of_failure,
    describe,
    failed_container,
    what_happened,
    why_it_never_starts,
)
from slipway.health.stopped_tasks import StoppedTask, stopped_task
from slipway.health.verdict import Verdict, judge
from tests.support.builders import at, observation, watch
from tests.support.ecs_answers import container
from tests.support.ecs_answers import stopped_task as ecs_task

EXITED = "EssentialContainerExited"
UNSTARTED = "TaskFailedToStart"
CHECKS = "ServiceSchedulerInitiated"
PROXY, AGENT = "ecs-service-connect-nconQf", "aws-guardduty-agent-i2erCm"
PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
WAITED = (
    "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency "
    f"[{PROXY} (STOPPED) - Exit: 1] for target [api (CREATED)]"
)
DEFINED = [container(), container(name="helper", essential=False)]


def task(
    code: str = EXITED, reason: str = "", defined: Any = None, **ended: int | str | tuple[int, str]
) -> StoppedTask:
    """A stopped task: of each container the exit code, the reason, or both; proxy and agent are AWS's."""
    containers = []
    for name, how in ended.items():
        code_or_none, why = (
            how if isinstance(how, tuple) else (how, "") if isinstance(how, int) else (None, how)
        )
        containers.append(
            {"name": {"proxy": PROXY, "agent": AGENT}.get(name, name)}
            | ({} if code_or_none is None else {"exitCode": code_or_none})
            | ({"reason": why} if why else {})
        )
    answer = ecs_task(containers=containers, stopCode=code, stoppedReason=reason)
    return stopped_task(answer, defined or DEFINED)


INJECTED = {
    "the proxy crashed alone": task(api=0, proxy=1),
    "the application was killed because it did not stop with the proxy": task(api=137, proxy=1),
    "the application does not handle SIGTERM": task(api=143, proxy=1),
    "the application had not started when the proxy crashed": task(api="", proxy=1),
    "the proxy ended well before the application had started": task(api="", proxy=0),
    "the proxy ran out of memory": task(api=0, proxy=(137, "OutOfMemoryError")),
    "only a container that is not essential failed, too": task(api=0, helper=1, proxy=1),
    "both were killed": task(api=137, proxy=137),
    "the proxy can't be pulled": task(UNSTARTED, PULL, api="", proxy=PULL),
    "the proxy can't be pulled, on an instance": task(
        UNSTARTED, "Task failed to start", api="", proxy=PULL
    ),
    "the proxy can't be created": task(
        UNSTARTED, "", api="", proxy="CannotCreateContainerError: no IPv6 address"
    ),
    "the application waited in vain for the proxy": task(
        UNSTARTED,
        "Task failed to start",
        api=(
            143,
            WAITED,
        ),
        proxy=1,
    ),
    "the proxy is unhealthy, and nothing else has a health check": task(
        CHECKS, "Task failed container health checks", api=0, proxy=0
    ),
}


@pytest.mark.parametrize("ended", INJECTED.values(), ids=INJECTED)
def test_a_container_that_aws_added_is_to_blame_if(ended):
    assert cause_of_failure(ended) is Cause.INJECTED
    assert not Cause.INJECTED.quarantines
    assert why_it_never_starts(ended) is None
    assert failed_container([ended]) is None
    assert "container ecs-service-connect, which AWS adds" in what_happened([ended])


CHECKED = [container(healthCheck={"command": ["CMD", "true"]})]
OF_IMAGE = {
    "the application crashed, and the proxy was stopped": task(api=1, proxy=0),
    "the application crashed, and the proxy was killed": task(api=1, proxy=137),
    "the application ended well, and the proxy was stopped": task(api=0, proxy=0),
    "the application ended well, and the proxy does not handle SIGTERM": task(api=0, proxy=143),
    "the application ended well, and the proxy was killed": task(api=0, proxy=137),
    "the application ran out of memory": task(api=(137, "OutOfMemoryError"), proxy=137),
    "the application was killed, and the proxy was stopped": task(api=137, proxy=0),
    "both crashed": task(api=1, proxy=1),
    "the agent crashed, which a task survives": task(api=0, agent=1),
    "the agent can't be pulled, which a task survives": task(api=0, agent=PULL),
    "no container has an exit code, and AWS added only an agent": task(api="", agent=PULL),
    "the application can't be pulled": task(UNSTARTED, PULL, api=PULL, proxy=0),
    "the application can't be pulled, and its container does not say so": task(
        UNSTARTED, PULL, api="", proxy=0
    ),
    "the application is unhealthy": task(
        CHECKS, "Task failed container health checks", CHECKED, api=0, proxy=0
    ),
    "the load balancer finds the application unhealthy": task(
        CHECKS, "Task failed ELB health checks in (target-group api)", api=0, proxy=0
    ),
}


@pytest.mark.parametrize("ended", OF_IMAGE.values(), ids=OF_IMAGE)
def test_the_image_is_to_blame_if(ended):
    assert cause_of_failure(ended) is Cause.IMAGE
    assert "AWS adds" not in what_happened([ended])
    assert "AWS adds" not in describe(ended)


def test_nobody_is_to_blame_if_ecs_says_of_no_container_how_it_ended():
    ended = task(EXITED, "Essential container in task exited", api="", proxy="")

    assert cause_of_failure(ended) is Cause.ECS
    assert what_happened([ended]) == "1 task failed: Essential container in task exited"


def test_a_task_that_did_not_start_for_another_reason_is_no_fault_of_the_proxy():
    why = "ResourceInitializationError: unable to pull secrets"

    for proxy in (0, 1, PULL):
        assert cause_of_failure(task(UNSTARTED, why, api="", proxy=proxy)) is Cause.CONFIGURATION


def test_a_container_of_aws_that_slipway_does_not_know_may_end_a_task():
    assert what_happened([task(api=0, **{"aws-new-x1": 7})]) == (
        "1 task ended with container aws-new-x1, which AWS adds, exit code 7"
    )


def test_a_deployment_whose_proxies_crash_fails_with_a_reason_that_names_them():
    stopped = tuple(
        task(EXITED, "Essential container in task exited", api=137, proxy=1) for _ in range(2)
    )

    judged = judge(observation(stopped=stopped), watch(), at(1))

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.INJECTED)
    assert judged.reason == (
        "2 tasks ended with container ecs-service-connect, which AWS adds, exit code 1"
    )
    assert judged.evidence[0] == (
        "stopped: Essential container in task exited; container api, exit code 137; container "
        "ecs-service-connect, which AWS adds, exit code 1 (2 tasks, the last one s1)"
    )
    assert judged.failed is None


def test_a_deployment_whose_proxy_is_unhealthy_says_whose_health_check_failed():
    ended = INJECTED["the proxy is unhealthy, and nothing else has a health check"]

    assert what_happened([ended]) == (
        "1 task failed the health check of container ecs-service-connect, which AWS adds"
    )


def test_the_image_is_to_blame_if_it_failed_in_one_of_several_tasks():
    stopped = (task(api=1, proxy=0), task(api=0, proxy=1))

    judged = judge(observation(stopped=stopped), watch(), at(1))

    assert judged.cause is Cause.IMAGE
    assert judged.failed is not None
