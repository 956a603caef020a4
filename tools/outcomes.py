"""docs/outcomes.md: every outcome and every cause, as functions/slipway/health has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.health.outcome import Facts

HEAD = """\
# Outcomes

<!-- Written by `make schema` from functions/slipway/health/outcome.py and cause.py. -->

The outcome says how a deployment ended, or how a release ended if it started no deployment. It is in the
notice and in the [ledger](architecture.md#the-ledger), Slipway's DynamoDB table. It also decides whether the
deployment's Step Functions execution succeeds or fails. A failed execution has the outcome as its `Error`,
and the reason, a sentence, as its `Cause`. If you set an alarm on the metric `ExecutionsFailed` of the
deployment state machine, it fires for every row below that says *fails*, except when a release, not a
deployment, ends FAILED.

The *new version* is the task definition that the deployment registers. The *rollback target* is the version
that a deployment goes back to: the last good version or, if the service has none, what it ran before. A
*manual rollback* is a deployment that a person [starts](operations.md#roll-back) to go back to another
version; its rollback target is that version. In the table, an empty cell means no.
"""
TITLES = (
    *("Outcome", "", "The execution", "What it means", "Alert in Slack"),
    *("The next stage starts", "Becomes good", "The image is quarantined"),
)
TITLES_OF_CAUSES = ("Cause", "What it means", "A failed deployment quarantines its image")
NOTES = """\
- Outcomes with a *: you are notified of them only if the parameter `NotifyNoChange` is set.
- Alert in Slack: a Slack bot reports the end of a deployment by editing its start message, and Slack alerts
  nobody about an edit. For these outcomes the bot also posts a reply that appears in the channel.
  REJECTED has no alert, but you may still have to act: the notice says what refused the deployment.
- Becomes good: a later rollback may go back to this version. If the service had no good version yet, a
  failed deployment goes back to what ran before, and that does not become good. The target of a manual
  rollback becomes good if the rollback succeeds, even if it was not good before.
- The image is quarantined: Slipway no longer deploys the image to this service, under any tag, unless you
  lift its quarantine, force a manual deployment (`"force": true`), or name the image, or a task definition
  with it, in a manual rollback (`"to"`). A manual rollback quarantines the image that the service ran until
  then. A failed deployment quarantines its image, but only if the update of the service had begun, and only
  for a cause that can be the image's fault: see [causes](#causes). Exception: if the rollback target is a
  good version with the same image, the image is not quarantined, even if the rollback fails; for example
  after a manual rollback to another task definition with this image.
- UNPROVEN: the notice has the commands that go on. Once the service runs tasks, start the release again; it
  is checked then, and its next stage starts if it is good. A manual rollback, and a rollback of a failed
  deployment, make nothing good either while no task runs.
- FAILED is also the outcome of a release that fails before its first deployment, for example because its
  plan is invalid, or that can't start one of its deployments. If stages remain when a release stops, it has
  a notice of its own: FAILED or, if none of its deployments failed, SUPERSEDED or UNPROVEN.
- IGNORED ends a release, not a deployment: the repository has no plan, no route matches the tag, the route
  takes only higher versions (`semver`), what was pushed is no image, or by now the tag is gone or points to
  another image.
- `LedgerNotWritten` is no outcome, only the `Error` of an execution. Only a version that the ledger records
  as good can be the last good version later, so Slipway does not leave this one live. As after a crash,
  another execution rolls the service back, and ends the deployment with ROLLED_BACK or ROLLBACK_FAILED (or
  with SUPERSEDED, if a newer release or somebody else has changed the service by then).
"""
CAUSES = """\
## Causes

The cause is a code that tells programs why a deployment ended with an outcome other than SUCCEEDED,
UNPROVEN, NO_CHANGE or IGNORED. It is the field `cause` of the ledger and of the notice, not the `Cause` of
the execution, which is a sentence.
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
            rows.append(_row(name, outcome.facts_of_manual_rollback, manual_rollback=True))
    causes = [(cause, cause.meaning, _yes(cause.quarantines)) for cause in Cause]
    parts = [HEAD, _table(TITLES, rows), NOTES, CAUSES, _table(TITLES_OF_CAUSES, causes)]
    return "\n".join(parts)


def _row(name: str, facts: Facts, *, manual_rollback: bool = False) -> tuple[str, ...]:
    target = "the rollback target"
    if not manual_rollback:
        target += ", if the service had a good version"
    good = ["the new version"] if facts.proves_image else []
    good += [target] if facts.proves_target else []
    return (
        _named(name, facts),
        facts.symbol,
        _execution(name, facts),
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


def _execution(name: str, facts: Facts) -> str:
    of_release = " (the release's)" if name == "IGNORED" else ""
    return f"{'succeeds' if facts.succeeds else 'fails'}{of_release}"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(titles)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
