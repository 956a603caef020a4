"""What holds for every observation that there can be."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from slipway.health.alarms import Alarm
from slipway.health.observation import Observation, RunningTask, ServiceDeployment, Target
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
CODES = st.sampled_from(["EssentialContainerExited", "ServiceSchedulerInitiated", "", "New"])
REASONS = st.sampled_from(["", "Task failed ELB health checks in (x)", "Scaling activity"]) | TEXT
CONTAINERS = st.builds(
    Container, exit_code=st.none() | st.integers(0, 2), reason=TEXT, essential=st.booleans()
)
STOPPED = st.builds(
    StoppedTask, id=TEXT, code=CODES, reason=REASONS, containers=st.lists(CONTAINERS, max_size=2)
)
COUNTS = st.integers(0, 3)
SERVICE_DEPLOYMENTS = st.builds(
    ServiceDeployment,
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
OBSERVATIONS = st.builds(
    Observation,
    exists=st.sampled_from([True, True, True, False]),
    primary=IDS,
    primary_task_definition=TEXT,
    service_deployment=st.none() | SERVICE_DEPLOYMENTS,
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
    assert observed.primary == watch.deployment_id
    assert observed.service_deployment.state == "COMPLETED"
    assert (
        sum(task.status == "RUNNING" for task in observed.running)
        >= observed.service_deployment.desired
    )
    assert all(target.state == "healthy" for task in observed.running for target in task.targets)
    assert not any(task.health == "UNHEALTHY" for task in observed.running)
    assert set(watch.policy.alarm_names) <= set(observed.alarms)
    assert not any(
        alarm.state == "ALARM" and alarm.changed_at >= watch.started_at
        for alarm in observed.alarms.values()
    )


@given(OBSERVATIONS, WATCHES, TIMES)
def test_only_a_healthy_deployment_is_baked(observed, watch, now):
    judged = judge(observed, watch, now)

    assert judged.verdict is Verdict.HEALTHY or not judged.baked


@given(OBSERVATIONS, WATCHES, TIMES)
def test_no_deployment_is_pending_after_its_bake_and_its_timeout(observed, watch, now):
    policy = watch.policy
    started = max(watch.started_at, watch.healthy_at or watch.started_at)
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
