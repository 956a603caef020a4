"""One look at a deployment: what ECS, the load balancer and CloudWatch say, nothing decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipway.alarms import Alarm, read_alarms
from slipway.aws import calling
from slipway.errors import InvalidInput
from slipway.model import Model
from slipway.service import Service, primary, read_service, split

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

DESCRIBE_TASKS_LIMIT = 100


class Rollout(Model):
    """An ECS deployment."""

    id: str
    state: str
    """rolloutState: IN_PROGRESS, COMPLETED or FAILED."""
    reason: str
    task_definition: str
    desired: int
    running: int


class Target(Model):
    """A task in one target group."""

    group: str
    """ARN of the target group."""
    state: str
    """TargetHealthStateEnum of Elastic Load Balancing; ``unregistered`` where the task is not in it."""
    reason: str = ""


class RunningTask(Model):
    """A task of the deployment that runs or is about to."""

    id: str
    status: str
    """lastStatus."""
    health: str
    """ECS's container health: HEALTHY, UNHEALTHY, or UNKNOWN while it starts."""
    targets: tuple[Target, ...]


class StoppedTask(Model):
    """A task of the deployment that has stopped."""

    id: str
    code: str
    """stopCode."""
    reason: str
    containers: tuple[str, ...]
    """What ECS says of each container: exit code, reason."""


class Observation(Model):
    """What one look found. ``rollout`` is ours, None once ECS no longer lists it."""

    exists: bool = True
    """False once the service is gone."""
    primary: str = ""
    """ID of the service's primary deployment."""
    primary_task_definition: str = ""
    rollout: Rollout | None = None
    failure: str = ""
    """The service event that says that our deployment failed."""
    has_health_check: bool = False
    """Whether a container of the task definition has a health check of its own."""
    running: tuple[RunningTask, ...] = ()
    stopped: tuple[StoppedTask, ...] = ()
    alarms: Mapping[str, Alarm] = {}


def observe(
    service: str,
    deployment_id: str,
    alarms: Iterable[str],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
    cloudwatch: CloudWatchClient,
) -> Observation:
    """Look at the ECS deployment ``deployment_id`` of ``cluster/service``.

    Raises:
        AwsUnavailable, AwsRefused: from AWS; an error while looking says nothing about the deployment.
    """
    try:
        found = read_service(service, ecs)
    except InvalidInput as gone:
        return Observation(exists=False, failure=str(gone))
    ours = next((d for d in found["deployments"] if d["id"] == deployment_id), None)
    tasks = _read_tasks(service, deployment_id, ecs)
    return Observation(
        primary=primary(found)["id"],
        primary_task_definition=primary(found)["taskDefinition"],
        rollout=_rollout(ours) if ours else None,
        failure=_failure_event(found, deployment_id),
        has_health_check=ours is not None and _has_health_check(ours["taskDefinition"], ecs),
        running=_running(
            service, found, [t for t in tasks if t["desiredStatus"] == "RUNNING"], ecs, elbv2
        ),
        stopped=tuple(_stopped(t) for t in tasks if t["desiredStatus"] == "STOPPED"),
        alarms=read_alarms(alarms, cloudwatch),
    )


def _rollout(deployment: dict[str, Any]) -> Rollout:
    return Rollout(
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


def _has_health_check(task_definition: str, ecs: ECSClient) -> bool:
    with calling("ecs:DescribeTaskDefinition", f"task definition {task_definition}"):
        found = ecs.describe_task_definition(taskDefinition=task_definition)
    return any("healthCheck" in c for c in found["taskDefinition"]["containerDefinitions"])


def _read_tasks(service: str, deployment_id: str, ecs: ECSClient) -> list[dict[str, Any]]:
    # By service and then by startedBy: ListTasks takes startedBy as its only filter, without a status.
    cluster, name = split(service)
    arns: list[str] = []
    pages = ecs.get_paginator("list_tasks")
    with calling("ecs:ListTasks", f"service {service}"):
        for status in ("RUNNING", "STOPPED"):
            for page in pages.paginate(cluster=cluster, serviceName=name, desiredStatus=status):
                arns += page["taskArns"]
    tasks: list[Any] = []
    with calling("ecs:DescribeTasks", f"service {service}"):
        for start in range(0, len(arns), DESCRIBE_TASKS_LIMIT):
            batch = arns[start : start + DESCRIBE_TASKS_LIMIT]
            tasks += ecs.describe_tasks(cluster=cluster, tasks=batch)["tasks"]
    return [task for task in tasks if task.get("startedBy") == deployment_id]


def _running(
    service: str,
    found: Service,
    tasks: list[dict[str, Any]],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
) -> tuple[RunningTask, ...]:
    balancers = [b for b in found.get("loadBalancers", []) if b.get("targetGroupArn")]
    instances = _instance_ids(service, tasks, ecs) if balancers else {}
    health = (
        {b["targetGroupArn"]: _target_health(b["targetGroupArn"], elbv2) for b in balancers}
        if tasks
        else {}
    )
    return tuple(
        RunningTask(
            id=_id(task["taskArn"]),
            status=task["lastStatus"],
            health=task.get("healthStatus", "UNKNOWN"),
            targets=tuple(
                _target(
                    b["targetGroupArn"], health[b["targetGroupArn"]], _addresses(task, b, instances)
                )
                for b in balancers
            ),
        )
        for task in tasks
    )


def _instance_ids(service: str, tasks: list[dict[str, Any]], ecs: ECSClient) -> dict[str, str]:
    """EC2 instance ids by container instance ARN, of the tasks that run on EC2 without an own interface."""
    arns = sorted({t["containerInstanceArn"] for t in tasks if t.get("containerInstanceArn")})
    ids: dict[str, str] = {}
    with calling("ecs:DescribeContainerInstances", f"service {service}"):
        for start in range(0, len(arns), DESCRIBE_TASKS_LIMIT):
            found = ecs.describe_container_instances(
                cluster=split(service)[0],
                containerInstances=arns[start : start + DESCRIBE_TASKS_LIMIT],
            )
            ids |= {
                i["containerInstanceArn"]: i["ec2InstanceId"] for i in found["containerInstances"]
            }
    return ids


def _addresses(
    task: dict[str, Any], balancer: dict[str, Any], instances: dict[str, str]
) -> set[tuple[str, int]]:
    """What the task may be registered as in the balancer's target group: (target id, port).

    With network mode awsvpc it is the address of the task's network interface and the container's port,
    else the EC2 instance and the port of the host that is bound to the container's.
    """
    port = balancer["containerPort"]
    interfaces = [a for a in task.get("attachments", []) if a["type"] == "ElasticNetworkInterface"]
    details = [detail for interface in interfaces for detail in interface["details"]]
    addresses = {
        (d["value"], port)
        for d in details
        if d["name"] in {"privateIPv4Address", "privateIPv6Address"}
    }
    instance = instances.get(task.get("containerInstanceArn", ""))
    if addresses or instance is None:
        return addresses
    bindings = [
        binding
        for container in task["containers"]
        if container["name"] == balancer["containerName"]
        for binding in container.get("networkBindings", [])
    ]
    return {(instance, b["hostPort"]) for b in bindings if b["containerPort"] == port}


def _target_health(
    group: str, elbv2: ElasticLoadBalancingv2Client
) -> dict[tuple[str, int], Target]:
    with calling("elasticloadbalancing:DescribeTargetHealth", f"target group {group}"):
        found = elbv2.describe_target_health(TargetGroupArn=group)
    targets = {}
    for description in found["TargetHealthDescriptions"]:
        health = description["TargetHealth"]
        why = (health.get("Reason", ""), health.get("Description", ""))
        key = (description["Target"]["Id"], description["Target"].get("Port", 0))
        targets[key] = Target(
            group=group, state=health["State"], reason=": ".join(w for w in why if w)
        )
    return targets


def _target(
    group: str, health: dict[tuple[str, int], Target], addresses: set[tuple[str, int]]
) -> Target:
    found = (health[address] for address in sorted(addresses) if address in health)
    return next(found, Target(group=group, state="unregistered"))


def _stopped(task: dict[str, Any]) -> StoppedTask:
    return StoppedTask(
        id=_id(task["taskArn"]),
        code=task.get("stopCode", ""),
        reason=task.get("stoppedReason", ""),
        containers=tuple(
            ", ".join(
                part
                for part in (
                    f"container {c['name']}",
                    f"exit code {c['exitCode']}" if "exitCode" in c else "",
                    c.get("reason", ""),
                )
                if part
            )
            for c in task.get("containers", [])
            if "exitCode" in c or "reason" in c
        ),
    )


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]
