"""Stale reads: DescribeExecution is eventually consistent, and a fault shows what was so before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from localaws.faults import faults
from localaws.server import LocalAws
from tests.support.waiting import wait_for

DESCRIBE = "states:DescribeExecution"
ROLE = "arn:aws:iam::123456789012:role/states"
STATES: dict[str, dict[str, Any]] = {
    "ends": {"Type": "Fail", "Error": "E", "Cause": "C"},
    "waits": {"Type": "Wait", "Seconds": 3600, "End": True},
}


class Executions:
    """Starts executions of a state machine that ends at once, or waits."""

    def __init__(self, aws: LocalAws) -> None:
        self.client = aws.client("stepfunctions")

    def start(self, how: str) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": STATES[how]}}
        machine = self.client.create_state_machine(
            name=f"stale-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=ROLE
        )["stateMachineArn"]
        return str(self.client.start_execution(stateMachineArn=machine)["executionArn"])

    def describe(self, execution: str) -> dict[str, Any]:
        described: dict[str, Any] = self.client.describe_execution(executionArn=execution)
        return {name: described[name] for name in described if name != "ResponseMetadata"}

    def ended(self) -> str:
        """An execution that has failed."""
        execution = self.start("ends")
        wait_for(lambda: self.describe(execution)["status"] == "FAILED", "the end")
        return execution


@pytest.fixture
def executions(aws: LocalAws) -> Iterator[Executions]:
    yield Executions(aws)
    faults.clear()


def test_an_execution_that_has_ended_is_described_as_running_and_then_as_it_is(
    executions: Executions,
) -> None:
    execution = executions.ended()
    fault = faults.add(action=DESCRIBE, how="stale", containing=execution, times=2)
    before = [executions.describe(execution) for _ in range(2)]
    now = executions.describe(execution)
    assert (
        before
        == [
            {n: v for n, v in now.items() if n not in ("stopDate", "error", "cause")}
            | {"status": "RUNNING"}
        ]
        * 2
    )
    assert (now["status"], now["error"], now["cause"]) == ("FAILED", "E", "C")
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (3, 2)


def test_an_execution_that_has_just_started_does_not_exist_yet(executions: Executions) -> None:
    execution = executions.start("waits")
    fault = faults.add(action=DESCRIBE, how="stale", containing=execution)
    with pytest.raises(
        executions.client.exceptions.ExecutionDoesNotExist,
        match=f"Execution Does Not Exist: '{execution}'",
    ):
        executions.describe(execution)
    assert executions.describe(execution)["status"] == "RUNNING"
    assert faults.get(fault)["hits"] == 1


def test_a_read_is_stale_for_so_many_seconds_after_the_change_and_no_longer(
    executions: Executions,
) -> None:
    execution = executions.ended()
    long = faults.add(action=DESCRIBE, how="stale", containing=execution, seconds=3600)
    assert [executions.describe(execution)["status"] for _ in range(3)] == ["RUNNING"] * 3
    assert faults.remove(long)["hits"] == 3
    short = faults.add(action=DESCRIBE, how="stale", containing=execution, seconds=0.001)
    assert executions.describe(execution)["status"] == "FAILED"
    assert (faults.get(short)["seen"], faults.get(short)["hits"]) == (1, 0)


def test_a_stale_read_of_another_execution_changes_nothing(executions: Executions) -> None:
    one, other = executions.ended(), executions.ended()
    fault = faults.add(action=DESCRIBE, how="stale", containing=one)
    assert executions.describe(other)["status"] == "FAILED"
    assert faults.get(fault)["seen"] == 0


def test_a_stale_read_of_what_never_was_hits_nothing(executions: Executions) -> None:
    execution = executions.ended()
    fault = faults.add(action=DESCRIBE, how="stale")
    with pytest.raises(executions.client.exceptions.ExecutionDoesNotExist):
        executions.describe(f"{execution}-other")
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (1, 0)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"action": "states:StopExecution"}, "states:StopExecution can't be stale"),
        ({"action": DESCRIBE, "seconds": 0}, "seconds: must be a number greater than 0"),
        ({"action": DESCRIBE, "seconds": True}, "seconds: must be a number greater than 0"),
        ({"action": DESCRIBE, "seconds": 1, "times": 1}, "seconds, or times: not both"),
        ({"action": DESCRIBE, "how": "error", "seconds": 1}, "seconds: only for how stale"),
    ],
)
def test_a_fault_that_could_never_make_a_read_stale_is_refused(
    aws: LocalAws, fault: dict[str, Any], why: str
) -> None:
    refusal = requests.post(
        f"{aws.url}/_localaws/faults", json={"how": "stale", **fault}, timeout=10
    )
    assert refusal.status_code == 400
    assert why in refusal.json()["message"]
