"""Which ``dependsOn`` ECS refuses in a task definition. How a task keeps to it: `dependencies`."""

from __future__ import annotations

from typing import Any

from moto.ecs.exceptions import EcsClientException

CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


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
