"""What the ledger has of releases, manual rollbacks and recoveries, and the inputs that name it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from slipway import aws
from slipway.ledger.ledger import Ledger
from slipway.ledger.operations import Operations
from slipway.ledger.records import Audit, Quarantined, Recovery, ReleaseRecord, RollbackRecord
from slipway.release.named import NamedRecovery, NamedRelease, NamedRollback, parse_named
from slipway.release.release import Deployment, PlannedDeployment, ReleaseStage
from tests.support.builders import (
    NOW,
    OLD,
    RELEASES,
    ROLLBACKS,
    SERVICE,
    claim,
    deployment,
    execution,
    image,
    release,
)
from tests.support.stubs import Stubbed

EXPIRES_AT = int((NOW + timedelta(days=400)).timestamp())
RELEASE = f"{RELEASES.replace(':stateMachine:', ':execution:')}:r-1"
"""ARN of the release's execution."""
ROLLBACK = f"{ROLLBACKS.replace(':stateMachine:', ':execution:')}:r-1"
"""ARN of the rollback's execution."""


def release_record(*deployments: Deployment) -> ReleaseRecord:
    """The record of a release with these deployments, whose stages come in their order."""
    stages: dict[str, list[PlannedDeployment]] = {}
    for each in deployments:
        planned = PlannedDeployment(service=each.service, policy=each.policy)
        stages.setdefault(str(each.stage), []).append(planned)
    return ReleaseRecord(
        release=deployments[0].release,
        stages=tuple(ReleaseStage(name=n, services=tuple(s)) for n, s in stages.items()),
        execution=RELEASE,
        expires_at=EXPIRES_AT,
    )


def part_of(asked: Deployment) -> NamedRelease:
    """The part of a release that this deployment carries out."""
    return NamedRelease(release=asked.release.id, stage=str(asked.stage), service=asked.service)


def recorded(ledger: Ledger, asked: Deployment) -> dict[str, Any]:
    """Record a release that makes only this deployment; the input that names it."""
    ledger.record_release(release_record(asked))
    return part_of(asked).to_json()


def taken_up(
    ledger: Ledger, asked: Deployment, name: str = "e-1", **changes: Any
) -> dict[str, Any]:
    """The same, and the execution of this name carries it out.

    Args:
        changes: the fields of its ClaimId.
    """
    start = recorded(ledger, asked)
    own = claim(name, service=asked.service, **changes)
    ledger.take_up(own, part_of(asked), EXPIRES_AT)
    return start


def rollback_recorded(
    ledger: Ledger,
    asked: Deployment,
    name: str | None = "e-1",
    deployment: str | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Record a manual rollback; the input that names it.

    Args:
        name: of the execution that carries it out; None if none does so far.
        deployment: the id of its deployment, if it is another one than `claim` makes.
        facts: the fields of RollbackRecord.
    """
    known = {"running": OLD, "execution": ROLLBACK, "expires_at": EXPIRES_AT}
    ledger.record_rollback("rollback-1", RollbackRecord(deployment=asked, **known | facts))
    named = NamedRollback(rollback="rollback-1")
    if name:
        changes = {"deployment": deployment} if deployment else {}
        ledger.take_up(claim(name, service=asked.service, **changes), named, EXPIRES_AT)
    return named.to_json()


def manual_rollback(**changes: Any) -> Deployment:
    """A manual rollback as a deployment: Ada abandons the image that the service runs."""
    abandons = release(
        id="rollback-1", image=image(tag=None), started_by="manual rollback", by="Ada"
    )
    return deployment(**{"release": abandons, "stage": None} | changes)


def recovery_recorded(
    ledger: Ledger, start: dict[str, Any], name: str = "recover-1", of: str = "e-1", **facts: Any
) -> dict[str, Any]:
    """Record that an execution has to recover a deployment; the input that names the recovery.

    Args:
        start: the input of the deployment's first execution.
        name: of the execution that recovers it.
        of: the name of the deployment's first execution.
        facts: the fields of Recovery.
    """
    known = {
        "attempt": 1,
        "execution": execution(name),
        "why": "its execution was stopped",
        "start": parse_named(start),
    }
    own = claim(of)
    found = ledger.deployment(own)
    assert ledger.note_recovery(own, Recovery(**known | facts), found.recovery if found else None)
    return NamedRecovery(recover=own.deployment, service=own.service).to_json()


def freed(service: str = SERVICE) -> None:
    """A person frees the service."""
    why = {"action": "free", "service": service, "by": "Ada", "why": "it hangs"}
    Operations(aws.table()).free(
        service, Audit(id="invocation-1", at=NOW, expires_at=EXPIRES_AT, **why)
    )


def quarantined_by_ada(digest: str, service: str = SERVICE, moment: datetime = NOW) -> None:
    """A person quarantines an image."""
    why = {"action": "quarantine", "service": service, "by": "Ada", "why": "it leaks"}
    Operations(aws.table()).quarantine(
        service,
        digest,
        Quarantined(at=moment, reason="Ada: it leaks"),
        Audit(id="invocation-2", at=moment, expires_at=EXPIRES_AT, digest=digest, **why),
    )


def execution_described(
    stepfunctions: Stubbed,
    arn: str = RELEASE,
    status: str = "RUNNING",
    start: Any = None,
    **changes: Any,
) -> None:
    """Expect DescribeExecution; it answers with an execution that started at NOW with this input."""
    answer = {
        "executionArn": arn,
        "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
        "startDate": NOW,
        "status": status,
        "input": json.dumps(start),
    }
    stepfunctions.answers("describe_execution", answer | changes, executionArn=arn)
