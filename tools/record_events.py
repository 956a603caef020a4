"""Writes events/ from a real run: what rules deliver, manual starts, and the input of every step.

v1 is good. v2 crashes, is rolled back, and is started once more. A person rolls the service back to v1,
which it runs already. The execution of v3 dies, and so does every one that recovers it. events/bad/ has
events that a function has to refuse or to end; some are the good event with one mistake.
"""

from __future__ import annotations

import copy
import itertools
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import requests
from moto.awslambda.models import LambdaFunction
from rich.console import Console

from localaws import aws
from localaws.cloudformation.types import custom
from localaws.faults import faults
from localaws.lambda_ import awslambda
from localaws.server import LocalAws
from tools import sam
from tools.demo import story
from tools.demo.follow import follow
from tools.samlocal.account import IMAGES, PARAMETERS
from tools.samlocal.invoke import LOCAL_URL
from tools.watching import (
    PATIENCE_SECONDS,
    executions,
    given_to,
    heard,
    listen,
    named_steps,
    steps,
    wait_for_end_of,
)

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "events"
NO_EVENTS = {"check_roll_back", "notify_start"}


def record() -> dict[str, Any]:
    """Run the story on a local AWS; return the events by the names of their files, without the suffix."""
    sam.build(ROOT)
    with LocalAws() as running, _invocations_of("NotifySlack") as given_to_slack:
        outputs = story.deploy(running, PARAMETERS)
        release, rollback, deployment = (
            outputs[f"{kind}StateMachineArn"] for kind in ("Release", "Rollback", "Deployment")
        )
        died = listen("died", EventPattern=json.dumps(died_of(deployment)))
        often = listen("often", ScheduleExpression="rate(1 day)")
        for tag in ("v1", "v2"):
            story.push_with_the_aws_cli(running.url, tag, IMAGES[tag])
            image = f"{story.REPOSITORY}:{tag}"
            follow(Console(quiet=True), deployment, story.SERVICE, image)
        push = given_to(executions(release)[0])
        events = {
            "ecr_push": push,
            "manual_start": {"repository": story.REPOSITORY, "tag": "v1"},
            "manual_rollback": {"service": story.SERVICE, "by": "jo"},
            **of_cloudformation(custom.requests()),
            **of_v1_and_v2(executions(release)[0], *executions(deployment)),
            **of_refused(release, deployment),
            **of_manual_rollbacks(rollback),
            **of_the_dead(running, died),
            **of_slack(given_to_slack),
        }
        events |= of_people(events)
        for name in ("sweep", "bad/sweep"):
            requests.post(f"{running.url}/_localaws/schedules/often", timeout=60).raise_for_status()
            events[name] = next(heard(often))
    return events


def of_v1_and_v2(release: str, good: str, crashed: str) -> dict[str, Any]:
    """The inputs of the steps of the first release and of the first two deployments."""
    events = {
        name: payload
        for execution in (release, good)
        for name, payload in reversed([*named_steps(execution)])
    }
    crash = dict(named_steps(crashed))
    events["roll_back"] = crash.pop("roll_back")
    steps_gone_bad = ("update_service", "check_deployment", "finish_deployment", "notify")
    events |= {f"bad/{name}": crash[name] for name in steps_gone_bad}
    # As if another execution had claimed the service since.
    claim = events["roll_back"]["claim"]
    late = {**claim, "execution": f"{claim['execution']}-late"}
    events["bad/roll_back"] = {**events["roll_back"], "claim": late}
    # As if somebody had removed the container after BeginDeployment's check.
    bad = copy.deepcopy(events["register_task_definition"])
    bad["deployment"]["policy"]["container"] = "web"
    events["bad/register_task_definition"] = bad
    # The notice of the start and the check after a rollback have no events of their own.
    return {name: event for name, event in events.items() if name not in NO_EVENTS}


def of_refused(release: str, deployment: str) -> dict[str, Any]:
    """Manual starts: of a tag that nobody pushed, and of the image that is quarantined now."""
    missing = first_step(started(release, {"repository": story.REPOSITORY, "tag": "v9"}))
    started(release, {"repository": story.REPOSITORY, "tag": "v2"})
    quarantined = first_step(executions(deployment)[-1])
    return {"bad/resolve_release": missing, "bad/begin_deployment": quarantined}


def of_manual_rollbacks(rollback: str) -> dict[str, Any]:
    """Manual rollbacks: to the good version, and of a service that does not exist."""
    good = {"service": story.SERVICE, "to": "v1", "by": "jo"}
    bad = {"service": "production/nothing", "by": "jo"}
    return {
        "resolve_rollback": first_step(started(rollback, good)),
        "bad/resolve_rollback": first_step(started(rollback, bad)),
    }


def started(machine: str, given: Any) -> str:
    """The ARN of an execution that was started with this input, and has ended."""
    execution = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine, input=json.dumps(given)
    )["executionArn"]
    wait_for_end_of(execution)
    return str(execution)


def first_step(execution: str) -> Any:
    """What the first function of an execution was given."""
    _, payload = next(steps(execution))
    return payload


def of_the_dead(running: LocalAws, died: str) -> dict[str, Any]:
    """The events of an execution that is stopped, and of its third recovery, which is stopped as well."""
    faults.add(state="CheckDeployment", how="stop")
    faults.add(state="BeginDeployment", how="stop", containing='"recover":', times=3)
    story.push_with_the_aws_cli(running.url, "v3", IMAGES["v3"])
    events = list(itertools.islice(heard(died), 4))
    first, *_, last = sorted(events, key=lambda event: event["detail"]["startDate"])
    return {"recover": first, "bad/recover": last}


def of_people(events: dict[str, Any]) -> dict[str, Any]:
    """What a person gives Operate: to release v2 from quarantine, and v1, which is in none."""
    of_digests = {"operate": "bad/finish_deployment", "bad/operate": "finish_deployment"}
    return {
        name: {
            "action": "release_from_quarantine",
            "service": story.SERVICE,
            "digest": events[of]["deployment"]["release"]["image"]["digest"],
            "by": "jo",
            "why": "a dependency was down",
        }
        for name, of in of_digests.items()
    }


def of_slack(events: Queue[Any]) -> dict[str, Any]:
    """What Lambda gave NotifySlack about the start of v1 and about the end of v2."""
    wanted = {("start", "v1"): "notify_slack", ("end", "v2"): "bad/notify_slack"}
    found: dict[str, Any] = {}
    while len(found) < len(wanted):
        event = events.get(timeout=PATIENCE_SECONDS)
        notice = json.loads(event["Records"][0]["body"])
        if name := wanted.get((notice["kind"], notice["tag"])):
            found.setdefault(name, event)
    return found


@contextmanager
def _invocations_of(logical_id: str) -> Iterator[Queue[Any]]:
    """The events with which a function is invoked meanwhile."""
    events: Queue[Any] = Queue()

    def noted(function: LambdaFunction, event: bytes, request_id: str) -> awslambda.Executed:
        if f"-{logical_id}-" in function.function_name:
            events.put(json.loads(event))
        return awslambda.in_a_process(function, event, request_id)

    with awslambda.executed_by(noted):
        yield events


def of_cloudformation(requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Requests to create parameters: one that the function may not create, and one that another stack has."""
    image, prefix = (
        _answered_to_make_local(next(each for each in requests if each["ResourceType"] == kind))
        for kind in ("Custom::FirstImage", "Custom::Prefix")
    )
    elsewhere = {**image["ResourceProperties"], "Name": "/images/production/api"}
    second = prefix["StackId"].replace("/slipway/", "/second/")
    return {
        "put_first_image": image,
        "bad/put_first_image": _another(image, ResourceProperties=elsewhere),
        "reserve_prefix": prefix,
        "bad/reserve_prefix": _another(prefix, StackId=second),
    }


def _another(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    own = str(uuid.uuid4())
    url = request["ResponseURL"].replace(request["RequestId"], own)
    return {**request, **changes, "ResponseURL": url, "RequestId": own}


def _answered_to_make_local(request: dict[str, Any]) -> dict[str, Any]:
    """The request, with an address for the answer that a container reaches while `make local` runs."""
    path = request["ResponseURL"].partition(custom.ENDPOINT)[2]
    return {**request, "ResponseURL": f"{LOCAL_URL}{custom.ENDPOINT}{path}"}


def died_of(machine: str) -> dict[str, Any]:
    """The pattern of Recover's rule, limited to executions that were stopped."""
    return {
        "source": ["aws.states"],
        "detail": {"status": ["ABORTED"], "stateMachineArn": [machine]},
    }


def main() -> int:
    """Record and write."""
    (EVENTS / "bad").mkdir(exist_ok=True)
    for name, event in record().items():
        (EVENTS / f"{name}.json").write_text(json.dumps(event, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
