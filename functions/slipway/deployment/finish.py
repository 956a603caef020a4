"""How a deployment ended: checked once more, written into the ledger, and the service freed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime

from slipway.aws import resource_name
from slipway.ecs.kept_image import keep_image
from slipway.ecs.service import Update, primary_deployment, read_service
from slipway.errors import InvalidInput, reason_of
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import (
    ClaimId,
    DeploymentRecord,
    End,
    Good,
    Quarantined,
    ServiceRecord,
    deployment_id,
    timestamp,
)
from slipway.model import IfReadable, Model
from slipway.release.plan import ServiceName
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient

# What an item has room for; the whole reason is in the execution.
QUARANTINE_REASON = 500
REASON = 10_000


class Ending(Model):
    """What the state machine found, the input of FinishDeployment."""

    outcome: Outcome
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
    cause: Cause | None = None
    alarms_fired: tuple[str, ...] = ()
    """The alarms behind the outcome."""
    rollback_reason: str | None = None
    """Why rolling back failed, likewise."""
    evidence: tuple[str, ...] = ()
    claim: ClaimId | None = None
    """None where BeginDeployment never answered."""
    execution: str
    """ARN."""
    started_at: AwareDatetime
    deployment: Annotated[Deployment | None, IfReadable] = None
    service: Annotated[ServiceName | None, IfReadable] = None
    image: Image | None = None
    """What a manual rollback went back to, where no task definition was known for it."""
    task_definition: str | None = None
    """ARN of the task definition of this deployment; None where it got none."""
    update: Update | None = None
    """What UpdateService led to, where it was done."""
    restored: str | None = None
    """ARN of the task definition that was put back."""


class Finished(End):
    """How it ended, as it is in the ledger."""

    claim: ClaimId | None
    """None where there is nothing in the ledger: not even a service was named."""
    left_to_recovery: bool = False
    """It failed before it could see to what others have put on the service, or another execution has
    claimed the service for the same deployment: the one that recovers it, or the dead one, of which a
    recovery could not take it over. Nothing is written; Recover, called by the execution's failure, finds
    the service claimed."""


def finish(
    ending: Ending,
    history: timedelta,
    now: datetime,
    ledger: Ledger,
    ecs: ECSClient,
    ssm: SSMClient,
) -> Finished:
    """End a deployment. What has been written once stays: a second try answers the same.

    Args:
        history: how long the ledger remembers the deployment.

    Raises:
        AwsUnavailable, AwsRefused: from AWS.
    """
    claim = ending.claim or _claim(ending)
    end = _end(ending)
    if claim is None:
        return _finished(end, None)
    record = ledger.deployment(claim)
    if record and record.end:
        ledger.free(claim)  # claimed by a step that outlived its execution
        return _finished(record.end, claim)
    unseen = end.outcome is Outcome.FAILED and ending.restored is None
    if unseen and _owes(ledger.service(claim.service), record, claim):
        return _finished(end, claim, left_to_recovery=True)
    end = _checked(end, ending.update, claim.service, ecs)
    good = _good(end.outcome, ending, record, now)
    if good and (asked := ending.deployment or (record.deployment if record else None)):
        end = _with_kept_image(end, asked, good, ecs, ssm)
    tried = record is not None and record.was_tried
    quarantine = _quarantine(end, ending.deployment, good, claim, now) if tried else None
    asked, expires = ending.deployment, now + history
    if ledger.finish(claim, asked, _written(end, now, expires), good, quarantine):
        return _finished(end, claim)
    if record and end.outcome.facts.needs_claim:
        reason = f"another deployment has claimed the service; {end.reason}"
        end = _superseded(end, Cause.NEWER_RELEASE, reason)
    recorded = ledger.finish_without_service(claim, asked, _written(end, now, expires))
    if recorded is None or recorded.end is None:
        return _finished(_end(ending), claim, left_to_recovery=True)
    return _finished(recorded.end, claim)


def _owes(service: ServiceRecord, record: DeploymentRecord | None, claim: ClaimId) -> bool:
    """Whether the deployment has the claim, with something on the service that nobody has seen to."""
    ours = service.claim is not None and service.claim.execution == claim.execution
    return ours and bool(service.abandoned(service.rollback_target(record)))


def _finished(end: End, claim: ClaimId | None, left_to_recovery: bool = False) -> Finished:
    return Finished(**dict(end), claim=claim, left_to_recovery=left_to_recovery)


def _claim(ending: Ending) -> ClaimId | None:
    service = ending.deployment.service if ending.deployment else ending.service
    if service is None:
        return None
    own = deployment_id(ending.started_at, ending.execution)
    return ClaimId(service=service, deployment=own, execution=ending.execution)


def _end(ending: Ending) -> End:
    """How it ended, as far as the state machine knows."""
    reason = reason_of(ending.reason)
    if ending.rollback_reason is not None:
        reason += f"; rolling back failed: {reason_of(ending.rollback_reason)}"
    return End(
        outcome=ending.outcome,
        reason=reason,
        cause=ending.cause,
        evidence=ending.evidence,
        alarms_fired=ending.alarms_fired,
    )


def _superseded(end: End, cause: Cause, reason: str) -> End:
    facts = {"outcome": Outcome.SUPERSEDED, "cause": cause, "reason": reason}
    return end.model_copy(update=facts)


def _checked(end: End, update: Update | None, service: str, ecs: ECSClient) -> End:
    """The same; a success is none where the service has something else by now."""
    if end.outcome is not Outcome.SUCCEEDED:
        return end
    try:
        now = primary_deployment(read_service(service, ecs))
    except InvalidInput as gone:
        return _superseded(end, Cause.PERSON, str(gone))
    if update is None or now["id"] != update.deployment_id:
        other = resource_name(now["taskDefinition"])
        reason = f"it was good, but someone else has put {other} on the service"
        return _superseded(end, Cause.PERSON, reason)
    return end


def _good(
    outcome: Outcome, ending: Ending, record: DeploymentRecord | None, now: datetime
) -> Good | None:
    """What is last good from now on."""
    if outcome.facts.proves_image and ending.deployment and ending.task_definition:
        image = ending.deployment.release.image
        return Good(
            task_definition=ending.task_definition, digest=image.digest, tag=image.tag, at=now
        )
    if not outcome.facts.proves_target or ending.restored is None:
        return None
    if record and record.good_target:  # the same, but for a revision that had to be registered anew
        return record.good_target.model_copy(update={"task_definition": ending.restored})
    if ending.image:
        image = ending.image
        return Good(task_definition=ending.restored, digest=image.digest, tag=image.tag, at=now)
    return None


def _with_kept_image(
    end: End, asked: Deployment, good: Good, ecs: ECSClient, ssm: SSMClient
) -> End:
    # While the service is still claimed: of two deployments, the later one's image is to stay.
    problem = keep_image(asked, good.task_definition, ecs, ssm)
    if problem is None:
        return end
    return end.model_copy(update={"evidence": (*end.evidence, problem)})


def _quarantine(
    end: End, deployment: Deployment | None, good: Good | None, claim: ClaimId, now: datetime
) -> Quarantined | None:
    """Why the image is not deployed to this service again by itself."""
    if not end.outcome.facts.quarantines or deployment is None:
        return None
    if good and good.digest == deployment.release.image.digest:
        return None  # it went back to another task definition of the same image
    return Quarantined(at=now, reason=end.reason[:QUARANTINE_REASON], deployment=claim.deployment)


def _written(end: End, now: datetime, expires: datetime) -> dict[str, Any]:
    return {
        **end.to_json(),
        "reason": end.reason[:REASON],
        "ended_at": timestamp(now),
        "expires_at": int(expires.timestamp()),
    }
