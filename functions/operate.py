"""Function Operate: what a person may change while the pipeline runs, as typed actions."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.operate import Operator
from slipway.ledger.ledger import Ledger
from slipway.ledger.operations import Operations

logger = Logger()

HISTORY = timedelta(days=int(os.environ["HISTORY_DAYS"]))
SWEEP_FUNCTION = os.environ["SWEEP_FUNCTION"]


@logger.inject_lambda_context
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Carry out one action, and return ``{"done": ...}``, a sentence."""
    table = aws.table()
    operator = Operator(Operations(table), Ledger(table), aws.functions(), SWEEP_FUNCTION, HISTORY)
    done = operator.operate(event, context.aws_request_id, datetime.now(UTC))
    logger.info("operated", extra={"done": done["done"]})
    return done
