"""One check of a deployment: what ECS, the load balancer and CloudWatch say, nothing decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, resource_name
from slipway.ecs.service import Service, primary_deployment, read_service, split_service_name
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.health.alarms import Alarm, read_alarms
from slipway.health.stopped_tasks import StoppedTask, stopped_task
from slipway.health.targets import Target, read_targets
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

DESCRIBE_TASKS_LIMIT = 100
LATER = datetime.max.replace(tzinfo=UTC)


class ServiceDeployment(Model):
    """One of ECS's deployments of the service."""

    id: str
    state: str
    """rolloutState: IN_PROGRESS, COMPLETED or FAILED."""
    reason: str
    task_definition: str
    desired: int
    running: int


class RunningTask(Model):
    """A task of the deployment that runs or is about to."""

    id: str
    status: str
    """lastStatus."""
    health: str
    """Of the containers that have a health check: HEALTHY, UNHEALTHY, or UNKNOWN (none, or not yet)."""
    targets: tuple[Target, ...]


class Observation(Model):
    """What one check of AWS found. ``service_deployment`` is ours, None once ECS no longer lists it."""

    exists: bool = True
    """False once the service is gone."""
    primary: str = ""
    """ID of the service's primary deployment."""
    primary_task_definition: str = ""
    service_deployment: ServiceDeployment | None = None
    failure: str = ""
    """The service event that says that our deployment failed."""
    has_health_check: bool = False
    """Whether the tasks have a container health."""
    running: tuple[RunningTask, ...] = ()
    stopped: tuple[StoppedTask, ...] = ()
    alarms: Mapping[str, Alarm] = {}
    """Those that exist, by name; none where they could not be read."""
    alarms_unreadable: str = ""
    """Why the alarms could not be read."""


def observe(
    service: str,
    deployment_id: str,
    alarms: Iterable[str],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
    cloudwatch: CloudWatchClient,
) -> Observation:
    """Observe the ECS deployment ``deployment_id`` of ``cluster/service`` and at the named alarms.

    Raises:
        AwsUnavailable, AwsRefused: from ECS or the load balancer; an error while observing says nothing
            about the deployment. Alarms that can't be read leave the rest of the observation as it is.
    """
    try:
        found = read_service(service, ecs)
    except InvalidInput as gone:
        return Observation(exists=False, failure=str(gone))
    ours = next((d for d in found["deployments"] if d["id"] == deployment_id), None)
    tasks = _read_tasks(service, deployment_id, ecs)
    defined = _containers(ours["taskDefinition"], ecs) if ours else []
    checked = _checked(defined)
    helpers = {container["name"] for container in defined if not _is_essential(container)}
    running = [task for task in tasks if task["desiredStatus"] == "RUNNING"]
    targets = read_targets(service, found.get("loadBalancers", []), running, ecs, elbv2)
    read, unreadable = _read_alarms(alarms, cloudwatch)
    return Observation(
        primary=primary_deployment(found)["id"],
        primary_task_definition=primary_deployment(found)["taskDefinition"],
        service_deployment=_service_deployment(ours) if ours else None,
        failure=_failure_event(found, deployment_id),
        has_health_check=bool(checked),
        running=tuple(_running(task, checked, targets) for task in running),
        stopped=tuple(
            stopped_task(task, helpers) for task in tasks if task["desiredStatus"] == "STOPPED"
        ),
        alarms=read,
        alarms_unreadable=unreadable,
    )


def _read_alarms(
    names: Iterable[str], cloudwatch: CloudWatchClient
) -> tuple[dict[str, Alarm], str]:
    """The alarms, or none and why they can't be read: that is neither good nor bad for the tasks."""
    try:
        return read_alarms(names, cloudwatch), ""
    except (AwsRefused, AwsUnavailable) as error:
        return {}, str(error)


def _service_deployment(deployment: dict[str, Any]) -> ServiceDeployment:
    return ServiceDeployment(
        id=deployment["id"],
        state=deployment.get("rolloutState", "IN_PROGRESS"),
        reason=deployment.get("rolloutStateReason", ""),
        task_definition=deployment["taskDefinition"],
        desired=deployment["desiredCount"],
        running=deployment["runningCount"],
    )


def _failure_event(service: Service, deployment_id: str) -> str:
    # A deployment that the circuit breaker has rolled back leaves the list; its event stays.
    # Wording: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    marker = f"(deployment {deployment_id}) deployment failed"
    return next((e["message"] for e in service.get("events", []) if marker in e["message"]), "")


def _containers(task_definition: str, ecs: ECSClient) -> list[dict[str, Any]]:
    with calling("ecs:DescribeTaskDefinition", f"task definition {task_definition}"):
        found: Any = ecs.describe_task_definition(taskDefinition=task_definition)
    return list(found["taskDefinition"]["containerDefinitions"])


def _is_essential(container: dict[str, Any]) -> bool:
    return bool(container.get("essential", True))


def _checked(containers: list[dict[str, Any]]) -> set[str]:
    """The containers whose checks decide about a task: the essential ones that have one, else all that do.

    Not the task's own healthStatus: it stays UNKNOWN as soon as one container has no check.
    """
    checked = [c for c in containers if "healthCheck" in c]
    essential = {c["name"] for c in checked if _is_essential(c)}
    return essential or {c["name"] for c in checked}


def _health(task: dict[str, Any], checked: set[str]) -> str:
    states = {
        c.get("healthStatus", "UNKNOWN") for c in task.get("containers", []) if c["name"] in checked
    }
    if "UNHEALTHY" in states:
        return "UNHEALTHY"
    return "HEALTHY" if states == {"HEALTHY"} else "UNKNOWN"


def _read_tasks(service: str, deployment_id: str, ecs: ECSClient) -> list[dict[str, Any]]:
    # By service and then by startedBy: ListTasks takes startedBy as its only filter, without a status.
    cluster, name = split_service_name(service)
    arns: list[str] = []
    pages = ecs.get_paginator("list_tasks")
    with calling("ecs:ListTasks", f"service {service}"):
        for status in ("RUNNING", "STOPPED"):
            for page in pages.paginate(cluster=cluster, serviceName=name, desiredStatus=status):
                arns += page["taskArns"]
    tasks: list[Any] = []
    with calling("ecs:DescribeTasks", f"service {service}"):
        arns = list(dict.fromkeys(arns))  # one that stops between the two listings is in both
        for start in range(0, len(arns), DESCRIBE_TASKS_LIMIT):
            batch = arns[start : start + DESCRIBE_TASKS_LIMIT]
            tasks += ecs.describe_tasks(cluster=cluster, tasks=batch)["tasks"]
    ours = [task for task in tasks if task.get("startedBy") == deployment_id]
    return sorted(ours, key=lambda task: task.get("stoppedAt") or LATER)


def _running(
    task: dict[str, Any], checked: set[str], targets: dict[str, tuple[Target, ...]]
) -> RunningTask:
    return RunningTask(
        id=resource_name(task["taskArn"]),
        status=task["lastStatus"],
        health=_health(task, checked),
        targets=targets[task["taskArn"]],
    )
