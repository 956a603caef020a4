"""Step ResolveRelease: turns a push or a manual start into a release and its stages."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime

from slipway import aws
from slipway.model import Model, parse
from slipway.release.resolve import resolve

logger = Logger()


class Input(Model):
    """The input of the release state machine, and its execution's ARN and start time."""

    start: dict[str, Any]
    execution: str
    started_at: AwareDatetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Resolution: the release and its stages, or why the push is ignored."""
    given = parse(Input, event, "the input of ResolveRelease")
    resolution = resolve(
        given.start,
        given.execution,
        given.started_at,
        aws.ssm(),
        aws.ecr(),
        policies_required=os.environ["SERVICE_POLICIES"] == "required",
    )
    logger.info("resolved", extra={"ignored": resolution.ignored, "release": resolution.release})
    return resolution.to_json()
