"""Step RegisterTaskDefinition: the running task definition with only the image changed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime

from slipway import aws
from slipway.model import Model, parse
from slipway.release import Deployment
from slipway.task_definition import register

logger = Logger()


class Input(Model):
    """The deployment, and when it began."""

    deployment: Deployment
    since: AwareDatetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Registration."""
    given = parse(Input, event, "the input of RegisterTaskDefinition")
    return register(given.deployment, given.since, aws.ecs()).to_json()
