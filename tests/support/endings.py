"""News of a deployment or a release, and the notices and emails that are made of it."""

from __future__ import annotations

from slipway.health.outcome import Outcome
from slipway.notices.compose import notice_of
from slipway.notices.current_state import CurrentState
from slipway.notices.email import text_of
from slipway.notices.news import News
from slipway.notices.notice import Notice
from tests.support.builders import (
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OPERATE,
    RELEASES,
    SERVICE,
    URI,
    claim,
    execution,
    image,
)

EXECUTION = execution("production-api-v2")
RELEASE = f"{RELEASES.replace(':stateMachine:', ':execution:')}:e-1"
MANUAL_ROLLBACK = {
    "started_by": "manual rollback",
    "by": "jo",
    "stage": None,
    "task_definition": None,
}
OUTCOMES = list(Outcome)


def ending(outcome: str | None = "SUCCEEDED", **changes: object) -> News:
    """The news that a deployment ended with this outcome."""
    defaults = {
        "claim": claim(),
        "reason": "every task is healthy",
        "execution": EXECUTION,
        "service": SERVICE,
        "stage": "production",
        "image": image(),
        "started_by": "push",
        "task_definition": NEW,
        "rollback_target": OLD,
        "rollback_target_images": {"api": f"{URI}@{OLD_DIGEST}"},
    }
    return News(outcome=outcome, **defaults | changes)


def start(**changes: object) -> News:
    """The news that a deployment started."""
    defaults = {"kind": "start", "reason": "", "task_definition": None}
    return ending(None, **defaults | changes)


def stage(**changes: object) -> News:
    """The news that a stage of a release starts."""
    defaults = {
        "kind": "stage",
        "outcome": None,
        "reason": "",
        "execution": RELEASE,
        "stage": "production",
        "stage_number": 2,
        "stage_count": 3,
        "services": (SERVICE,),
        "image": image(),
    }
    return News(**defaults | changes)


def failed_release(**changes: object) -> News:
    """The news that a release failed before its first deployment."""
    defaults = {"outcome": "FAILED", "reason": "no plan", "execution": RELEASE}
    return News(**defaults | changes)


def stopped_release(**changes: object) -> News:
    """The news that a release stopped in the second of its three stages."""
    defaults = {
        "outcome": "FAILED",
        "reason": "",
        "execution": RELEASE,
        "release": "e-1",
        "stopped_by": (
            {"service": "canary/web", "outcome": "ROLLED_BACK", "reason": "too many 5xx"},
        ),
        "remaining_stages": (
            {"name": "production", "services": ("production/api", "production/worker")},
        ),
        "stage": "canary",
        "stage_number": 2,
        "stage_count": 3,
        "image": image(),
        "started_by": "push",
    }
    return News(**defaults | changes)


def noticed(news: News, **state: object) -> Notice:
    """The notice of this news, made at NOW."""
    return notice_of(news, CurrentState(**state), NOW, OPERATE)


def block(text: str, heading: str) -> list[str]:
    """The lines of an email below a heading."""
    for part in text.rstrip("\n").split("\n\n"):
        first, *lines = part.split("\n")
        if first == heading:
            return [line.strip() for line in lines]
    return []


def emailed(heading: str, news: News, **state: object) -> list[str]:
    return block(text_of(noticed(news, **state)), heading)
