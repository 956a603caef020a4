"""Steps CheckDeployment and CheckRollBack: one look at the world, and the verdict on it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable, Superseded
from slipway.ledger import Ledger
from slipway.model import Model, parse
from slipway.observation import observe
from slipway.progress import progress, progress_notice
from slipway.publish import publish
from slipway.records import Hold
from slipway.verdict import Verdict, Watch, judge, superseded

logger = Logger()


class Input(Model):
    """For which deployment, and which of the service's ECS deployments is watched."""

    hold: Hold
    watch: Watch


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return a Verdict."""
    given = parse(Input, event, "the input of CheckDeployment")
    verdict = _look(given.hold, given.watch, Ledger(aws.table()))
    logger.info("looked", extra={"service": given.hold.service, "verdict": verdict.to_json()})
    return verdict.to_json()


def _look(hold: Hold, watch: Watch, ledger: Ledger) -> Verdict:
    try:
        ledger.renew(hold, datetime.now(UTC))
    except Superseded as other:
        return superseded(str(other), watch)
    except (AwsUnavailable, AwsRefused):
        logger.exception("no sign of life in the ledger")  # which says nothing about the deployment
    policy = watch.policy
    seen = observe(
        hold.service,
        watch.deployment_id,
        policy.alarm_names,
        aws.ecs(),
        aws.elbv2(),
        aws.cloudwatch(),
    )
    now = datetime.now(UTC)
    verdict = judge(seen, watch, now)
    verdict = verdict.model_copy(update={"progress": progress(verdict, watch, seen)})
    if verdict.progress not in ("", watch.progress):
        _tell_progress(hold, verdict, now)
    if verdict.healthy_at and watch.healthy_at is None:
        try:
            ledger.note(hold, "HEALTHY", verdict.healthy_at)
        except (AwsUnavailable, AwsRefused):
            logger.exception("the time when it was first healthy is not in the ledger")
    return verdict


def _tell_progress(hold: Hold, verdict: Verdict, now: datetime) -> None:
    topic = os.environ.get("PROGRESS_TOPIC_ARN")
    if not topic:
        return  # nobody has a message that shows how it goes
    try:
        publish(progress_notice(hold, verdict, now), topic, aws.sns_once())
    except (AwsUnavailable, AwsRefused):
        logger.exception("people were not told how far it is")  # which is nothing to wait for
