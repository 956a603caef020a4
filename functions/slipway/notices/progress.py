"""How far a deployment is, in one line for the people who wait for it. Nothing here calls AWS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from slipway.health.failed_tasks import has_failed
from slipway.health.observation import Observation
from slipway.health.verdict import CheckResult, Verdict, Watch
from slipway.ledger.records import ClaimId
from slipway.notices.notice import Kind, Notice, Tasks
from slipway.redaction import masked


def progress_line(result: CheckResult, watch: Watch, observation: Observation) -> str:
    """The line, which stays the same while nothing changes. The execution's data keeps it, so it is masked.

    It is empty if the deployment ends with this check, because the notice of the end says more.
    """
    [line] = masked([_line(result, watch, observation)])
    return line


def _line(result: CheckResult, watch: Watch, observation: Observation) -> str:
    if result.verdict is Verdict.FAILED:
        return "" if watch.rolling_back else f"failed: {result.reason}"
    if result.verdict is Verdict.PENDING:
        return _prefix(watch) + _tasks(result, observation)
    if result.verdict is Verdict.SUPERSEDED or result.baked or result.healthy_at is None:
        return ""
    baked_at = result.healthy_at + timedelta(seconds=watch.policy.bake_seconds)
    return f"{_prefix(watch)}baking until {baked_at.astimezone(UTC):%H:%M:%S} UTC"


def progress_notice(claim: ClaimId, result: CheckResult, now: datetime) -> Notice:
    """The notice with the line of this result."""
    return Notice(
        kind=Kind.PROGRESS,
        about=f"{claim.service}#{claim.deployment}",
        at=now,
        title=claim.service,
        reason=result.progress,
        tasks=Tasks(desired=result.desired, healthy=result.healthy),
        service=claim.service,
        execution=claim.execution,
    )


def _prefix(watch: Watch) -> str:
    return "rolling back: " if watch.rolling_back else ""


def _tasks(result: CheckResult, observation: Observation) -> str:
    healthy, desired = result.healthy, result.desired
    if desired == 0:
        return result.reason
    line = f"{min(healthy, desired)} of {desired} tasks healthy"
    if failed := sum(has_failed(task) for task in observation.stopped):
        line += f", {failed} failed"
    # While tasks are missing, the reason names any one of them, so the line would change at each check.
    return f"{line}; {result.reason}" if healthy >= desired else line
