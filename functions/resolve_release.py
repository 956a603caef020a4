"""Step ResolveRelease: turns a push or a manual start into a release, and records it in the ledger."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ReleaseRecord
from slipway.model import parse
from slipway.release.release import Resolution, Resolved, Started
from slipway.release.resolve import resolve

logger = Logger()

HISTORY = timedelta(days=int(os.environ["HISTORY_DAYS"]))


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Resolution: the release and its stages, or why the push is ignored."""
    given = parse(Started, event, "the input of ResolveRelease")
    resolved = resolve(
        given.start,
        given.execution,
        given.started_at,
        aws.ssm(),
        aws.ecr(),
        policies_required=os.environ["SERVICE_POLICIES"] == "required",
    )
    resolution = Resolution.of(_recorded(resolved, given))
    logger.info("resolved", extra={"ignored": resolution.ignored, "release": resolution.release})
    return resolution.to_json()


def _recorded(resolved: Resolved, given: Started) -> Resolved:
    """The same, once the ledger has the release.

    It is ignored if another delivery of the event is that release, or if it is a lower version than a service
    of any of its stages has accepted: the first stages would take what a later one refuses.
    """
    if resolved.release is None:
        return resolved
    ledger = Ledger(aws.table())
    record = ReleaseRecord(
        release=resolved.release,
        stages=resolved.stages,
        execution=given.execution,
        expires_at=int((given.started_at + HISTORY).timestamp()),
    )
    if lower := ledger.lower_version(record.deployments, given.started_at):
        return Resolved(ignored=lower)
    known = ledger.record_release(record)
    if known.execution == given.execution:  # an earlier attempt may have resolved it otherwise
        return Resolved(release=known.release, stages=known.stages)
    return Resolved(
        ignored=f"an earlier delivery of the same event is the release of {known.execution}"
    )
