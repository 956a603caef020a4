"""Step RollBack: puts the rollback target on the service, if the service runs what is to be abandoned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, Field

from slipway import aws
from slipway.deployment.target import instead_of
from slipway.ecs.rollback import roll_back
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import ClaimId, Good
from slipway.model import Model, parse

logger = Logger()


class Input(Model):
    """The deployment's claim, and the ARNs of the task definitions to abandon and of the rollback target."""

    claim: ClaimId
    abandoned: tuple[str, ...] = Field(min_length=1)
    rollback_target: str
    replaced: str | None = None
    """ARN of the task definition that the service ran before the deployment."""
    updated: bool
    """Whether UpdateService is known to have been done."""
    since: AwareDatetime
    manual_rollback: bool = False


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a RollBack: what was done, and the ECS service deployment to watch, if there is one."""
    given = parse(Input, event, "the input of RollBack")
    ledger, ecs = Ledger(aws.table()), aws.ecs_once()
    good = _other_target(given, ledger)
    target = good.task_definition if good else given.rollback_target
    # What the recorded target is known by goes with it, so that FinishDeployment finds the right one good.
    facts: dict[str, Any] = {"good_target": good.to_json()} if good else {}
    # A manual rollback may have registered its target a moment ago. If this execution dies, its recovery can
    # find the target only in the ledger.
    marked = _written(ledger.start_change, given.claim, rollback_target=target, **facts)
    done = roll_back(
        given.claim.service,
        given.abandoned,
        target,
        given.replaced,
        given.updated,
        given.since,
        ecs,
    )
    if marked:
        _written(ledger.end_change, given.claim)
    return {
        **done.to_json(),
        "other_target": target if good else None,
        "other_target_tag": good.tag if good else None,
    }


def _other_target(given: Input, ledger: Ledger) -> Good | None:
    """Another rollback target, if a person has quarantined the one that BeginDeployment has chosen."""
    if given.manual_rollback:
        return None  # a person has named it, quarantined or not
    try:
        record = ledger.service(given.claim.service)
        return instead_of(given.rollback_target, record, aws.ecs_once())
    except (AwsUnavailable, AwsRefused, Unreadable):
        logger.exception("whether the rollback target is quarantined can't be read")
        return None


def _written(change: Callable[..., None], claim: ClaimId, **facts: Any) -> bool:
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
