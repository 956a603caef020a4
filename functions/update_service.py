"""Step UpdateService: puts the task definition on the service, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime

from slipway import aws
from slipway.ecs.service import Copied, ServiceChanged, Update, update_unless_done
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse

logger = Logger()


class Input(Model):
    """The deployment's claim, and the ARN of the task definition to put on the service."""

    claim: ClaimId
    task_definition: str
    copied: Copied
    """What the service ran when the task definition was made."""
    since: AwareDatetime
    """When the deployment began."""


class Updated(Model):
    """The answer: the update or, if there is none, what someone has changed."""

    update: Update | None
    changed: tuple[str, ...] = ()
    """A sentence for people, if someone has changed the service since its task definition was copied."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Update the service, and return an Updated.

    If AWS does not answer, the update may have been done or not, and the change mark stays until it expires.
    """
    given = parse(Input, event, "the input of UpdateService")
    claim, arn, ledger = given.claim, given.task_definition, Ledger(aws.table())
    ledger.start_change(
        claim, "UpdateService", datetime.now(UTC), unproven=arn, task_definition=arn
    )
    try:
        done = update_unless_done(claim.service, arn, given.copied, given.since, aws.ecs_once())
    except ServiceChanged as changed:
        ledger.end_change(claim, "CopyAgain", datetime.now(UTC))
        return Updated(update=None, changed=(str(changed),)).to_json()
    ledger.end_change(claim, "UpdateService", datetime.now(UTC), update=done.to_json())
    return Updated(update=done).to_json()
