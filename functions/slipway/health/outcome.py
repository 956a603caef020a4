"""How a deployment or a release ends: every outcome, and everything that follows from it.

A new outcome is a member here and a way to it in a state machine. Every table about outcomes is made of
these facts (docs/outcomes.md), every list that stands elsewhere is tested against them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an outcome means, and what follows from it."""

    meaning: str
    """For people, in one sentence."""
    symbol: str
    """An emoji: the shapes differ, not only the colours."""
    succeeds: bool = False
    """Whether the execution succeeds; else it fails with the outcome as its error."""
    goes_on: bool = False
    """Whether the next stage of the release may start."""
    calls_people: bool = False
    """Whether somebody has to act."""
    quiet: bool = False
    """Whether people are notified only if NotifyNoChange is set."""
    needs_claim: bool = False
    """Whether it can't be so once another deployment has claimed the service."""
    proves_image: bool = False
    """Whether the version that was deployed is good from now on."""
    proves_target: bool = False
    """Whether the rollback target is good from now on, or still is."""
    quarantines: bool = False
    """Whether the image is quarantined, if it was tried."""
    may_run: bool = False
    """Whether the service may run what a person would want to roll back."""
    may_start_again: bool = False
    """Whether the same image may be started again, once what stood against it is gone."""


class Outcome(StrEnum):
    """How it ended."""

    facts: Facts
    facts_of_manual_rollback: Facts
    """The same, where a person asked for the rollback."""
    facts_of_release: Facts
    """The same, of a release that ended before it came to a deployment."""

    def __new__(
        cls,
        value: str,
        facts: Facts,
        manual_rollback: dict[str, Any] | None = None,
        release: dict[str, Any] | None = None,
    ) -> Self:
        """A member with its facts, and with those that differ for a manual rollback and for a release."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.facts = facts
        member.facts_of_manual_rollback = replace(facts, **manual_rollback or {})
        of_release = {"meaning": "the release did not go through", **(release or {})}
        member.facts_of_release = replace(facts, **of_release)
        return member

    def of(self, *, manual_rollback: bool = False, release: bool = False) -> Facts:
        """Its facts, of a deployment, of a manual rollback, or of a release."""
        if release:
            return self.facts_of_release
        return self.facts_of_manual_rollback if manual_rollback else self.facts

    SUCCEEDED = (
        "SUCCEEDED",
        Facts(
            meaning="it is live, healthy, and baked",
            symbol="✅",
            succeeds=True,
            goes_on=True,
            needs_claim=True,
            proves_image=True,
            may_run=True,
        ),
    )
    NO_CHANGE = (
        "NO_CHANGE",
        Facts(meaning="nothing was changed", symbol="🟰", succeeds=True, goes_on=True, quiet=True),
    )
    SUPERSEDED = (
        "SUPERSEDED",
        Facts(
            meaning="a newer release or someone else has the service; that was left alone",
            symbol="⏭️",
            succeeds=True,
        ),
    )
    ROLLED_BACK = (
        "ROLLED_BACK",
        Facts(
            meaning="the last good version is back and healthy",
            symbol="↩️",
            calls_people=True,
            needs_claim=True,
            proves_target=True,
            quarantines=True,
        ),
        {
            "meaning": "the version that a person asked for is live, healthy, and baked",
            "succeeds": True,
            "calls_people": False,
        },
    )
    ROLLBACK_FAILED = (
        "ROLLBACK_FAILED",
        Facts(
            meaning="the last good version is not known to be back and healthy: ACT NOW",
            symbol="🆘",
            calls_people=True,
            needs_claim=True,
            quarantines=True,
            may_run=True,
        ),
        {
            "meaning": (
                "the version that a person asked for is not known to be there and healthy: ACT NOW"
            )
        },
    )
    REJECTED = (
        "REJECTED",
        Facts(
            meaning="it was not allowed to begin; nothing was changed",
            symbol="⛔",
            may_start_again=True,
        ),
    )
    FAILED = (
        "FAILED",
        Facts(meaning="nothing was changed", symbol="❌", calls_people=True, may_start_again=True),
    )
    IGNORED = (
        "IGNORED",
        Facts(meaning="nothing was deployed", symbol="💤", succeeds=True, quiet=True),
        None,
        {"meaning": "nothing was deployed"},
    )
    LEDGER_NOT_WRITTEN = (
        "LedgerNotWritten",
        Facts(
            meaning=(
                "it is healthy, but that could not be written down: the last good version will be put back"
            ),
            symbol="⚠️",
            calls_people=True,
        ),
    )
