"""The verdict: what one check of a deployment says. Every rule is here, and nothing here talks to AWS.

Which stopped tasks count as failed: `failed_tasks`.

Read from top to bottom, the first rule that applies decides::

    gone, or primary is not ours      SUPERSEDED    (after: our service deployment FAILED, which the
    our service deployment FAILED     FAILED         circuit breaker answers with another primary)
    an alarm went to ALARM            FAILED
    a task can never start            FAILED
    two tasks failed                  FAILED
    everything as it should be        HEALTHY       and baked, bake_seconds after the first time
    out of time                       FAILED
    else                              PENDING       with what is still missing
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from slipway.aws import resource_name
from slipway.errors import Superseded
from slipway.health.cause import Cause, cause_of
from slipway.health.failed_tasks import (
    Failed,
    alike,
    describe,
    failed_container,
    has_failed,
    what_happened,
    why_it_never_starts,
)
from slipway.health.observation import Observation, RunningTask
from slipway.model import Model
from slipway.reasons import Evidence, Reason, and_more
from slipway.release.plan import Policy

FAILED_TASKS_LIMIT = 2
SHOWN = 6
"""How many facts of each kind are evidence. A hundred alarms must not hide why the tasks stopped."""


class Verdict(StrEnum):
    """What a check can say."""

    PENDING = "PENDING"
    HEALTHY = "HEALTHY"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"


class Watch(Model):
    """What is being watched, and since when."""

    deployment_id: str
    started_at: AwareDatetime
    """When ECS made the deployment."""
    healthy_at: AwareDatetime | None = None
    """When it was first HEALTHY: the start of the bake."""
    policy: Policy
    rolling_back: bool = False
    """Whether it is the rollback: people are not notified once more that it failed."""
    progress: str = ""
    """The line about its progress that people were notified of last."""


class CheckResult(Model):
    """What one check says, with the reason in a sentence and its evidence, one fact a line."""

    verdict: Verdict
    reason: Reason
    cause: Cause | None = None
    """Of FAILED and SUPERSEDED, the reason as data."""
    evidence: Evidence = ()
    alarms_fired: tuple[str, ...] = ()
    """The alarms that went to ALARM since the deployment started."""
    healthy_at: datetime | None = None
    baked: bool = False
    """HEALTHY, and the bake is over."""
    wait_seconds: int
    """How long to wait until the next check."""
    desired: int = 0
    healthy: int = 0
    """Tasks that run and are healthy in every target group."""
    failed: Failed | None = None
    """FAILED: the container whose log may say why, where a task failed."""
    progress: str = ""
    """How far it is, in one line, as `progress` says it."""


def superseded(error: Superseded, watch: Watch) -> CheckResult:
    """The result where another deployment has claimed the service, whatever there is to observe."""
    return CheckResult(
        verdict=Verdict.SUPERSEDED,
        reason=str(error),
        cause=cause_of(error),
        healthy_at=watch.healthy_at,
        wait_seconds=watch.policy.poll_seconds,
    )


def said_of(refusal: str) -> str:
    """That a person has quarantined the image while it was deployed, as a sentence.

    Args:
        refusal: who, and why.
    """
    return f"a person has quarantined the image ({refusal})"


def refused(refusal: str, watch: Watch) -> CheckResult:
    """The result where a person has quarantined the image, however healthy it is."""
    return CheckResult(
        verdict=Verdict.FAILED,
        reason=said_of(refusal),
        cause=Cause.PERSON,
        healthy_at=watch.healthy_at,
        wait_seconds=watch.policy.poll_seconds,
    )


def judge(observation: Observation, watch: Watch, now: datetime) -> CheckResult:
    """Turn an observation into a verdict."""
    missing = _missing(observation, watch)
    healthy_at = watch.healthy_at or (None if missing else now)
    baked_at = healthy_at + timedelta(seconds=watch.policy.bake_seconds) if healthy_at else None
    baked = not missing and baked_at is not None and now >= baked_at
    verdict, cause, reason = _superseded_or_failed(observation, watch) or (
        (Verdict.HEALTHY, None, "every task is healthy")
        if not missing
        else (Verdict.FAILED, Cause.TIMEOUT, f"{_out_of_time(watch)}: {missing[0]}")
        if now >= _deadline(watch, baked_at)
        else (Verdict.PENDING, None, missing[0])
    )
    return CheckResult(
        verdict=verdict,
        reason=reason,
        cause=cause,
        evidence=evidence(observation, watch, missing),
        alarms_fired=tuple(fired_alarms(observation, watch)),
        healthy_at=healthy_at,
        baked=verdict is Verdict.HEALTHY and baked,
        wait_seconds=_wait_seconds(watch, baked_at, now),
        desired=observation.service_deployment.desired if observation.service_deployment else 0,
        healthy=sum(not _task_missing(task, observation) for task in observation.running),
        failed=failed_container(observation.stopped) if verdict is Verdict.FAILED else None,
    )


def _superseded_or_failed(
    observation: Observation, watch: Watch
) -> tuple[Verdict, Cause, str] | None:
    if not observation.exists:
        return Verdict.SUPERSEDED, Cause.PERSON, observation.failure
    failed = [task for task in observation.stopped if has_failed(task)]
    if observation.failure or (
        observation.service_deployment and observation.service_deployment.state == "FAILED"
    ):
        if failed:
            return Verdict.FAILED, Cause.IMAGE, what_happened(failed)
        said = _ecs_words(observation)
        return Verdict.FAILED, Cause.ECS, f"ECS marked the service deployment as failed: {said}"
    if observation.primary != watch.deployment_id:
        other = resource_name(observation.primary_task_definition)
        reason = f"someone else has put {other} on the service ({observation.primary})"
        return Verdict.SUPERSEDED, Cause.PERSON, reason
    if fired := fired_alarms(observation, watch):
        alarm = observation.alarms[fired[0]]
        return Verdict.FAILED, Cause.ALARM, f"alarm {alarm.name} went to ALARM: {alarm.reason}"
    for task in observation.stopped:
        if why := why_it_never_starts(task):
            return Verdict.FAILED, why, f"a task can never start: {describe(task)}"
    if len(failed) >= FAILED_TASKS_LIMIT:
        return Verdict.FAILED, Cause.IMAGE, what_happened(failed)
    return None


def fired_alarms(observation: Observation, watch: Watch) -> list[str]:
    """The alarms that went to ALARM since the deployment started.

    One that was firing before says nothing about this deployment, until it has been OK again.
    """
    return [
        name
        for name, alarm in observation.alarms.items()
        if alarm.state == "ALARM" and alarm.changed_at >= watch.started_at
    ]


def evidence(observation: Observation, watch: Watch, missing: list[str]) -> tuple[str, ...]:
    """The facts behind the verdict, one a line, the strongest first."""
    alarms = [
        f"alarm {n} is in ALARM: {observation.alarms[n].reason}"
        for n in fired_alarms(observation, watch)
    ]
    failed = alike(task for task in observation.stopped if has_failed(task))
    stopped = [f"stopped: {describe(*tasks)}" for tasks in failed]
    said = _ecs_words(observation) if observation.exists else ""
    kinds = (alarms, stopped, missing, [f"ECS says: {said}"] if said else [])
    return tuple(fact for kind in kinds for fact in and_more(kind, SHOWN))


def _ecs_words(observation: Observation) -> str:
    """What ECS says of the service deployment; in an event of the service, once it has left the list."""
    ours = observation.service_deployment
    if observation.failure and not (ours and ours.state == "FAILED"):
        return observation.failure
    return ours.reason if ours else ""


def _missing(observation: Observation, watch: Watch) -> list[str]:
    """What is not yet as it should be, one a line; empty when the deployment is healthy."""
    service_deployment = observation.service_deployment
    if service_deployment is None:
        return ["ECS does not list the deployment"]
    missing = [
        f"task {t.id} {problem}"
        for t in observation.running
        if (problem := _task_missing(t, observation))
    ]
    listed = sum(task.status == "RUNNING" for task in observation.running)
    if min(service_deployment.running, listed) < service_deployment.desired:
        missing.insert(
            0,
            f"{min(service_deployment.running, listed)} of {service_deployment.desired} tasks are running",
        )
    if service_deployment.state != "COMPLETED":
        missing.append(f"ECS's service deployment is {service_deployment.state}")
    # Neither good nor bad: the tasks may be healthy, but nobody would see the alarm fire.
    unread = [name for name in watch.policy.alarm_names if name not in observation.alarms]
    why = f": {observation.alarms_unreadable}" if observation.alarms_unreadable else ""
    return missing + [f"alarm {name} can't be read{why}" for name in unread]


def _task_missing(task: RunningTask, observation: Observation) -> str:
    if task.status != "RUNNING":
        return f"is {task.status}"
    if task.health == "UNHEALTHY" or (observation.has_health_check and task.health != "HEALTHY"):
        return f"has container health {task.health}"
    for target in task.targets:
        if target.state != "healthy":
            group = target.group.split(":")[-1].removeprefix("targetgroup/").partition("/")[0]
            return f"is {target.state} in target group {group}" + (
                f" ({target.reason})" if target.reason else ""
            )
    return ""


def _deadline(watch: Watch, baked_at: datetime | None) -> datetime:
    # Once it was healthy it has the bake to go through, and the same patience again to recover.
    return (baked_at or watch.started_at) + timedelta(seconds=watch.policy.timeout_seconds)


def _out_of_time(watch: Watch) -> str:
    again = " again" if watch.healthy_at else ""
    return f"not healthy{again} after {watch.policy.timeout_seconds} seconds"


def _wait_seconds(watch: Watch, baked_at: datetime | None, now: datetime) -> int:
    if baked_at is None or baked_at <= now:
        return watch.policy.poll_seconds
    left = int((baked_at - now).total_seconds()) + 1  # rounded up: the next check finds it baked
    return min(watch.policy.poll_seconds, left)
