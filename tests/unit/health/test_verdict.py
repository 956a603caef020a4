"""Each rule of the verdict, and which of two rules that both apply decides."""

from __future__ import annotations

import pytest

from slipway.health.cause import Cause
from slipway.health.verdict import Verdict, judge
from tests.support.builders import (
    GROUP_2,
    OTHER,
    THEIRS,
    alarm,
    at,
    exited,
    observation,
    service_deployment,
    stopped,
    target,
    task,
    watch,
)

UNPULLABLE = stopped("TaskFailedToStart", "CannotPullContainerError: manifest unknown")
TWO_FAILED = (stopped(task="s1"), stopped(task="s2"))
FIRED = alarm("ALARM", changed=10)
GAVE_UP = service_deployment(
    state="FAILED", reason="ECS deployment circuit breaker: tasks failed to start."
)
EVENT = "(service api) (deployment ecs-svc/2) deployment failed: tasks failed to start."


def test_a_deployment_with_every_task_healthy_is_healthy():
    assert judge(observation(), watch(), at(30)).verdict is Verdict.HEALTHY


MISSING = {
    "ECS does not list the deployment": observation(service_deployment=None),
    "1 of 2 tasks are running": observation(running=(task(),)),
    "0 of 2 tasks are running": observation(service_deployment=service_deployment(running=0)),
    "task t1 is PENDING": observation(running=(task(), task(), task(status="PENDING"))),
    "task t1 has container health UNHEALTHY": observation(
        running=(task(), task(health="UNHEALTHY"))
    ),
    "task t1 has container health UNKNOWN": observation(has_health_check=True),
    "task t1 is initial in target group api": observation(
        running=(task(), task(target("initial")))
    ),
    "task t1 is draining in target group api": observation(
        running=(task(), task(target("draining")))
    ),
    "task t1 is unused in target group api": observation(running=(task(), task(target("unused")))),
    "task t1 is unregistered in target group api": observation(
        running=(task(), task(target("unregistered")))
    ),
    "task t1 is unhealthy in target group admin (Target.Timeout)": observation(
        running=(task(), task(target(), target("unhealthy", GROUP_2, "Target.Timeout")))
    ),
    "ECS's service deployment is IN_PROGRESS": observation(
        service_deployment=service_deployment(state="IN_PROGRESS")
    ),
    "alarm api-5xx can't be read": observation(),
}


@pytest.mark.parametrize(("missing", "observed"), MISSING.items(), ids=MISSING)
def test_a_deployment_that_is_not_healthy_yet_is_pending_and_says_what_is_missing(
    missing, observed
):
    alarms = ("api-5xx",) if missing.startswith("alarm") else ()

    judged = judge(observed, watch(alarms=alarms), at(30))

    assert (judged.verdict, judged.reason) == (Verdict.PENDING, missing)
    assert missing in judged.evidence


DENIED = "AccessDenied from cloudwatch:DescribeAlarms on alarms api-4xx, api-5xx: not authorized"


def test_a_deployment_whose_alarms_cannot_be_read_is_pending_and_says_why():
    alarms = ("api-5xx", {"name": "api-4xx", "when_firing": "block"})

    judged = judge(observation(alarms_unreadable=DENIED), watch(alarms=alarms), at(30))

    assert (judged.verdict, judged.healthy_at) == (Verdict.PENDING, None)
    assert judged.reason == f"alarm api-5xx can't be read: {DENIED}"
    assert judged.evidence == (judged.reason, f"alarm api-4xx can't be read: {DENIED}")
    assert judged.healthy == 2


def test_only_the_alarm_that_was_deleted_is_missing():
    watching = watch(alarms=({"name": "api-5xx"}, "gone"))

    assert judge(observation(alarm()), watching, at(30)).evidence == ("alarm gone can't be read",)


def test_a_service_without_load_balancer_and_health_check_is_healthy_when_its_tasks_run():
    observed = observation(running=(task().model_copy(update={"targets": ()}),) * 2)

    assert judge(observed, watch(), at(30)).verdict is Verdict.HEALTHY


def test_a_task_whose_container_check_passed_is_healthy():
    observed = observation(has_health_check=True, running=(task(health="HEALTHY"),) * 2)

    assert judge(observed, watch(), at(30)).verdict is Verdict.HEALTHY


def test_a_service_scaled_to_zero_is_healthy_without_a_task():
    observed = observation(service_deployment=service_deployment(desired=0, running=0), running=())

    assert judge(observed, watch(), at(30)).verdict is Verdict.HEALTHY


def test_a_deployment_with_more_tasks_than_desired_is_healthy():
    assert judge(observation(running=(task(),) * 3), watch(), at(30)).verdict is Verdict.HEALTHY


FAILED = {
    "alarm api-5xx went to ALARM: too many 5xx": observation(FIRED),
    "a task can never start: CannotPullContainerError: manifest unknown (task s1)": observation(
        stopped=(UNPULLABLE,)
    ),
    "2 tasks failed: EssentialContainerExited": observation(stopped=TWO_FAILED),
    f"ECS marked the service deployment as failed: {GAVE_UP.reason}": observation(
        service_deployment=GAVE_UP
    ),
    f"ECS marked the service deployment as failed: {EVENT}": observation(
        service_deployment=None, failure=EVENT, primary=THEIRS, primary_task_definition=OTHER
    ),
}


CAUSES = (Cause.ALARM, Cause.IMAGE, Cause.IMAGE, Cause.ECS, Cause.ECS)


@pytest.mark.parametrize(("observed", "cause"), [*zip(FAILED.values(), CAUSES, strict=True)])
def test_a_failure_has_its_cause_as_data(observed, cause):
    assert judge(observed, watch(), at(1)).cause is cause


@pytest.mark.parametrize(
    "ecs",
    [
        {"service_deployment": GAVE_UP},
        {"service_deployment": None, "failure": EVENT, "primary": THEIRS},
    ],
    ids=["listed", "gone from the list"],
)
def test_tasks_that_failed_are_why_ecs_marked_the_service_deployment_as_failed(ecs):
    crashed = stopped("EssentialContainerExited", "Essential container in task exited", exited())

    judged = judge(observation(stopped=(crashed,) * 4, **ecs), watch(), at(1))

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.IMAGE)
    assert judged.reason == "4 tasks of container api exited with code 1"


def test_a_pull_that_is_not_allowed_is_no_fault_of_the_image():
    denied = stopped("TaskFailedToStart", "CannotPullContainerError: pull access denied")

    assert judge(observation(stopped=(denied,)), watch(), at(1)).cause is Cause.CONFIGURATION


def test_a_deployment_that_is_not_healthy_in_time_has_the_timeout_as_its_cause():
    starting = observation(service_deployment=service_deployment(running=0), running=())

    assert judge(starting, watch(), at(601)).cause is Cause.TIMEOUT


def test_the_alarms_that_fired_are_named():
    assert judge(observation(FIRED, alarm(name="fine")), watch(), at(30)).alarms_fired == (
        "api-5xx",
    )


@pytest.mark.parametrize(("reason", "observed"), FAILED.items(), ids=FAILED)
def test_a_deployment_fails_at_once_and_says_why(reason, observed):
    judged = judge(observed, watch(), at(1))

    assert (judged.verdict, judged.reason) == (Verdict.FAILED, reason)


def test_one_failed_task_does_not_fail_a_deployment():
    assert judge(observation(stopped=(stopped(),)), watch(), at(1)).verdict is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("limit", "desired", "failed", "verdict"),
    [
        (1, 10, 1, Verdict.FAILED),
        (3, 10, 2, Verdict.HEALTHY),
        (3, 10, 3, Verdict.FAILED),
        ("30%", 10, 2, Verdict.HEALTHY),
        ("30%", 10, 3, Verdict.FAILED),
        ("30%", 1, 1, Verdict.FAILED),
    ],
)
def test_a_deployment_fails_with_as_many_failed_tasks_as_its_policy_says(
    limit, desired, failed, verdict
):
    observed = observation(
        service_deployment=service_deployment(desired=desired, running=desired),
        running=tuple(task() for _ in range(desired)),
        stopped=tuple(stopped(task=f"s{number}") for number in range(failed)),
    )

    assert judge(observed, watch(failed_tasks=limit), at(1)).verdict is verdict


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_ok_or_without_data_does_not_fail_a_deployment(state):
    assert judge(observation(alarm(state)), watch(), at(30)).verdict is Verdict.HEALTHY


def test_an_alarm_that_fired_before_the_deployment_cannot_fail_it():
    assert (
        judge(observation(alarm("ALARM", changed=-1)), watch(), at(30)).verdict is Verdict.HEALTHY
    )


def test_an_alarm_that_fired_as_the_deployment_started_fails_it():
    assert judge(observation(alarm("ALARM", changed=0)), watch(), at(30)).verdict is Verdict.FAILED


def test_someone_elses_deployment_supersedes_ours_and_is_named():
    judged = judge(observation(primary=THEIRS, primary_task_definition=OTHER), watch(), at(30))

    assert judged.verdict is Verdict.SUPERSEDED
    assert judged.reason == "someone else has put shop-api:43 on the service (ecs-svc/3)"
    assert judged.cause is Cause.PERSON


def test_a_service_that_is_gone_supersedes_the_deployment():
    judged = judge(
        observation(exists=False, failure="cluster production has no service api"), watch(), at(9)
    )

    assert judged.verdict is Verdict.SUPERSEDED
    assert judged.reason == "cluster production has no service api"


PRECEDENCE = {
    "gone before failed": (
        observation(exists=False, service_deployment=GAVE_UP),
        Verdict.SUPERSEDED,
        "",
    ),
    "circuit breaker's failure before its roll-back's primary": (
        observation(primary=THEIRS, service_deployment=GAVE_UP),
        Verdict.FAILED,
        "ECS marked",
    ),
    "circuit breaker's event before its roll-back's primary": (
        observation(primary=THEIRS, service_deployment=None, failure=EVENT),
        Verdict.FAILED,
        "ECS marked",
    ),
    "the service deployment's own words before the event's": (
        observation(service_deployment=GAVE_UP, failure=EVENT),
        Verdict.FAILED,
        f"ECS marked the service deployment as failed: {GAVE_UP.reason}",
    ),
    "superseded before an alarm": (
        observation(FIRED, primary=THEIRS),
        Verdict.SUPERSEDED,
        "someone else",
    ),
    "superseded before failed tasks": (
        observation(primary=THEIRS, stopped=TWO_FAILED),
        Verdict.SUPERSEDED,
        "someone else",
    ),
    "service deployment failed before an alarm": (
        observation(FIRED, service_deployment=GAVE_UP),
        Verdict.FAILED,
        "ECS marked",
    ),
    "alarm before tasks": (observation(FIRED, stopped=(UNPULLABLE,)), Verdict.FAILED, "alarm"),
    "alarm before healthy": (observation(FIRED), Verdict.FAILED, "alarm"),
    "a task that can never start before failed ones": (
        observation(stopped=(*TWO_FAILED, UNPULLABLE)),
        Verdict.FAILED,
        "a task can never start",
    ),
    "failed tasks before healthy": (
        observation(stopped=TWO_FAILED),
        Verdict.FAILED,
        "2 tasks failed",
    ),
}


@pytest.mark.parametrize(("observed", "verdict", "reason"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_the_first_rule_that_applies_decides(observed, verdict, reason):
    judged = judge(observed, watch(), at(30))

    assert judged.verdict is verdict
    assert judged.reason.startswith(reason)


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (observation(FIRED, service_deployment=service_deployment(running=0)), "alarm"),
        (
            observation(service_deployment=service_deployment(running=0), stopped=TWO_FAILED),
            "2 tasks failed",
        ),
    ],
)
def test_the_reason_is_a_failure_rather_than_the_timeout(observed, reason):
    assert judge(observed, watch(), at(601)).reason.startswith(reason)


def test_the_evidence_is_alarms_then_stopped_tasks_then_what_is_missing_then_ecs():
    observed = observation(
        FIRED,
        service_deployment=service_deployment(
            state="IN_PROGRESS", reason="deployment in progress.", running=1
        ),
        stopped=(stopped("EssentialContainerExited", "exited", exited()),),
    )

    assert judge(observed, watch(), at(30)).evidence == (
        "alarm api-5xx is in ALARM: too many 5xx",
        "stopped: exited; container api, exit code 1 (task s1)",
        "1 of 2 tasks are running",
        "ECS's service deployment is IN_PROGRESS",
        "ECS says: deployment in progress.",
    )


def test_tasks_that_stopped_for_the_same_reason_are_one_line_of_evidence():
    crashed = [
        stopped("EssentialContainerExited", "exited", exited(), task=f"s{n}") for n in range(4)
    ]
    other = stopped("EssentialContainerExited", "exited", exited(3), task="s4")

    judged = judge(observation(stopped=(*crashed, other)), watch(), at(30))

    assert judged.evidence == (
        "stopped: exited; container api, exit code 1 (4 tasks, the last one s3)",
        "stopped: exited; container api, exit code 3 (task s4)",
    )


def test_the_words_of_ecs_are_evidence_also_where_only_an_event_has_them():
    gone = observation(service_deployment=None, failure=EVENT, stopped=TWO_FAILED)
    listed = observation(service_deployment=GAVE_UP, failure=EVENT, stopped=TWO_FAILED)

    assert judge(gone, watch(), at(30)).evidence[-1] == f"ECS says: {EVENT}"
    assert judge(listed, watch(), at(30)).evidence[-1] == f"ECS says: {GAVE_UP.reason}"


def test_a_service_that_is_gone_has_no_words_of_ecs_as_evidence():
    gone = observation(exists=False, failure="cluster production has no service api")

    assert not any("ECS says" in fact for fact in judge(gone, watch(), at(9)).evidence)


def test_the_evidence_leaves_out_tasks_that_just_stopped():
    observed = observation(stopped=(stopped("ServiceSchedulerInitiated", "Scaling activity"),))

    assert judge(observed, watch(), at(30)).evidence == ()


def test_the_evidence_is_no_longer_than_people_read():
    observed = observation(
        service_deployment=service_deployment(desired=20),
        running=(task(status="PENDING"),) * 20,
        stopped=tuple(stopped(reason=f"exit {n}", task=f"s{n}") for n in range(20)),
    )
    judged = judge(observed, watch(), at(30))

    assert judged.evidence == (
        *(f"stopped: exit {n} (task s{n})" for n in range(5)),
        "and 15 more",
        "0 of 20 tasks are running",
        *["task t1 is PENDING"] * 4,
        "and 16 more",
    )
    assert judged.reason.endswith("; 1 task failed: exit 4; and 15 more")


def test_progress_counts_the_tasks_that_are_healthy_everywhere():
    observed = observation(running=(task(), task(target(), target("initial", GROUP_2))))
    judged = judge(observed, watch(), at(30))

    assert (judged.healthy, judged.desired) == (1, 2)
