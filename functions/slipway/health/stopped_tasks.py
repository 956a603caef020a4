"""Stopped tasks as values. Which of them failed is decided in `failed_tasks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipway.aws import resource_name
from slipway.ecs.task_definition import is_essential
from slipway.model import Model

AGENT = "aws-guardduty-agent-"
"""How the names of GuardDuty's agents begin. A task goes on without its agent
(https://github.com/aws/aws-cdk/issues/32877)."""
PROXY = "ecs-service-connect"
"""The name of Service Connect's proxy, but for its random end. A task ends with its proxy
(https://github.com/aws/amazon-ecs-agent/issues/4397)."""


class Container(Model):
    """A container of a stopped task."""

    name: str
    """Of a proxy only what all proxies share, so that what happened to several tasks reads the same."""
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
    checked: bool = False
    """Whether it has a health check."""
    injected: bool = False
    """Whether AWS added it to the task."""

    @property
    def described(self) -> str:
        """Its name for people, who may never have heard of a container that AWS added."""
        return f"container {self.name}{', which AWS adds' if self.injected else ''}"

    @property
    def said(self) -> str:
        """The exit code and the reason in one line for people; empty if ECS gives neither."""
        code = "" if self.exit_code is None else f"exit code {self.exit_code}"
        said = [part for part in (code, self.reason) if part]
        return ", ".join([self.described, *said]) if said else ""


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
    """Those that the task definition names."""
    injected: tuple[Container, ...] = ()
    """Those that AWS added and that may have ended the task."""


def stopped_task(task: dict[str, Any], defined: Sequence[dict[str, Any]]) -> StoppedTask:
    """Turn a task, as DescribeTasks returns it, into a value.

    AWS adds containers of its own to a task, such as the agent of GuardDuty and the proxy of Service
    Connect. The task definition does not name them, and DescribeTasks does not say which are essential.
    GuardDuty's agent is not, so it is left out. Any other one may have ended the task.

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
    named = {container["name"] for container in defined}
    return StoppedTask(
        id=resource_name(task["taskArn"]),
        task_definition=task["taskDefinitionArn"],
        code=task.get("stopCode", ""),
        reason=task.get("stoppedReason", ""),
        containers=tuple(
            _container(
                name,
                ended[name],
                essential=is_essential(container),
                awaited=name in awaited,
                checked="healthCheck" in container,
            )
            for container in defined
            if (name := container["name"]) in ended
        ),
        injected=tuple(
            _container(PROXY if name.startswith(f"{PROXY}-") else name, container, injected=True)
            for name, container in ended.items()
            if name not in named and not name.startswith(AGENT)
        ),
    )


def _container(name: str, ended: dict[str, Any], **facts: bool) -> Container:
    return Container(
        name=name,
        exit_code=ended.get("exitCode"),
        reason=ended.get("reason", ""),
        runtime_id=ended.get("runtimeId", ""),
        **facts,
    )
