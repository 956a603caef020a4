"""Step FinishDeployment: records a deployment's outcome in the ledger and frees the service."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.finish import Ending, finish
from slipway.ledger.ledger import Ledger
from slipway.model import parse

logger = Logger()

HISTORY = timedelta(days=int(os.environ["HISTORY_DAYS"]))


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Parse an Ending, and return the Finished that `finish` recorded."""
    ending = parse(Ending, event, "the input of FinishDeployment")
    ledger, now = Ledger(aws.table()), datetime.now(UTC)
    finished = finish(ending, HISTORY, now, ledger, aws.ecs(), aws.ssm())
    return finished.to_json()
