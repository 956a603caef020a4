"""Step RollBack: puts the previous task definition back, where ours is on the service."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.model import Model, parse
from slipway.plan import ServiceName
from slipway.service import roll_back

logger = Logger()


class Input(Model):
    """The service, our task definition, and the one to go back to (ARNs)."""

    service: ServiceName
    task_definition: str
    previous: str
    updated: bool
    """Whether UpdateService is known to have been done."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a RollBack."""
    given = parse(Input, event, "the input of RollBack")
    return roll_back(
        given.service, given.task_definition, given.previous, given.updated, aws.ecs()
    ).to_json()
