"""Decides on a manual rollback: what it abandons, and whether it may begin."""

from __future__ import annotations

from dataclasses import replace

from slipway.aws import resource_name
from slipway.deployment.beginning import Beginning, Case, World, refuse_other_kinds
from slipway.deployment.resolve_rollback import abandoning
from slipway.ecs.service import last_completed_task_definition, read_service
from slipway.ecs.task_definition import Revision, read_task_definition, with_image
from slipway.errors import AwsRefused, AwsUnavailable, Superseded
from slipway.health.alarms import read_alarms
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.ledger.records import (
    Claim,
    ClaimId,
    Good,
    Quarantined,
    RollbackRecord,
    ServiceRecord,
    lane_of,
)
from slipway.release.plan import Policy
from slipway.release.release import Deployment
from slipway.release.semver import version_of


def begin_rollback(case: Case, asked: RollbackRecord, world: World) -> Beginning:
    """Decide on a manual rollback, whose target ResolveRollback has chosen.

    It bypasses freezes and alarms that are already firing. It waits only while another deployment is changing
    the service.

    Raises:
        InvalidInput: the service does not exist, or is of a kind that Slipway can't deploy to.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    service, now = case.service, case.now
    if asked.refusal:
        return case.end(Outcome.REJECTED, asked.cause, asked.refusal)
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found, world.ecs)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    good = asked.good
    if running.arn != asked.running:  # it abandons what the service runs now
        asked = abandoning(asked, running, world)
        case = replace(case, deployment=asked.deployment)
    record = world.ledger.service(service)
    baseline = record.baseline_for(last_completed_task_definition(found))
    if nothing_to_do := _no_change(asked, running, case.deployment):
        refused = None
        if record.claim and not _watches(record.claim, service, world):
            refused = case.claim_service(world.ledger, baseline)
        return refused or case.end(Outcome.NO_CHANGE, None, nothing_to_do)
    version = _version(asked, case.deployment, record)
    if refused := case.claim_service(world.ledger, baseline, version=version):
        return refused
    if read_service(service, world.ecs)["taskDefinition"] != running.arn:
        return case.wait("the service was changed a moment ago", 1)
    world.ledger.open(
        case.claim,
        case.deployment,
        good.task_definition if good else None,
        good,
        running.arn,
        now,
    )
    if superseded := _abandon(case, asked, running, world):
        return superseded
    return case.go(
        manual_rollback=True,
        cause=Cause.PERSON,
        updated=True,
        rollback_target=good.task_definition if good else None,
        rollback_target_tag=_tag(asked, case.deployment),
        rollback_target_images=asked.images,
        image=asked.image,
        task_definition=running.arn,
        alarms_firing=_firing(case.deployment.policy, world),
        gates=_gates(good, record),
        evidence=(*asked.passed_over, *asked.also),
    )


def _version(asked: RollbackRecord, deployment: Deployment, record: ServiceRecord) -> str | None:
    """The version to go back to, if a route has ordered what was deployed here by SemVer; otherwise None.

    A push of a higher version than this goes on to be deployed, and one of a lower version is ignored.
    """
    ordered = record.accepted_lane(lane_of(deployment)) in record.versions
    tag = _tag(asked, deployment)
    return version_of(tag) if ordered and tag else None


def _tag(asked: RollbackRecord, deployment: Deployment) -> str | None:
    """The target's tag of the repository, and the container, that goes back.

    A good version may have the tag of another repository's image, or of one for another container.
    """
    there, left = asked.good or asked.image, deployment.release.image
    if not (there and there.tag):
        return None
    own = left.versions_in(asked.images, deployment.policy.container).values()
    named = (there.digest or there.tag, f":{there.tag}")
    return there.tag if any(reference.endswith(named) for reference in own) else None


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


def _abandon(
    case: Case, asked: RollbackRecord, running: Revision, world: World
) -> Beginning | None:
    """Record what is abandoned at once: a deployment that takes over must not go back to it."""
    image = case.deployment.release.image
    why = None
    if image.digest and asked.leaves:
        why = Quarantined(
            at=case.now,
            reason="a manual rollback has abandoned it",
            deployment=case.claim.deployment,
        )
    try:
        world.ledger.quarantine(case.claim, image.digest, why, running.arn)
    except Superseded as other:
        return case.superseded(other)
    return None


def _no_change(asked: RollbackRecord, running: Revision, deployment: Deployment) -> str:
    """Why the rollback would change nothing; empty if it would change something."""
    service = deployment.service
    if asked.good and asked.good.task_definition == running.arn:
        return f"service {service} has {resource_name(running.arn)} already"
    if asked.image and _runs(asked.image, running, deployment):
        return f"service {service} runs {asked.image} already"
    return ""


def _runs(image: Image, running: Revision, deployment: Deployment) -> bool:
    """Whether the running task definition would stay the same with this image in it."""
    content, container = running.content, deployment.policy.container
    return with_image(content, image, container, deployment.service) == content


def _firing(policy: Policy, world: World) -> tuple[str, ...]:
    try:
        alarms = read_alarms(policy.alarm_names, world.cloudwatch)
    except (AwsUnavailable, AwsRefused):
        return ()  # people are only informed of these; a rollback waits for no alarm
    return tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM")
