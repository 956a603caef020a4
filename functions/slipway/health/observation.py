"""One check of a deployment: what ECS, the load balancers and CloudWatch report.

This module reads AWS and decides nothing. The rules are in `verdict`.
"""

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
    """A service deployment, as DescribeServices lists it."""

    id: str
    """``ecs-svc/...``"""
    state: str
    """ECS's ``rolloutState``: IN_PROGRESS, COMPLETED or FAILED."""
    reason: str
    """ECS's ``rolloutStateReason``."""
    task_definition: str
    """ARN of its task definition."""
    desired: int
    """How many tasks should run."""
    running: int
    """How many tasks run."""


class RunningTask(Model):
    """A task of the service deployment that runs or is starting."""

    id: str
    status: str
    """ECS's ``lastStatus``, such as PENDING or RUNNING."""
    health: str
    """HEALTHY, UNHEALTHY or UNKNOWN, of the containers whose health checks count, see `_checked`.

    UNKNOWN means that there is no such container, or that one has no result yet.
    """
    targets: tuple[Target, ...]
    """The task in each target group of the service."""


class Observation(Model):
    """What one check of AWS found. A deployment watches one service deployment, here called ours."""

    exists: bool = True
    """False if the service does not exist or is being deleted. Then only ``failure`` is set, too."""
    primary: str = ""
    """Id of the service's primary service deployment."""
    primary_task_definition: str = ""
    """ARN of the primary service deployment's task definition."""
    service_deployment: ServiceDeployment | None = None
    """Our service deployment; None if ECS does not list it."""
    failure: str = ""
    """The service event that says that our service deployment failed, or why the service does not exist."""
    has_health_check: bool = False
    """Whether at least one container of our task definition has a health check."""
    running: tuple[RunningTask, ...] = ()
    """The tasks of our service deployment that ECS wants to run."""
    stopped: tuple[StoppedTask, ...] = ()
    """The tasks of our service deployment that ECS has stopped or is stopping, in the order of their end."""
    alarms: Mapping[str, Alarm] = {}
    """The alarms that exist, by name; empty if they could not be read."""
    alarms_unreadable: str = ""
    """Why the alarms could not be read; empty if they were read."""


def observe(
    service: str,
    deployment_id: str,
    alarms: Iterable[str],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
    cloudwatch: CloudWatchClient,
) -> Observation:
    """Read the state of a service deployment, its tasks and their targets, and the alarms.

    Alarms that can't be read are no error: the observation has everything else and says why.

    Args:
        service: ``cluster/service``.
        deployment_id: the id of the service deployment, ``ecs-svc/...``.
        alarms: names of alarms, at most 100.

    Raises:
        AwsUnavailable, AwsRefused: from ECS or Elastic Load Balancing. Such an error says nothing about the
            deployment.
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
    """The alarms by name, and why they could not be read.

    Without the alarms, nothing is known for or against the tasks, so the rest of the check goes on.
    """
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
    # ECS no longer lists a service deployment that its circuit breaker rolled back, but the event stays.
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
    """The names of the containers whose health checks count.

    These are the essential containers with a health check or, if there are none, all with a health check.
    The task's own ``healthStatus`` is not used, because it stays UNKNOWN if one container has no check.
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
    # ListTasks does not combine the filter startedBy with others such as the status. So this lists the
    # tasks of the service and then selects those that our service deployment started.
    cluster, name = split_service_name(service)
    arns: list[str] = []
    pages = ecs.get_paginator("list_tasks")
    with calling("ecs:ListTasks", f"service {service}"):
        for status in ("RUNNING", "STOPPED"):
            for page in pages.paginate(cluster=cluster, serviceName=name, desiredStatus=status):
                arns += page["taskArns"]
    tasks: list[Any] = []
    with calling("ecs:DescribeTasks", f"service {service}"):
        arns = list(dict.fromkeys(arns))  # a task that stops between the two listings is in both
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
