"""Step ResolveRollback: chooses what a manual rollback goes back to, and records it in the ledger."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.deployment.beginning import World
from slipway.deployment.resolve_rollback import resolve_rollback
from slipway.ledger.ledger import Ledger
from slipway.model import parse
from slipway.release.release import Started

logger = Logger()

HISTORY = timedelta(days=int(os.environ["HISTORY_DAYS"]))


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a RollbackDeployment: the deployment that carries the rollback out."""
    given = parse(Started, event, "the input of ResolveRollback")
    world = World(
        Ledger(aws.table()),
        aws.ecs(),
        aws.ecr(),
        aws.cloudwatch(),
        aws.ssm(),
        aws.stepfunctions(),
    )
    resolved = resolve_rollback(given.start, given.execution, given.started_at, HISTORY, world)
    logger.info("resolved", extra={"deployment": resolved.name})
    return resolved.to_json()
