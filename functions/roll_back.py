"""Step RollBack: puts a good version on the service, if the service runs what is to be abandoned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.go_back import Going as Input
from slipway.deployment.go_back import go_back
from slipway.ledger.ledger import Ledger
from slipway.model import parse

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a GoneBack: what was done, and the ECS service deployment to watch, if there is one."""
    going = parse(Input, event, "the input of RollBack")
    ledger = Ledger(aws.table())
    done = go_back(going, datetime.now(UTC), ledger, aws.ecs_once(), aws.ecr_briefly())
    return done.to_json()
