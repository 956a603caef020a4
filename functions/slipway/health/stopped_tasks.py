"""Stopped tasks as values. Which of them failed is decided in `failed_tasks`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from slipway.aws import resource_name
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


def stopped_task(task: dict[str, Any], helpers: Collection[str]) -> StoppedTask:
    """Turn a task, as DescribeTasks returns it, into a value.

    Args:
        helpers: the names of the containers that are known not to be essential.
    """
    return StoppedTask(
        id=resource_name(task["taskArn"]),
        task_definition=task["taskDefinitionArn"],
        code=task.get("stopCode", ""),
        reason=task.get("stoppedReason", ""),
        containers=tuple(
            Container(
                name=container["name"],
                exit_code=container.get("exitCode"),
                reason=container.get("reason", ""),
                runtime_id=container.get("runtimeId", ""),
                essential=container["name"] not in helpers,
            )
            for container in task.get("containers", [])
        ),
    )
