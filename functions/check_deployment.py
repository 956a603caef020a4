"""Steps CheckDeployment and CheckRollBack: one look at the world, and the verdict on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.model import Model, parse
from slipway.observation import observe
from slipway.plan import ServiceName
from slipway.verdict import Watch, judge

logger = Logger()


class Input(Model):
    """The service, and which of its ECS deployments is watched."""

    service: ServiceName
    watch: Watch


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Verdict."""
    given = parse(Input, event, "the input of CheckDeployment")
    watch = given.watch
    seen = observe(
        given.service,
        watch.deployment_id,
        watch.policy.alarms,
        aws.ecs(),
        aws.elbv2(),
        aws.cloudwatch(),
    )
    verdict = judge(seen, watch, datetime.now(UTC))
    logger.info("looked", extra={"service": given.service, "verdict": verdict.to_json()})
    return verdict.to_json()
