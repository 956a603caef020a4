"""Each rule of the verdict, and which of two rules that both apply decides."""

from __future__ import annotations

import pytest

from slipway.health.cause import Cause
from slipway.health.observation import OldTasks
from slipway.health.verdict import Verdict, judge
from tests.support.builders import (
    GROUP_2,
    NEW,
    alarm,
    at,
    exited,
    observation,
    recorded,
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
BREAKER = "Service deployment rolled back because the circuit breaker threshold was exceeded."
ROLLED_BACK = {
    "rolled_back": recorded(task_definition=NEW, status="ROLLBACK_SUCCESSFUL", reason=BREAKER),
    "service_deployment": None,
}
NEWER = {"newer": recorded(), "service_deployment": service_deployment(primary=False)}


def test_a_deployment_with_every_task_healthy_is_healthy():
    assert judge(observation(), watch(), at(30)).verdict is Verdict.HEALTHY


MISSING = {
    "ECS does not list the deployment": observation(service_deployment=None),
    "ECS lists another service deployment as the newest one": observation(
        service_deployment=service_deployment(primary=False)
    ),
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
    f"ECS marked the service deployment as failed: {BREAKER}": observation(**ROLLED_BACK),
}


CAUSES = (Cause.ALARM, Cause.IMAGE, Cause.IMAGE, Cause.ECS, Cause.ECS)


@pytest.mark.parametrize(("observed", "cause"), [*zip(FAILED.values(), CAUSES, strict=True)])
def test_a_failure_has_its_cause_as_data(observed, cause):
    assert judge(observed, watch(), at(1)).cause is cause


@pytest.mark.parametrize(
    "ecs",
    [
        {"service_deployment": GAVE_UP},
        ROLLED_BACK,
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


def test_someone_elses_newer_deployment_supersedes_ours_and_is_named():
    judged = judge(observation(**NEWER), watch(), at(30))

    assert judged.verdict is Verdict.SUPERSEDED
    assert judged.reason == "someone else has put shop-api:43 on the service (theirs)"
    assert judged.cause is Cause.PERSON


def test_a_service_that_is_gone_supersedes_the_deployment():
    judged = judge(
        observation(exists=False, gone="cluster production has no service api"), watch(), at(9)
    )

    assert judged.verdict is Verdict.SUPERSEDED
    assert judged.reason == "cluster production has no service api"


def test_ecs_own_alarms_are_the_cause_of_its_rollback():
    ours = recorded(
        task_definition=NEW, status="ROLLBACK_IN_PROGRESS", reason="alarm", alarms=("ecs-5xx",)
    )

    judged = judge(observation(rolled_back=ours, service_deployment=None), watch(), at(30))

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.ALARM)
    assert judged.reason == "ECS rolled back for its own alarms ecs-5xx: alarm"


PRECEDENCE = {
    "gone before failed": (
        observation(exists=False, service_deployment=GAVE_UP),
        Verdict.SUPERSEDED,
        "",
    ),
    "circuit breaker's failure before a newer one": (
        observation(newer=recorded(), service_deployment=GAVE_UP),
        Verdict.FAILED,
        "ECS marked",
    ),
    "circuit breaker's rollback before a newer one": (
        observation(newer=recorded(), **ROLLED_BACK),
        Verdict.FAILED,
        "ECS marked",
    ),
    "superseded before an alarm": (
        observation(FIRED, **NEWER),
        Verdict.SUPERSEDED,
        "someone else",
    ),
    "superseded before failed tasks": (
        observation(stopped=TWO_FAILED, **NEWER),
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


def test_the_words_of_ecs_are_evidence_wherever_they_stand():
    gone = observation(stopped=TWO_FAILED, **ROLLED_BACK)
    listed = observation(service_deployment=GAVE_UP, stopped=TWO_FAILED)

    assert judge(gone, watch(), at(30)).evidence[-1] == f"ECS says: {BREAKER}"
    assert judge(listed, watch(), at(30)).evidence[-1] == f"ECS says: {GAVE_UP.reason}"


NO_ROOM = (
    "(service api) was unable to place a task because no container instance met all of its requirements. "
    "Reason: No Container Instances were found in your cluster."
)


def test_the_events_of_the_service_that_name_a_trouble_are_evidence_once():
    observed = observation(
        events=(NO_ROOM, "(service api) has started 1 tasks: (task 1).", NO_ROOM)
    )

    assert judge(observed, watch(), at(30)).evidence == (f"ECS says: {NO_ROOM}",)


WITHOUT_A_PLACE = service_deployment(running=0, state="IN_PROGRESS")


@pytest.mark.parametrize(
    "found",
    [
        {"events": (NO_ROOM,)},
        {
            "stopped": (
                stopped(
                    "TaskFailedToStart", "Capacity is unavailable at this time. Please try again"
                ),
            )
            * 3
        },
    ],
    ids=["an event", "tasks on Fargate"],
)
def test_tasks_without_a_place_are_waited_for_and_are_no_fault_of_the_image(found):
    observed = observation(service_deployment=WITHOUT_A_PLACE, running=(), **found)

    assert judge(observed, watch(), at(599)).verdict is Verdict.PENDING
    judged = judge(observed, watch(), at(600))
    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.CAPACITY)
    said = NO_ROOM if "events" in found else "Capacity is unavailable"
    assert f"0 of 2 tasks are running; ECS says: {said}" in judged.reason


def test_a_task_that_was_only_scaled_in_never_fails_a_deployment_whatever_its_sidecar_says():
    agent = exited(None, "agent", reason="CannotPullContainerError: manifest unknown")
    scaled_in = stopped("ServiceSchedulerInitiated", "Scaling activity", agent)

    assert judge(observation(stopped=(scaled_in,) * 3), watch(), at(30)).verdict is Verdict.HEALTHY


def test_tasks_that_could_not_start_for_a_setting_are_no_fault_of_the_image():
    secret = "ResourceInitializationError: unable to pull secrets or registry auth: no such secret"
    judged = judge(
        observation(stopped=(stopped("TaskFailedToStart", secret),) * 2), watch(), at(30)
    )

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.CONFIGURATION)


def test_one_task_that_failed_for_the_image_among_others_blames_the_image():
    others = stopped("TaskFailedToStart", "ResourceInitializationError: no route to the registry")
    judged = judge(
        observation(stopped=(stopped("EssentialContainerExited", "", exited()), others)),
        watch(),
        at(30),
    )

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.IMAGE)


@pytest.mark.parametrize(
    ("old", "verdict", "reason"),
    [
        (
            OldTasks(stopping=2),
            Verdict.HEALTHY,
            "every task is healthy; 2 old tasks still draining",
        ),
        (
            OldTasks(protected=1),
            Verdict.HEALTHY,
            "every task is healthy; 1 old task still protected",
        ),
        (
            OldTasks(stopping=1, others=1),
            Verdict.PENDING,
            "ECS's service deployment is IN_PROGRESS",
        ),
        (OldTasks(), Verdict.PENDING, "ECS's service deployment is IN_PROGRESS"),
    ],
)
def test_a_deployment_is_healthy_once_only_old_tasks_are_left_that_drain_or_are_protected(
    old, verdict, reason
):
    observed = observation(
        service_deployment=service_deployment(state="IN_PROGRESS"), old_tasks=old
    )

    judged = judge(observed, watch(), at(30))

    assert (judged.verdict, judged.reason) == (verdict, reason)


NO_TASKS = observation(service_deployment=service_deployment(desired=0, running=0), running=())


def test_a_service_scaled_to_zero_is_baked_at_once_and_nothing_is_proven():
    judged = judge(NO_TASKS, watch(), at(30))

    assert (judged.verdict, judged.baked, judged.proven) == (Verdict.HEALTHY, True, False)
    assert judged.reason == "no task runs, because the desired count of the service is 0"
    assert judged.healthy_at is None


def test_a_service_scaled_to_zero_in_the_bake_is_unproven_at_its_end():
    during = judge(NO_TASKS, watch(healthy_at=at(30)), at(60))
    after = judge(NO_TASKS, watch(healthy_at=at(30)), at(330))

    assert (during.verdict, during.baked) == (Verdict.HEALTHY, False)
    assert (after.verdict, after.baked, after.proven) == (Verdict.HEALTHY, True, False)


def test_an_alarm_that_fired_between_two_checks_fails_the_deployment():
    between = alarm("OK", changed=60).model_copy(update={"was_firing": "9 errors"})

    judged = judge(observation(between), watch(), at(90))

    assert (judged.verdict, judged.cause) == (Verdict.FAILED, Cause.ALARM)
    assert judged.reason == "alarm api-5xx went to ALARM: 9 errors"
    assert judged.evidence[0] == "alarm api-5xx was in ALARM: 9 errors"


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
