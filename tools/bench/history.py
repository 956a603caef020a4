"""Counts from the histories of executions what AWS bills for, and how it grows with polls.

A Standard workflow is billed for every state it enters and for every retry of one
(https://aws.amazon.com/step-functions/pricing/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tools.bench import UnexpectedError

Event = dict[str, Any]

LOOKS = ("CheckDeployment", "CheckRollBack")
STATES_A_POLL = 3  # wait, check, judge
INVOCATIONS_A_POLL = 1


@dataclass(frozen=True)
class Counts:
    """The sums of one or more histories."""

    transitions: int
    retries: int
    """These are part of the transitions."""
    invocations: int
    polls: int


@dataclass(frozen=True)
class Formula:
    """The transitions and invocations of a deployment as a function of its polls, without retries."""

    fixed_transitions: int
    fixed_invocations: int

    def transitions(self, polls: int) -> int:
        """The state transitions of the release and of the deployment together."""
        return self.fixed_transitions + STATES_A_POLL * polls

    def invocations(self, polls: int) -> int:
        """The Lambda invocations of the release, the deployment and Recover."""
        return self.fixed_invocations + INVOCATIONS_A_POLL * polls


def count(release: Sequence[Event], deployment: Sequence[Event]) -> Counts:
    """Count what AWS bills for in the histories of a release and its deployment.

    Recover checks every execution that fails; no history shows that.
    """
    events = [*release, *deployment]
    failed = deployment[-1]["type"] == "ExecutionFailed"
    entered = [e["stateEnteredEventDetails"]["name"] for e in events if _is_entered(e)]
    tasks = sum(e["type"] == "TaskStateEntered" for e in events)
    scheduled = [e["taskScheduledEventDetails"] for e in events if e["type"] == "TaskScheduled"]
    retries = len(scheduled) - tasks
    return Counts(
        transitions=len(entered) + retries,
        retries=retries,
        invocations=sum(task["resourceType"] == "lambda" for task in scheduled) + failed,
        polls=sum(name in LOOKS for name in entered),
    )


def formula(counts: Iterable[Counts]) -> Formula:
    """The formula that fits each of these deployments, except those with retries."""
    found = {
        Formula(
            c.transitions - STATES_A_POLL * c.polls, c.invocations - INVOCATIONS_A_POLL * c.polls
        )
        for c in counts
        if not c.retries
    }
    if len(found) != 1:
        raise UnexpectedError(f"no one formula for deployments that ended alike: {found}")
    return found.pop()


def began(history: Sequence[Event]) -> datetime:
    """When the execution started."""
    return _time(next(e for e in history if e["type"] == "ExecutionStarted"))


def entered(history: Sequence[Event], state: str) -> datetime:
    """When the execution first entered the state."""
    return _first(history, "stateEnteredEventDetails", state)


def milliseconds(history: Sequence[Event], state: str) -> float:
    """How long the execution was in the state when it first entered it."""
    left = _first(history, "stateExitedEventDetails", state)
    return (left - entered(history, state)).total_seconds() * 1000


def _first(history: Sequence[Event], details: str, state: str) -> datetime:
    return _time(next(e for e in history if e.get(details, {}).get("name") == state))


def _is_entered(event: Event) -> bool:
    return str(event["type"]).endswith("StateEntered")


def _time(event: Event) -> datetime:
    moment: datetime = event["timestamp"]
    return moment
