"""The placement of a task: its network interface, or its container instance and host ports.

The tasks of a deployment are spread over Availability Zones and subnets. A container instance has room
for every task whose CPU, memory and host ports are free; Fargate has room unless an image says that it has
none. Placement strategies and constraints are recorded only.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.utils import random_private_ip

from localaws.aws import ACCOUNT, REGION
from localaws.ecs.capacity_providers import instances_of
from localaws.ecs.images import StartError, behaviour_of
from localaws.ecs.state import arn, backend
from localaws.ecs.task_definitions import LiveTaskDefinition

EPHEMERAL_PORTS = range(32768, 61000)


NO_FARGATE = "RESOURCE:FARGATE"
_UNMET = "was unable to place a task because no container instance met all of its requirements."
_NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability"
    " zone"
)

_LACKS = {
    "CPU": "has insufficient CPU units available",
    "MEMORY": "has insufficient memory available",
    "PORTS": "is already using a port required by your task",
}


class PlacementError(Exception):
    """There is no place for a task. The message is that of the service event.

    ``reason`` and ``where`` are the fields of the event SERVICE_TASK_PLACEMENT_FAILURE.
    """

    def __init__(self, message: str, reason: str, where: dict[str, list[str]]) -> None:
        super().__init__(message)
        self.reason = reason
        self.where = where

    def failure(self) -> dict[str, str]:
        """The failure as in the answer to RunTask."""
        if self.reason == NO_FARGATE:
            return {"reason": _NO_CAPACITY}
        arns = self.where.get("containerInstanceArns")
        return {"reason": self.reason, **({"arn": arns[0]} if arns else {})}


@dataclass
class Placement:
    """The place of a task until it has stopped."""

    cluster: str
    zone: str = ""
    subnet: str = ""
    eni: Any = None
    attachment: dict[str, Any] | None = None
    instance: Any = None
    needs: dict[str, int] = field(default_factory=dict)
    """The CPU and the memory that it takes from the instance."""
    #: (container name, container port) -> port on the instance or on the task's network interface
    ports: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def address(self) -> str | None:
        """The private address of the task's network interface."""
        return str(self.eni.private_ip_address) if self.eni else None

    @property
    def host_address(self) -> str:
        """The private address that the host ports belong to."""
        if self.eni:
            return str(self.eni.private_ip_address)
        instance = ec2_backends[ACCOUNT][REGION].get_instance(self.instance.ec2_instance_id)
        return str(instance.private_ip)

    def target_id(self, target_type: str) -> str:
        """The id of the target for the task in a target group of this type."""
        return self.address or "" if target_type == "ip" else str(self.instance.ec2_instance_id)

    def release(self) -> None:
        """Free the place."""
        if self.eni and self.attachment:
            self.eni.delete()
            self.attachment["status"] = "DELETED"
        if self.instance:
            self.instance.running_tasks_count -= 1
            self._take(-1)

    def occupy(self, instance: Any) -> None:
        """Take the place on an instance."""
        self.instance, self.zone = instance, _zone(instance)
        instance.running_tasks_count += 1
        self._take(1)

    def _take(self, times: int) -> None:
        for resource in self.instance.remaining_resources:
            resource["integerValue"] -= times * self.needs.get(resource["name"], 0)


def place(
    definition: LiveTaskDefinition,
    cluster: str,
    network: dict[str, Any] | None,
    *,
    fargate: bool,
    neighbours: Iterable[Placement],
    siblings: Iterable[Placement] = (),
    provider: str | None = None,
    instance: Any = None,
) -> Placement:
    """Find a place for a task, apart from its siblings, or on one instance. Raises PlacementError."""
    placement, siblings = Placement(cluster, needs=definition.reserves), list(siblings)
    mappings = [
        (container["name"], mapping["containerPort"], mapping["hostPort"])
        for container in definition.record["containerDefinitions"]
        for mapping in container["portMappings"]
        if "containerPort" in mapping
    ]
    subnets = _subnets(definition, network)
    if definition.awsvpc:
        placement.ports = {(name, port): port for name, port, _ in mappings}
    if fargate:
        _check_fargate(definition, provider)
    else:
        zones = {s.availability_zone for s in subnets}
        instances = [instance] if instance else _instances(cluster, provider, zones)
        used = Counter(sibling.zone for sibling in siblings)
        instances.sort(key=lambda i: (used[_zone(i)], i.running_tasks_count))
        _choose_instance(placement, instances, mappings, list(neighbours), awsvpc=definition.awsvpc)
        subnets = [s for s in subnets if s.availability_zone == placement.zone]
    if subnets:
        taken = Counter(sibling.subnet for sibling in siblings)
        vpc = (network or {})["awsvpcConfiguration"]
        _attach_interface(placement, min(subnets, key=lambda s: taken[s.id]), vpc)
    return placement


def instances_for(
    definition: LiveTaskDefinition, cluster: str, network: dict[str, Any] | None
) -> list[Any]:
    """Every container instance on which such a task can run, whatever runs there."""
    zones = {subnet.availability_zone for subnet in _subnets(definition, network)}
    try:
        return _instances(cluster, None, zones)
    except PlacementError:
        return []


def _subnets(definition: LiveTaskDefinition, network: dict[str, Any] | None) -> list[Any]:
    """The subnets for the task's network interface; none if it has none."""
    if not definition.awsvpc:
        return []
    names = (network or {})["awsvpcConfiguration"]["subnets"]
    return [ec2_backends[ACCOUNT][REGION].get_subnet(name) for name in names]


def _instances(cluster: str, provider: str | None, zones: set[str]) -> list[Any]:
    """The eligible container instances. With zones, the network interface must reach them."""
    instances = [
        instance
        for instance in backend().container_instances.get(cluster, {}).values()
        if instance.status == "ACTIVE"
    ]
    if provider:
        ours = instances_of(provider)
        instances = [instance for instance in instances if instance.ec2_instance_id in ours]
    reached = [instance for instance in instances if not zones or _zone(instance) in zones]
    if instances and not reached:
        raise _unmet_by(instances[0], "ATTRIBUTE", "is missing an attribute required by your task")
    if provider and not instances:
        reason = "No Container Instances were found in your capacity provider."
        raise PlacementError(
            f"was unable to reach steady state. Reason: {reason}", reason, _of_provider(provider)
        )
    if not instances:
        reason = "No Container Instances were found in your cluster."
        raise PlacementError(f"{_UNMET} Reason: {reason}", reason, {})
    return reached


def _check_fargate(definition: LiveTaskDefinition, provider: str | None) -> None:
    """Raise PlacementError if an image says that Fargate has no capacity for it."""
    for container in definition.record["containerDefinitions"]:
        with contextlib.suppress(StartError):  # the task fails when it pulls the image
            if behaviour_of(container["image"]).kind == "no-capacity":
                raise PlacementError(
                    f"was unable to place a task. Reason: {_NO_CAPACITY}.",
                    NO_FARGATE,
                    _of_provider(provider) if provider else {},
                )


def _of_provider(name: str) -> dict[str, list[str]]:
    return {"capacityProviderArns": [arn(f"capacity-provider/{name}")]}


def _unmet_by(instance: Any, reason: str, lack: str) -> PlacementError:
    return PlacementError(
        f"{_UNMET} The closest matching (container-instance {instance.id}) {lack}.",
        reason,
        {"containerInstanceArns": [instance.container_instance_arn]},
    )


def _zone(instance: Any) -> str:
    return str(instance.attributes["ecs.availability-zone"])


def _choose_instance(
    placement: Placement,
    instances: list[Any],
    mappings: list[tuple[str, int, int]],
    neighbours: list[Placement],
    *,
    awsvpc: bool,
) -> None:
    for instance in instances:
        if not _short_of(instance, placement.needs):
            taken = _ports_on(instance, neighbours)
            if awsvpc:
                placement.occupy(instance)
                return
            if not any(host_port in taken for _, _, host_port in mappings):
                free = (port for port in EPHEMERAL_PORTS if port not in taken)
                placement.ports = {
                    (name, port): host_port or next(free) for name, port, host_port in mappings
                }
                placement.occupy(instance)
                return
    lack = (_short_of(instances[0], placement.needs) or ["PORTS"])[0]
    raise _unmet_by(instances[0], f"RESOURCE:{lack}", _LACKS[lack])


def _short_of(instance: Any, needs: dict[str, int]) -> list[str]:
    """The resources of which an instance has less left than a task needs."""
    left = {each["name"]: each["integerValue"] for each in instance.remaining_resources}
    return [name for name, need in needs.items() if left[name] < need]


def _ports_on(instance: Any, neighbours: list[Placement]) -> set[int]:
    """The host ports of an instance that are taken."""
    return {
        port
        for neighbour in neighbours
        if neighbour.instance is instance and not neighbour.eni
        for port in neighbour.ports.values()
    }


def _attach_interface(placement: Placement, subnet: Any, vpc: dict[str, Any]) -> None:
    ec2 = ec2_backends[ACCOUNT][REGION]
    placement.subnet, placement.zone = subnet.id, subnet.availability_zone
    in_use = {eni.private_ip_address for eni in ec2.enis.values()}
    while (address := random_private_ip(subnet.cidr_block)) in in_use:
        pass
    placement.eni = ec2.create_network_interface(
        subnet, address, group_ids=vpc.get("securityGroups"), description="localaws ECS task"
    )
    placement.eni.status = "in-use"
    placement.attachment = {
        "id": str(uuid.uuid4()),
        "type": "ElasticNetworkInterface",
        "status": "ATTACHED",
        "details": [
            {"name": "subnetId", "value": subnet.id},
            {"name": "networkInterfaceId", "value": placement.eni.id},
            {"name": "macAddress", "value": placement.eni.mac_address},
            {"name": "privateDnsName", "value": f"ip-{address.replace('.', '-')}.ec2.internal"},
            {"name": "privateIPv4Address", "value": address},
        ],
    }
