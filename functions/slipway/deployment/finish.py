"""How a deployment ended: checked once more, written into the ledger, and the service freed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime

from slipway.aws import resource_name
from slipway.ecs.kept_image import keep_image
from slipway.ecs.service import Update, primary_deployment, read_service
from slipway.errors import InvalidInput, reason_of
from slipway.image import Image
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import (
    ClaimId,
    DeploymentRecord,
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

# What can't be so where the service is another deployment's by now.
NEEDS_THE_SERVICE = {"SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED"}
# What an item has room for; the whole reason is in the execution.
QUARANTINE_REASON = 500
REASON = 10_000


class Ending(Model):
    """What the state machine found, the input of FinishDeployment."""

    outcome: str
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
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


class Finished(Model):
    """How it ended, as it is in the ledger."""

    outcome: str
    reason: str
    evidence: tuple[str, ...]
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
    reason = _sentence(ending)
    if claim is None:
        return Finished(outcome=ending.outcome, reason=reason, evidence=ending.evidence, claim=None)
    record = ledger.deployment(claim)
    if record and record.outcome:
        ledger.free(claim)  # claimed by a step that outlived its execution
        return _recorded(record, claim)
    unseen = ending.outcome == "FAILED" and ending.restored is None
    if unseen and _owes(ledger.service(claim.service), record, claim):
        return _left_to_recovery(ending, claim)
    outcome, reason = _checked(ending, reason, claim.service, ecs)
    good = _good(outcome, ending, record, now)
    if good and (asked := ending.deployment or (record.deployment if record else None)):
        ending = _with_kept_image(ending, asked, good, ecs, ssm)
    tried = record is not None and record.was_tried
    quarantine = _quarantine(outcome, reason, ending, good, claim, now) if tried else None
    asked, expires = ending.deployment, now + history
    written = _written(outcome, reason, ending, now, expires)
    if ledger.finish(claim, asked, written, good, quarantine):
        return Finished(outcome=outcome, reason=reason, evidence=ending.evidence, claim=claim)
    if record and outcome in NEEDS_THE_SERVICE:
        outcome, reason = "SUPERSEDED", f"another deployment has claimed the service; {reason}"
    written = _written(outcome, reason, ending, now, expires)
    recorded = ledger.finish_without_service(claim, asked, written)
    return _recorded(recorded, claim) if recorded else _left_to_recovery(ending, claim)


def _owes(service: ServiceRecord, record: DeploymentRecord | None, claim: ClaimId) -> bool:
    """Whether the deployment has the claim, with something on the service that nobody has seen to."""
    ours = service.claim is not None and service.claim.execution == claim.execution
    return ours and bool(service.abandoned(service.rollback_target(record)))


def _left_to_recovery(ending: Ending, claim: ClaimId) -> Finished:
    return Finished(
        outcome=ending.outcome,
        reason=_sentence(ending),
        evidence=ending.evidence,
        claim=claim,
        left_to_recovery=True,
    )


def _claim(ending: Ending) -> ClaimId | None:
    service = ending.deployment.service if ending.deployment else ending.service
    if service is None:
        return None
    own = deployment_id(ending.started_at, ending.execution)
    return ClaimId(service=service, deployment=own, execution=ending.execution)


def _sentence(ending: Ending) -> str:
    why = reason_of(ending.reason)
    if ending.rollback_reason is None:
        return why
    return f"{why}; rolling back failed: {reason_of(ending.rollback_reason)}"


def _recorded(record: DeploymentRecord, claim: ClaimId) -> Finished:
    return Finished(
        outcome=str(record.outcome), reason=record.reason, evidence=record.evidence, claim=claim
    )


def _checked(ending: Ending, reason: str, service: str, ecs: ECSClient) -> tuple[str, str]:
    """The outcome; a success is none where the service has something else by now."""
    if ending.outcome != "SUCCEEDED":
        return ending.outcome, reason
    try:
        now = primary_deployment(read_service(service, ecs))
    except InvalidInput as gone:
        return "SUPERSEDED", str(gone)
    if ending.update is None or now["id"] != ending.update.deployment_id:
        other = resource_name(now["taskDefinition"])
        return "SUPERSEDED", f"it was good, but someone else has put {other} on the service"
    return ending.outcome, reason


def _good(
    outcome: str, ending: Ending, record: DeploymentRecord | None, now: datetime
) -> Good | None:
    """What is last good from now on."""
    if outcome == "SUCCEEDED" and ending.deployment and ending.task_definition:
        image = ending.deployment.release.image
        return Good(
            task_definition=ending.task_definition, digest=image.digest, tag=image.tag, at=now
        )
    if outcome != "ROLLED_BACK" or ending.restored is None:
        return None
    if record and record.good_target:  # the same, but for a revision that had to be registered anew
        return record.good_target.model_copy(update={"task_definition": ending.restored})
    if ending.image:
        image = ending.image
        return Good(task_definition=ending.restored, digest=image.digest, tag=image.tag, at=now)
    return None


def _with_kept_image(
    ending: Ending, asked: Deployment, good: Good, ecs: ECSClient, ssm: SSMClient
) -> Ending:
    # While the service is still claimed: of two deployments, the later one's image is to stay.
    problem = keep_image(asked, good.task_definition, ecs, ssm)
    if problem is None:
        return ending
    return ending.model_copy(update={"evidence": (*ending.evidence, problem)})


def _quarantine(
    outcome: str, reason: str, ending: Ending, good: Good | None, claim: ClaimId, now: datetime
) -> Quarantined | None:
    """Why the image is not deployed to this service again by itself."""
    if outcome not in {"ROLLED_BACK", "ROLLBACK_FAILED"} or ending.deployment is None:
        return None
    if good and good.digest == ending.deployment.release.image.digest:
        return None  # it went back to another task definition of the same image
    return Quarantined(at=now, reason=reason[:QUARANTINE_REASON], deployment=claim.deployment)


def _written(
    outcome: str, reason: str, ending: Ending, now: datetime, expires: datetime
) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "reason": reason[:REASON],
        "evidence": list(ending.evidence),
        "ended_at": timestamp(now),
        "expires_at": int(expires.timestamp()),
    }
