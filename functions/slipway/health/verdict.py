"""The verdict: what one look at a deployment says. Every rule is here, and nothing here talks to AWS.

Which stopped tasks count is in `failed`.

Read from top to bottom, the first rule that applies decides::

    gone, or primary is not ours      SUPERSEDED    (after: our rollout FAILED, which the circuit
    our rollout FAILED                FAILED         breaker answers with another primary)
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

from slipway.aws import short
from slipway.health.failed_tasks import Failed, describe, failed_container, has_failed, never_starts
from slipway.health.observation import Observation, RunningTask
from slipway.model import Model
from slipway.release.plan import Policy

FAILED_TASKS_LIMIT = 2


class Judgement(StrEnum):
    """What a look can say."""

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
    """When it was first seen HEALTHY: the start of the bake."""
    policy: Policy
    back: bool = False
    """Whether it is the way back: of that, people are not told once more that it failed."""
    progress: str = ""
    """What people were told last of how far it is."""


class Verdict(Model):
    """What one look says, with the reason in a sentence and its evidence, one fact a line."""

    verdict: Judgement
    reason: str
    evidence: tuple[str, ...] = ()
    healthy_at: datetime | None = None
    baked: bool = False
    """HEALTHY, and the bake is over."""
    wait_seconds: int
    """How long to wait until the next look."""
    desired: int = 0
    healthy: int = 0
    """Tasks that run and are healthy in every target group."""
    failed: Failed | None = None
    """FAILED: the container whose log may say why, where a task failed."""
    progress: str = ""
    """How far it is, in one line, as `progress` tells it."""


def superseded(reason: str, watch: Watch) -> Verdict:
    """The verdict where another deployment has the service, whatever there is to be seen."""
    return Verdict(
        verdict=Judgement.SUPERSEDED,
        reason=reason,
        healthy_at=watch.healthy_at,
        wait_seconds=watch.policy.poll_seconds,
    )


def judge(seen: Observation, watch: Watch, now: datetime) -> Verdict:
    """Turn what was seen into a verdict."""
    missing = _missing(seen, watch)
    healthy_at = watch.healthy_at or (None if missing else now)
    baked_at = healthy_at + timedelta(seconds=watch.policy.bake_seconds) if healthy_at else None
    baked = not missing and baked_at is not None and now >= baked_at
    verdict, reason = _superseded_or_failed(seen, watch) or (
        (Judgement.HEALTHY, "every task is healthy")
        if not missing
        else (Judgement.FAILED, f"{_out_of_time(watch)}: {missing[0]}")
        if now >= _deadline(watch, baked_at)
        else (Judgement.PENDING, missing[0])
    )
    return Verdict(
        verdict=verdict,
        reason=reason,
        evidence=evidence(seen, watch, missing),
        healthy_at=healthy_at,
        baked=verdict is Judgement.HEALTHY and baked,
        wait_seconds=_wait_seconds(watch, baked_at, now),
        desired=seen.rollout.desired if seen.rollout else 0,
        healthy=sum(not _task_missing(task, seen) for task in seen.running),
        failed=failed_container(seen.stopped) if verdict is Judgement.FAILED else None,
    )


def _superseded_or_failed(seen: Observation, watch: Watch) -> tuple[Judgement, str] | None:
    if not seen.exists:
        return Judgement.SUPERSEDED, seen.failure
    if seen.failure or (seen.rollout and seen.rollout.state == "FAILED"):
        told = (
            seen.rollout.reason if seen.rollout and seen.rollout.state == "FAILED" else seen.failure
        )
        return Judgement.FAILED, f"ECS gave the rollout up: {told}"
    if seen.primary != watch.deployment_id:
        other = short(seen.primary_task_definition)
        return Judgement.SUPERSEDED, f"someone else has put {other} on the service ({seen.primary})"
    if fired := fired_alarms(seen, watch):
        alarm = seen.alarms[fired[0]]
        return Judgement.FAILED, f"alarm {alarm.name} went to ALARM: {alarm.reason}"
    for task in seen.stopped:
        if never_starts(task):
            return Judgement.FAILED, f"a task can never start: {describe(task)}"
    failed = [task for task in seen.stopped if has_failed(task)]
    if len(failed) >= FAILED_TASKS_LIMIT:
        return Judgement.FAILED, f"{len(failed)} tasks failed, the last one: {describe(failed[-1])}"
    return None


def fired_alarms(seen: Observation, watch: Watch) -> list[str]:
    """The alarms that went to ALARM since the deployment started.

    One that was firing before tells nothing about this deployment, until it has been OK again.
    """
    return [
        name
        for name, alarm in seen.alarms.items()
        if alarm.state == "ALARM" and alarm.changed_at >= watch.started_at
    ]


def evidence(seen: Observation, watch: Watch, missing: list[str]) -> tuple[str, ...]:
    """The facts behind the verdict, one a line, the strongest first."""
    alarms = [f"alarm {n} is in ALARM: {seen.alarms[n].reason}" for n in fired_alarms(seen, watch)]
    stopped = [f"stopped: {describe(task)}" for task in seen.stopped if has_failed(task)]
    rollout = [f"ECS says: {seen.rollout.reason}"] if seen.rollout and seen.rollout.reason else []
    return (*alarms, *stopped[:5], *missing[:10], *rollout)


def _missing(seen: Observation, watch: Watch) -> list[str]:
    """What is not yet as it should be, one a line; empty when the deployment is healthy."""
    rollout = seen.rollout
    if rollout is None:
        return ["ECS does not list the deployment"]
    missing = [
        f"task {t.id} {problem}" for t in seen.running if (problem := _task_missing(t, seen))
    ]
    listed = sum(task.status == "RUNNING" for task in seen.running)
    if min(rollout.running, listed) < rollout.desired:
        missing.insert(0, f"{min(rollout.running, listed)} of {rollout.desired} tasks are running")
    if rollout.state != "COMPLETED":
        missing.append(f"ECS's rollout is {rollout.state}")
    # Neither good nor bad: the tasks may be healthy, but nobody would see the alarm fire.
    unread = [name for name in watch.policy.alarm_names if name not in seen.alarms]
    why = f": {seen.alarms_unreadable}" if seen.alarms_unreadable else ""
    return missing + [f"alarm {name} can't be read{why}" for name in unread]


def _task_missing(task: RunningTask, seen: Observation) -> str:
    if task.status != "RUNNING":
        return f"is {task.status}"
    if task.health == "UNHEALTHY" or (seen.has_health_check and task.health != "HEALTHY"):
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
    left = int((baked_at - now).total_seconds()) + 1  # rounded up: the next look finds it baked
    return min(watch.policy.poll_seconds, left)
