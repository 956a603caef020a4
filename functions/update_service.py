"""Step UpdateService: puts the task definition on the service, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime

from slipway import aws
from slipway.ecs.service import update_unless_done
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse

logger = Logger()


class Input(Model):
    """The deployment's claim, and the ARN of the task definition to put on the service."""

    claim: ClaimId
    task_definition: str
    since: AwareDatetime
    """When the deployment began."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Update the service, and return an Update.

    If AWS does not answer, the update may have been done or not, and the change mark stays until it expires.
    """
    given = parse(Input, event, "the input of UpdateService")
    claim, arn, ledger = given.claim, given.task_definition, Ledger(aws.table())
    ledger.start_change(
        claim, "UpdateService", datetime.now(UTC), unproven=arn, task_definition=arn
    )
    done = update_unless_done(claim.service, arn, given.since, aws.ecs())
    ecs_deployment = {"ecs_deployment": done.deployment_id}
    ledger.end_change(claim, "UpdateService", datetime.now(UTC), **ecs_deployment)
    return done.to_json()
