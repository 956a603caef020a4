"""An ECS service: reading it, putting a task definition on it, putting the previous one back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, short
from slipway.errors import AwsRefused, InvalidInput
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

Service = dict[str, Any]
"""What DescribeServices says of one service."""


class Update(Model):
    """The ECS deployment that a service's update led to."""

    deployment_id: str
    """``ecs-svc/...``"""
    started_at: datetime
    """When ECS made it, by ECS's clock."""


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
    update: Update | None = None


def split(service: str) -> tuple[str, str]:
    """Cluster and name of ``cluster/service``."""
    cluster, _, name = service.partition("/")
    return cluster, name


def read_service(service: str, ecs: ECSClient) -> Service:
    """Read ``cluster/service``.

    Raises:
        InvalidInput: the cluster or the service does not exist, or the service is being deleted.
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, name = split(service)
    try:
        with calling("ecs:DescribeServices", f"service {service}"):
            found = ecs.describe_services(cluster=cluster, services=[name])
    except AwsRefused as error:
        if "ClusterNotFoundException" in str(error):
            raise InvalidInput(f"cluster {cluster} of service {service} does not exist") from error
        raise
    if not found["services"]:
        raise InvalidInput(f"cluster {cluster} has no service {name}")
    read: Service = dict(found["services"][0])
    if read["status"] != "ACTIVE":
        raise InvalidInput(f"service {service} is {read['status']}, it can't be deployed to")
    return read


def primary(service: Service) -> dict[str, Any]:
    """The deployment that ECS is steering the service to."""
    return next(d for d in service["deployments"] if d["status"] == "PRIMARY")


def has_settled(service: Service) -> bool:
    """Whether no rollout is under way."""
    return bool(primary(service).get("rolloutState") == "COMPLETED")


def previous_task_definition(service: Service) -> str:
    """The task definition to go back to: of the newest deployment whose rollout completed.

    A service that is just being changed runs one that nobody has seen healthy yet. Where none has
    completed (the service never was healthy), it is the one that it has now.
    """
    newest_first = sorted(service["deployments"], key=lambda d: d["createdAt"], reverse=True)
    completed = (d for d in newest_first if d.get("rolloutState") == "COMPLETED")
    return str(next(completed, primary(service))["taskDefinition"])


def update(service: str, task_definition: str, ecs: ECSClient) -> Update:
    """Put ``task_definition`` on the service, once: a service that has it is left alone.

    Nothing else is sent: a desired count would undo what auto scaling has done.
    """
    before = primary(read_service(service, ecs))
    if before["taskDefinition"] == task_definition:
        return _update_of(before)
    return _put(service, task_definition, ecs)


def roll_back(
    service: str, task_definition: str, previous: str, updated: bool, ecs: ECSClient
) -> RollBack:
    """Put ``previous`` back where ``task_definition`` is on the service.

    Reads the service first, because neither ECS's circuit breaker nor people wait for Slipway.

    Args:
        updated: whether UpdateService is known to have been done.

    Raises:
        InvalidInput: there is nothing to go back to, or the service is gone.
        AwsUnavailable, AwsRefused: from ECS.
    """
    found = read_service(service, ecs)
    now = primary(found)
    # An earlier try may have put the previous one back, with its answer lost; ours is still draining.
    updated = updated or any(d["taskDefinition"] == task_definition for d in found["deployments"])
    if previous == task_definition:
        raise InvalidInput(
            f"service {service} has never completed a rollout of anything else than {short(previous)}: "
            "there is nothing to go back to"
        )
    if now["taskDefinition"] == task_definition:
        put_back = _put(service, previous, ecs)
        reason = f"{short(previous)} was put back"
        return RollBack(action=RollBackAction.UPDATED, reason=reason, update=put_back)
    if not updated:
        reason = f"service {service} has {short(now['taskDefinition'])}, as before"
        return RollBack(action=RollBackAction.NOTHING_CHANGED, reason=reason)
    if now["taskDefinition"] != previous:
        reason = f"service {service} was changed to {short(now['taskDefinition'])} by someone else"
        return RollBack(action=RollBackAction.SUPERSEDED, reason=reason)
    reason = f"{short(previous)} had been put back already"
    return RollBack(action=RollBackAction.ALREADY_BACK, reason=reason, update=_update_of(now))


def _put(service: str, task_definition: str, ecs: ECSClient) -> Update:
    cluster, name = split(service)
    with calling("ecs:UpdateService", f"service {service}"):
        answer = ecs.update_service(cluster=cluster, service=name, taskDefinition=task_definition)
    return _update_of(primary(dict(answer["service"])))


def _update_of(deployment: dict[str, Any]) -> Update:
    return Update(deployment_id=deployment["id"], started_at=deployment["createdAt"])
