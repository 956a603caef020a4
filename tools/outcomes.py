"""docs/outcomes.md: every outcome and every cause, as functions/slipway/health has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.health.outcome import Facts

HEAD = """\
# Outcomes

<!-- Written by `make schema` from functions/slipway/health/outcome.py and cause.py. -->

The outcome says how a deployment ended, or how a release ended that began none. It is in the notice and in
the [ledger](architecture.md#the-ledger), Slipway's DynamoDB table. It also decides whether the deployment's
Step Functions execution succeeds or fails. A failed execution has the outcome as its `Error`, and the
reason, a sentence, as its `Cause`. If you set an alarm on the metric `ExecutionsFailed` of the deployment
state machine, it fires for every row below that says *fails*. It does not see a release that failed before
its first deployment.

The *new version* is the task definition that the deployment registers. A *manual rollback* is a
deployment that a person [starts](operations.md#roll-back) to go back to another version.
"""
TITLES = (
    *("Outcome", "", "The execution", "What it means", "Alert in Slack"),
    *("The next stage starts", "Becomes good", "The image is quarantined"),
)
NOTES = """\
- Outcomes with a *: you are notified of them only if the parameter `NotifyNoChange` is set.
- Alert in Slack: if a Slack bot sends your notices, it shows the end of a deployment by editing the message
  of the start, which alerts nobody. For these outcomes it also posts a reply that appears in the channel.
  REJECTED has no alert, but you may still have to act: the notice says what refused the deployment.
- Becomes good: a later rollback may go back to this version. The *rollback target* is the version that
  the deployment went back to. If the service had no good version yet, a failed deployment goes back to
  what ran before, which does not become good; the target of a manual rollback does.
- The image is quarantined: this service refuses the image from now on, unless a manual deployment forces it.
  In a manual rollback, the image is the one that the service ran until then; otherwise it is the new one, if
  the service was updated to it. ROLLED_BACK quarantines no image that a good rollback target uses.
- FAILED is also the outcome of a release that fails before its first deployment, for example because its
  plan is invalid.
- IGNORED ends a release, not a deployment: the repository has no plan, no route matches the tag, or the
  tag has moved on since the push.
- `LedgerNotWritten` is no outcome, only the `Error` of an execution. A version that the ledger does not
  record as good can't serve as the last good version later, so it is not left live. As after a crash,
  another execution puts the last good version back, and ends the deployment with one of the outcomes.
"""
CAUSES = """\
## Causes

The cause is a code that tells programs why a deployment ended with an outcome other than SUCCEEDED, NO_CHANGE
or IGNORED. It is the field `cause` of the ledger and of the notice, not the `Cause` of the execution, which
is a sentence.
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
    good = ["the new version"] if facts.proves_image else []
    good += ["the rollback target"] if facts.proves_target else []
    return (
        _named(name, facts),
        facts.symbol,
        "succeeds" if facts.succeeds else "fails",
        facts.meaning,
        _yes(facts.calls_people),
        _yes(facts.goes_on),
        *(good or [""]),
        _yes(facts.quarantines),
    )


def _named(name: str, facts: Facts) -> str:
    if name == "LedgerNotWritten":
        return f"{name} (no outcome)"
    return f"{name} *" if facts.quiet else name


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(titles)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
