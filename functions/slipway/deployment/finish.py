"""Finishes a deployment: checks a success once more, records the outcome, and frees the service."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime

from slipway.aws import resource_name
from slipway.deployment.asked import read_asked
from slipway.ecs.kept_image import keep_image
from slipway.ecs.service import Update, predates, primary_deployment, read_service, stale
from slipway.ecs.task_definition import TaskDefinition, read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput, Refused, reason_of
from slipway.health.cause import Cause, cause_of
from slipway.health.outcome import Outcome
from slipway.health.verdict import said_of
from slipway.image import Image, short_digest
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import (
    ClaimId,
    DeploymentRecord,
    End,
    GoneBack,
    Good,
    Quarantined,
    ServiceRecord,
    timestamp,
)
from slipway.model import Model
from slipway.release.named import NamedRelease
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient

# Characters. The ledger keeps up to a hundred of them in an item, which has 400 KB at most.
QUARANTINE_REASON = 500


class Ending(Model):
    """The input of FinishDeployment: how the deployment ended, as far as the state machine knows."""

    outcome: Outcome
    reason: str
    """A sentence, or the Cause of a failed task state, as Step Functions gives it."""
    cause: Cause | None = None
    alarms_fired: tuple[str, ...] = ()
    """Names of the alarms that led to the outcome."""
    rollback_reason: str | None = None
    """Why the rollback failed: a sentence, or the Cause of a failed task state."""
    evidence: tuple[str, ...] = ()
    claim: ClaimId | None = None
    """None if BeginDeployment never answered."""
    execution: str
    """ARN of the execution."""
    started_at: AwareDatetime
    start: Any
    """The input of the execution."""
    deployment: Deployment | None = None
    """None if BeginDeployment never answered."""
    part: NamedRelease | None = None
    """The part of a release that the deployment carries out; None for a manual rollback, and as above."""
    image: Image | None = None
    """The target of a manual rollback to an image that no known task definition had."""
    task_definition: str | None = None
    """ARN of this deployment's own task definition; None if it has none."""
    update: Update | None = None
    """The answer of UpdateService; None if the service was not updated."""
    restored: str | None = None
    """ARN of the task definition that the rollback put on the service."""
    other_target: str | None = None
    """ARN of the version that RollBack chose, if it is another one than the rollback target."""
    proven: bool = True
    """Whether a task ran when the service was checked last."""


class Finished(End):
    """The answer of FinishDeployment: how the deployment ended, as the ledger has it."""

    claim: ClaimId | None
    """None if nothing was recorded, because the input names nothing that the ledger has."""
    deployment: Deployment | None = None
    """None in the same case."""
    left_to_recovery: bool = False
    """Whether nothing was recorded, so that a recovery has to finish the deployment. That is so if this
    execution has the claim but failed before it could replace another deployment's unproven version; if a
    person has quarantined the image since the last check; if another execution (a recovery, or the dead
    execution that a recovery could not take over from) has the claim for the same deployment; or if this
    execution is a recovery that could not begin, of a deployment that may have changed the service. This
    execution's failure then starts Recover."""


def finish(
    ending: Ending,
    history: timedelta,
    now: datetime,
    ledger: Ledger,
    ecs: ECSClient,
    ssm: SSMClient,
) -> Finished:
    """Record how a deployment ended, and free its service. A second try returns what the first recorded.

    Args:
        history: how long the ledger keeps the deployment.

    Raises:
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    claim, deployment = ending.claim, ending.deployment
    if claim is None or deployment is None:  # BeginDeployment never answered
        try:
            asked = read_asked(ending.start, ending.execution, ending.started_at, ledger)
        except Refused:  # it has changed nothing, whatever its input says
            return _finished(_with(_end(ending), outcome=Outcome.FAILED), None)
        claim, deployment = asked.claim, asked.deployment
        part = asked.named if isinstance(asked.named, NamedRelease) else None
        known = ledger.deployment(claim)
        if asked.recovery and known and known.steps and not known.end:
            left = _finished(_end(ending), claim, left_to_recovery=True)
            return left.model_copy(update={"deployment": deployment})
        # Without a step, nothing was changed, in a recovery either.
        ending = ending.model_copy(update={"outcome": Outcome.FAILED, "part": part})
    finished = _finish(ending, deployment, claim, history, now, ledger, ecs, ssm)
    if ending.part and not finished.left_to_recovery:
        ledger.note_outcome(claim, ending.part, finished.outcome)
    return finished.model_copy(update={"deployment": deployment})


def _finish(
    ending: Ending,
    asked: Deployment,
    claim: ClaimId,
    history: timedelta,
    now: datetime,
    ledger: Ledger,
    ecs: ECSClient,
    ssm: SSMClient,
) -> Finished:
    end = _end(ending)
    record = ledger.deployment(claim)
    if record and record.end:
        ledger.free(claim)  # claimed by a step that outlived its execution
        return _finished(record.end, claim)
    expires = now + history
    try:
        service = ledger.service(claim.service)
    except Unreadable as unreadable:
        unread = _unread(end, record, unreadable)
        if unread:
            ledger.end(claim, asked, _written(unread, now, expires))
        return _finished(unread or end, claim, left_to_recovery=unread is None)
    if unfinished := _unfinished(end, ending, asked, service, record, claim):
        return _finished(unfinished, claim, left_to_recovery=True)
    end = _checked(end, ending.update, claim.service, ecs)
    good = _good(end.outcome, ending, asked, record, service, now)
    copy = None
    if good:
        end = _with_both_versions(end, asked, good)
        end = _with_kept_image(end, asked, good, ecs, ssm)
        end, good, copy = _with_copy(end, good, ecs)
        end = _with_standing(end, service, good, asked)
    tried = record is not None and record.was_tried
    target = good or _good_target(ending, record, service)
    quarantine = _quarantine(end, asked, target, claim, now) if tried else None
    gone_back = _gone_back(end, asked, ending.restored, claim, now)
    written = _written(end, now, expires)
    if ledger.finish(claim, asked, written, good, quarantine, gone_back, copy):
        return _finished(end, claim)
    if record and end.outcome.facts.needs_claim:
        taken = ledger.superseded(claim)
        end = _superseded(end, cause_of(taken), f"{taken}; {end.reason}")
    recorded = ledger.finish_without_service(claim, asked, _written(end, now, expires))
    if recorded is None or recorded.end is None:
        return _finished(_end(ending), claim, left_to_recovery=True)
    return _finished(recorded.end, claim)


def _unread(end: End, record: DeploymentRecord | None, unreadable: Unreadable) -> End | None:
    """The end of a deployment whose service's item can't be read.

    None if the deployment has claimed the service: the sweep has it finished when the item can be read.

    Raises:
        Unreadable: the deployment has proved a version good, which must not be lost.
    """
    if end.outcome.facts.proves_image or end.outcome.facts.proves_target:
        raise unreadable
    if record and record.steps:
        return None
    return _with(end, evidence=(*end.evidence, str(unreadable)))


def _unfinished(
    end: End,
    ending: Ending,
    asked: Deployment,
    service: ServiceRecord,
    record: DeploymentRecord | None,
    claim: ClaimId,
) -> End | None:
    """How the execution ends if a recovery has to roll the deployment back; None if nothing is left to do."""
    unseen = end.outcome is Outcome.FAILED and ending.restored is None
    if unseen and _owes(service, record, claim):
        return end
    if end.outcome is Outcome.SUCCEEDED and (found := service.standing(asked.release)):
        # The last check was too early to see it, and the execution is past the step that rolls back.
        return _with(end, outcome=Outcome.FAILED, cause=Cause.PERSON, reason=said_of(found.reason))
    return None


def _owes(service: ServiceRecord, record: DeploymentRecord | None, claim: ClaimId) -> bool:
    """Whether this execution has the claim while an unproven version may still be on the service."""
    ours = service.claim is not None and service.claim.execution == claim.execution
    return ours and bool(service.abandoned(service.rollback_target(record)))


def _finished(end: End, claim: ClaimId | None, left_to_recovery: bool = False) -> Finished:
    return Finished(**dict(end), claim=claim, left_to_recovery=left_to_recovery)


def _end(ending: Ending) -> End:
    """The end as the state machine knows it, with Causes turned into sentences."""
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
    return _with(end, outcome=Outcome.SUPERSEDED, cause=cause, reason=reason)


def _with(end: End, **facts: Any) -> End:
    # model_copy would not mask and cut the texts.
    return End(**{**dict(end), **facts})


def _checked(end: End, update: Update | None, service: str, ecs: ECSClient) -> End:
    """The same end, but SUPERSEDED instead of SUCCEEDED if something newer is on the service."""
    if end.outcome is not Outcome.SUCCEEDED:
        return end
    try:
        now = primary_deployment(read_service(service, ecs))
    except InvalidInput as gone:
        return _superseded(end, Cause.PERSON, str(gone))
    if update and predates(now, update):
        raise stale(service, now)
    if update is None or now["taskDefinition"] != update.task_definition:
        other = resource_name(now["taskDefinition"])
        reason = f"it was good, but someone else has put {other} on the service"
        return _superseded(end, Cause.PERSON, reason)
    return end


def _good(
    outcome: Outcome,
    ending: Ending,
    asked: Deployment,
    record: DeploymentRecord | None,
    service: ServiceRecord,
    now: datetime,
) -> Good | None:
    """The version that this outcome proves good; None if it proves none."""
    if outcome.facts.proves_image and ending.task_definition:
        image = asked.release.image
        return Good(
            task_definition=ending.task_definition, digest=image.digest, tag=image.tag, at=now
        )
    if not outcome.facts.proves_target or ending.restored is None or not ending.proven:
        return None
    if ending.other_target or (record and record.good_target):
        target = _good_target(ending, record, service)
        # RollBack may have had to register the same content anew.
        return target.model_copy(update={"task_definition": ending.restored}) if target else None
    if ending.image:
        image = ending.image
        return Good(task_definition=ending.restored, digest=image.digest, tag=image.tag, at=now)
    return None


def _good_target(
    ending: Ending, record: DeploymentRecord | None, service: ServiceRecord
) -> Good | None:
    """The good version that the deployment goes back to, whether it got there or not; None if it is none."""
    if ending.other_target:  # the ledger's record of the deployment may have the former target
        return service.good_of(ending.other_target)
    return record.good_target if record else None


def _gone_back(
    end: End, asked: Deployment, restored: str | None, claim: ClaimId, now: datetime
) -> GoneBack | None:
    """That the deployment rolled itself back; None if it did not, or if a person rolled back."""
    if end.outcome is not Outcome.ROLLED_BACK or asked.release.manual_rollback or not restored:
        return None
    return GoneBack(task_definition=restored, at=now, deployment=claim.deployment)


def _with_both_versions(end: End, asked: Deployment, good: Good) -> End:
    """The end, whose reason says from what to what a manual rollback went if nothing went wrong."""
    went_back = end.outcome is Outcome.ROLLED_BACK and asked.release.manual_rollback
    if not went_back or end.cause is not Cause.PERSON:
        return end
    return _with(end, reason=f"rolled back from {asked.release.image} to {good}")


def _with_kept_image(
    end: End, asked: Deployment, good: Good, ecs: ECSClient, ssm: SSMClient
) -> End:
    # This happens before the claim ends, so that an earlier deployment can't overwrite a later one's image.
    problem = keep_image(asked, good.task_definition, ecs, ssm)
    if problem is None:
        return end
    return _with(end, evidence=(*end.evidence, problem))


def _with_copy(end: End, good: Good, ecs: ECSClient) -> tuple[End, Good, TaskDefinition | None]:
    """The good version with its images, and its content for the ledger to keep.

    An error is said in the evidence.
    """
    try:
        revision = read_task_definition(good.task_definition, ecs)
    except (AwsUnavailable, AwsRefused) as error:
        fact = (
            f"the ledger keeps no copy of {resource_name(good.task_definition)} ({error}): Slipway can't go "
            "back to it if its task definition is deleted"
        )
        return _with(end, evidence=(*end.evidence, fact)), good, None
    return end, good.model_copy(update={"images": revision.pinned_images}), revision.content


def _with_standing(end: End, service: ServiceRecord, good: Good, asked: Deployment) -> End:
    """The end, saying so if the version that is good has an image that a person has quarantined."""
    decided_for = asked.release.decided_for
    standing = (
        f"the version that runs now has an image that is quarantined itself, {short_digest(digest)} "
        f"({why.reason}): deploy another one"
        for digest, why in service.quarantines_of(good).items()
        if why.stands_against(decided_for(digest))
    )
    return _with(end, evidence=(*end.evidence, *standing))


def _quarantine(
    end: End, deployment: Deployment, target: Good | None, claim: ClaimId, now: datetime
) -> Quarantined | None:
    """The entry that quarantines the release's image on this service; None if it is not to blame.

    Args:
        target: the good version that the deployment goes back to; None if it is none.
    """
    if not end.outcome.facts.quarantines or end.cause is None or not end.cause.quarantines:
        return None
    if deployment.release.manual_rollback:
        return None  # BeginDeployment has quarantined it, with the reason
    if target and deployment.release.image.digest in target.digests:
        return None  # the rollback target has it, too: it would not count as good any more
    return Quarantined(at=now, reason=end.reason[:QUARANTINE_REASON], deployment=claim.deployment)


def _written(end: End, now: datetime, expires: datetime) -> dict[str, Any]:
    return {
        **end.to_json(),
        "ended_at": timestamp(now),
        "expires_at": int(expires.timestamp()),
    }
