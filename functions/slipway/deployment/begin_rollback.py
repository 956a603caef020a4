"""Decides on a manual rollback: what it abandons, its rollback target, and whether it may begin."""

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
from slipway.release.parameters import read_plan, read_service_policy
from slipway.release.plan import Policy
from slipway.release.registry import find_image, image_of
from slipway.release.release import Deployment, Release, StartedBy
from slipway.release.service_policy import policy_of


class _Target(Model):
    """The rollback target: a task definition, or an image that no known task definition has."""

    good: Good | None = None
    image: Image | None = None


class _Rejected(Exception):  # noqa: N818 - not an error, but the end of a rollback that has no target
    """The rollback has no target; the message says why."""


def begin_rollback(wanted: ManualRollback, start: Start, now: datetime, world: World) -> Beginning:
    """Decide on a manual rollback.

    It bypasses freezes and alarms that are already firing. It waits only while another deployment is changing
    the service.

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
        # An earlier try, whose answer was lost, may have chosen the target.
        begun = world.ledger.deployment(case.claim)
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
    """What the notice lists as passed: that the target is known to be good. No gate stops a rollback."""
    if target is None or all(
        target.task_definition != good.task_definition for good in record.all_good
    ):
        return ()
    return (
        f"{resource_name(target.task_definition)} has passed every gate on this service before",
    )


def _watches(claim: Claim, service: str, world: World) -> bool:
    """Whether the deployment has completed its change of the service, and now watches it or rolls back.

    Such a deployment must keep its claim. One that has yet to change the service must lose it, so that it
    can't put anything there after this rollback has found nothing to do.
    """
    own = ClaimId(service=service, deployment=claim.deployment, execution=claim.execution)
    record = world.ledger.deployment(own)
    return record is not None and record.changing and claim.changing_until is None


def _quarantine_what_it_abandons(case: Case, target: _Target, world: World) -> Beginning | None:
    """Quarantine the abandoned image at once: a deployment that takes over must not go back to it."""
    abandoned = case.deployment.release.image
    there = target.good or target.image
    if not abandoned.digest or (there is not None and there.digest == abandoned.digest):
        return None  # unknown, or the target is another task definition of the same image
    why = Quarantined(
        at=case.now, reason="a manual rollback has abandoned it", deployment=case.claim.deployment
    )
    try:
        world.ledger.quarantine(case.claim, abandoned.digest, why)
    except Superseded as newer:
        return case.end(Outcome.SUPERSEDED, Cause.NEWER_RELEASE, str(newer))
    return None


def _no_change(target: _Target, running: Revision, deployment: Deployment) -> str:
    """Why the rollback would change nothing; empty if it would change something."""
    service = deployment.service
    if target.good and target.good.task_definition == running.arn:
        return f"service {service} has {resource_name(running.arn)} already"
    if target.image and _runs(target.image, running, deployment):
        return f"service {service} runs {target.image} already"
    return ""


def _runs(image: Image, running: Revision, deployment: Deployment) -> bool:
    """Whether the running task definition would stay the same with this image in it."""
    content, container = running.content, deployment.policy.container
    return with_image(content, image, container, deployment.service) == content


def as_deployment(
    wanted: ManualRollback, start: Start, running: Revision, world: World
) -> Deployment:
    """The rollback as a deployment, whose release has the image that it abandons.

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
    """The image that the service runs, and by which policy it is rolled back."""
    image, planned = _planned(service, running, world)
    try:
        return image, policy_of(service, planned, read_service_policy(service, world.ssm))
    except (InvalidInput, AwsRefused):
        return image, planned  # a policy that can't be read must not prevent a rollback


def _planned(service: str, running: Revision, world: World) -> tuple[Image, Policy]:
    """The image whose plan names the service, and its policy there; the default policy if no plan does."""
    images = [image_of(reference, world.ecr) for reference in running.images.values()]
    for image in images:
        try:
            plan = read_plan(image.repository, world.ssm)
        except (InvalidInput, AwsRefused):
            continue  # a plan that can't be read must not prevent a rollback
        if plan and (policy := plan.policy_of(service)):
            return image, policy
    return images[0], Policy()


def _target(
    to: str | None, record: ServiceRecord, running: Revision, case: Case, world: World
) -> _Target:
    if to is None:
        # A deployment that is under way, or a version that it left unproven, is what to abandon, even if the
        # service has gone back from it already. The target is then the last good version itself.
        theirs = record.claim is not None and record.claim.execution != case.claim.execution
        if (theirs or running.arn in record.unproven) and record.last_good:
            return _Target(good=record.last_good)
        return _last_good_before(record, running, case.deployment.release.image.digest)
    if ":" in to.removeprefix("sha256:"):
        return _Target(good=_named(to, record, case, world))
    return _of_image(to, record, case.deployment.release.image, world)


def _last_good_before(record: ServiceRecord, running: Revision, abandoned: str) -> _Target:
    for good in record.all_good:
        # Another task definition of the same image is the same version, with settings that its stack changed.
        if good.task_definition != running.arn and (not abandoned or good.digest != abandoned):
            return _Target(good=good)
    raise _Rejected(
        f"there is no last good version of service {record.service} before {resource_name(running.arn)}: no "
        'other one has passed every gate here; name what to go back to as "to" (a digest, a tag or a task '
        "definition)"
    )


def _named(name: str, record: ServiceRecord, case: Case, world: World) -> Good:
    """The good version with this task definition, given by name or ARN, or a Good made of what ECS knows."""
    try:
        revision = read_task_definition(name, world.ecs)
    except AwsRefused as refused:
        # ECS answers ClientException if the task definition does not exist.
        if error_code(refused.__cause__) == "ClientException":
            raise _Rejected(f"there is no task definition {name}") from refused
        raise
    known = (good for good in record.good if good.task_definition == revision.arn)
    # Only containers of the release's repository count: a sidecar's image says nothing about the release.
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
    """The target for a digest or a tag in the repository of the image that the service runs."""
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
        return ()  # people are only informed of these; a rollback waits for no alarm
    return tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM")
