"""Writes events/: what rules deliver, starts by hand, and the input of every step, from a real run.

The run is the demo's: its first image is good, its second one is rolled back, so every step has work.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from demo import story
from demo.follow import follow
from localaws import aws, cfn_custom, sam
from localaws.server import LocalAws

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "events"
PATIENCE_SECONDS = 60


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


def listen(name: str, **rule: str) -> str:
    """Put a rule that leaves its events in a queue; the queue's URL."""
    queue: str = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    aws.client("events").put_rule(Name=name, **rule)
    arn = f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:{name}"
    aws.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def heard(queue: str) -> Any:
    """The first event in a queue, waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            return json.loads(message["Body"])
    raise TimeoutError(f"no event in {queue}")


def record() -> dict[str, Any]:
    """Run the story on a local AWS; the events by the name of their file."""
    sam.build(ROOT)
    with LocalAws() as running:
        outputs = story.deploy(running)
        died = listen("died", EventPattern=json.dumps(died_of(outputs)))
        often = listen("often", ScheduleExpression="rate(1 day)")
        for tag, behaviour, _ in story.STORY[:2]:
            story.push_with_the_aws_cli(running.url, tag, behaviour)
            image = f"{story.REPOSITORY}:{tag}"
            follow(Console(quiet=True), outputs["DeploymentStateMachineArn"], story.SERVICE, image)
        client = running.client("stepfunctions")
        pushes = executions(outputs["ReleaseStateMachineArn"])
        push = json.loads(client.describe_execution(executionArn=pushes[-2])["input"])  # of v1
        requests.post(f"{running.url}/_localaws/schedules/often", timeout=60).raise_for_status()
        events = {
            "ecr_push": push,
            "manual_start": {"repository": story.REPOSITORY, "tag": "v1"},
            "manual_rollback": {"action": "rollback", "service": story.SERVICE, "by": "jo"},
            "put_first_image": _answered_to_make_local(cfn_custom.requests()[0]),
            "recover": heard(died),
            "sweep": heard(often),
        }
        for execution in [pushes[-2], *executions(outputs["DeploymentStateMachineArn"])]:
            for state, payload in steps(execution):
                name = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
                events.setdefault(name, payload)
    # One more look of CheckDeployment, at another ECS deployment, makes no event of its own; nor does
    # the message about a start.
    del events["check_roll_back"], events["notify_start"]
    return events


def _answered_to_make_local(request: dict[str, Any]) -> dict[str, Any]:
    """The request, with an address for the answer that is there again with `make local`."""
    path = request["ResponseURL"].partition(cfn_custom.ENDPOINT)[2]
    return {**request, "ResponseURL": f"http://localhost:4566{cfn_custom.ENDPOINT}{path}"}


def died_of(outputs: dict[str, str]) -> dict[str, Any]:
    """The pattern of Recover's rule."""
    machine = outputs["DeploymentStateMachineArn"]
    return {
        "source": ["aws.states"],
        "detail": {"status": ["FAILED"], "stateMachineArn": [machine]},
    }


def main() -> int:
    """Record and write."""
    for name, event in record().items():
        (EVENTS / f"{name}.json").write_text(json.dumps(event, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
