"""How a deployment or a release ended, and the parts of what is told of it."""

from __future__ import annotations

from slipway.message import Ending, compose
from tests.unit.builders import ACCOUNT, NEW, OLD, OLD_DIGEST, REGION, SERVICE, URI, image

EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:slipway-deployment:production-api-v2"
OUTCOMES = ["SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED", "SUPERSEDED", "FAILED"]


def ending(outcome: str = "SUCCEEDED", **changes: object) -> Ending:
    defaults = {
        "reason": "every task is healthy",
        "execution": EXECUTION,
        "service": SERVICE,
        "stage": "production",
        "image": image(),
        "task_definition": NEW,
        "previous": OLD,
        "previous_images": {"api": f"{URI}@{OLD_DIGEST}"},
    }
    return Ending(outcome=outcome, **defaults | changes)


def failed_release(**changes: object) -> Ending:
    """A release that failed before it came to a deployment."""
    return Ending(outcome="FAILED", reason="no plan", execution=EXECUTION, **changes)


def block(text: str, title: str) -> list[str]:
    """The lines below a title."""
    for part in text.rstrip("\n").split("\n\n"):
        first, *lines = part.split("\n")
        if first == title:
            return [line.strip() for line in lines]
    return []


def told(title: str, told_of: Ending) -> list[str]:
    return block(compose(told_of).text, title)
