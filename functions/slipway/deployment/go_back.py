"""Rolls a service back: chooses the version when it goes back, and puts it on the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from pydantic import AwareDatetime, Field

from slipway.aws import resource_name
from slipway.deployment.target import has_quarantined_image, kept_by, rollback_targets
from slipway.ecs.rollback import Change, RollBack, done_already, put_back
from slipway.ecs.service import Update
from slipway.ecs.startable import CannotStart, Kept, startable
from slipway.ecs.task_definition import Revision, TaskDefinition
from slipway.errors import AwsRefused, AwsUnavailable, NoTarget
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import ClaimId, DeploymentRecord, ServiceRecord
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient

logger = Logger()

# ECS gives no time after which a change is visible to all reads. Its users report seconds.
VISIBLE_AFTER = timedelta(seconds=15)


class Going(Model):
    """The input of RollBack: the claim, and the ARNs of the task definitions to abandon and to go back to."""

    claim: ClaimId
    abandoned: tuple[str, ...] = Field(min_length=1)
    rollback_target: str
    replaced: str | None = None
    """ARN of the task definition that the service ran before the deployment."""
    updated: bool
    """Whether UpdateService is known to have been done."""
    update: Update | None
    """Its answer, if that is known."""
    answer_lost: bool
    """Whether UpdateService may have been done without an answer."""
    entered_at: AwareDatetime
    """When the execution came here."""
    since: AwareDatetime
    """When the deployment began."""
    manual_rollback: bool = False

    @property
    def change(self) -> Change:
        """What the deployment has done to its service."""
        return Change(
            abandoned=self.abandoned,
            replaced=self.replaced,
            updated=self.updated,
            update=self.update,
            known_after=self.entered_at + VISIBLE_AFTER if self.answer_lost else None,
        )


class GoneBack(RollBack):
    """The answer of RollBack."""

    other_target: str | None = None
    """ARN of the version that was put back, if it is another one than the rollback target."""
    passed_over: tuple[str, ...] = ()
    """Why each version before that one was not put back, in a sentence."""
    images: Mapping[str, str] = {}
    """The images of ``other_target``, by container."""
    other_target_tag: str | None = None
    """The tag of its image of the released repository, if that is known."""


def go_back(
    going: Going, now: datetime, ledger: Ledger, ecs: ECSClient, ecr: ECRClient
) -> GoneBack:
    """Put a good version that can start on the service, if the service runs what it must not keep.

    BeginDeployment has chosen the rollback target, but that may be long ago: its task definition or its image
    may have been deleted since, or a person may have quarantined it. So it is chosen again.

    Args:
        ecs: a client without retries, see `slipway.aws.ecs_once`.

    Raises:
        NoTarget: no version can be put back; the message says which were tried, and why each of them can't.
        Superseded: another execution has claimed the service.
        InvalidInput: the service does not exist any more.
        AwsUnavailable, AwsRefused: from ECS.
    """
    claim, service = going.claim, going.claim.service
    record, opened = _known(ledger, claim)
    # An earlier attempt may have chosen another target, and have put it on the service already.
    target = (opened and opened.rollback_target) or going.rollback_target
    # A manual rollback may have registered its target a moment ago. If this execution dies, its recovery can
    # find the target only in the ledger.
    marked = _marked(claim, {"rollback_target": target}, now, ledger)
    kept = _kept(ledger, service)
    passed_over: list[str] = []
    images: Mapping[str, str] = {}
    if done := done_already(service, going.change, target, kept, now, ecs):
        chosen = target
    else:
        manual = going.manual_rollback
        arns = rollback_targets(target, going.replaced, going.abandoned, record, manual=manual)
        for chosen, revision in _in_turn(arns, record, manual, kept, ecs, ecr, passed_over):
            if chosen != target:
                marked = _marked(claim, _facts(chosen, record), now, ledger)
            try:
                done = put_back(service, revision, going.since, ecs)
            except CannotStart as why:
                passed_over.append(str(why))
                continue
            images = revision.images
            break
        else:
            raise NoTarget(_none(service, passed_over))
    if marked:
        _written(partial(ledger.end_change, claim, "RollBack", now))
    if chosen == going.rollback_target:
        return GoneBack(**dict(done), passed_over=tuple(passed_over))
    good = record.good_of(chosen)
    asked = opened.deployment if opened else None
    return GoneBack(
        **dict(done),
        passed_over=tuple(passed_over),
        other_target=chosen,
        images=images,
        other_target_tag=record.tag_in(good, asked.release.image, asked.policy.container)
        if asked
        else None,
    )


def _in_turn(
    arns: Sequence[str],
    record: ServiceRecord,
    manual: bool,
    kept: Kept,
    ecs: ECSClient,
    ecr: ECRClient,
    passed_over: list[str],
) -> Iterator[tuple[str, Revision]]:
    """Those of the versions that can start, each read when it is due.

    The first one, which is the rollback target, comes last if it was quarantined after it was chosen: it was
    good once, which is better than what has just failed. A person may choose a quarantined version.
    """
    quarantined: Revision | None = None
    for arn in arns:
        try:
            revision = startable(arn, kept, ecs, ecr)
        except CannotStart as why:
            passed_over.append(str(why))
            continue
        if (manual and arn == arns[0]) or not has_quarantined_image(revision, record):
            yield arn, revision
            continue
        passed_over.append(f"{resource_name(arn)} has an image that is quarantined")
        if arn == arns[0]:
            quarantined = revision
    if quarantined:
        yield arns[0], quarantined


def _facts(arn: str, record: ServiceRecord) -> dict[str, Any]:
    """The rollback target, with the good version that it is, so that FinishDeployment finds the right one."""
    good = record.good_of(arn)
    return {"rollback_target": arn, "good_target": good.to_json() if good else None}


def _none(service: str, passed_over: Sequence[str]) -> str:
    return f"there is no version that service {service} could go back to: {'; '.join(passed_over)}"


def _known(ledger: Ledger, claim: ClaimId) -> tuple[ServiceRecord, DeploymentRecord | None]:
    """What the ledger has of the service and of the deployment; nothing if it does not answer."""
    try:
        return ledger.service(claim.service), ledger.deployment(claim)
    except (AwsUnavailable, AwsRefused, Unreadable):
        logger.exception("going back to what BeginDeployment has chosen")
        return ServiceRecord(service=claim.service), None


def _kept(ledger: Ledger, service: str) -> Kept:
    """The copies of the good task definitions; none if the ledger does not answer."""
    keeps = kept_by(ledger, service)

    def read(arn: str) -> TaskDefinition | None:
        try:
            return keeps(arn)
        except (AwsUnavailable, AwsRefused, Unreadable):
            logger.exception("going back without the ledger's copy")
            return None

    return read


def _marked(claim: ClaimId, facts: Mapping[str, Any], now: datetime, ledger: Ledger) -> bool:
    return _written(partial(ledger.start_change, claim, "RollBack", now, **facts))


def _written(change: Callable[[], None]) -> bool:
    """Set or remove the change mark in the ledger, and return whether the ledger could be written.

    A bad version must go even if the ledger can't be written. That is safe: no other deployment can take the
    claim over while the ledger can't be written, a change mark that stays expires within half a minute, and
    `go_back` leaves alone what someone else has put on the service.

    Raises:
        Superseded: another execution has claimed the service.
    """
    try:
        change()
    except (AwsUnavailable, AwsRefused):
        logger.exception("going back without a word in the ledger")
        return False
    return True
