"""Function Recover: has another execution finish a deployment whose execution died.

An EventBridge rule invokes it when an execution of the deployment state machine ends ABORTED, TIMED_OUT or
FAILED.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from slipway import aws
from slipway.deployment.recovery import Recoverer
from slipway.ledger.ledger import Ledger
from slipway.model import parse

logger = Logger()

DEPLOYMENT_STATE_MACHINE_ARN = os.environ["DEPLOYMENT_STATE_MACHINE_ARN"]


class Detail(BaseModel):
    """The execution that ended. How it ended is read from Step Functions, not from the event."""

    execution: str = Field(alias="executionArn")
    redrives: int = Field(default=0, alias="redriveCount")


class Input(BaseModel):
    """An event ``Step Functions Execution Status Change``; AWS may add fields to it.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """

    detail: Detail


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return ``{"done": ...}``, a sentence that says what was done."""
    ended = parse(Input, event, "the event").detail
    ledger = Ledger(aws.table())
    recoverer = Recoverer(DEPLOYMENT_STATE_MACHINE_ARN, ledger, aws.stepfunctions())
    done = recoverer.recover_ended(ended.execution, ended.redrives)
    logger.info("recovered", extra={"execution": ended.execution, "done": done})
    return {"done": done}
