"""One check of a deployment: what ECS, the load balancers and CloudWatch report.

This module reads AWS and decides nothing. The rules are in `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, resource_name
from slipway.ecs.protection import protected_tasks
from slipway.ecs.service import (
    Service,
    Update,
    primary_deployment,
    read_service,
    split_service_name,
)
from slipway.ecs.service_deployment import RecordedDeployment, deployments_since
from slipway.ecs.task_definition import is_essential
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.health.alarms import Alarm, read_alarms_since
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
    primary: bool
    """Whether it is the newest one that ECS lists."""
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
    """HEALTHY, UNHEALTHY or UNKNOWN, of the essential containers with a health check.

    UNKNOWN means that there is no such container, or that one has no result yet.
    """
    targets: tuple[Target, ...]
    """The task in each target group of the service."""


class OldTasks(Model):
    """The tasks of earlier service deployments that have not stopped yet."""

    stopping: int = 0
    """ECS has asked them to stop: they drain."""
    protected: int = 0
    """ECS must not stop them yet, because they have asked for protection."""
    others: int = 0
    """ECS has not asked them to stop."""


class Observation(Model):
    """What one check of AWS found.

    A deployment watches one service deployment, here called ours: the one that it made, or a newer one of the
    same task definition, as ``--force-new-deployment`` makes.
    """

    exists: bool = True
    """False if the service does not exist or is being deleted. Then only ``gone`` is set, too."""
    gone: str = ""
    """Why the service does not exist."""
    service_deployment: ServiceDeployment | None = None
    """Our service deployment; None if ECS does not list it."""
    rolled_back: RecordedDeployment | None = None
    """Our service deployment, if ECS has rolled it back."""
    newer: RecordedDeployment | None = None
    """The newest service deployment, if it was created after ours and has another task definition."""
    has_health_check: bool = False
    """Whether at least one essential container of our task definition has a health check."""
    running: tuple[RunningTask, ...] = ()
    """The tasks of our service deployment that ECS wants to run."""
    stopped: tuple[StoppedTask, ...] = ()
    """The tasks of our task definition that ECS has stopped or is stopping, in the order of their end."""
    old_tasks: OldTasks = OldTasks()
    events: tuple[str, ...] = ()
    """What ECS says about the service since our service deployment was created, the newest first."""
    alarms: Mapping[str, Alarm] = {}
    """The alarms that exist, by name; empty if they could not be read."""
    alarms_unreadable: str = ""
    """Why the alarms could not be read; empty if they were read."""


def observe(
    service: str,
    update: Update,
    alarms: Iterable[str],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
    cloudwatch: CloudWatchClient,
) -> Observation:
    """Read the state of a service deployment, its tasks and their targets, and the alarms.

    Alarms that can't be read are no error: the observation has everything else and says why.

    Args:
        service: ``cluster/service``.
        update: the update of the service that is watched.
        alarms: names of alarms, at most 100.

    Raises:
        AwsUnavailable, AwsRefused: from ECS or Elastic Load Balancing. Such an error says nothing about the
            deployment.
    """
    try:
        found = read_service(service, ecs)
    except InvalidInput as gone:
        return Observation(exists=False, gone=str(gone))
    ours = _ours(found, update)
    rolled_back, newer = _since(service, found, ours, update, ecs)
    every = _read_tasks(service, ecs)
    tasks = [task for task in every if _is_ours(task, ours, update)]
    defined = _containers(update.task_definition, ecs)
    checked = {c["name"] for c in defined if "healthCheck" in c and is_essential(c)}
    running = [task for task in tasks if task["desiredStatus"] == "RUNNING"]
    targets = read_targets(service, found.get("loadBalancers", []), running, ecs, elbv2)
    read, unreadable = _read_alarms(alarms, update.started_at, cloudwatch)
    return Observation(
        service_deployment=_service_deployment(ours, found) if ours else None,
        rolled_back=rolled_back,
        newer=newer,
        has_health_check=bool(checked),
        running=tuple(
            _running(task, checked, targets)
            for task in running
            if ours and task.get("startedBy") == ours["id"]
        ),
        stopped=tuple(
            stopped_task(task, defined) for task in tasks if task["desiredStatus"] == "STOPPED"
        ),
        old_tasks=_old_tasks(service, [task for task in every if task not in tasks], ours, ecs),
        events=tuple(
            event["message"]
            for event in found.get("events", [])
            if event["createdAt"] >= update.started_at
        ),
        alarms=read,
        alarms_unreadable=unreadable,
    )


def _ours(service: Service, update: Update) -> dict[str, Any] | None:
    """The newest service deployment of the update's task definition that is the update's or came after it."""
    ours = [
        listed
        for listed in service["deployments"]
        if listed["id"] == update.deployment_id
        or (
            listed["taskDefinition"] == update.task_definition
            and listed["createdAt"] > update.started_at
        )
    ]
    return max(ours, key=lambda listed: listed["createdAt"], default=None)


def _since(
    service: str,
    found: Service,
    ours: dict[str, Any] | None,
    update: Update,
    ecs: ECSClient,
) -> tuple[RecordedDeployment | None, RecordedDeployment | None]:
    """Our service deployment if ECS has rolled it back, and a newer one of another task definition.

    ECS's own record is read only if the list in DescribeServices shows that something else has come.
    """
    primary = primary_deployment(found)
    if primary is ours or primary["createdAt"] <= update.started_at:
        return None, None  # as it should be, or as of the time before the update
    recorded = deployments_since(service, update.started_at, ecs)
    ours_too = [each for each in recorded if each.task_definition == update.task_definition]
    rolled_back = ours_too[-1] if ours_too and ours_too[-1].rolled_back else None
    others = [
        each
        for each in recorded
        if each.task_definition != update.task_definition and each.created_at > update.started_at
    ]
    newest = others[-1] if others and others[-1] is recorded[-1] else None
    return rolled_back, newest


def _is_ours(task: dict[str, Any], ours: dict[str, Any] | None, update: Update) -> bool:
    """Whether a task belongs to our service deployment, or to one of the same task definition before it."""
    ids = {update.deployment_id, ours["id"] if ours else update.deployment_id}
    return task.get("startedBy") in ids or (
        task["taskDefinitionArn"] == update.task_definition
        and task["createdAt"] > update.started_at
    )


def _old_tasks(
    service: str, tasks: list[dict[str, Any]], ours: dict[str, Any] | None, ecs: ECSClient
) -> OldTasks:
    left = [task for task in tasks if task["lastStatus"] != "STOPPED"]
    stopping = [task for task in left if task["desiredStatus"] == "STOPPED"]
    others = [task["taskArn"] for task in left if task["desiredStatus"] != "STOPPED"]
    # Before our own tasks run, ECS has no reason to stop the others, and nobody asks why it does not.
    complete = ours is not None and ours["runningCount"] >= ours["desiredCount"]
    protected = len(protected_tasks(service, others, ecs)) if complete else 0
    return OldTasks(stopping=len(stopping), protected=protected, others=len(others) - protected)


def _read_alarms(
    names: Iterable[str], since: datetime, cloudwatch: CloudWatchClient
) -> tuple[dict[str, Alarm], str]:
    """The alarms by name, and why they could not be read.

    Without the alarms, nothing is known for or against the tasks, so the rest of the check goes on.
    """
    try:
        return read_alarms_since(names, since, cloudwatch), ""
    except (AwsRefused, AwsUnavailable) as error:
        return {}, str(error)


def _service_deployment(deployment: dict[str, Any], service: Service) -> ServiceDeployment:
    return ServiceDeployment(
        id=deployment["id"],
        primary=deployment is primary_deployment(service),
        state=deployment.get("rolloutState", "IN_PROGRESS"),
        reason=deployment.get("rolloutStateReason", ""),
        task_definition=deployment["taskDefinition"],
        desired=deployment["desiredCount"],
        running=deployment["runningCount"],
    )


def _containers(task_definition: str, ecs: ECSClient) -> list[dict[str, Any]]:
    with calling("ecs:DescribeTaskDefinition", f"task definition {task_definition}"):
        found: Any = ecs.describe_task_definition(taskDefinition=task_definition)
    return list(found["taskDefinition"]["containerDefinitions"])


def _health(task: dict[str, Any], checked: set[str]) -> str:
    # The task's own healthStatus is not used, because it stays UNKNOWN if one container has no check.
    states = {
        c.get("healthStatus", "UNKNOWN") for c in task.get("containers", []) if c["name"] in checked
    }
    if "UNHEALTHY" in states:
        return "UNHEALTHY"
    return "HEALTHY" if states == {"HEALTHY"} else "UNKNOWN"


def _read_tasks(service: str, ecs: ECSClient) -> list[dict[str, Any]]:
    """All tasks of the service, in the order of their end."""
    # ListTasks does not combine the filter startedBy with others such as the status.
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
    return sorted(tasks, key=lambda task: task.get("stoppedAt") or LATER)


def _running(
    task: dict[str, Any], checked: set[str], targets: dict[str, tuple[Target, ...]]
) -> RunningTask:
    return RunningTask(
        id=resource_name(task["taskArn"]),
        status=task["lastStatus"],
        health=_health(task, checked),
        targets=targets[task["taskArn"]],
    )
