"""Stopped tasks as values. Which of them failed is decided in `failed_tasks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipway.aws import resource_name
from slipway.ecs.task_definition import is_essential
from slipway.model import Model


class Container(Model):
    """A container of a stopped task."""

    name: str
    exit_code: int | None = None
    """None if the container did not run."""
    reason: str = ""
    """ECS's ``reason``, such as CannotPullContainerError; empty if ECS gives none."""
    runtime_id: str = ""
    """The id of the container in Docker or on Fargate."""
    essential: bool = True
    """Whether the task stops when this container does."""
    awaited: bool = False
    """Whether another container starts only after this one has ended or is healthy (``dependsOn``)."""

    @property
    def said(self) -> str:
        """The exit code and the reason in one line for people; empty if ECS gives neither."""
        code = "" if self.exit_code is None else f"exit code {self.exit_code}"
        said = [part for part in (code, self.reason) if part]
        return ", ".join([f"container {self.name}", *said]) if said else ""


class StoppedTask(Model):
    """A stopped task of the service deployment."""

    id: str
    task_definition: str
    """ARN of the task definition that the task ran."""
    code: str
    """ECS's ``stopCode``, such as EssentialContainerExited; empty if ECS gives none."""
    reason: str
    """ECS's ``stoppedReason``; empty if ECS gives none."""
    containers: tuple[Container, ...]


def stopped_task(task: dict[str, Any], defined: Sequence[dict[str, Any]]) -> StoppedTask:
    """Turn a task, as DescribeTasks returns it, into a value.

    AWS adds containers of its own to a task, such as the agent of GuardDuty and the proxy of Service
    Connect. The task definition does not name them, they say nothing about the image, and they are left out.

    Args:
        defined: the ``containerDefinitions`` of its task definition.
    """
    ended = {container["name"]: container for container in task.get("containers", [])}
    awaited = {
        other["containerName"]
        for container in defined
        for other in container.get("dependsOn", [])
        if other["condition"] != "START"
    }
    return StoppedTask(
        id=resource_name(task["taskArn"]),
        task_definition=task["taskDefinitionArn"],
        code=task.get("stopCode", ""),
        reason=task.get("stoppedReason", ""),
        containers=tuple(
            Container(
                name=name,
                exit_code=ended[name].get("exitCode"),
                reason=ended[name].get("reason", ""),
                runtime_id=ended[name].get("runtimeId", ""),
                essential=is_essential(container),
                awaited=name in awaited,
            )
            for container in defined
            if (name := container["name"]) in ended
        ),
    )
