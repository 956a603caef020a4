"""Each step as Lambda calls it: JSON in, JSON out, and an error with a name that the state machine knows."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from slipway.errors import InvalidInput
from tests.unit.answers import (
    before,
    container,
    defined,
    described,
    ecs_deployment,
    ecs_service,
    ecs_task,
    task_arn,
)
from tests.unit.builders import DIGEST, NEW, NOW, OLD, OURS, SERVICE, URI, deployment, watch
from tests.unit.pushes import found, located, planned, push

SINCE = NOW.isoformat()


@dataclass
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "step"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:step"
    aws_request_id: str = "request-1"


def invoked(step: str, event: Any) -> Any:
    """The step's answer, through JSON both ways as Lambda carries it."""
    handler = importlib.import_module(step).handler
    return json.loads(json.dumps(handler(json.loads(json.dumps(event)), Context())))


INPUTS = {
    "resolve_release": {"start": push(), "execution": "e-1"},
    "begin_deployment": deployment().to_json(),
    "register_task_definition": {"deployment": deployment().to_json(), "since": SINCE},
    "update_service": {"service": SERVICE, "task_definition": NEW},
    "check_deployment": {"service": SERVICE, "watch": watch().to_json()},
    "roll_back": {"service": SERVICE, "task_definition": NEW, "previous": OLD, "updated": True},
    "notify": {
        "outcome": "FAILED",
        "reason": json.dumps({"errorMessage": "no plan", "errorType": "InvalidInput"}),
        "execution": "arn:aws:states:eu-west-1:123456789012:execution:slipway-release:e-1",
        "repository": "shop/api",
    },
}


def test_resolve_release(ssm, ecr):
    planned(ssm)
    found(ecr)
    located(ecr)

    resolution = invoked("resolve_release", INPUTS["resolve_release"])

    assert resolution["ignored"] is None
    assert resolution["stages"][0]["deployments"][0]["input"]["service"] == SERVICE


def test_what_resolve_release_gives_is_what_begin_deployment_takes(ssm, ecr, ecs):
    planned(ssm)
    found(ecr)
    located(ecr)
    resolution = invoked("resolve_release", INPUTS["resolve_release"])
    described(ecs)
    defined(ecs)
    defined(ecs)

    [named] = resolution["stages"][0]["deployments"]
    beginning = invoked("begin_deployment", named["input"])

    assert beginning["previous"] == OLD


def test_register_task_definition(ecs):
    described(ecs)
    defined(ecs, container(image=f"{URI}@{DIGEST}"), taskDefinitionArn=NEW)

    registration = invoked("register_task_definition", INPUTS["register_task_definition"])

    assert registration == {"task_definition": NEW, "no_change": True}


def test_update_service(ecs):
    described(ecs, before(status="PRIMARY"))
    ecs.answers("update_service", {"service": ecs_service()})

    assert invoked("update_service", INPUTS["update_service"])["deployment_id"] == OURS


def looked(ecs: Any) -> None:
    described(ecs)
    ecs.answers("list_tasks", {"taskArns": [task_arn("a"), task_arn("b")]})
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("describe_tasks", {"tasks": [ecs_task("a"), ecs_task("b")]})
    defined(ecs)


def test_check_deployment(ecs):
    looked(ecs)

    verdict = invoked("check_deployment", INPUTS["check_deployment"])

    assert (verdict["verdict"], verdict["healthy"], verdict["baked"]) == ("HEALTHY", 2, False)


def test_the_bake_goes_on_from_one_check_to_the_next(ecs):
    looked(ecs)
    looked(ecs)
    first = invoked("check_deployment", INPUTS["check_deployment"])

    again = watch().to_json() | {"healthy_at": first["healthy_at"]}
    second = invoked("check_deployment", {"service": SERVICE, "watch": again})

    assert second["healthy_at"] == first["healthy_at"]


def test_roll_back(ecs):
    described(ecs, ecs_deployment(taskDefinition=OLD))

    assert invoked("roll_back", INPUTS["roll_back"])["action"] == "ALREADY_BACK"


def test_notify_returns_the_reason_as_people_read_it(sns):
    sns.answers("publish", {"MessageId": "m-1"})

    assert invoked("notify", INPUTS["notify"]) == {"message_id": "m-1", "reason": "no plan"}


def required() -> list[tuple[str, str]]:
    optional = {"repository"}
    return [
        (step, name) for step, given in INPUTS.items() for name in given if name not in optional
    ]


@pytest.mark.parametrize(("step", "field"), required())
def test_a_step_whose_input_misses_a_field_names_it(step, field):
    event = {name: value for name, value in INPUTS[step].items() if name != field}

    with pytest.raises(InvalidInput, match=rf"is not valid:\n  {field}: Field required"):
        invoked(step, event)


@pytest.mark.parametrize("step", INPUTS)
def test_a_step_whose_input_has_an_unknown_field_names_it(step):
    with pytest.raises(InvalidInput, match="  surprise: Extra inputs"):
        invoked(step, INPUTS[step] | {"surprise": 1})
