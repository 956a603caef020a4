"""Putting the rollback target on a service."""

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
    update_from,
    update_service,
)
from slipway.ecs.task_definition import same_content, usable_revision
from slipway.errors import InvalidInput
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class RollBackAction(StrEnum):
    """What rolling back found to do."""

    UPDATED = "UPDATED"  # the rollback target was put on the service
    ALREADY_ROLLED_BACK = (
        "ALREADY_ROLLED_BACK"  # ECS's circuit breaker, or an earlier try, had put it back
    )
    NOTHING_CHANGED = "NOTHING_CHANGED"  # the update had never reached the service
    SUPERSEDED = "SUPERSEDED"  # someone has put something else there; it is left alone


class RollBack(Model):
    """What was done to roll back; the ECS deployment to watch, where there is one."""

    action: RollBackAction
    reason: str
    task_definition: str
    """ARN of what the service is to run now: the rollback target, or the same registered anew."""
    update: Update | None = None


def roll_back(
    service: str,
    abandoned: Collection[str],
    rollback_target: str,
    replaced: str | None,
    updated: bool,
    since: datetime,
    ecs: ECSClient,
) -> RollBack:
    """Put the rollback target on the service where one of those that the service must not run is on it.

    Reads the service first, because neither ECS's circuit breaker nor people wait for Slipway.

    Args:
        leave: ARNs of what the service must not run: what this deployment has put there, or what
            the one has that it took over from.
        replaced: ARN of what the service ran before: where ECS's circuit breaker goes back to, whether
            that was ever good or not.
        updated: whether UpdateService is known to have been done.
        since: when the deployment began: where the rollback target was deregistered, a revision of the same
            content that was registered after that is taken for it.
        ecs: a client that tries nothing again by itself.

    Raises:
        InvalidInput: there is nothing to go back to, or the service is gone.
        AwsUnavailable, AwsRefused: from ECS.
    """
    found = read_service(service, ecs)
    now = primary_deployment(found)
    # An earlier try may have put the rollback target there, with its answer lost; ours is still draining.
    updated = updated or any(d["taskDefinition"] in abandoned for d in found["deployments"])
    running = now["taskDefinition"]
    if not updated:
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
    # An earlier try may have had to register it anew.
    if running == rollback_target or same_content(running, rollback_target, ecs):
        reason = f"{resource_name(running)} had been put back already"
        return _found(RollBackAction.ALREADY_ROLLED_BACK, reason, running, update_from(now))
    reason = f"service {service} was changed to {resource_name(running)} by someone else"
    return _found(RollBackAction.SUPERSEDED, reason, running)


def _found(
    action: RollBackAction, reason: str, task_definition: str, update: Update | None = None
) -> RollBack:
    return RollBack(action=action, reason=reason, task_definition=task_definition, update=update)
