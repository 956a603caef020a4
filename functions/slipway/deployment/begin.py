"""Decides, before anything is changed, whether a deployment may begin and what it starts from."""

from __future__ import annotations

from datetime import datetime

from slipway.aws import resource_name
from slipway.deployment.asked import Asked, read_asked
from slipway.deployment.begin_recovery import begin_recovery
from slipway.deployment.begin_rollback import begin_rollback
from slipway.deployment.beginning import Beginning, Case, Start, World, refuse_other_kinds
from slipway.deployment.executions import read_execution
from slipway.deployment.gates import blocked, frozen, passed, quarantined
from slipway.deployment.other_plans import with_gates_of_other_plans
from slipway.deployment.target import kept_by, usable
from slipway.ecs.service import has_settled, last_completed_task_definition, read_service
from slipway.ecs.startable import CannotStart, startable
from slipway.ecs.task_definition import Revision, containers_for, read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable, Refused
from slipway.health.alarms import read_alarms
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.ledger.ledger import TAKEN_UP
from slipway.ledger.records import Good, ServiceRecord, lane_of
from slipway.release.named import NamedRelease


def begin(start: Start, now: datetime, world: World) -> Beginning:
    """Decide how an execution of the deployment state machine goes on.

    Raises:
        Refused: the ledger has nothing for this execution to carry out, or not now.
        InvalidInput: the cluster, service, container or an alarm does not exist; or the service is of a kind
            that Slipway can't deploy to; or another plan of the service is invalid, or the gates of all of
            them are too many together.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    asked = read_asked(start.start, start.execution, start.started_at, world.ledger)
    part = asked.named if isinstance(asked.named, NamedRelease) else None
    return _begin(asked, start, now, world).model_copy(update={"part": part})


def _begin(asked: Asked, start: Start, now: datetime, world: World) -> Beginning:
    case = Case(asked.claim, asked.deployment, start.started_at, now, start.patient_since)
    if asked.recovery:
        return begin_recovery(case, asked.recovery, world)
    _take_up(asked, world)
    if asked.rollback:
        return begin_rollback(case, asked.rollback, world)
    return _begin_deployment(case, world)


def _take_up(asked: Asked, world: World) -> None:
    """Check that this execution may carry out what was asked for now, and bind it to this execution."""
    if asked.owner == asked.claim.deployment:
        return  # in an earlier try
    if asked.owner:
        raise Refused(TAKEN_UP)
    if not asked.has_come:
        raise Refused("the stage that the input of the execution names has not come")
    parent = read_execution(asked.parent, world.stepfunctions)
    if parent is None:
        raise AwsUnavailable(f"execution {asked.parent} is not there yet")
    if not parent.is_running:
        raise Refused("the release or rollback that the input of the execution names has ended")
    world.ledger.take_up(asked.claim, asked.named, asked.expires_at)


def _begin_deployment(case: Case, world: World) -> Beginning:
    service, image = case.service, case.deployment.release.image
    record = world.ledger.service(service)
    if older := case.refused_as_older(record):
        return older
    # If an earlier try of this step has claimed the service and its answer was lost, the deployment has
    # passed the gates already. It must go on, because it answers for the unproven version that it took over.
    ours = record.claim is not None and record.claim.execution == case.claim.execution
    if not ours and (refusal := quarantined(case, record)):
        return refusal
    # The other gates come after its turn: the deployment that it waits for may make an alarm fire.
    if ahead := record.ahead_of(case.claim, case.deployment, case.now):
        return case.wait_for_turn(ahead, record, world.ledger)
    waited = lane_of(case.deployment) in record.waiting
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found, world.ecs)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    container = case.deployment.policy.container
    containers = containers_for(running.content, image, container, service)
    # A deployment from which this one takes over may have left an unproven version on the service. The
    # baseline is then what the service ran before that, as the ledger has it, not what it runs now.
    before = last_completed_task_definition(found)
    baseline, was_claimed = record.baseline_for(before), record.before is not None
    if has_settled(found) and _is_good(record, running, containers, image):
        return _no_change(case, world, running.arn, waited)
    case = with_gates_of_other_plans(case, running, world)
    policy = case.deployment.policy
    if not ours and (refusal := frozen(case, record, world)):
        return refusal
    try:
        alarms = read_alarms(policy.alarm_names, world.cloudwatch)
    except (AwsUnavailable, AwsRefused) as unreadable:
        reason = f"an alarm that can't be read is neither good nor bad: {unreadable}"
        return case.wait_patiently(Cause.UNREADABLE, reason)
    if not ours and (refusal := blocked(case, alarms)):
        return refusal
    if refused := case.claim_service(world.ledger, baseline, waited=waited):
        return refused
    # Read the record again: the deployment that had the claim may have ended in the meantime, and its version
    # may be good.
    record = world.ledger.service(service)
    passed_over: list[str] = []
    good, rollback_target = _good_that_can_start(record, baseline, world, passed_over)
    as_found = not was_claimed and running.arn not in record.left
    if good and as_found and running.arn == before:
        good, rollback_target = _as_it_runs(good, rollback_target, running)
    world.ledger.open(case.claim, case.deployment, rollback_target.arn, good, None, case.now)
    drift = good is not None and not was_claimed and running.arn != rollback_target.arn
    return case.go(
        rollback_target=rollback_target.arn,
        rollback_target_tag=record.tag_in(good, case.deployment.release.image, container),
        rollback_target_images=rollback_target.images,
        replaced=baseline,
        unproven=record.abandoned(rollback_target.arn),
        left=record.left,
        alarms_firing=tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM"),
        gates=passed(case, record, alarms),
        evidence=(
            *passed_over,
            *((_drift(running, rollback_target),) if drift else ()),
            *_left_out(record, running, rollback_target, containers),
        ),
    )


def _left_out(
    record: ServiceRecord, running: Revision, base: Revision, containers: list[str]
) -> tuple[str, ...]:
    """A sentence for each image that nobody has proved good, and that the new version does not have.

    Args:
        base: what the new version is built on.
        containers: those that get the new image.
    """
    return tuple(
        f"the new version leaves out {image} in container {name}, which no deployment has proved good: "
        "start its release again afterwards"
        for name, image in running.images.items()
        if running.arn in record.left and name not in containers and image != base.images.get(name)
    )


def _good_that_can_start(
    record: ServiceRecord, baseline: str, world: World, passed_over: list[str]
) -> tuple[Good | None, Revision]:
    """The newest good version that the service can go back to, or else None with the baseline.

    The deployment begins even if the baseline can't start either: people learn of it before anything is
    changed, and RollBack chooses again.

    Args:
        passed_over: gets a sentence for each version that can't start.
    """
    ledger, ecs, ecr = world.ledger, world.ecs, world.ecr
    for good in usable(record.all_good, record, ledger, ecs, ecr, passed_over.append):
        return good
    try:
        return None, startable(baseline, kept_by(ledger, record.service), ecs, ecr)
    except CannotStart as why:
        passed_over.append(f"{why}; there is no other version to go back to")
    return None, read_task_definition(baseline, ecs)


def _as_it_runs(good: Good, rollback_target: Revision, running: Revision) -> tuple[Good, Revision]:
    """The running revision, if it has the good images and other settings; otherwise the rollback target.

    The service's stack may have changed the settings. A rollback must not undo what was changed on purpose.
    But nobody has proved a version of which any image is another one.
    """
    if running.images != rollback_target.images:
        return good, rollback_target
    return good.model_copy(update={"task_definition": running.arn}), running


def _drift(running: Revision, good: Revision) -> str:
    return (
        f"the service ran {resource_name(running.arn)}, which is not what Slipway last found good there; "
        f"it would go back to {resource_name(good.arn)}"
    )


def _is_good(record: ServiceRecord, running: Revision, containers: list[str], image: Image) -> bool:
    """Whether the service runs this image, in the very task definition that was last recorded as good."""
    images = running.images
    good = record.last_good
    return (
        good is not None
        and good.task_definition == running.arn
        and all(images[name] == image.reference_instead_of(images[name]) for name in containers)
    )


def _no_change(case: Case, world: World, running: str, waited: bool) -> Beginning:
    # The claim keeps an older release that is on its way from changing the service after this one. It may
    # have done so already, so that the service is read again.
    if refused := case.claim_service(world.ledger, running, waited=waited):
        return refused
    found = read_service(case.service, world.ecs)
    if found["taskDefinition"] != running or not has_settled(found):
        return case.wait("the service was changed a moment ago", 1)
    return case.end(Outcome.NO_CHANGE, None, "the service runs this image already, and it is good")
