"""What an execution of the deployment state machine was asked to do, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from slipway.errors import Refused
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId, Recovery, RollbackRecord, deployment_id
from slipway.release.named import NamedRecovery, NamedRelease, NamedRollback, parse_named
from slipway.release.release import Deployment


@dataclass(frozen=True)
class Asked:
    """A deployment that the ledger knows, for the execution that carries it out."""

    claim: ClaimId
    """Under its own id or, in a recovery, under that of the deployment which it finishes."""
    deployment: Deployment
    named: NamedRelease | NamedRollback
    """What the deployment's first execution was started with."""
    parent: str
    """ARN of the execution that started it: of the release, or of the manual rollback."""
    owner: str | None
    """Id of the deployment that carries this out; None until one has begun."""
    carried_out_in: str | None
    """ARN of that deployment's first execution; None likewise."""
    has_come: bool
    """Whether its stage may start."""
    expires_at: int
    """When the ledger may forget it, in seconds since 1970."""
    rollback: RollbackRecord | None = None
    """None if this is no manual rollback."""
    recovery: Recovery | None = None
    """None if this is the deployment's first execution."""


def read_asked(start: Any, execution: str, started_at: datetime, ledger: Ledger) -> Asked:
    """Read what the input of an execution names.

    Args:
        start: the input, any JSON.
        execution: ARN of the execution.
        started_at: when the execution started.

    Raises:
        Refused: the ledger has nothing of that name, or not for this execution.
        AwsUnavailable, AwsRefused, Unreadable: from the ledger.
    """
    named = parse_named(start)
    recovery = None
    deployment = deployment_id(started_at, execution)
    if isinstance(named, NamedRecovery):
        deployment = named.recover
        claim = ClaimId(service=named.service, deployment=deployment, execution=execution)
        known = ledger.deployment(claim)
        recovery = known.recovery if known else None
        if recovery is None or recovery.execution != execution:
            raise Refused("the ledger has no recovery that this execution has to carry out")
        named = recovery.start
    asked = (
        _of_release(named, deployment, execution, ledger)
        if isinstance(named, NamedRelease)
        else _of_rollback(named, deployment, execution, ledger)
    )
    return replace(asked, recovery=recovery)


def _of_release(named: NamedRelease, deployment: str, execution: str, ledger: Ledger) -> Asked:
    record = ledger.release(named.release)
    planned = record.deployment(named.stage, named.service) if record else None
    if record is None or planned is None:
        raise Refused(
            "the ledger has no release that deploys what the input of the execution names"
        )
    progress = record.progress_of(named)
    return Asked(
        claim=ClaimId(service=named.service, deployment=deployment, execution=execution),
        deployment=planned,
        named=named,
        parent=record.execution,
        owner=progress.deployment if progress else None,
        carried_out_in=progress.execution if progress else None,
        has_come=record.has_come(named.stage),
        expires_at=record.expires_at,
    )


def _of_rollback(named: NamedRollback, deployment: str, execution: str, ledger: Ledger) -> Asked:
    record = ledger.rollback(named.rollback)
    if record is None:
        raise Refused("the ledger has no manual rollback that the input of the execution names")
    return Asked(
        claim=ClaimId(
            service=record.deployment.service, deployment=deployment, execution=execution
        ),
        deployment=record.deployment,
        named=named,
        parent=record.execution,
        owner=record.carried_out_by,
        carried_out_in=record.carried_out_in,
        has_come=True,
        expires_at=record.expires_at,
        rollback=record,
    )
