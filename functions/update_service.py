"""Step UpdateService: puts the task definition on the service, and nothing else."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.model import Model, parse
from slipway.plan import ServiceName
from slipway.service import update

logger = Logger()


class Input(Model):
    """The service, and the ARN of its new task definition."""

    service: ServiceName
    task_definition: str


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return an Update."""
    given = parse(Input, event, "the input of UpdateService")
    return update(given.service, given.task_definition, aws.ecs()).to_json()
