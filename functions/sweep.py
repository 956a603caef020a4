"""Function Sweep: starts releases whose push event was lost, and has dead executions recovered.

A schedule invokes it.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.pace import Pace
from slipway.deployment.sweep import CALLS_PER_SECOND, Sweeper
from slipway.ledger.ledger import Ledger

logger = Logger()

RELEASE_STATE_MACHINE_ARN = os.environ["RELEASE_STATE_MACHINE_ARN"]
DEPLOYMENT_STATE_MACHINE_ARN = os.environ["DEPLOYMENT_STATE_MACHINE_ARN"]
REPOSITORY_PREFIX = os.environ["REPOSITORY_PREFIX"]
MATURITY = timedelta(seconds=int(os.environ["MATURITY_SECONDS"]))
EVERY_SECONDS = 60 * int(os.environ["EVERY_MINUTES"])

# Enough for what has begun when the time is up: a call of AWS with its retries, and the cursor.
LEFT_OVER_SECONDS = 60


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return ``{"released": [...], "recovered": [...], "problems": [...], "left": [...]}``, texts for people.

    The run ends before Lambda would end it, and before the schedule starts the next run.
    """
    seconds = min(context.get_remaining_time_in_millis() / 1000, EVERY_SECONDS) - LEFT_OVER_SECONDS
    with ThreadPoolExecutor(aws.ECR_THREADS) as pool:
        sweeper = Sweeper(
            ledger=Ledger(aws.table()),
            ssm=aws.ssm(),
            ecr=aws.ecr_of_many_threads(),
            stepfunctions=aws.stepfunctions(),
            release_machine=RELEASE_STATE_MACHINE_ARN,
            deployment_machine=DEPLOYMENT_STATE_MACHINE_ARN,
            repository_prefix=REPOSITORY_PREFIX,
            maturity=MATURITY,
            pace=Pace(CALLS_PER_SECOND, time.monotonic, time.sleep),
            in_parallel=pool.map,
            clock=time.monotonic,
            deadline=time.monotonic() + seconds,
        )
        done = sweeper.sweep(datetime.now(UTC))
    for problem in done["problems"]:
        logger.error(problem)
    logger.info("swept", extra=done)
    return done
