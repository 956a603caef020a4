"""Writes events/: what the rule delivers, a manual start, and the input of every step, from a real run.

The run is the demo's: its second image is good, its third one is rolled back, so every step has work.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from demo import story
from demo.follow import follow
from localaws import aws, sam
from localaws.server import LocalAws

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "events"


def steps(execution: str) -> Iterator[tuple[str, Any]]:
    """State and payload of every Lambda task of an execution, in order."""
    history = aws.client("stepfunctions").get_execution_history(executionArn=execution)
    entered = ""
    for event in history["events"]:
        entered = event.get("stateEnteredEventDetails", {}).get("name", entered)
        scheduled = event.get("taskScheduledEventDetails", {})
        if scheduled.get("resourceType") == "lambda":
            yield entered, json.loads(scheduled["parameters"])["Payload"]


def executions(machine: str) -> list[str]:
    """ARNs of the machine's executions, oldest first."""
    found = aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["executionArn"] for execution in reversed(found)]


def record() -> dict[str, Any]:
    """Run the story on a local AWS; the events by the name of their file."""
    sam.build(ROOT)
    with LocalAws() as running:
        story.make_service()  # before there is a Slipway: v1 is nobody's release
        outputs = sam.deploy(running, ROOT)
        for tag, behaviour, _ in story.STORY[:2]:
            story.push_with_the_aws_cli(running.url, tag, behaviour)
            image = f"{story.REPOSITORY}:{tag}"
            follow(Console(quiet=True), outputs["DeploymentStateMachineArn"], story.SERVICE, image)
        client = running.client("stepfunctions")
        pushes = executions(outputs["ReleaseStateMachineArn"])
        push = json.loads(client.describe_execution(executionArn=pushes[-2])["input"])  # of v2
        events = {"ecr_push": push, "manual_start": {"repository": story.REPOSITORY, "tag": "v2"}}
        for execution in [pushes[-2], *executions(outputs["DeploymentStateMachineArn"])]:
            for state, payload in steps(execution):
                name = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
                events.setdefault(name, payload)
    # One more look of CheckDeployment, at another ECS deployment, makes no event of its own.
    del events["check_roll_back"]
    return events


def main() -> int:
    """Record and write."""
    for name, event in record().items():
        (EVENTS / f"{name}.json").write_text(json.dumps(event, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
