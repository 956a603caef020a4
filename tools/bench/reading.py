"""What the benchmark reads from the account. Every time is one that AWS reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from localaws import aws
from localaws.lambda_ import awslambda
from localaws.lambda_.awslambda import Invocation
from tools.bench import UnexpectedError
from tools.bench.history import Event

CLUSTER, SERVICE = "production", "api"
PATIENCE_SECONDS = 120
POLL_SECONDS = 0.1  # so rarely that it does not slow down what is measured

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Wait until the condition is truthy; return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise UnexpectedError(f"not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)
    return value


def describe(execution: str) -> dict[str, Any]:
    """DescribeExecution."""
    client = aws.client("stepfunctions")
    described: dict[str, Any] = client.describe_execution(executionArn=execution)
    return described


def history(execution: str) -> list[Event]:
    """The whole history, oldest first."""
    pages = aws.client("stepfunctions").get_paginator("get_execution_history")
    return [e for page in pages.paginate(executionArn=execution) for e in page["events"]]


def has_entered(execution: str, state: str) -> bool:
    """Whether the execution has entered this state."""
    details = [event.get("stateEnteredEventDetails", {}) for event in history(execution)]
    return any(detail.get("name") == state for detail in details)


def release_of(state_machine: str, tag: str) -> str | None:
    """The newest execution, if the push of this tag started it."""
    newest = aws.client("stepfunctions").list_executions(
        stateMachineArn=state_machine, maxResults=1
    )["executions"]
    for execution in newest:
        event = json.loads(describe(execution["executionArn"])["input"])
        if event["detail"]["image-tag"] == tag:
            return str(execution["executionArn"])
    return None


def deployment_of(release: str) -> str | None:
    """The execution of the deployment that the release started."""
    for event in history(release):
        if event["type"] == "TaskSubmitted":
            output = json.loads(event["taskSubmittedEventDetails"]["output"])
            return str(output["ExecutionArn"])
    return None


def running(state_machine: str) -> bool:
    """Whether an execution of the state machine is running."""
    client = aws.client("stepfunctions")
    found = client.list_executions(stateMachineArn=state_machine, statusFilter="RUNNING")
    return bool(found["executions"])


def primary() -> dict[str, Any]:
    """The service's PRIMARY deployment, which UpdateService made."""
    ecs = aws.client("ecs")
    (service,) = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
    deployment: dict[str, Any] = service["deployments"][0]
    return deployment


def first_failure(since: datetime) -> datetime:
    """When the first task that failed after this time stopped."""
    ecs = aws.client("ecs")
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=CLUSTER, serviceName=SERVICE, desiredStatus="STOPPED"
    )
    stopped: list[datetime] = [
        task["stoppedAt"]
        for page in pages
        for task in ecs.describe_tasks(cluster=CLUSTER, tasks=page["taskArns"])["tasks"]
        if task["stopCode"] == "EssentialContainerExited"
    ]
    return min(moment for moment in stopped if moment > since)


def recovered(since: int, times: int) -> None:
    """Wait for this many invocations of Recover, without the first ones."""

    def has_checked() -> bool:
        invoked = [i for i in awslambda.invocations()[since:] if function_name(i) == "Recover"]
        return len(invoked) >= times

    wait_for(has_checked, f"{times} invocations of Recover")


def function_name(invocation: Invocation) -> str:
    """The logical name of the function that was invoked."""
    return _logical(invocation.function)


def _logical(function: str) -> str:
    """The logical name of a function that CloudFormation named stack-LogicalName-suffix."""
    return function.split("-")[1]


def memory_mb() -> int:
    """The memory that every function of a deployment has. The sweep's is no such function."""
    functions = aws.client("lambda").list_functions()["Functions"]
    (memory,) = {
        function["MemorySize"]
        for function in functions
        if _logical(function["FunctionName"]) != "Sweep"
    }
    return int(memory)
