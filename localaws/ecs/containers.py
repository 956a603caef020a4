"""The containers of a task, as in DescribeTasks."""

from __future__ import annotations

import uuid
from typing import Any

from localaws.ecs.placement import Placement


def container_record(
    task_arn: str, definition: dict[str, Any], placement: Placement
) -> dict[str, Any]:
    """A container whose image is not pulled yet."""
    container = {
        "containerArn": f"{task_arn.replace(':task/', ':container/')}/{uuid.uuid4()}",
        "taskArn": task_arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "healthStatus": "UNKNOWN",
        "cpu": str(definition["cpu"]),
        "networkBindings": [],
        "networkInterfaces": [],
    }
    for size in ("memory", "memoryReservation"):
        if size in definition:
            container[size] = str(definition[size])
    if placement.attachment:
        interface = {
            "attachmentId": placement.attachment["id"],
            "privateIpv4Address": placement.address,
        }
        container["networkInterfaces"] = [interface]
    return container


def network_bindings(name: str, placement: Placement) -> list[dict[str, Any]]:
    """The ports of a running container on its instance. There are none in network mode awsvpc."""
    if placement.eni:
        return []
    return [
        {"bindIP": "0.0.0.0", "containerPort": port, "hostPort": host_port, "protocol": "tcp"}
        for (container, port), host_port in placement.ports.items()
        if container == name
    ]
