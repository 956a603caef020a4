"""Finds the tasks of a service among the targets of its target groups, and reads their health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.aws import calling
from slipway.ecs.service import split_service_name
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

DESCRIBE_LIMIT = 100  # the limit of DescribeContainerInstances


class Target(Model):
    """The health of a task in one target group."""

    group: str
    """ARN of the target group."""
    state: str
    """A TargetHealthStateEnum of Elastic Load Balancing, or ``unregistered`` if the group lacks the task."""
    reason: str = ""
    """Code and description of the reason, as far as Elastic Load Balancing gives them."""


def read_targets(
    service: str,
    balancers: list[dict[str, Any]],
    tasks: list[dict[str, Any]],
    ecs: ECSClient,
    elbv2: ElasticLoadBalancingv2Client,
) -> dict[str, tuple[Target, ...]]:
    """The health of each task in every target group of the service, by the task's ARN.

    Args:
        service: ``cluster/service``.
        balancers: the service's ``loadBalancers``, as DescribeServices returns them.
        tasks: the tasks, as DescribeTasks returns them.

    Raises:
        AwsUnavailable, AwsRefused: from ECS or Elastic Load Balancing.
    """
    balancers = [balancer for balancer in balancers if "targetGroupArn" in balancer]
    if not balancers or not tasks:
        return {task["taskArn"]: () for task in tasks}
    instances = _instance_ids(service, tasks, ecs)
    groups = [balancer["targetGroupArn"] for balancer in balancers]
    health = {group: _target_health(group, elbv2) for group in groups}
    return {
        task["taskArn"]: tuple(
            _target(group, health[group], _addresses(task, balancer, instances))
            for group, balancer in zip(groups, balancers, strict=True)
        )
        for task in tasks
    }


def _instance_ids(service: str, tasks: list[dict[str, Any]], ecs: ECSClient) -> dict[str, str]:
    """The ids of the EC2 instances that the tasks run on, by the container instance's ARN.

    A task on Fargate has no container instance.
    """
    arns = sorted({t["containerInstanceArn"] for t in tasks if t.get("containerInstanceArn")})
    ids: dict[str, str] = {}
    with calling("ecs:DescribeContainerInstances", f"service {service}"):
        for start in range(0, len(arns), DESCRIBE_LIMIT):
            found = ecs.describe_container_instances(
                cluster=split_service_name(service)[0],
                containerInstances=arns[start : start + DESCRIBE_LIMIT],
            )
            ids |= {
                i["containerInstanceArn"]: i["ec2InstanceId"] for i in found["containerInstances"]
            }
    return ids


def _addresses(
    task: dict[str, Any], balancer: dict[str, Any], instances: dict[str, str]
) -> set[tuple[str, int]]:
    """The targets that stand for the task in the balancer's target group, each as (target id, port).

    In network mode awsvpc, a target is an address of the task's network interface with the container's
    port. In the other modes it is the EC2 instance with the host port that is bound to the container's.
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
    return {(instance, host) for b in bindings if (host := _host_port(b, port)) is not None}


def _host_port(binding: dict[str, Any], port: int) -> int | None:
    """The host port that is bound to the container's ``port``, or None if the binding is for other ports.

    A binding of a range of ports has ``containerPortRange`` and ``hostPortRange`` (``"8000-8010"``) instead
    of ``containerPort`` and ``hostPort``.
    """
    if "containerPortRange" not in binding:
        return binding["hostPort"] if binding["containerPort"] == port else None
    first, last = (int(end) for end in binding["containerPortRange"].split("-"))
    if not first <= port <= last:
        return None
    return int(binding["hostPortRange"].split("-")[0]) + port - first


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
