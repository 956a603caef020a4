"""The verdict: what one check of a deployment says. Every rule is here, and nothing here talks to AWS.

Which stopped tasks count as failed, and for what: `failed_tasks`.

Read from top to bottom, the first rule that applies decides::

    the service is gone               SUPERSEDED
    ECS gave our deployment up        FAILED        it is marked as failed, or ECS has rolled it back
    a newer one of something else     SUPERSEDED
    an alarm went to ALARM            FAILED
    a task can never start            FAILED
    failed_tasks of the policy failed FAILED
    everything as it should be        HEALTHY       and baked, bake_seconds after the first time
    out of time                       FAILED
    else                              PENDING       with what is still missing

ECS answers as of a moment ago, so a list that lacks our service deployment, or that has an older one as its
newest, says nothing: PENDING.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from slipway.aws import resource_name
from slipway.ecs.service import Update
from slipway.errors import Superseded
from slipway.health.cause import Cause, cause_of
from slipway.health.failed_tasks import (
    NO_CAPACITY,
    Failed,
    alike,
    cause_of_failure,
    describe,
    failed_container,
    has_failed,
    what_happened,
    why_it_never_starts,
)
from slipway.health.observation import Observation, RunningTask
from slipway.health.stopped_tasks import StoppedTask
from slipway.model import Model
from slipway.reasons import Evidence, Reason, and_more
from slipway.release.plan import Policy

# In an event of a service. The others report that all goes its way.
TROUBLE = re.compile(r"unable|fail|error|unhealthy|limit", re.IGNORECASE)
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

    update: Update
    """The update of the service that is watched."""
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
    proven: bool = True
    """Whether a task runs. If none is wanted, a HEALTHY deployment has shown nothing."""
    deadline: int | None = None
    """When the deployment is out of time if it is not healthy until then, in milliseconds since 1970."""
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
    proven = bool(observation.running)
    # Without a task there is nothing to watch, so that the bake does not begin.
    if not missing and not proven and watch.healthy_at is None:
        healthy_at, baked = None, True
    deadline = _deadline(watch, baked_at)
    verdict, cause, reason = _superseded_or_failed(observation, watch) or (
        (Verdict.HEALTHY, None, _healthy(observation, proven))
        if not missing
        else (Verdict.FAILED, *_out_of_time(observation, watch, missing))
        if now >= deadline
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
        proven=proven,
        deadline=int(deadline.timestamp() * 1000),
        wait_seconds=_wait_seconds(watch, baked_at, now),
        desired=_desired(observation),
        healthy=sum(not _task_missing(task, observation) for task in observation.running),
        failed=failed_container(observation.stopped) if verdict is Verdict.FAILED else None,
    )


def _superseded_or_failed(
    observation: Observation, watch: Watch
) -> tuple[Verdict, Cause, str] | None:
    if not observation.exists:
        return Verdict.SUPERSEDED, Cause.PERSON, observation.gone
    failed = [task for task in observation.stopped if has_failed(task)]
    if _given_up(observation):
        return Verdict.FAILED, *_why_given_up(observation, failed)
    if newer := observation.newer:
        other = resource_name(newer.task_definition)
        reason = f"someone else has put {other} on the service ({resource_name(newer.arn)})"
        return Verdict.SUPERSEDED, Cause.PERSON, reason
    for name, why in fired_alarms(observation, watch).items():
        return Verdict.FAILED, Cause.ALARM, f"alarm {name} went to ALARM: {why}"
    for task in failed:
        if never := why_it_never_starts(task):
            return Verdict.FAILED, never, f"a task can never start: {describe(task)}"
    # ECS tries again when there is room, so that tasks without a place don't count.
    counted = [task for task in failed if cause_of_failure(task) is not Cause.CAPACITY]
    if len(counted) >= watch.policy.failed_tasks_of(_desired(observation)):
        return Verdict.FAILED, _cause_of_all(counted), what_happened(counted)
    return None


def _desired(observation: Observation) -> int:
    return observation.service_deployment.desired if observation.service_deployment else 0


def _given_up(observation: Observation) -> bool:
    ours = observation.service_deployment
    return observation.rolled_back is not None or (ours is not None and ours.state == "FAILED")


def _why_given_up(observation: Observation, failed: list[StoppedTask]) -> tuple[Cause, str]:
    if failed:
        return _cause_of_all(failed), what_happened(failed)
    said = _ecs_words(observation)
    if observation.rolled_back and (names := observation.rolled_back.alarms):
        return Cause.ALARM, f"ECS rolled back for its own alarms {', '.join(names)}: {said}"
    return Cause.ECS, f"ECS marked the service deployment as failed: {said}"


def _cause_of_all(failed: list[StoppedTask]) -> Cause:
    """The cause of the failure of several tasks: the image, if one of them failed for it."""
    causes = [cause_of_failure(task) for task in failed]
    return Cause.IMAGE if Cause.IMAGE in causes else causes[-1]


def fired_alarms(observation: Observation, watch: Watch) -> dict[str, str]:
    """Why each alarm fired that went to ALARM since the deployment started, by its name.

    One that was firing before says nothing about this deployment, until it has been OK again.
    """
    return {
        name: alarm.reason if alarm.was_firing is None else alarm.was_firing
        for name, alarm in observation.alarms.items()
        if alarm.was_firing is not None
        or (alarm.state == "ALARM" and alarm.changed_at >= watch.update.started_at)
    }


def evidence(observation: Observation, watch: Watch, missing: list[str]) -> tuple[str, ...]:
    """The facts behind the verdict, one a line, the strongest first."""
    alarms = [
        f"alarm {name} {'is' if observation.alarms[name].was_firing is None else 'was'} in ALARM: {why}"
        for name, why in fired_alarms(observation, watch).items()
    ]
    failed = alike(task for task in observation.stopped if has_failed(task))
    stopped = [f"stopped: {describe(*tasks)}" for tasks in failed]
    said = [text for text in (_ecs_words(observation), *_troubles(observation)) if text]
    kinds = (alarms, stopped, missing, [f"ECS says: {text}" for text in dict.fromkeys(said)])
    return tuple(fact for kind in kinds for fact in and_more(kind, SHOWN))


def _ecs_words(observation: Observation) -> str:
    """What ECS says of the service deployment."""
    if observation.rolled_back:
        return observation.rolled_back.reason
    return observation.service_deployment.reason if observation.service_deployment else ""


def _troubles(observation: Observation) -> list[str]:
    """ECS's events of the service that say why something does not go on."""
    return [event for event in observation.events if TROUBLE.search(event)]


def _healthy(observation: Observation, proven: bool) -> str:
    if not proven:
        return "no task runs, because the desired count of the service is 0"
    old = observation.old_tasks
    left = [
        f"{count} old task{'s' if count > 1 else ''} still {how}"
        for count, how in ((old.stopping, "draining"), (old.protected, "protected"))
        if count
    ]
    return "; ".join(["every task is healthy", *left])


def _missing(observation: Observation, watch: Watch) -> list[str]:
    """What is not yet as it should be, one a line; empty when the deployment is healthy."""
    service_deployment = observation.service_deployment
    if service_deployment is None:
        return ["ECS does not list the deployment"]
    if not service_deployment.primary:
        return ["ECS lists another service deployment as the newest one"]
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
    # ECS completes a service deployment when the last old task has stopped, which may take hours.
    old = observation.old_tasks
    only_old_left = bool(old.stopping or old.protected) and not old.others
    if service_deployment.state != "COMPLETED" and not only_old_left:
        missing.append(f"ECS's service deployment is {service_deployment.state}")
    # Neither good nor bad: the tasks may be healthy, but nobody would see the alarm fire.
    return missing + _unread(observation, watch)


def _unread(observation: Observation, watch: Watch) -> list[str]:
    unread = [name for name in watch.policy.alarm_names if name not in observation.alarms]
    why = f": {observation.alarms_unreadable}" if observation.alarms_unreadable else ""
    return [f"alarm {name} can't be read{why}" for name in unread]


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
    since = baked_at or watch.update.started_at
    return since + timedelta(seconds=watch.policy.timeout_seconds)


def _out_of_time(observation: Observation, watch: Watch, missing: list[str]) -> tuple[Cause, str]:
    again = " again" if watch.healthy_at else ""
    when = f"not healthy{again} after {watch.policy.timeout_seconds} seconds"
    if missing == _unread(observation, watch):
        return Cause.UNREADABLE, f"{when}: {missing[0]}"
    for said in (*observation.events, *(describe(task) for task in observation.stopped)):
        if NO_CAPACITY.search(said):
            return Cause.CAPACITY, f"{when}: {missing[0]}; ECS says: {said}"
    return Cause.TIMEOUT, f"{when}: {missing[0]}"


def _wait_seconds(watch: Watch, baked_at: datetime | None, now: datetime) -> int:
    if baked_at is None or baked_at <= now:
        return watch.policy.poll_seconds
    left = int((baked_at - now).total_seconds()) + 1  # rounded up: the next check finds it baked
    return min(watch.policy.poll_seconds, left)
