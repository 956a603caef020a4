"""Finds out whether a service has to be rolled back, and puts a version back on it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from slipway.aws import error_code, resource_name
from slipway.ecs.service import (
    Update,
    predates,
    primary_deployment,
    read_service,
    stale,
    update_from,
    update_service,
)
from slipway.ecs.startable import CannotStart, Kept, find_version
from slipway.ecs.task_definition import (
    Revision,
    read_task_definition,
    same_content,
    usable_revision,
)
from slipway.errors import AwsRefused, AwsUnavailable, NoTarget
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

# With these, UpdateService refuses what it is asked to put on the service: the task definition is gone, does
# not fit the service, or its role is gone. Its other refusals, such as a denied access, are the same for
# every version.
_OF_THE_VERSION = {"ClientException", "InvalidParameterException"}


class RollBackAction(StrEnum):
    """What was done to roll back, depending on what the service ran."""

    UPDATED = "UPDATED"  # a good version was put on the service
    ALREADY_ROLLED_BACK = (
        "ALREADY_ROLLED_BACK"  # ECS's circuit breaker or an earlier attempt had put it back
    )
    NOTHING_CHANGED = "NOTHING_CHANGED"  # the update had never reached the service
    SUPERSEDED = "SUPERSEDED"  # someone else changed the service, so it was left alone


class RollBack(Model):
    """What was done to roll back, and the service deployment to watch, if there is one."""

    action: RollBackAction
    reason: str
    task_definition: str
    """ARN of the revision that the service should run now.

    After a rollback, this is the rollback target or the same content registered anew.
    """
    update: Update | None = None


class Change(Model):
    """What a deployment has done to its service, as far as it knows."""

    abandoned: tuple[str, ...]
    """ARNs of the versions that the service must not keep: the one that this deployment put there, and those
    left by deployments that it took over from."""
    replaced: str | None = None
    """ARN of what the service ran before, if known. ECS's circuit breaker goes back to it, whether it was
    ever good or not."""
    updated: bool
    """Whether this deployment is known to have updated the service."""
    update: Update | None
    """Its update, if more is known of it."""
    known_after: AwareDatetime | None
    """When it is certain that an update whose answer was lost is visible; None if there is none."""


def done_already(
    service: str,
    change: Change,
    rollback_target: str,
    kept: Kept,
    now: datetime,
    ecs: ECSClient,
) -> RollBack | None:
    """What there is to say if nothing has to be put back; None if the service runs what it must not keep.

    It reads the service, because ECS's circuit breaker and people change it without Slipway. An answer of ECS
    may be as of a moment ago, so that one which contradicts what is known is asked for again.

    Args:
        service: ``cluster/service``.
        rollback_target: ARN of the version to go back to.

    Raises:
        NoTarget: there is nothing to go back to.
        InvalidInput: the service does not exist any more.
        AwsUnavailable, AwsRefused: from ECS; AwsUnavailable, too, while ECS answers as of an earlier time, or
            may do so.
    """
    found = read_service(service, ecs)
    now_running = primary_deployment(found)
    running = now_running["taskDefinition"]
    if change.update and predates(now_running, change.update):
        raise stale(service, now_running)
    # If the service still lists a version to abandon, it was updated, whatever `updated` says: the answer
    # of an attempt can be lost, and after a rollback the abandoned version stays listed while it drains.
    reached = change.updated or any(
        listed["taskDefinition"] in change.abandoned for listed in found["deployments"]
    )
    if not reached:
        if change.known_after and now < change.known_after:
            raise AwsUnavailable(
                f"the answer of ecs:UpdateService on service {service} was lost, and it may take until "
                f"{change.known_after.isoformat(timespec='seconds')} to see whether it was done"
            )
        reason = f"service {service} has {resource_name(running)}, as before"
        return _found(RollBackAction.NOTHING_CHANGED, reason, running)
    if running == rollback_target and running in change.abandoned:
        raise NoTarget(
            f"service {service} is not known to have been healthy with anything else than "
            f"{resource_name(rollback_target)}: there is nothing to go back to"
        )
    if running in change.abandoned or running == change.replaced != rollback_target:
        return None
    if running == rollback_target or _is_anew(running, rollback_target, kept, ecs):
        reason = f"{resource_name(running)} had been put back already"
        return _found(RollBackAction.ALREADY_ROLLED_BACK, reason, running, update_from(now_running))
    reason = f"service {service} was changed to {resource_name(running)} by someone else"
    return _found(RollBackAction.SUPERSEDED, reason, running)


def put_back(service: str, revision: Revision, since: datetime, ecs: ECSClient) -> RollBack:
    """Put a version on the service.

    Args:
        since: when the deployment began. If the version was deregistered, a revision with the same content
            that was registered after this time is used instead of another new one.
        ecs: a client without retries, see `slipway.aws.ecs_once`.

    Raises:
        CannotStart: ECS refuses this version.
        AwsUnavailable, AwsRefused: from ECS.
    """
    try:
        usable = usable_revision(revision, since, ecs)
    except AwsRefused as refused:
        raise _refused(revision, refused) from refused
    try:
        update = update_service(service, usable, ecs)
    except AwsRefused as refused:
        if error_code(refused.__cause__) not in _OF_THE_VERSION:
            raise
        raise _refused(revision, refused) from refused
    reason = f"{resource_name(usable)} was put back"
    return _found(RollBackAction.UPDATED, reason, usable, update)


def _is_anew(running: str, rollback_target: str, kept: Kept, ecs: ECSClient) -> bool:
    """Whether an earlier attempt has registered the rollback target anew, so that its ARN differs."""
    runs, target = read_task_definition(running, ecs), find_version(rollback_target, kept, ecs)
    return target is not None and same_content(runs, target)


def _refused(revision: Revision, refused: AwsRefused) -> CannotStart:
    return CannotStart(f"{resource_name(revision.arn)} can't start: {refused}")


def _found(
    action: RollBackAction, reason: str, task_definition: str, update: Update | None = None
) -> RollBack:
    return RollBack(action=action, reason=reason, task_definition=task_definition, update=update)
