"""Step RollBack: puts the rollback target on the service, if the service runs what is to be abandoned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, Field

from slipway import aws
from slipway.ecs.rollback import roll_back
from slipway.ecs.service import Update
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse

logger = Logger()

# ECS gives no time after which a change is visible to all reads. Its users report seconds.
VISIBLE_AFTER = timedelta(seconds=15)


class Input(Model):
    """The deployment's claim, and the ARNs of the task definitions to abandon and of the rollback target."""

    claim: ClaimId
    abandoned: tuple[str, ...] = Field(min_length=1)
    rollback_target: str
    replaced: str | None = None
    """ARN of the task definition that the service ran before the deployment."""
    updated: bool
    """Whether UpdateService is known to have been done."""
    update: Update | None
    """Its answer, if that is known."""
    answer_lost: bool
    """Whether UpdateService may have been done without an answer."""
    entered_at: AwareDatetime
    """When the execution came here."""
    since: AwareDatetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a RollBack: what was done, and the ECS service deployment to watch, if there is one."""
    given = parse(Input, event, "the input of RollBack")
    ledger = Ledger(aws.table())
    # A manual rollback may have registered its target a moment ago. If this execution dies, its recovery can
    # find the target only in the ledger.
    marked = _written(ledger.start_change, given.claim, rollback_target=given.rollback_target)
    done = roll_back(
        given.claim.service,
        given.abandoned,
        given.rollback_target,
        given.replaced,
        given.updated,
        given.update,
        given.entered_at + VISIBLE_AFTER if given.answer_lost else None,
        given.since,
        datetime.now(UTC),
        aws.ecs_once(),
    )
    if marked:
        _written(ledger.end_change, given.claim)
    return done.to_json()


def _written(change: Callable[..., None], claim: ClaimId, **facts: str) -> bool:
    """Set or remove the change mark in the ledger, and return whether the ledger could be written.

    A bad version must go even if the ledger can't be written. That is safe: no other deployment can take the
    claim over while the ledger can't be written, a change mark that stays expires within half a minute, and
    `roll_back` leaves alone what someone else has put on the service.

    Raises:
        Superseded: another execution has claimed the service.
    """
    try:
        change(claim, "RollBack", datetime.now(UTC), **facts)
    except (AwsUnavailable, AwsRefused):
        logger.exception("going back without a word in the ledger")
        return False
    return True
