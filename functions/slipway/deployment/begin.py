"""Decides, before anything is changed, whether a deployment may begin and what it starts from."""

from __future__ import annotations

from datetime import datetime

from slipway.aws import error_code, resource_name
from slipway.deployment.begin_recovery import begin_recovery
from slipway.deployment.begin_rollback import begin_rollback
from slipway.deployment.beginning import (
    Beginning,
    Case,
    ManualRollback,
    Recovery,
    Start,
    World,
    refuse_other_kinds,
)
from slipway.deployment.gates import blocked, frozen, passed, quarantined
from slipway.ecs.service import has_settled, last_completed_task_definition, read_service
from slipway.ecs.task_definition import Revision, containers_for, read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.alarms import read_alarms
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.ledger.records import Good, ServiceRecord
from slipway.model import parse, parse_written
from slipway.release.release import Deployment


def begin(start: Start, now: datetime, world: World) -> Beginning:
    """Decide how an execution of the deployment state machine goes on.

    Its input is a Deployment, or with an ``action`` a ManualRollback or a Recovery.

    Raises:
        InvalidInput: the input can't be read; the cluster, service, container or an alarm does not
            exist; or the service is of a kind that Slipway can't deploy to.
        AwsUnavailable, AwsRefused: from AWS.
    """
    action = start.start.get("action")
    if action == "rollback":
        wanted = parse_written(ManualRollback, start.start, "the manual rollback")
        return begin_rollback(wanted, start, now, world)
    if action == "recover":
        recovery = parse(Recovery, start.start, "the input of the recovery")
        return begin_recovery(recovery, start, now, world)
    deployment = parse(Deployment, start.start, "the input of the deployment state machine")
    case = Case(start.claim_id(deployment.service), deployment, start.started_at, now)
    return _begin_deployment(case, world)


def _begin_deployment(case: Case, world: World) -> Beginning:
    service, policy, image = case.service, case.deployment.policy, case.deployment.release.image
    record = world.ledger.service(service)
    if older := case.refused_as_older(record):
        return older
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    containers = containers_for(running.content, image, policy.container, service)
    # A deployment from which this one takes over may have left an unproven version on the service. The
    # baseline is then what the service ran before that, as the ledger has it, not what it runs now.
    before = last_completed_task_definition(found)
    baseline, was_claimed = record.before or before, record.before is not None
    if has_settled(found) and _is_good(record, running, containers, image.reference):
        return _no_change(case, world, running.arn)
    # If an earlier try of this step has claimed the service and its answer was lost, the deployment has
    # passed the gates already. It must go on, because it answers for the unproven version that it took over.
    ours = record.claim is not None and record.claim.execution == case.claim.execution
    if not ours and (refusal := quarantined(case, record) or frozen(case, world)):
        return refusal
    try:
        alarms = read_alarms(policy.alarm_names, world.cloudwatch)
    except (AwsUnavailable, AwsRefused) as unreadable:
        reason = f"an alarm that can't be read is neither good nor bad: {unreadable}"
        return case.wait_patiently(Cause.UNREADABLE, reason)
    if not ours and (refusal := blocked(case, alarms)):
        return refusal
    if refused := case.claim_service(world.ledger, baseline):
        return refused
    # Read the record again: the deployment that had the claim may have ended in the meantime, and its version
    # may be good.
    record = world.ledger.service(service)
    good, rollback_target = _good_that_exists(record, baseline, world)
    if good and not was_claimed and running.arn == before:
        good, rollback_target = _as_it_runs(good, rollback_target, running, containers)
    world.ledger.open(case.claim, case.deployment, rollback_target.arn, good, None, case.now)
    drift = good is not None and not was_claimed and running.arn != rollback_target.arn
    return case.go(
        rollback_target=rollback_target.arn,
        rollback_target_images=rollback_target.images,
        replaced=baseline,
        unproven=record.abandoned(rollback_target.arn),
        alarms_firing=tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM"),
        gates=passed(case, record, alarms),
        evidence=(_drift(running, rollback_target),) if drift else (),
    )


def _good_that_exists(
    record: ServiceRecord, baseline: str, world: World
) -> tuple[Good | None, Revision]:
    """The newest good version whose task definition ECS still has, or else None with the baseline."""
    for good in record.all_good:
        try:
            return good, read_task_definition(good.task_definition, world.ecs)
        except AwsRefused as refused:
            # ECS answers ClientException if the task definition does not exist.
            if error_code(refused.__cause__) != "ClientException":
                raise
    return None, read_task_definition(baseline, world.ecs)


def _as_it_runs(
    good: Good, rollback_target: Revision, running: Revision, containers: list[str]
) -> tuple[Good, Revision]:
    """The running revision, if it is the good image with other settings; otherwise the rollback target.

    The service's stack may have changed the settings. A rollback must not undo what was changed on purpose.
    """
    if any(running.images[name] != rollback_target.images.get(name) for name in containers):
        return good, rollback_target
    return good.model_copy(update={"task_definition": running.arn}), running


def _drift(running: Revision, good: Revision) -> str:
    return (
        f"the service ran {resource_name(running.arn)}, which is not what Slipway last found good there; "
        f"it would go back to {resource_name(good.arn)}"
    )


def _is_good(
    record: ServiceRecord, running: Revision, containers: list[str], reference: str
) -> bool:
    """Whether the service runs this image, in the very task definition that was last recorded as good."""
    images = running.images
    good = record.last_good
    return (
        good is not None
        and good.task_definition == running.arn
        and all(images[container] == reference for container in containers)
    )


def _no_change(case: Case, world: World, running: str) -> Beginning:
    # The claim keeps an older release that is on its way from changing the service after this one. It may
    # have done so already, so that the service is read again.
    if refused := case.claim_service(world.ledger, running):
        return refused
    found = read_service(case.service, world.ecs)
    if found["taskDefinition"] != running or not has_settled(found):
        return case.wait("the service was changed a moment ago", 1)
    return case.end(Outcome.NO_CHANGE, None, "the service runs this image already, and it is good")
