"""Scripted Lambda functions, which the local AWS runs in the place of the real ones.

A script has the answers of each function: one answer for all calls, a list with one answer for each call, or
by_service() if several services are deployed in parallel. An answer is a payload, a Failure, a Rejection, or
a function that takes the event and returns one of them.

The input that a state machine gives to a function is checked with the model that the real function parses.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction
from pydantic import ValidationError

import check_deployment
import register_task_definition
import roll_back
import update_service
from localaws.server import LocalAws
from slipway.deployment.beginning import Start
from slipway.deployment.finish import Ending
from slipway.model import Model
from slipway.notices.news import News
from slipway.release.release import Started
from tests.support import step_answers

INPUTS: dict[str, type[Model]] = {
    "ResolveRelease": Started,
    "ResolveRollback": Started,
    "BeginDeployment": Start,
    "RegisterTaskDefinition": register_task_definition.Input,
    "UpdateService": update_service.Input,
    "CheckDeployment": check_deployment.Input,
    "RollBack": roll_back.Input,
    "FinishDeployment": Ending,
    "Notify": News,
}
FIRST = {"ResolveRelease", "ResolveRollback", "BeginDeployment"}
"""The first step of each state machine. Its input comes from people and may be invalid."""
WRONG_INPUT = {"InvalidInput", "Refused"}
"""The errors of such a step about its input."""


class Script:
    """The answers of one function."""

    def __init__(self, script: Any) -> None:
        self._script = script
        self._asked = 0

    def answer(self, event: Any) -> Any:
        """The answer to the next call."""
        answer = self._script
        if isinstance(answer, list):
            answer = answer[self._asked]
        self._asked += 1
        return answer(event) if callable(answer) else answer

    def left(self) -> int:
        """The number of listed answers that were not used."""
        return len(self._script) - self._asked if isinstance(self._script, list) else 0


class by_service(Script):  # noqa: N801 - in a script it reads like a function
    """A script for each named service (without its cluster), and one for all other services."""

    def __init__(self, others: Any, **of_services: Any) -> None:
        self._others = Script(others)
        self._scripts = {name: Script(script) for name, script in of_services.items()}

    def answer(self, event: Any) -> Any:
        about = event.get("claim") or event.get("start") or event
        service = about["service"].rpartition("/")[2]
        return self._scripts.get(service, self._others).answer(event)

    def left(self) -> int:
        return sum(script.left() for script in (self._others, *self._scripts.values()))


@dataclass
class Call:
    """The input of a call, and the class of the error if the answer was one."""

    event: Any
    error: str | None = None


class Functions:
    """The scripted functions on one local AWS, with their names in the template, and their calls."""

    def __init__(self, aws: LocalAws) -> None:
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self._scripts: dict[str, Script] = {}
        self._problems: list[str] = []
        role = aws.client("iam").create_role(RoleName="steps", AssumeRolePolicyDocument="{}")
        self.arns = {
            name: aws.client("lambda").create_function(
                FunctionName=name,
                Runtime=f"python3.{sys.version_info.minor}",
                Role=role["Role"]["Arn"],
                Handler="app.handler",
                Code={"ZipFile": _artifact()},
            )["FunctionArn"]
            for name in INPUTS
        }

    def play(self, script: dict[str, Any]) -> None:
        """Answer by this script from now on. A function without a script answers that all went well."""
        assert script.keys() <= INPUTS.keys(), f"no such function: {script.keys()}"
        self.calls.clear()
        self._problems.clear()
        self._scripts = {
            name: answer if isinstance(answer, Script) else Script(answer)
            for name, answer in {**step_answers.GOOD, **script}.items()
        }

    def check(self) -> None:
        """Fail if answers are missing or unused, or if a real function could not parse an input."""
        left = {name: script.left() for name, script in self._scripts.items() if script.left()}
        assert self._problems == []
        assert left == {}, "answers that nobody asked for"
        for name, calls in self.calls.items():
            for call in calls:
                if name not in FIRST or call.error not in WRONG_INPUT:
                    _check_input(name, call.event)

    def invoke(self, function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        """Replaces ``LambdaFunction._invoke_lambda``."""
        name = function.function_name
        call = Call(event)
        self.calls[name].append(call)
        try:
            answer = self._scripts[name].answer(event)
        except Exception as error:
            self._problems.append(f"{name} has no answer to {event}: {error!r}")
            raise
        if isinstance(answer, step_answers.Rejection):
            call.error = answer.code
            raise LambdaClientError(answer.code, answer.message)
        if isinstance(answer, step_answers.Failure):
            call.error = answer.error
            return json.dumps(answer.body), True, ""
        return json.dumps(answer), False, ""


def _check_input(name: str, event: Any) -> None:
    try:
        INPUTS[name].model_validate(event)
    except ValidationError as error:
        raise AssertionError(f"{name} can't read {event}: {error}") from error


def _artifact() -> bytes:
    """A zip file for CreateFunction, which requires one; its code never runs."""
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", "")
        return buffer.getvalue()
