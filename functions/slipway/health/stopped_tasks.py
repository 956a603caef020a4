"""Tasks that have stopped, as ECS describes them; nothing is decided."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from slipway.aws import resource_name
from slipway.model import Model


class Container(Model):
    """What became of a container."""

    name: str
    exit_code: int | None = None
    """None where it has not run."""
    reason: str = ""
    runtime_id: str = ""
    """What Docker or Fargate knows it by."""
    essential: bool = True
    """Whether the task stops with it."""

    @property
    def said(self) -> str:
        """What ECS says of it, in one line; empty where it says nothing."""
        code = "" if self.exit_code is None else f"exit code {self.exit_code}"
        said = [part for part in (code, self.reason) if part]
        return ", ".join([f"container {self.name}", *said]) if said else ""


class StoppedTask(Model):
    """A task of the deployment that has stopped."""

    id: str
    task_definition: str
    """ARN."""
    code: str
    """stopCode."""
    reason: str
    containers: tuple[Container, ...]


def stopped_task(task: dict[str, Any], helpers: Collection[str]) -> StoppedTask:
    """A task of DescribeTasks as a value.

    Args:
        helpers: the names of the containers that are not essential, as far as they are known.
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
