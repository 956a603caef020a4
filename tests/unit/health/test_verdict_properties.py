"""What holds for every observation that there can be."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from slipway.ecs.service import Update
from slipway.ecs.service_deployment import RecordedDeployment
from slipway.health.alarms import Alarm
from slipway.health.cause import Cause
from slipway.health.failed_tasks import cause_of_failure, has_failed
from slipway.health.observation import (
    Observation,
    OldTasks,
    RunningTask,
    ServiceDeployment,
    Target,
)
from slipway.health.stopped_tasks import Container, StoppedTask
from slipway.health.verdict import Verdict, Watch, judge
from slipway.release.plan import GuardingAlarm, Policy
from tests.support.builders import at

TEXT = st.text(max_size=8)
TIMES = st.integers(0, 2 * 86_400).map(at)
IDS = st.sampled_from(["ecs-svc/1", "ecs-svc/2", ""])
STATES = st.sampled_from(["healthy", "healthy", "initial", "unhealthy", "draining", "unregistered"])
TARGETS = st.builds(Target, group=TEXT, state=STATES, reason=TEXT)
RUNNING = st.builds(
    RunningTask,
    id=TEXT,
    status=st.sampled_from(["RUNNING", "RUNNING", "PENDING", "ACTIVATING"]),
    health=st.sampled_from(["HEALTHY", "UNKNOWN", "UNHEALTHY"]),
    targets=st.lists(TARGETS, max_size=2),
)
CODES = st.sampled_from(
    ["EssentialContainerExited", "TaskFailedToStart", "ServiceSchedulerInitiated", "", "New"]
)
REASONS = (
    st.sampled_from(
        [
            "",
            "Task failed ELB health checks in (x)",
            "Scaling activity",
            "Capacity is unavailable at this time.",
            "CannotPullContainerError: not found",
        ]
    )
    | TEXT
)
CONTAINERS = st.builds(
    Container,
    exit_code=st.none() | st.integers(0, 2),
    reason=TEXT,
    essential=st.booleans(),
    awaited=st.booleans(),
)
STOPPED = st.builds(
    StoppedTask,
    id=TEXT,
    task_definition=TEXT,
    code=CODES,
    reason=REASONS,
    containers=st.lists(CONTAINERS, max_size=2),
)
COUNTS = st.integers(0, 3)
SERVICE_DEPLOYMENTS = st.builds(
    ServiceDeployment,
    id=IDS,
    primary=st.sampled_from([True, True, False]),
    state=st.sampled_from(["COMPLETED", "COMPLETED", "IN_PROGRESS", "FAILED", "NEW"]),
    reason=TEXT,
    task_definition=TEXT,
    desired=COUNTS,
    running=COUNTS,
)
NAMES = ("a", "b")
ALARMS = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        Alarm,
        name=TEXT,
        state=st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]),
        reason=TEXT,
        changed_at=TIMES,
        was_firing=st.none() | st.none() | TEXT,
    ),
)
RECORDED = st.builds(
    RecordedDeployment,
    arn=TEXT,
    created_at=TIMES,
    status=TEXT,
    reason=TEXT,
    task_definition=TEXT,
    alarms=st.lists(TEXT, max_size=1),
)
EVENTS = st.sampled_from(["(service api) was unable to place a task.", "has started 1 tasks"])
OBSERVATIONS = st.builds(
    Observation,
    exists=st.sampled_from([True, True, True, False]),
    service_deployment=st.none() | SERVICE_DEPLOYMENTS,
    rolled_back=st.none() | st.none() | RECORDED,
    newer=st.none() | st.none() | RECORDED,
    old_tasks=st.builds(OldTasks, stopping=COUNTS, protected=COUNTS, others=COUNTS),
    events=st.lists(EVENTS, max_size=2),
    has_health_check=st.booleans(),
    running=st.lists(RUNNING, max_size=3),
    stopped=st.lists(STOPPED, max_size=3),
    alarms=ALARMS,
    alarms_unreadable=st.sampled_from(["", "", "denied"]),
)
PLANNED = st.sampled_from(
    [
        *NAMES,
        *(
            GuardingAlarm(name=name, when_firing=when)
            for name in NAMES
            for when in ("ignore", "block")
        ),
    ]
)
POLICIES = st.builds(
    Policy,
    alarms=st.lists(PLANNED, max_size=2, unique_by=lambda alarm: getattr(alarm, "name", alarm)),
    bake_seconds=st.integers(0, 3600),
    timeout_seconds=st.integers(1, 3600),
    poll_seconds=st.integers(15, 300),
    container=st.none(),
)
WATCHES = st.builds(
    Watch,
    update=st.builds(Update, deployment_id=IDS, started_at=TIMES, task_definition=TEXT),
    healthy_at=st.none() | TIMES,
    policy=POLICIES,
)


@given(OBSERVATIONS, WATCHES, TIMES)
def test_every_observation_has_a_verdict_that_is_json(observed, watch, now):
    assert json.dumps(judge(observed, watch, now).to_json())


@given(OBSERVATIONS, WATCHES, TIMES)
def test_the_next_check_is_never_sooner_than_a_second_nor_later_than_poll_seconds(
    observed, watch, now
):
    assert 1 <= judge(observed, watch, now).wait_seconds <= watch.policy.poll_seconds


@given(OBSERVATIONS, WATCHES, TIMES)
def test_a_healthy_deployment_has_every_task_running_every_target_healthy_and_no_alarm(
    observed, watch, now
):
    if judge(observed, watch, now).verdict is not Verdict.HEALTHY:
        return
    assert observed.exists
    assert observed.newer is None
    assert observed.rolled_back is None
    assert observed.service_deployment.primary
    old = observed.old_tasks
    only_old_ones_left = old.stopping + old.protected and not old.others
    assert observed.service_deployment.state == "COMPLETED" or only_old_ones_left
    assert (
        sum(task.status == "RUNNING" for task in observed.running)
        >= observed.service_deployment.desired
    )
    assert all(target.state == "healthy" for task in observed.running for target in task.targets)
    assert not any(task.health == "UNHEALTHY" for task in observed.running)
    assert set(watch.policy.alarm_names) <= set(observed.alarms)
    assert not any(
        alarm.state == "ALARM" and alarm.changed_at >= watch.update.started_at
        for alarm in observed.alarms.values()
    )


@given(OBSERVATIONS, WATCHES, TIMES)
def test_only_a_healthy_deployment_is_baked(observed, watch, now):
    judged = judge(observed, watch, now)

    assert judged.verdict is Verdict.HEALTHY or not judged.baked


@given(OBSERVATIONS, WATCHES, TIMES)
def test_no_deployment_is_pending_after_its_bake_and_its_timeout(observed, watch, now):
    policy = watch.policy
    started = max(watch.update.started_at, watch.healthy_at or watch.update.started_at)
    out_of_time = (now - started).total_seconds() >= policy.bake_seconds + policy.timeout_seconds

    assert not (out_of_time and judge(observed, watch, now).verdict is Verdict.PENDING)


@given(OBSERVATIONS, WATCHES, TIMES)
def test_the_start_of_the_bake_never_changes(observed, watch, now):
    judged = judge(observed, watch, now)

    assert watch.healthy_at is None or judged.healthy_at == watch.healthy_at


@given(OBSERVATIONS, WATCHES, TIMES)
def test_a_verdict_other_than_healthy_gives_a_reason(observed, watch, now):
    judged = judge(observed, watch, now)

    assert judged.reason or not observed.exists


@given(OBSERVATIONS, WATCHES, TIMES)
def test_a_verdict_has_a_cause_where_the_deployment_ends_badly_and_nowhere_else(
    observed, watch, now
):
    judged = judge(observed, watch, now)

    bad = judged.verdict in {Verdict.FAILED, Verdict.SUPERSEDED}
    assert (judged.cause is not None) == bad


HEALTHIER = st.fixed_dictionaries(
    {},
    optional={
        "running": st.just("one more healthy task"),
        "stopped": st.just(()),
        "old_tasks": st.just(OldTasks()),
        "events": st.just(()),
    },
)
"""What can change for the better."""


@given(OBSERVATIONS, WATCHES, TIMES, HEALTHIER)
def test_more_evidence_of_health_never_turns_healthy_into_failed(observed, watch, now, better):
    if judge(observed, watch, now).verdict is not Verdict.HEALTHY:
        return
    if "running" in better:
        more = RunningTask(id="more", status="RUNNING", health="HEALTHY", targets=())
        better["running"] = (*observed.running, more)
    ours = observed.service_deployment.model_copy(update={"state": "COMPLETED"})
    healthier = observed.model_copy(update={**better, "service_deployment": ours})

    assert judge(healthier, watch, now).verdict is Verdict.HEALTHY


@given(OBSERVATIONS, WATCHES, TIMES)
def test_a_list_of_an_earlier_time_neither_supersedes_nor_fails_a_deployment_in_time(
    observed, watch, now
):
    """Neither our service deployment nor anything that came after it is in it."""
    quiet = {
        name: alarm.model_copy(update={"state": "OK", "was_firing": None})
        for name, alarm in observed.alarms.items()
    }
    stale = Observation(alarms=quiet, events=observed.events, old_tasks=observed.old_tasks)
    judged = judge(stale, watch, now)
    in_time = now.timestamp() * 1000 < judged.deadline

    assert judged.verdict is (Verdict.PENDING if in_time else Verdict.FAILED)
    assert not (judged.cause and judged.cause.quarantines)


@given(OBSERVATIONS, SERVICE_DEPLOYMENTS, WATCHES, TIMES)
def test_a_list_without_the_newest_tasks_neither_supersedes_nor_fails_a_deployment_in_time(
    observed, ours, watch, now
):
    quiet = {
        name: alarm.model_copy(update={"state": "OK", "was_firing": None})
        for name, alarm in observed.alarms.items()
    }
    going_on = ours.model_copy(update={"state": "IN_PROGRESS"})
    stale = Observation(service_deployment=going_on, alarms=quiet, events=observed.events)
    judged = judge(stale, watch, now)

    if now.timestamp() * 1000 < judged.deadline:
        assert judged.verdict is Verdict.PENDING
    assert not (judged.cause and judged.cause.quarantines)


@given(OBSERVATIONS, WATCHES, TIMES)
def test_only_an_alarm_or_a_failure_of_tasks_quarantines(observed, watch, now):
    judged = judge(observed, watch, now)
    if not (judged.cause and judged.cause.quarantines):
        return
    assert judged.verdict is Verdict.FAILED
    by_ecs = observed.rolled_back is not None and observed.rolled_back.alarms
    failed = [task for task in observed.stopped if has_failed(task)]
    if judged.cause is Cause.ALARM:
        assert judged.alarms_fired or by_ecs
    else:
        assert any(cause_of_failure(task) is Cause.IMAGE for task in failed)
