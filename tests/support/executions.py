"""Executions on the local AWS of this process, read from moto's backend.

To ask the API for them many times a second would take a fifth of the tests' time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.models import StepFunctionsParserBackend as Backend
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localaws.aws import ACCOUNT, REGION

ENDED_SECONDS = 120
"""How long to wait for an end on a slow machine; most take a few seconds."""


@dataclass(frozen=True)
class Listed:
    """An execution, running or ended."""

    arn: str
    status: str
    input: dict[str, Any]


def backend() -> Backend:
    """moto's Step Functions."""
    found: Backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    return found


def listed(machine: str) -> list[Listed]:
    """The executions of the state machine with this ARN, newest first."""
    return [
        Listed(each.execution_arn, str(each.status), json.loads(each.execution_input))
        for each in reversed(backend().describe_state_machine(machine).executions)
    ]


def ended(arn: str) -> dict[str, Any]:
    """Wait for the end of an execution; what DescribeExecution answers then, absent fields as None."""
    execution: Any = backend().describe_execution(arn)
    assert execution.ended.wait(ENDED_SECONDS), f"{arn} does not end"
    found: dict[str, Any] = execution.describe()
    return found
