"""How far a deployment is, in one line for the people who wait for it; nothing here talks to AWS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from slipway.health.failed_tasks import has_failed
from slipway.health.observation import Observation
from slipway.health.verdict import Judgement, Verdict, Watch
from slipway.ledger.records import Hold
from slipway.notices.notice import Kind, Notice, Tasks
from slipway.notices.redaction import redacted


def progress(verdict: Verdict, watch: Watch, seen: Observation) -> str:
    """The line, which stays the same while nothing changes.

    Empty where the end follows at once, which says more.
    """
    if verdict.verdict is Judgement.FAILED:
        return "" if watch.back else f"failed: {verdict.reason}"
    if verdict.verdict is Judgement.PENDING:
        return _way(watch) + _tasks(verdict, seen)
    if verdict.verdict is Judgement.SUPERSEDED or verdict.baked or verdict.healthy_at is None:
        return ""
    baked_at = verdict.healthy_at + timedelta(seconds=watch.policy.bake_seconds)
    return f"{_way(watch)}baking until {baked_at.astimezone(UTC):%H:%M:%S} UTC"


def progress_notice(hold: Hold, verdict: Verdict, now: datetime) -> Notice:
    """What people are told of it, with what looks like a secret blotted out: it may name what failed."""
    [line] = redacted([verdict.progress])
    return Notice(
        kind=Kind.PROGRESS,
        about=f"{hold.service}#{hold.deployment}",
        at=now,
        title=hold.service,
        reason=line,
        tasks=Tasks(desired=verdict.desired, healthy=verdict.healthy),
        service=hold.service,
        execution=hold.execution,
    )


def _way(watch: Watch) -> str:
    return "going back: " if watch.back else ""


def _tasks(verdict: Verdict, seen: Observation) -> str:
    healthy, desired = verdict.healthy, verdict.desired
    if desired == 0:
        return verdict.reason
    line = f"{min(healthy, desired)} of {desired} tasks healthy"
    if failed := sum(has_failed(task) for task in seen.stopped):
        line += f", {failed} failed"
    # Not before: until then the reason names a task, and at the next look another one.
    return f"{line}; {verdict.reason}" if healthy >= desired else line
