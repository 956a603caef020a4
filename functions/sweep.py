"""Function Sweep: starts releases whose push event was lost, and has dead executions recovered.

A schedule invokes it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.sweep import Sweeper
from slipway.ledger.ledger import Ledger

logger = Logger()

RELEASE_STATE_MACHINE_ARN = os.environ["RELEASE_STATE_MACHINE_ARN"]
DEPLOYMENT_STATE_MACHINE_ARN = os.environ["DEPLOYMENT_STATE_MACHINE_ARN"]
REPOSITORY_PREFIX = os.environ["REPOSITORY_PREFIX"]
MATURITY = timedelta(seconds=int(os.environ["MATURITY_SECONDS"]))


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return ``{"released": [...], "recovered": [...], "problems": [...]}``, a text for each of them."""
    sweeper = Sweeper(
        ledger=Ledger(aws.table()),
        ssm=aws.ssm(),
        ecr=aws.ecr(),
        stepfunctions=aws.stepfunctions(),
        release_machine=RELEASE_STATE_MACHINE_ARN,
        deployment_machine=DEPLOYMENT_STATE_MACHINE_ARN,
        repository_prefix=REPOSITORY_PREFIX,
        maturity=MATURITY,
    )
    done = sweeper.sweep(datetime.now(UTC))
    for problem in done["problems"]:
        logger.error(problem)
    logger.info("swept", extra=done)
    return done
