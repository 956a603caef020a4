"""Reads from a local AWS what events are recorded from: steps, executions, and what rules deliver."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from localaws import aws

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.05


def steps(execution: str) -> Iterator[tuple[str, Any]]:
    """The state and the payload of every Lambda task of an execution, in order."""
    history = aws.client("stepfunctions").get_execution_history(executionArn=execution)
    entered = ""
    for event in history["events"]:
        entered = event.get("stateEnteredEventDetails", {}).get("name", entered)
        scheduled = event.get("taskScheduledEventDetails", {})
        if scheduled.get("resourceType") == "lambda":
            yield entered, json.loads(scheduled["parameters"])["Payload"]


def executions(machine: str) -> list[str]:
    """The ARNs of the machine's executions, oldest first."""
    found = aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["executionArn"] for execution in reversed(found)]


def listen(name: str, **rule: str) -> str:
    """Make a rule that puts its events in a queue; return the queue's URL."""
    queue: str = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    aws.client("events").put_rule(Name=name, **rule)
    arn = f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:{name}"
    aws.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def heard(queue: str) -> Iterator[Any]:
    """The messages of a queue, as they arrive."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            yield json.loads(message["Body"])
    raise TimeoutError(f"no such message in {queue} within {PATIENCE_SECONDS} s")


def named_steps(execution: str) -> Iterator[tuple[str, Any]]:
    """Like ``steps``, with the events' names in place of the states'."""
    for state, payload in steps(execution):
        yield re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower(), payload


def given_to(execution: str) -> Any:
    """The input of an execution."""
    found = aws.client("stepfunctions").describe_execution(executionArn=execution)
    return json.loads(found["input"])


def wait_for_end_of(execution: str) -> None:
    """Wait until the execution has ended."""
    client, deadline = aws.client("stepfunctions"), time.monotonic() + PATIENCE_SECONDS
    while client.describe_execution(executionArn=execution)["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{execution} is still running after {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)
