"""The outcomes of deployments and releases, and everything that follows from an outcome.

A new outcome needs a member here and a path to it in a state machine. The tables about outcomes in
docs/outcomes.md are generated from these facts, and tests compare every other list with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an outcome means, and what follows from it."""

    meaning: str
    """What the outcome means, in one sentence for people."""
    symbol: str
    """An emoji. The symbols differ in shape, too, for people who can't tell their colours apart."""
    succeeds: bool = False
    """Whether the execution succeeds. If not, it fails with the outcome as its error."""
    goes_on: bool = False
    """Whether the next stage of the release may start."""
    calls_people: bool = False
    """Whether a person has to act."""
    quiet: bool = False
    """Whether people are notified only if NotifyNoChange is set."""
    needs_claim: bool = False
    """Whether only a deployment that still has its claim can end so; without the claim it ends SUPERSEDED."""
    proves_image: bool = False
    """Whether the deployed version is good from now on."""
    proves_target: bool = False
    """Whether the rollback target is good from now on; most often it was good before."""
    quarantines: bool = False
    """Whether the image is quarantined, provided that it was put on the service and may be the cause."""
    may_run: bool = False
    """Whether the service may now run a version that a person would want to roll back."""
    may_start_again: bool = False
    """Whether a person may start the same image again after the cause is removed."""


class Outcome(StrEnum):
    """How a deployment ended, or a release that ended without a deployment."""

    facts: Facts
    """The facts for a deployment that a release started."""
    facts_of_manual_rollback: Facts
    """The facts for a manual rollback."""
    facts_of_release: Facts
    """The facts for a release that ended before its first deployment."""

    def __new__(
        cls,
        value: str,
        facts: Facts,
        manual_rollback: dict[str, Any] | None = None,
        release: dict[str, Any] | None = None,
    ) -> Self:
        """Create a member.

        Args:
            facts: the facts for a deployment.
            manual_rollback: the facts that differ for a manual rollback, by name.
            release: the facts that differ for a release without a deployment, by name.
        """
        member = str.__new__(cls, value)
        member._value_ = value
        member.facts = facts
        member.facts_of_manual_rollback = replace(facts, **manual_rollback or {})
        of_release = {"meaning": "the release did not go through", **(release or {})}
        member.facts_of_release = replace(facts, **of_release)
        return member

    def of(self, *, manual_rollback: bool = False, release: bool = False) -> Facts:
        """The facts for a deployment or, if the argument is set, for a manual rollback or a release."""
        if release:
            return self.facts_of_release
        return self.facts_of_manual_rollback if manual_rollback else self.facts

    SUCCEEDED = (
        "SUCCEEDED",
        Facts(
            meaning="the new version is live, and was healthy at the end of its bake",
            symbol="✅",
            succeeds=True,
            goes_on=True,
            needs_claim=True,
            proves_image=True,
            may_run=True,
        ),
    )
    UNPROVEN = (
        "UNPROVEN",
        Facts(
            meaning=(
                "the new version is on the service, but no task ran, because the desired count is 0: "
                "nothing is known of it, so no further stage starts"
            ),
            symbol="⏸️",
            succeeds=True,
            needs_claim=True,
            may_run=True,
            may_start_again=True,
        ),
        {
            "meaning": (
                "the version that a person asked for is on the service, but no task ran, because the desired "
                "count is 0: nothing is known of it"
            )
        },
    )
    NO_CHANGE = (
        "NO_CHANGE",
        Facts(
            meaning="nothing was changed: the service already ran what was to be deployed",
            symbol="🟰",
            succeeds=True,
            goes_on=True,
            quiet=True,
        ),
    )
    SUPERSEDED = (
        "SUPERSEDED",
        Facts(
            meaning=(
                "a newer release or a manual rollback took over the service, or someone outside Slipway "
                "changed it; "
                "from then on, this deployment did not change it"
            ),
            symbol="⏭️",
            succeeds=True,
        ),
    )
    ROLLED_BACK = (
        "ROLLED_BACK",
        Facts(
            meaning="an earlier version is back and healthy",
            symbol="↩️",
            calls_people=True,
            needs_claim=True,
            proves_target=True,
            quarantines=True,
            may_start_again=True,
        ),
        {
            "meaning": "the version that a person asked for is live, and was healthy at the end of its bake",
            "succeeds": True,
            "calls_people": False,
        },
    )
    ROLLBACK_FAILED = (
        "ROLLBACK_FAILED",
        Facts(
            meaning="the rollback failed, and the service may be down: ACT NOW",
            symbol="🆘",
            calls_people=True,
            needs_claim=True,
            quarantines=True,
            may_run=True,
        ),
        {
            "meaning": (
                "the version that a person asked for may not be live, or may be unhealthy: ACT NOW"
            )
        },
    )
    REJECTED = (
        "REJECTED",
        Facts(
            meaning="nothing was changed: the deployment was not allowed to begin",
            symbol="⛔",
            may_start_again=True,
        ),
    )
    FAILED = (
        "FAILED",
        Facts(
            meaning="nothing was changed: the deployment failed before it reached the service",
            symbol="❌",
            calls_people=True,
            may_start_again=True,
        ),
    )
    IGNORED = (
        "IGNORED",
        Facts(
            meaning="nothing was deployed: Slipway ignored the push",
            symbol="💤",
            succeeds=True,
            quiet=True,
        ),
        None,
        {"meaning": "nothing was deployed: Slipway ignored the push"},
    )
    LEDGER_NOT_WRITTEN = (
        "LedgerNotWritten",
        Facts(
            meaning=(
                "the new version is on the service, but the end could not be written to the ledger, "
                "so the service will be rolled back"
            ),
            symbol="⚠️",
            calls_people=True,
        ),
    )
