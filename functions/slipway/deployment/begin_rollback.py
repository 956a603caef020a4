"""A manual rollback: what it abandons, what it goes back to, and whether it may."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from slipway.aws import error_code, resource_name
from slipway.deployment.beginning import (
    Beginning,
    Case,
    ManualRollback,
    Start,
    World,
    refuse_other_kinds,
)
from slipway.ecs.service import last_completed_task_definition, read_service
from slipway.ecs.task_definition import Revision, read_task_definition, with_image
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput, Superseded
from slipway.health.alarms import read_alarms
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image, source
from slipway.ledger.records import Claim, ClaimId, Good, Quarantined, ServiceRecord
from slipway.model import Model
from slipway.release.parameters import read_plan
from slipway.release.plan import Policy
from slipway.release.registry import find_image, image_of
from slipway.release.release import Deployment, Release, StartedBy


class _Target(Model):
    """The rollback target: a task definition, or an image that no known one has."""

    good: Good | None = None
    image: Image | None = None


class _Rejected(Exception):  # noqa: N818 - not an error: the end of a wish that can't be fulfilled
    """Why there is nothing to go back to."""


def begin_rollback(wanted: ManualRollback, start: Start, now: datetime, world: World) -> Beginning:
    """Decide on a manual rollback. It passes freezes and firing alarms, and waits only for a change.

    Raises:
        InvalidInput: the service does not exist, or is of a kind that Slipway can't deploy to.
        AwsUnavailable, AwsRefused: from AWS.
    """
    service = wanted.service
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    record = world.ledger.service(service)
    deployment = as_deployment(wanted, start, running, world)
    case = Case(start.claim_id(service), deployment, start.started_at, now)
    try:
        begun = world.ledger.deployment(case.claim)  # by an earlier try, whose answer was lost
        known = _Target(good=begun.good_target) if begun and begun.good_target else None
        target = known or _target(wanted.to, record, running, case, world)
    except _Rejected as why:
        return case.end(Outcome.REJECTED, Cause.NO_TARGET, str(why))
    baseline = record.before or last_completed_task_definition(found)
    if nothing_to_do := _no_change(target, running, deployment):
        refused = None
        if record.claim and not _watches(record.claim, service, world):
            refused = case.claim_service(world.ledger, baseline)
        return refused or case.end(Outcome.NO_CHANGE, None, nothing_to_do)
    if refused := case.claim_service(world.ledger, baseline):
        return refused
    if read_service(service, world.ecs)["taskDefinition"] != running.arn:
        return case.wait("the service was changed a moment ago", 1)
    good = target.good
    rollback_target = read_task_definition(good.task_definition, world.ecs) if good else None
    world.ledger.open(
        case.claim,
        case.deployment,
        rollback_target.arn if rollback_target else None,
        good,
        running.arn,
        now,
    )
    if superseded := _quarantine_what_it_abandons(case, target, world):
        return superseded
    return case.go(
        manual_rollback=True,
        cause=Cause.PERSON,
        updated=True,
        rollback_target=rollback_target.arn if rollback_target else None,
        rollback_target_images=rollback_target.images if rollback_target else {},
        image=target.image,
        task_definition=running.arn,
        alarms_firing=_firing(case.deployment.policy, world),
        gates=_gates(good, record),
    )


def _gates(target: Good | None, record: ServiceRecord) -> tuple[str, ...]:
    """None keeps a person from going back; what is known of where to, they want to know."""
    if target is None or all(
        target.task_definition != good.task_definition for good in record.all_good
    ):
        return ()
    return (
        f"{resource_name(target.task_definition)} has passed every gate on this service before",
    )


def _watches(claim: Claim, service: str, world: World) -> bool:
    """Whether the deployment has changed the service, and watches what became of it or goes back from it.

    It has to go on. One that has not changed it yet, or is about to, must not put anything there after this.
    """
    own = ClaimId(service=service, deployment=claim.deployment, execution=claim.execution)
    record = world.ledger.deployment(own)
    return record is not None and record.changing and claim.changing_until is None


def _quarantine_what_it_abandons(case: Case, target: _Target, world: World) -> Beginning | None:
    """Remember at once what a person knows: one that takes over from this must not go back there."""
    abandoned = case.deployment.release.image
    there = target.good or target.image
    if not abandoned.digest or (there is not None and there.digest == abandoned.digest):
        return None  # not known, or it goes back to another task definition of the same image
    why = Quarantined(
        at=case.now, reason="a manual rollback has abandoned it", deployment=case.claim.deployment
    )
    try:
        world.ledger.quarantine(case.claim, abandoned.digest, why)
    except Superseded as newer:
        return case.end(Outcome.SUPERSEDED, Cause.NEWER_RELEASE, str(newer))
    return None


def _no_change(target: _Target, running: Revision, deployment: Deployment) -> str:
    """Why there is nothing to do; empty where there is."""
    service = deployment.service
    if target.good and target.good.task_definition == running.arn:
        return f"service {service} has {resource_name(running.arn)} already"
    if target.image and _runs(target.image, running, deployment):
        return f"service {service} runs {target.image} already"
    return ""


def _runs(image: Image, running: Revision, deployment: Deployment) -> bool:
    """Whether putting the image on the service would change nothing: that is no rollback."""
    content, container = running.content, deployment.policy.container
    return with_image(content, image, container, deployment.service) == content


def as_deployment(
    wanted: ManualRollback, start: Start, running: Revision, world: World
) -> Deployment:
    """The rollback as a deployment: its image is the one that it abandons.

    Raises:
        AwsUnavailable, AwsRefused: from AWS.
    """
    image, policy = _abandoned(wanted.service, running, world)
    release = Release(
        id=start.execution.rpartition(":")[2],
        image=image,
        released_at=start.started_at,
        started_by=StartedBy.MANUAL_ROLLBACK,
        by=wanted.by,
    )
    return Deployment(release=release, stage=None, service=wanted.service, policy=policy)


def _abandoned(service: str, running: Revision, world: World) -> tuple[Image, Policy]:
    """The image that the service runs, and its policy; the defaults where no plan has the service."""
    images = [image_of(reference, world.ecr) for reference in running.images.values()]
    for image in images:
        try:
            plan = read_plan(image.repository, world.ssm)
        except (InvalidInput, AwsRefused):
            continue  # a plan that can't be read must not keep anyone from rolling back
        if plan and (policy := plan.policy_of(service)):
            return image, policy
    return images[0], Policy()


def _target(
    to: str | None, record: ServiceRecord, running: Revision, case: Case, world: World
) -> _Target:
    if to is None:
        # What is under way is what to abandon, whether it is on the service or gone back from already.
        theirs = record.claim is not None and record.claim.execution != case.claim.execution
        if (theirs or running.arn in record.unproven) and record.last_good:
            return _Target(good=record.last_good)
        return _last_good_before(record, running, case.deployment.release.image.digest)
    if ":" in to.removeprefix("sha256:"):
        return _Target(good=_named(to, record, case, world))
    return _of_image(to, record, case.deployment.release.image, world)


def _last_good_before(record: ServiceRecord, running: Revision, abandoned: str) -> _Target:
    for good in record.all_good:
        # With other settings, as its stack may have given it, it is the same version.
        if good.task_definition != running.arn and (not abandoned or good.digest != abandoned):
            return _Target(good=good)
    raise _Rejected(
        f"there is no last good version of service {record.service} before {resource_name(running.arn)}: no "
        'other one has passed every gate here; name what to go back to as "to" (a digest, a tag or a task '
        "definition)"
    )


def _named(name: str, record: ServiceRecord, case: Case, world: World) -> Good:
    """A task definition by name or ARN."""
    try:
        revision = read_task_definition(name, world.ecs)
    except AwsRefused as refused:
        if error_code(refused.__cause__) == "ClientException":  # ECS's word for "there is none"
            raise _Rejected(f"there is no task definition {name}") from refused
        raise
    known = (good for good in record.good if good.task_definition == revision.arn)
    # What a sidecar runs says nothing about the release.
    uri = case.deployment.release.image.uri
    ours = (reference for reference in revision.images.values() if source(reference) == uri)
    digests = [image_of(reference, world.ecr).digest for reference in ours]
    unknown = Good(
        task_definition=revision.arn,
        digest=next(filter(None, digests), ""),
        at=revision.registered_at or case.now,
    )
    return next(known, unknown)


def _of_image(to: str, record: ServiceRecord, abandoned: Image, world: World) -> _Target:
    """A digest, or a tag of the repository that the service's image is from."""
    by: dict[str, Any] = {"imageDigest": to} if to.startswith("sha256:") else {"imageTag": to}
    found = find_image(abandoned.repository, by, world.ecr)
    digest = str(found["imageDigest"]) if found else to
    known = [g for g in record.good if g.digest == digest or (not found and g.tag == to)]
    if known:
        return _Target(good=known[0])
    if not found:
        raise _Rejected(f"repository {abandoned.repository} holds no image {to}")
    tag = None if to.startswith("sha256:") else to
    return _Target(image=abandoned.model_copy(update={"digest": digest, "tag": tag}))


def _firing(policy: Policy, world: World) -> tuple[str, ...]:
    try:
        alarms = read_alarms(policy.alarm_names, world.cloudwatch)
    except (AwsUnavailable, AwsRefused):
        return ()  # for information only; a rollback waits for no alarm
    return tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM")
