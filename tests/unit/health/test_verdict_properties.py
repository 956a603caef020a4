"""What holds for every observation that there can be."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from slipway.health.alarms import Alarm
from slipway.health.observation import Observation, Rollout, RunningTask, Target
from slipway.health.stopped_tasks import Container, StoppedTask
from slipway.health.verdict import Judgement, Watch, judge
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
CODES = st.sampled_from(["EssentialContainerExited", "ServiceSchedulerInitiated", "", "New"])
REASONS = st.sampled_from(["", "Task failed ELB health checks in (x)", "Scaling activity"]) | TEXT
CONTAINERS = st.builds(
    Container, exit_code=st.none() | st.integers(0, 2), reason=TEXT, essential=st.booleans()
)
STOPPED = st.builds(
    StoppedTask, id=TEXT, code=CODES, reason=REASONS, containers=st.lists(CONTAINERS, max_size=2)
)
COUNTS = st.integers(0, 3)
ROLLOUTS = st.builds(
    Rollout,
    id=IDS,
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
    ),
)
LOOKS = st.builds(
    Observation,
    exists=st.sampled_from([True, True, True, False]),
    primary=IDS,
    primary_task_definition=TEXT,
    rollout=st.none() | ROLLOUTS,
    failure=st.sampled_from(["", "", "deployment failed"]),
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
    deployment_id=IDS,
    started_at=TIMES,
    healthy_at=st.none() | TIMES,
    policy=POLICIES,
)


@given(LOOKS, WATCHES, TIMES)
def test_every_observation_has_a_verdict_that_is_json(look, watch, now):
    assert json.dumps(judge(look, watch, now).to_json())


@given(LOOKS, WATCHES, TIMES)
def test_the_next_look_is_never_sooner_than_a_second_nor_later_than_poll_seconds(look, watch, now):
    assert 1 <= judge(look, watch, now).wait_seconds <= watch.policy.poll_seconds


@given(LOOKS, WATCHES, TIMES)
def test_nothing_is_missing_from_a_healthy_deployment(look, watch, now):
    if judge(look, watch, now).verdict is not Judgement.HEALTHY:
        return
    assert look.exists
    assert look.primary == watch.deployment_id
    assert look.rollout.state == "COMPLETED"
    assert sum(task.status == "RUNNING" for task in look.running) >= look.rollout.desired
    assert all(target.state == "healthy" for task in look.running for target in task.targets)
    assert not any(task.health == "UNHEALTHY" for task in look.running)
    assert set(watch.policy.alarm_names) <= set(look.alarms)
    assert not any(
        alarm.state == "ALARM" and alarm.changed_at >= watch.started_at
        for alarm in look.alarms.values()
    )


@given(LOOKS, WATCHES, TIMES)
def test_only_a_healthy_deployment_is_baked(look, watch, now):
    judged = judge(look, watch, now)

    assert judged.verdict is Judgement.HEALTHY or not judged.baked


@given(LOOKS, WATCHES, TIMES)
def test_nothing_is_pending_for_ever(look, watch, now):
    policy = watch.policy
    started = max(watch.started_at, watch.healthy_at or watch.started_at)
    out_of_time = (now - started).total_seconds() >= policy.bake_seconds + policy.timeout_seconds

    assert not (out_of_time and judge(look, watch, now).verdict is Judgement.PENDING)


@given(LOOKS, WATCHES, TIMES)
def test_the_start_of_the_bake_never_changes(look, watch, now):
    judged = judge(look, watch, now)

    assert watch.healthy_at is None or judged.healthy_at == watch.healthy_at


@given(LOOKS, WATCHES, TIMES)
def test_a_verdict_other_than_healthy_gives_a_reason(look, watch, now):
    judged = judge(look, watch, now)

    assert judged.reason or not look.exists
