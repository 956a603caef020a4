"""Puts the rollback target on a service, if the service runs a version that it must not keep."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from slipway.aws import resource_name
from slipway.ecs.service import (
    Update,
    primary_deployment,
    read_service,
    stale,
    update_from,
    update_service,
)
from slipway.ecs.task_definition import same_content, usable_revision
from slipway.errors import AwsUnavailable, InvalidInput
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class RollBackAction(StrEnum):
    """What `roll_back` did, depending on what the service ran."""

    UPDATED = "UPDATED"  # the rollback target was put on the service
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


def roll_back(
    service: str,
    abandoned: Collection[str],
    rollback_target: str,
    replaced: str | None,
    updated: bool,
    update: Update | None,
    known_after: datetime | None,
    since: datetime,
    now: datetime,
    ecs: ECSClient,
) -> RollBack:
    """Put the rollback target on the service, if the service runs a version that it must not keep.

    It reads the service first, because ECS's circuit breaker and people change it without Slipway. An
    answer of ECS may be as of a moment ago, so that one which contradicts what is known is asked for again.

    Args:
        service: ``cluster/service``.
        abandoned: ARNs of the versions that the service must not keep: the one that this deployment put
            there, and those left by deployments that it took over from.
        rollback_target: ARN of the version to go back to.
        replaced: ARN of what the service ran before, if known. ECS's circuit breaker goes back to it,
            whether it was ever good or not.
        updated: whether this deployment is known to have updated the service.
        update: its update, if more is known of it.
        known_after: when it is certain that an update whose answer was lost is visible; None if there is
        none. since: when the deployment began. If the rollback target was deregistered, a revision with the
        same
            content that was registered after this time is used instead of another new one.
        ecs: a client without retries, see `slipway.aws.ecs_once`.

    Raises:
        InvalidInput: there is nothing to go back to, or the service does not exist any more.
        AwsUnavailable, AwsRefused: from ECS; AwsUnavailable, too, while ECS answers as of an earlier time, or
            may do so.
    """
    found = read_service(service, ecs)
    now_running = primary_deployment(found)
    running = now_running["taskDefinition"]
    if update and now_running["createdAt"] < update.started_at:
        raise stale(service, now_running)
    # If the service still lists a version to abandon, it was updated, whatever `updated` says: the answer
    # of an attempt can be lost, and after a rollback the abandoned version stays listed while it drains.
    reached = updated or any(
        listed["taskDefinition"] in abandoned for listed in found["deployments"]
    )
    if not reached:
        if known_after and now < known_after:
            raise AwsUnavailable(
                f"the answer of ecs:UpdateService on service {service} was lost, and it may take until "
                f"{known_after.isoformat(timespec='seconds')} to see whether it was done"
            )
        reason = f"service {service} has {resource_name(running)}, as before"
        return _found(RollBackAction.NOTHING_CHANGED, reason, running)
    if running == rollback_target and running in abandoned:
        raise InvalidInput(
            f"service {service} is not known to have been healthy with anything else than "
            f"{resource_name(rollback_target)}: there is nothing to go back to"
        )
    if running in abandoned or running == replaced != rollback_target:
        usable = usable_revision(rollback_target, since, ecs)
        put_back = update_service(service, usable, ecs)
        return _found(
            RollBackAction.UPDATED, f"{resource_name(usable)} was put back", usable, put_back
        )
    # An earlier attempt may have registered the rollback target anew, so its ARN can differ.
    if running == rollback_target or same_content(running, rollback_target, ecs):
        reason = f"{resource_name(running)} had been put back already"
        return _found(RollBackAction.ALREADY_ROLLED_BACK, reason, running, update_from(now_running))
    reason = f"service {service} was changed to {resource_name(running)} by someone else"
    return _found(RollBackAction.SUPERSEDED, reason, running)


def _found(
    action: RollBackAction, reason: str, task_definition: str, update: Update | None = None
) -> RollBack:
    return RollBack(action=action, reason=reason, task_definition=task_definition, update=update)
