"""The order in which the containers of a task start: ``dependsOn``.

ECS's agent is the published source of the rules and of the reasons:
https://github.com/aws/amazon-ecs-agent/blob/master/agent/engine/dependencygraph/graph.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from moto.ecs.exceptions import EcsClientException

if TYPE_CHECKING:  # containers.py needs the task definitions, which are checked here
    from localaws.ecs.containers import Container

CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


class NeverResolvedError(Exception):
    """A container waits for something that can't happen any more. The message is the agent's reason."""


def check(definitions: list[dict[str, Any]]) -> None:
    """Refuse the ``dependsOn`` that ECS refuses in a task definition.

    ECS's words are published for two of the refusals only: a container that does not exist, and an
    essential one that others wait for to exit.
    """
    by_name = {definition["name"]: definition for definition in definitions}
    for definition in definitions:
        for dependency in definition.get("dependsOn") or []:
            _check_condition(dependency, by_name)
    _check_for_cycles(by_name)


def may_start(container: Container, others: Iterable[Container], now: float) -> bool:
    """Whether the conditions hold on which the container depends.

    Raises:
        NeverResolvedError: one of them can't hold any more.
    """
    by_name = {other.name: other for other in others}
    resolved = [  # all of them, because any one may be the one that can't hold any more
        _resolved(container, dependency["condition"], by_name[dependency["containerName"]], now)
        for dependency in container.definition.get("dependsOn") or []
    ]
    return all(resolved)


def _resolved(target: Container, condition: str, awaited: Container, now: float) -> bool:
    failed = f"dependency graph: failed to resolve container ordering dependency [{awaited}] for"
    timeout = awaited.definition.get("startTimeout")
    if condition != "START" and timeout and awaited.ran_for(now) > timeout and not awaited.ended:
        raise NeverResolvedError(
            f"dependency graph: container ordering dependency [{awaited}] for target [{target}] has"
            " timed out."
        )
    if condition == "SUCCESS" and awaited.ended and awaited.exit_code != 0:
        raise NeverResolvedError(
            f"{failed} target [{target}] as dependency did not exit successfully."
        )
    if awaited.ended and not awaited.started:
        raise NeverResolvedError(f"{failed} target [{target}] because dependency will never start")
    if condition == "START":
        return awaited.started
    if condition == "HEALTHY":
        return awaited.healthy
    return awaited.ended


def _check_condition(dependency: dict[str, Any], by_name: dict[str, dict[str, Any]]) -> None:
    name, condition = dependency.get("containerName"), dependency.get("condition")
    if name not in by_name:
        raise EcsClientException(f"Cannot depend on container + '{name}' because it does not exist")
    if condition not in CONDITIONS:
        raise EcsClientException(
            f"The condition {condition} of a container dependency is not one of"
            f" {', '.join(CONDITIONS)}"
        )
    if condition in ("COMPLETE", "SUCCESS") and by_name[name].get("essential", True):
        raise EcsClientException(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential"
            " container"
        )
    if condition == "HEALTHY" and not by_name[name].get("healthCheck"):
        raise EcsClientException(
            f"A dependency container with HEALTHY condition needs a health check: {name}"
        )


def _check_for_cycles(by_name: dict[str, dict[str, Any]]) -> None:
    waiting = {
        name: {d["containerName"] for d in definition.get("dependsOn") or []}
        for name, definition in by_name.items()
    }
    while free := {name for name, awaited in waiting.items() if not awaited}:
        waiting = {name: awaited - free for name, awaited in waiting.items() if name not in free}
    if waiting:
        raise EcsClientException(
            f"Container dependencies should not have a cycle: {', '.join(sorted(waiting))}"
        )
