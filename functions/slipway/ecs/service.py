"""An ECS service: reading it, and putting a task definition on it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
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
    """When ECS made it, by ECS's clock; where it was there already, when our deployment began."""


def split_service_name(service: str) -> tuple[str, str]:
    """Cluster and name of ``cluster/service``."""
    cluster, _, name = service.partition("/")
    return cluster, name


def read_service(service: str, ecs: ECSClient) -> Service:
    """Read ``cluster/service``.

    Raises:
        InvalidInput: the cluster or the service does not exist, or the service is being deleted.
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, name = split_service_name(service)
    try:
        with calling("ecs:DescribeServices", f"service {service}"):
            found = ecs.describe_services(cluster=cluster, services=[name])
    except AwsRefused as error:
        if error_code(error.__cause__) == "ClusterNotFoundException":
            raise InvalidInput(f"cluster {cluster} of service {service} does not exist") from error
        raise
    if not found["services"]:
        raise InvalidInput(f"cluster {cluster} has no service {name}")
    read: Service = dict(found["services"][0])
    if read["status"] != "ACTIVE":
        raise InvalidInput(f"service {service} is {read['status']}, it can't be deployed to")
    return read


def primary_deployment(service: Service) -> dict[str, Any]:
    """The deployment that ECS is steering the service to."""
    return next(d for d in service["deployments"] if d["status"] == "PRIMARY")


def has_settled(service: Service) -> bool:
    """Whether no service deployment is under way."""
    return bool(primary_deployment(service).get("rolloutState") == "COMPLETED")


def last_completed_task_definition(service: Service) -> str:
    """The task definition of the newest of ECS's deployments that completed.

    A service that is just being changed runs one that nobody has seen healthy yet. Where none has
    completed (the service never was healthy), it is the one that it has now.
    """
    newest_first = sorted(service["deployments"], key=lambda d: d["createdAt"], reverse=True)
    completed = (d for d in newest_first if d.get("rolloutState") == "COMPLETED")
    return str(next(completed, primary_deployment(service))["taskDefinition"])


def update_unless_done(
    service: str, task_definition: str, since: datetime, ecs: ECSClient
) -> Update:
    """Put ``task_definition`` on the service, once: a service that has it is left alone.

    Nothing else is sent: a desired count would undo what auto scaling has done.

    Args:
        since: when the deployment began: what was there before, it is not to blame for.
    """
    before = primary_deployment(read_service(service, ecs))
    if before["taskDefinition"] == task_definition:
        there = update_from(before)
        return there.model_copy(update={"started_at": max(there.started_at, since)})
    return update_service(service, task_definition, ecs)


def update_service(service: str, task_definition: str, ecs: ECSClient) -> Update:
    """Give the service this task definition, whatever it has; nothing else is sent.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, name = split_service_name(service)
    with calling("ecs:UpdateService", f"service {service}"):
        answer = ecs.update_service(cluster=cluster, service=name, taskDefinition=task_definition)
    return update_from(primary_deployment(dict(answer["service"])))


def update_from(deployment: dict[str, Any]) -> Update:
    """An ECS deployment as DescribeServices has it, as what there is to watch."""
    return Update(deployment_id=deployment["id"], started_at=deployment["createdAt"])
