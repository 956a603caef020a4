"""Step BeginDeployment: checks everything that can be checked before anything is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.begin import begin
from slipway.model import parse
from slipway.release import Deployment

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Beginning."""
    deployment = parse(Deployment, event, "the input of the deployment state machine")
    beginning = begin(deployment, datetime.now(UTC), aws.ecs(), aws.cloudwatch())
    return beginning.to_json()
