"""Step BeginDeployment: decides whether a deployment may begin, and claims the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.begin import begin
from slipway.deployment.beginning import Start, World
from slipway.ledger.ledger import Ledger
from slipway.model import parse

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Parse a Start, and return the Beginning that `begin` decides on."""
    start = parse(Start, event, "the input of BeginDeployment")
    world = World(
        Ledger(aws.table()),
        aws.ecs(),
        aws.ecr(),
        aws.cloudwatch(),
        aws.ssm(),
        aws.stepfunctions(),
    )
    beginning = begin(start, datetime.now(UTC), world)
    logger.info("decided", extra={"decision": beginning.decision, "reason": beginning.reason})
    return beginning.to_json()
