"""News of a deployment or a release, and the parts of what is told of it."""

from __future__ import annotations

from slipway.message import News, compose
from tests.unit.builders import NEW, OLD, OLD_DIGEST, SERVICE, URI, execution, image

EXECUTION = execution("production-api-v2")
OUTCOMES = ["SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED", "SUPERSEDED", "REJECTED", "FAILED"]


def ending(outcome: str = "SUCCEEDED", **changes: object) -> News:
    """How a deployment ended."""
    defaults = {
        "reason": "every task is healthy",
        "execution": EXECUTION,
        "service": SERVICE,
        "stage": "production",
        "image": image(),
        "started_by": "push",
        "task_definition": NEW,
        "previous": OLD,
        "previous_images": {"api": f"{URI}@{OLD_DIGEST}"},
    }
    return News(outcome=outcome, **defaults | changes)


def start(**changes: object) -> News:
    """That a deployment started."""
    defaults = {"kind": "start", "reason": "", "task_definition": None}
    return ending("STARTED", **defaults | changes)


def failed_release(**changes: object) -> News:
    """A release that failed before it came to a deployment."""
    defaults = {"outcome": "FAILED", "reason": "no plan", "execution": EXECUTION}
    return News(**defaults | changes)


def block(text: str, title: str) -> list[str]:
    """The lines below a title."""
    for part in text.rstrip("\n").split("\n\n"):
        first, *lines = part.split("\n")
        if first == title:
            return [line.strip() for line in lines]
    return []


def told(title: str, told_of: News) -> list[str]:
    return block(compose(told_of).text, title)
