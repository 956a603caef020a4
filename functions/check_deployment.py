"""Steps CheckDeployment and CheckRollBack: one look at the world, and the verdict on it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable, Superseded
from slipway.health.observation import Observation, observe
from slipway.health.verdict import Verdict, Watch, judge, superseded
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import Hold
from slipway.model import Model, parse
from slipway.notices.progress import progress, progress_notice
from slipway.notices.publish import publish

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
    verdict = verdict.model_copy(update={"progress": _told(hold, verdict, watch, seen, now)})
    if verdict.healthy_at and watch.healthy_at is None:
        try:
            ledger.note(hold, "HEALTHY", verdict.healthy_at)
        except (AwsUnavailable, AwsRefused):
            logger.exception("the time when it was first healthy is not in the ledger")
    return verdict


def _told(hold: Hold, verdict: Verdict, watch: Watch, seen: Observation, now: datetime) -> str:
    """The line that tells how far it is, published where it is another one than people saw last.

    Whatever goes wrong with telling is nothing to roll a deployment back for: the next look tells.
    """
    try:
        line = progress(verdict, watch, seen)
        topic = os.environ.get("PROGRESS_TOPIC_ARN")  # none: nobody has a message that shows it
        if topic and line not in ("", watch.progress):
            notice = progress_notice(hold, verdict.model_copy(update={"progress": line}), now)
            publish(notice, topic, aws.sns_once())
    except Exception:
        logger.exception("people were not told how far it is")
        return watch.progress
    return line
