"""Reads an ECS service, and puts a task definition on it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code, resource_name
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

Service = dict[str, Any]
"""A service as DescribeServices returns it."""


class ServiceChanged(Exception):  # noqa: N818 - not an error: the task definition is copied again
    """Someone has changed the service since its task definition was copied."""


class Update(Model):
    """The service deployment that an update of the service led to."""

    deployment_id: str
    """The id that DescribeServices gives it, ``ecs-svc/...``."""
    started_at: datetime
    """When ECS created it, by ECS's clock. If it existed before our deployment began, that later time."""
    task_definition: str
    """ARN of the task definition that it deploys."""


class Copied(Model):
    """What the service ran when its task definition was copied."""

    task_definition: str
    """ARN."""
    deployment_id: str
    """Of the primary service deployment, ``ecs-svc/...``."""
    created_at: datetime
    """When ECS created that service deployment."""


def split_service_name(service: str) -> tuple[str, str]:
    """Split ``cluster/service`` into the cluster and the service's name."""
    cluster, _, name = service.partition("/")
    return cluster, name


def read_service(service: str, ecs: ECSClient) -> Service:
    """Read the service ``cluster/service``.

    Raises:
        InvalidInput: the cluster or the service does not exist, or the service is not ACTIVE because it is
            being deleted.
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
    """The service deployment with the status PRIMARY, which is the newest one."""
    return next(d for d in service["deployments"] if d["status"] == "PRIMARY")


def has_settled(service: Service) -> bool:
    """Whether the primary service deployment has completed."""
    return bool(primary_deployment(service).get("rolloutState") == "COMPLETED")


def last_completed_task_definition(service: Service) -> str:
    """The ARN of the task definition of the newest service deployment that completed.

    While a service is being changed, nobody has seen its newest version healthy yet, so that is not one to
    go back to. If no service deployment has completed, this is the task definition of the primary one.
    """
    newest_first = sorted(service["deployments"], key=lambda d: d["createdAt"], reverse=True)
    completed = (d for d in newest_first if d.get("rolloutState") == "COMPLETED")
    return str(next(completed, primary_deployment(service))["taskDefinition"])


def copied_from(service: Service) -> Copied:
    """What the service runs, for `update_unless_done` to compare with later."""
    primary = primary_deployment(service)
    return Copied(
        task_definition=primary["taskDefinition"],
        deployment_id=primary["id"],
        created_at=primary["createdAt"],
    )


def update_unless_done(
    service: str, task_definition: str, copied: Copied, since: datetime, ecs: ECSClient
) -> Update:
    """Put ``task_definition`` on the service, unless the service already has it.

    ECS has no conditional update. So this reads the service just before it updates it, and a change that
    someone else makes between these two calls is lost.

    Args:
        copied: what the service ran when ``task_definition`` was made.
        since: when the deployment began. If the service already has the task definition, the update counts
            as started at this time at the earliest: the deployment is not to blame for older events.
        ecs: a client without retries, see `slipway.aws.ecs_once`: each retry has to read the service again.

    Raises:
        ServiceChanged: the service runs something newer than what was copied.
        InvalidInput: the service does not exist.
        AwsUnavailable, AwsRefused: from ECS; AwsUnavailable, too, if ECS still answers as of an earlier time.
    """
    before = primary_deployment(read_service(service, ecs))
    if before["taskDefinition"] == task_definition:
        there = update_from(before)
        return there.model_copy(update={"started_at": max(there.started_at, since)})
    if before["createdAt"] < copied.created_at:
        raise stale(service, before)
    if before["taskDefinition"] != copied.task_definition:
        raise ServiceChanged(
            f"service {service} was changed to {resource_name(before['taskDefinition'])} after "
            f"{resource_name(copied.task_definition)} had been copied; the copy is made again, so that this "
            "change stays"
        )
    return update_service(service, task_definition, ecs)


def predates(primary: dict[str, Any], update: Update) -> bool:
    """Whether a primary service deployment is from before the update, so that the answer is an old one.

    The update's own may be older than ``started_at``: it existed before our deployment began.
    """
    return bool(primary["id"] != update.deployment_id and primary["createdAt"] < update.started_at)


def stale(service: str, primary: dict[str, Any]) -> AwsUnavailable:
    """That ECS has answered as of an earlier time, so that the call has to be made again.

    ECS is eventually consistent: what a call has changed may be missing in the answers to the next ones.
    """
    return AwsUnavailable(
        f"ecs:DescribeServices on service {service} still answers as of the time when it had "
        f"{resource_name(primary['taskDefinition'])}"
    )


def update_service(service: str, task_definition: str, ecs: ECSClient) -> Update:
    """Put ``task_definition`` on the service, whatever the service has.

    No other field is sent. A desired count, for example, would undo what auto scaling did.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, name = split_service_name(service)
    with calling("ecs:UpdateService", f"service {service}"):
        answer = ecs.update_service(cluster=cluster, service=name, taskDefinition=task_definition)
    return update_from(primary_deployment(dict(answer["service"])))


def update_from(deployment: dict[str, Any]) -> Update:
    """The Update for a service deployment, given as DescribeServices returns it."""
    return Update(
        deployment_id=deployment["id"],
        started_at=deployment["createdAt"],
        task_definition=deployment["taskDefinition"],
    )
