"""Putting the previous task definition back on a service."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from slipway.aws import short
from slipway.ecs.service import Update, primary, put, read_service, update_of
from slipway.ecs.task_definition import active, same
from slipway.errors import InvalidInput
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class RollBackAction(StrEnum):
    """What rolling back found to do."""

    UPDATED = "UPDATED"  # the previous task definition was put back
    ALREADY_BACK = "ALREADY_BACK"  # ECS's circuit breaker, or an earlier try, had put it back
    NOTHING_CHANGED = "NOTHING_CHANGED"  # the update had never reached the service
    SUPERSEDED = "SUPERSEDED"  # someone has put something else there; it is left alone


class RollBack(Model):
    """What was done to roll back; the ECS deployment to watch, where there is one."""

    action: RollBackAction
    reason: str
    task_definition: str
    """ARN of what the service is to run now: the previous one, or the same registered anew."""
    update: Update | None = None


def roll_back(
    service: str,
    leave: Collection[str],
    previous: str,
    replaced: str | None,
    updated: bool,
    since: datetime,
    ecs: ECSClient,
) -> RollBack:
    """Put ``previous`` back where one of those that the service must not run is on it.

    Reads the service first, because neither ECS's circuit breaker nor people wait for Slipway.

    Args:
        leave: ARNs of what the service must not run: what this deployment has put there, or what
            the one has that it took over from.
        replaced: ARN of what the service ran before: where ECS's circuit breaker goes back to, whether
            that was ever good or not.
        updated: whether UpdateService is known to have been done.
        since: when the deployment began: where ``previous`` was deregistered, a revision of the same
            content that was registered after that is taken for it.
        ecs: a client that tries nothing again by itself.

    Raises:
        InvalidInput: there is nothing to go back to, or the service is gone.
        AwsUnavailable, AwsRefused: from ECS.
    """
    found = read_service(service, ecs)
    now = primary(found)
    # An earlier try may have put the previous one back, with its answer lost; ours is still draining.
    updated = updated or any(d["taskDefinition"] in leave for d in found["deployments"])
    running = now["taskDefinition"]
    if not updated:
        reason = f"service {service} has {short(running)}, as before"
        return _found(RollBackAction.NOTHING_CHANGED, reason, running)
    if running == previous and running in leave:
        raise InvalidInput(
            f"service {service} is not known to have been healthy with anything else than "
            f"{short(previous)}: there is nothing to go back to"
        )
    if running in leave or running == replaced != previous:
        target = active(previous, since, ecs)
        put_back = put(service, target, ecs)
        return _found(RollBackAction.UPDATED, f"{short(target)} was put back", target, put_back)
    # An earlier try may have had to register it anew.
    if running == previous or same(running, previous, ecs):
        reason = f"{short(running)} had been put back already"
        return _found(RollBackAction.ALREADY_BACK, reason, running, update_of(now))
    reason = f"service {service} was changed to {short(running)} by someone else"
    return _found(RollBackAction.SUPERSEDED, reason, running)


def _found(
    action: RollBackAction, reason: str, task_definition: str, update: Update | None = None
) -> RollBack:
    return RollBack(action=action, reason=reason, task_definition=task_definition, update=update)
