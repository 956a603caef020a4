"""Decides how a recovery finishes a deployment whose execution died."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from slipway.deployment.beginning import Beginning, Case, World
from slipway.ecs.task_definition import read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.ledger.ledger import superseded_by
from slipway.ledger.records import Recovery


def begin_recovery(case: Case, recovery: Recovery, world: World) -> Beginning:
    """Decide how to end a deployment whose execution was stopped, timed out or crashed.

    The recovery continues the same deployment, with its id, its release and its policy.

    Raises:
        InvalidInput: the service is gone.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    claim, now = case.claim, case.now
    record = world.ledger.deployment(claim)
    if record and record.deployment:
        case = replace(case, deployment=record.deployment)
    if record and record.end:
        return case.end_again(record.end)
    known = world.ledger.service(claim.service)
    unchanged = f"{recovery.why} before anything was changed"
    changing = record is not None and record.changing
    ours = known.last_claimed_by(claim.deployment)
    if changing and not ours:
        return case.superseded(superseded_by(known))
    if not ours and (older := case.refused_as_older(known)):
        return older
    # A person may have freed the service since.
    baseline = known.baseline
    if baseline is None or not (changing or (ours and known.claim)):
        return case.end(Outcome.FAILED, Cause.INTERRUPTED, unchanged)
    # The baseline remains what the service ran before the dead execution changed it, not what it runs now.
    if refused := case.claim_service(world.ledger, baseline, recovering=True):
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
    world.ledger.open(claim, case.deployment, rollback_target, known.last_good, put, now)
    good = record.good_target if record else None
    manual_rollback = put is not None and case.deployment.release.manual_rollback
    return case.roll_back(
        reason=recovery.why,
        cause=Cause.INTERRUPTED,
        manual_rollback=manual_rollback,
        updated=manual_rollback or (record is not None and record.update is not None),
        update=record.update if record else None,
        rollback_target=rollback_target,
        rollback_target_tag=known.tag_in(
            good, case.deployment.release.image, case.deployment.policy.container
        ),
        rollback_target_images=_images(rollback_target, world),
        replaced=baseline,
        task_definition=put,
        unproven=unproven,
    )


def _images(task_definition: str, world: World) -> Mapping[str, str]:
    """The images of a task definition, by container; empty if it can't be read.

    Only the notice shows them. RollBack reads it again, tries for longer, and says why it can't.
    """
    try:
        return read_task_definition(task_definition, world.ecs).images
    except (AwsRefused, AwsUnavailable):
        return {}
