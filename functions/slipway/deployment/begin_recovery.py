"""Decides how a recovery finishes a deployment whose execution died."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from slipway.deployment.begin_rollback import as_deployment
from slipway.deployment.beginning import Beginning, Case, ManualRollback, Recovery, Start, World
from slipway.ecs.service import read_service
from slipway.ecs.task_definition import read_task_definition
from slipway.errors import AwsRefused
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.ledger.records import ClaimId
from slipway.model import parse
from slipway.release.release import Deployment


def begin_recovery(recovery: Recovery, start: Start, now: datetime, world: World) -> Beginning:
    """Decide how to end a deployment whose execution was stopped, timed out or crashed.

    The recovery continues the same deployment, with its id, its release and its policy.

    Raises:
        InvalidInput: the input can't be read, or the service is gone.
        AwsUnavailable, AwsRefused: from AWS.
    """
    claim = parse(
        ClaimId,
        {
            "service": recovery.start.get("service"),
            "deployment": recovery.deployment,
            "execution": start.execution,
        },
        "the input of the recovery",
    )
    record = world.ledger.deployment(claim)
    asked = record.deployment if record else None
    deployment = asked or _asked(recovery, world)
    case = Case(claim, deployment, start.started_at, now)
    if record and record.end:
        return case.end_again(record.end)
    known = world.ledger.service(claim.service)
    if older := case.refused_as_older(known):
        return older
    unchanged = f"{recovery.why} before anything was changed"
    claimed = known.claim is not None and known.claim.deployment == claim.deployment
    # If the dead execution never claimed the service, the claim that exists now is another deployment's.
    baseline = known.baseline
    if baseline is None or not (claimed or (record and record.changing)):
        return case.end(Outcome.FAILED, Cause.INTERRUPTED, unchanged)
    # The baseline remains what the service ran before the dead execution changed it, not what it runs now.
    if refused := case.claim_service(world.ledger, baseline):
        return refused
    # Read both again: a function that outlived its execution could write to the ledger until the claim
    # changed. From now on it can't.
    record, known = world.ledger.deployment(claim), world.ledger.service(claim.service)
    if record and record.end:
        return case.end_again(record.end)
    put = record.task_definition if record and record.changing else None
    rollback_target = known.rollback_target(record) or baseline
    unproven = known.abandoned(rollback_target)
    if not (put or unproven):
        return case.end(Outcome.FAILED, Cause.INTERRUPTED, unchanged)
    # Does nothing if the dead execution has opened the history already.
    world.ledger.open(case.claim, deployment, rollback_target, known.last_good, put, now)
    manual_rollback = put is not None and deployment.release.manual_rollback
    return case.roll_back(
        reason=recovery.why,
        cause=Cause.INTERRUPTED,
        manual_rollback=manual_rollback,
        updated=manual_rollback or (record is not None and record.ecs_deployment is not None),
        rollback_target=rollback_target,
        rollback_target_images=_images(rollback_target, world),
        replaced=baseline,
        task_definition=put,
        unproven=unproven,
    )


def _images(task_definition: str, world: World) -> Mapping[str, str]:
    """The images of a task definition, by container; empty if it can't be read, for RollBack will say why."""
    try:
        return read_task_definition(task_definition, world.ecs).images
    except AwsRefused:
        return {}


def _asked(recovery: Recovery, world: World) -> Deployment:
    """The deployment that the dead execution was started for, made from its input instead of the ledger."""
    if recovery.start.get("action") != "rollback":
        return parse(Deployment, recovery.start, "the input of the execution to recover")
    wanted = parse(ManualRollback, recovery.start, "the input of the execution to recover")
    running = read_service(wanted.service, world.ecs)["taskDefinition"]
    dead = Start(start=recovery.start, execution=recovery.execution, started_at=recovery.started_at)
    return as_deployment(wanted, dead, read_task_definition(running, world.ecs), world)
