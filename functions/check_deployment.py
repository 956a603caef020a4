"""Steps CheckDeployment and CheckRollBack: one check of AWS, and the verdict."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable, Superseded
from slipway.health.observation import Observation, observe
from slipway.health.verdict import CheckResult, Watch, judge, refused, superseded
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse
from slipway.notices.progress import progress_line, progress_notice
from slipway.notices.publish import publish
from slipway.release.release import Release

logger = Logger()


class Input(Model):
    """The deployment's claim, and the ECS service deployment to check."""

    claim: ClaimId
    watch: Watch
    release: Release | None = None
    """The release whose image is deployed; None while the service goes back."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Check the service once, and return a CheckResult: the verdict, and when to check again."""
    given = parse(Input, event, "the input of CheckDeployment")
    result = _check(given.claim, given.watch, given.release, Ledger(aws.table()))
    logger.info("checked", extra={"service": given.claim.service, "verdict": result.to_json()})
    return result.to_json()


def _check(claim: ClaimId, watch: Watch, release: Release | None, ledger: Ledger) -> CheckResult:
    try:
        ledger.renew(claim, datetime.now(UTC))
        if release and (found := ledger.standing(claim.service, release)):
            return refused(found.reason, watch)
    except Superseded as other:
        return superseded(other, watch)
    except (AwsUnavailable, AwsRefused, Unreadable):
        # The verdict does not depend on the ledger, so that the check goes on without it.
        logger.exception("the ledger does not answer")
    policy = watch.policy
    observation = observe(
        claim.service,
        watch.update,
        policy.alarm_names,
        aws.ecs(),
        aws.elbv2(),
        aws.cloudwatch(),
    )
    now = datetime.now(UTC)
    result = judge(observation, watch, now)
    result = result.model_copy(
        update={"progress": _notified_progress(claim, result, watch, observation, now)}
    )
    if result.healthy_at and watch.healthy_at is None:
        try:
            ledger.note(claim, "HEALTHY", result.healthy_at)
        except (AwsUnavailable, AwsRefused):
            logger.exception("the time when it was first healthy is not in the ledger")
    return result


def _notified_progress(
    claim: ClaimId, result: CheckResult, watch: Watch, observation: Observation, now: datetime
) -> str:
    """Publish the deployment's progress if it has changed, and return the line that people see now.

    A failure to notify is no reason to roll back, so that it is only logged. The line stays the old one then,
    and the next check tries again.
    """
    try:
        line = progress_line(result, watch, observation)
        topic = os.environ.get("PROGRESS_TOPIC_ARN")  # not set if no channel shows progress
        if topic and line not in ("", watch.progress):
            notice = progress_notice(claim, result.model_copy(update={"progress": line}), now)
            publish(notice, topic, aws.sns_once())
    except Exception:
        logger.exception("people were not notified of the progress")
        return watch.progress
    return line
