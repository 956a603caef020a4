"""Step RollBack: puts the rollback target on the service, where ours is on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, Field

from slipway import aws
from slipway.ecs.rollback import roll_back
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse

logger = Logger()


class Input(Model):
    """For which deployment; the task definitions to abandon, and the rollback target (ARNs)."""

    claim: ClaimId
    abandoned: tuple[str, ...] = Field(min_length=1)
    rollback_target: str
    replaced: str | None = None
    """What the service ran before (ARN)."""
    updated: bool
    """Whether UpdateService is known to have been done."""
    since: AwareDatetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a RollBack."""
    given = parse(Input, event, "the input of RollBack")
    ledger = Ledger(aws.table())
    # Manually it may have been registered a moment ago: a recovery has to know of it.
    marked = _written(ledger.start_change, given.claim, rollback_target=given.rollback_target)
    done = roll_back(
        given.claim.service,
        given.abandoned,
        given.rollback_target,
        given.replaced,
        given.updated,
        given.since,
        aws.ecs_once(),
    )
    if marked:
        _written(ledger.end_change, given.claim)
    return done.to_json()


def _written(change: Callable[..., None], claim: ClaimId, **facts: str) -> bool:
    """Set or remove the mark in the ledger; whether it answered.

    A bad version has to go, ledger or not. Nobody can take over while the ledger can't be written, a mark
    that stays is over in half a minute, and what someone else has put on the service is left alone in any
    case.

    Raises:
        Superseded: another execution has claimed the service.
    """
    try:
        change(claim, "RollBack", datetime.now(UTC), **facts)
    except (AwsUnavailable, AwsRefused):
        logger.exception("going back without a word in the ledger")
        return False
    return True
