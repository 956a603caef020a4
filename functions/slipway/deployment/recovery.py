"""Starts recoveries: executions that finish deployments whose execution was stopped, timed out or failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from slipway.aws import calling, error_code
from slipway.deployment.beginning import Recovery
from slipway.errors import AwsRefused, InvalidInput, SlipwayError
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import ClaimId, deployment_id
from slipway.model import parse
from slipway.release.plan import ServiceName
from slipway.release.release import unique_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# A recovery can die as well, and is then recovered in turn. After this many, a person has to look: whoever
# has stopped three in a row means it.
ATTEMPTS = 3

_SERVICE: TypeAdapter[str] = TypeAdapter(ServiceName)


class NotRecovered(SlipwayError):  # noqa: N818
    """Every recovery of the deployment died as well, so that a person has to look."""


def recover(execution: str, machine: str, ledger: Ledger, stepfunctions: SFNClient) -> str:
    """Start the recovery of a deployment whose execution died, if anything is left to do.

    A second call starts no second recovery, because the execution's name is derived from the dead one's ARN.

    Args:
        execution: ARN of the execution of the deployment state machine.
        machine: ARN of that state machine.

    Returns:
        What was done, in a sentence.

    Raises:
        NotRecovered: three recoveries have died as well.
        AwsUnavailable, AwsRefused: from AWS.
    """
    with calling("states:DescribeExecution", f"execution {execution}"):
        found: dict[str, Any] = dict(stepfunctions.describe_execution(executionArn=execution))
    if found["status"] in {"RUNNING", "PENDING_REDRIVE"}:
        return "it is running"
    start = json.loads(found["input"])
    if isinstance(start, dict) and start.get("action") == "recover":
        try:
            before = parse(Recovery, start, "the input of a recovery")
        except InvalidInput as unreadable:
            return f"it can't have changed anything: {unreadable}"
        recovery = before.model_copy(update={"why": _why(found), "attempt": before.attempt + 1})
    else:
        recovery = Recovery(
            action="recover",
            deployment=deployment_id(found["startDate"], execution),
            execution=execution,
            started_at=found["startDate"],
            why=_why(found),
            start=start if isinstance(start, dict) else {},
            attempt=1,
        )
    service = _service(recovery.start)
    if service is None:
        return "it names no service: it can't have changed one"
    if _has_ended(
        ClaimId(service=service, deployment=recovery.deployment, execution=execution), ledger
    ):
        return "it has come to its end"
    if recovery.attempt > ATTEMPTS:
        raise NotRecovered(
            f"{ATTEMPTS} executions that had to recover the deployment {recovery.deployment} of service "
            f"{service} have died as well, the last one is {execution}: look at the service, and free "
            "it in the ledger (docs/operations.md)"
        )
    name = unique_name(f"recover-{service}", execution)
    try:
        with calling("states:StartExecution", f"state machine {machine}"):
            stepfunctions.start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(recovery.to_json())
            )
    except AwsRefused as refused:
        if error_code(refused.__cause__) == "ExecutionAlreadyExists":
            # That recovery may have died as well, and its event may have been lost.
            own = machine.replace(":stateMachine:", ":execution:") + f":{name}"
            return recover(own, machine, ledger, stepfunctions)
        raise
    return f"execution {name} recovers it"


def _why(execution: dict[str, Any]) -> str:
    """How the execution ended, in words for people."""
    how = {
        "ABORTED": "its execution was stopped",
        "TIMED_OUT": "its execution ran out of time",
        "FAILED": "its execution failed",
        "SUCCEEDED": "its execution ended without freeing the service",
    }[execution["status"]]
    said = ": ".join(filter(None, (execution.get("error"), execution.get("cause"))))
    return f"{how} ({said})" if said else how


def _service(start: dict[str, Any]) -> str | None:
    try:
        return _SERVICE.validate_python(start.get("service"))
    except ValidationError:
        return None


def _has_ended(claim: ClaimId, ledger: Ledger) -> bool:
    """Whether the outcome is recorded and (unless it is quiet) notified, and the service is free of it."""
    record = ledger.deployment(claim)
    if record is None or record.outcome is None:
        return False
    if not record.outcome.facts.quiet and "end" not in record.notified:
        return False
    try:
        current = ledger.service(claim.service).claim
    except Unreadable:
        if record.steps:
            raise
        return True  # it never claimed the service
    return current is None or current.deployment != claim.deployment
