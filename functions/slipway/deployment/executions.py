"""Reads executions of the state machines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True)
class Execution:
    """An execution, as DescribeExecution has it."""

    status: str
    started_at: datetime
    start: Any
    """The input; any JSON. None if it is nested too deep to be read."""
    error: str
    cause: str
    redrives: int
    """How often a person has redriven it after its end."""

    @property
    def is_running(self) -> bool:
        """Whether it goes on, now or after the redrive that it waits for."""
        return self.status in {"RUNNING", "PENDING_REDRIVE"}


def read_execution(arn: str, stepfunctions: SFNClient) -> Execution | None:
    """The execution, or None if Step Functions has none of this ARN, or none yet.

    DescribeExecution is eventually consistent (its API reference): an execution that has just ended may be
    RUNNING here, and one that has just started may be None.

    Raises:
        AwsUnavailable, AwsRefused: from Step Functions.
    """
    try:
        with calling("states:DescribeExecution", f"execution {arn}"):
            found = stepfunctions.describe_execution(executionArn=arn)
    except AwsRefused as refused:
        if error_code(refused.__cause__) == "ExecutionDoesNotExist":
            return None
        raise
    return Execution(
        status=found["status"],
        started_at=found["startDate"],
        start=_read(found["input"]),
        error=found.get("error", ""),
        cause=found.get("cause", ""),
        redrives=found.get("redriveCount", 0),
    )


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        return None
