"""Calls of the functions as Lambda makes them, with an input for each and AWS's answers to it."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import Any

from tests.support.asked import ROLLBACK, part_of
from tests.support.builders import (
    NEW,
    NOW,
    OLD,
    RELEASES,
    SERVICE,
    claim,
    copied,
    deployment,
    execution,
    update,
    watch,
)
from tests.support.ecs_answers import before, defined, described, ecs_task, task_arn, updated
from tests.support.pushes import EXECUTION, push, unfrozen

SINCE = NOW.isoformat()
CLAIM = claim().to_json()


@dataclass
class Context:
    """The fields of Lambda's context object that the functions use."""

    function_name: str = "step"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:step"
    aws_request_id: str = "request-1"
    seconds: float = 900

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * self.seconds)


def invoked(step: str, event: Any, seconds: float = 900) -> Any:
    """Invoke a step's handler with this time left; input and answer go through JSON, as in Lambda."""
    handler = importlib.import_module(step).handler
    context = Context(seconds=seconds)
    return json.loads(json.dumps(handler(json.loads(json.dumps(event)), context)))


INPUTS: dict[str, Any] = {
    "resolve_release": {"start": push(), "execution": EXECUTION, "started_at": SINCE},
    "resolve_rollback": {
        "start": {"service": SERVICE, "by": "Ada"},
        "execution": ROLLBACK,
        "started_at": SINCE,
    },
    "begin_deployment": {
        "start": part_of(deployment()).to_json(),
        "execution": execution(),
        "started_at": SINCE,
    },
    "register_task_definition": {
        "claim": CLAIM,
        "deployment": deployment().to_json(),
        "since": SINCE,
    },
    "update_service": {
        "claim": CLAIM,
        "task_definition": NEW,
        "copied": copied().to_json(),
        "since": SINCE,
    },
    "check_deployment": {"claim": CLAIM, "watch": watch().to_json()},
    "roll_back": {
        "claim": CLAIM,
        "abandoned": [NEW],
        "rollback_target": OLD,
        "updated": True,
        "update": update().to_json(),
        "answer_lost": False,
        "entered_at": SINCE,
        "since": SINCE,
    },
    "finish_deployment": {
        "outcome": "SUCCEEDED",
        "reason": "every task is healthy",
        "execution": execution(),
        "started_at": SINCE,
        "start": part_of(deployment()).to_json(),
    },
    "notify": {
        "outcome": "FAILED",
        "reason": json.dumps({"errorMessage": "no plan", "errorType": "InvalidInput"}),
        "execution": f"{RELEASES.replace(':stateMachine:', ':execution:')}:e-1",
    },
}
NEWS_OF_DEPLOYMENT = INPUTS["notify"] | {"claim": CLAIM, "service": SERVICE}
ENDED = INPUTS["finish_deployment"] | {
    "claim": CLAIM,
    "deployment": deployment().to_json(),
    "part": part_of(deployment()).to_json(),
    "task_definition": NEW,
    "update": update().to_json(),
}


def may_begin(ecs, ssm):
    described(ecs, before(status="PRIMARY"))
    defined(ecs)
    unfrozen(ssm)
    defined(ecs)


def observed(ecs: Any) -> None:
    described(ecs)
    ecs.answers("list_tasks", {"taskArns": [task_arn("a"), task_arn("b")]})
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("describe_tasks", {"tasks": [ecs_task("a"), ecs_task("b")]})
    defined(ecs)


def rolls_back(ecs_once, target=OLD):
    described(ecs_once)
    defined(ecs_once, taskDefinitionArn=target)
    updated(ecs_once, target)
