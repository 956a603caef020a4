"""Shows a deployment live: its state, how many of the desired tasks are healthy, and the time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from localaws import aws

PATIENCE_SECONDS = 120
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Ended:
    """How a deployment ended."""

    image: str
    outcome: str
    reason: str
    seconds: float


def follow(console: Console, machine: str, service: str, image: str) -> Ended:
    """Show the deployment of ``image`` on ``service`` until it has ended.

    Args:
        machine: ARN of the deployment state machine.
    """
    began = time.monotonic()
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[state]:24}"),
        TextColumn("{task.fields[tasks]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        line = progress.add_task(f"{image} -> {service}", total=1, state="pushed", tasks="")
        for execution in _deployment(machine, service, image):
            progress.update(line, state=_state_entered(execution), tasks=_tasks(service))
            described = aws.client("stepfunctions").describe_execution(executionArn=execution)
            if described["status"] != "RUNNING":
                outcome, reason = _outcome(described)
                progress.update(line, completed=1, state=outcome, tasks=_tasks(service))
                return Ended(image, outcome, reason, time.monotonic() - began)
    return Ended(image, "none", f"not ended within {PATIENCE_SECONDS} s", time.monotonic() - began)


def _deployment(machine: str, service: str, image: str) -> Iterator[str]:
    """The ARN of the image's deployment on the service, repeated until PATIENCE_SECONDS are over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: str | None = None
    while time.monotonic() < deadline:
        found = found or _find(machine, service, image)
        if found:
            yield found
        time.sleep(POLL_SECONDS)


def _find(machine: str, service: str, image: str) -> str | None:
    """The execution that is named after the service and the image's tag (`execution_name`)."""
    named = f"{service.replace('/', '-')}-{image.rpartition(':')[2]}-"
    client = aws.client("stepfunctions")
    for execution in client.list_executions(stateMachineArn=machine)["executions"]:
        if execution["name"].startswith(named):
            return str(execution["executionArn"])
    return None


def _state_entered(execution: str) -> str:
    history = aws.client("stepfunctions").get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=20
    )
    entered = (
        e["stateEnteredEventDetails"]["name"]
        for e in history["events"]
        if "stateEnteredEventDetails" in e
    )
    return next(entered, "started")


def _tasks(service: str) -> str:
    cluster, _, name = service.partition("/")
    found = aws.client("ecs").describe_services(cluster=cluster, services=[name])["services"][0]
    healthy = {group["targetGroupArn"]: 0 for group in found["loadBalancers"]}
    for group in healthy:
        targets = aws.client("elbv2").describe_target_health(TargetGroupArn=group)
        states = [t["TargetHealth"]["State"] for t in targets["TargetHealthDescriptions"]]
        healthy[group] = states.count("healthy")
    fewest = min(healthy.values(), default=found["runningCount"])
    return f"{fewest}/{found['desiredCount']} healthy"


def _outcome(execution: dict[str, Any]) -> tuple[str, str]:
    if execution["status"] == "SUCCEEDED":
        output = json.loads(execution["output"])
        return output["outcome"], output["reason"]
    return execution.get("error", execution["status"]), execution.get("cause", "")
