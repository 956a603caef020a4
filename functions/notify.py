"""Step Notify: tells people how a deployment or a release ended."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.message import Ending, compose, publish
from slipway.model import parse

logger = Logger()

TOPIC_ARN = os.environ["TOPIC_ARN"]


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Publish the message; return its id and the reason as people read it, which ends the execution."""
    ending = parse(Ending, event, "the input of Notify")
    message_id = publish(compose(ending), TOPIC_ARN, aws.sns())
    return {"message_id": message_id, "reason": ending.sentence}
