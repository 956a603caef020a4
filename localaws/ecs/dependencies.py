"""The order in which the containers of a task start: ``dependsOn``.

ECS's agent is the published source of the rules and of the reasons:
https://github.com/aws/amazon-ecs-agent/blob/master/agent/engine/dependencygraph/graph.go
"""

from __future__ import annotations

from collections.abc import Iterable

from localaws.ecs.containers import Container


class NeverResolvedError(Exception):
    """A container waits for something that can't happen any more. The message is the agent's reason."""


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
