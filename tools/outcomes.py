"""docs/outcomes.md: every outcome and every cause, as functions/slipway/health has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.health.outcome import Facts

HEAD = """\
# Outcomes

<!-- Written by `make schema` from functions/slipway/health/outcome.py and cause.py. -->

Every deployment ends with one of these outcomes: it is in the ledger, in the execution, and in the notice.
A failed execution has the outcome as its error and the reason as its cause, so an alarm on `ExecutionsFailed`
is an alarm on releases that are not where they should be.
"""
TITLES = (
    *("Outcome", "", "Execution", "What it means", "Somebody has to act", "Next stage starts"),
    *("Good from now on", "Image quarantined"),
)
NOTES = """\
- People are notified of the outcomes marked with * only if `NotifyNoChange` is set.
- Somebody has to act: a bot in Slack posts such an end to the channel too, not only an update of its message.
- An image is quarantined only if it was put on the service, or a manual rollback abandons it.
- IGNORED ends a release that has no deployment. A release that fails before its first deployment is FAILED.
- `LedgerNotWritten` is recovered like an execution that died; the recovery ends with an outcome of its own.
"""
CAUSES = """\
## Causes

An end that is not as wished has a cause as well as a reason in words: `cause` in the ledger and the notice.
"""


def outcomes() -> str:
    """The file."""
    from slipway.health.cause import Cause
    from slipway.health.outcome import Outcome

    rows = []
    for outcome in Outcome:
        rows.append(_row(outcome, outcome.facts))
        if outcome.facts_of_manual_rollback != outcome.facts:
            name = f"{outcome}, manual rollback"
            rows.append(_row(name, outcome.facts_of_manual_rollback))
    causes = [(cause, cause.meaning) for cause in Cause]
    parts = [HEAD, _table(TITLES, rows), NOTES, CAUSES, _table(("Cause", "What it means"), causes)]
    return "\n".join(parts)


def _row(name: str, facts: Facts) -> tuple[str, ...]:
    good = ["the deployed version"] if facts.proves_image else []
    good += ["the rollback target"] if facts.proves_target else []
    return (
        f"{name} *" if facts.quiet else name,
        facts.symbol,
        "succeeds" if facts.succeeds else "fails",
        facts.meaning,
        _yes(facts.calls_people),
        _yes(facts.goes_on),
        *(good or [""]),
        _yes(facts.quarantines),
    )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(titles)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
