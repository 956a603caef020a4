"""The Lambda functions as a test scripts them, in the place where the local AWS runs the real ones.

A script says for each function what it answers: one answer for every call, a list with one for each
call, or by_service() where services are deployed side by side. An answer is a payload, a Failure, a
Rejection, or a function of the event that gives one of them.

What a state machine gives to a function is held against the model that the real one reads it with.
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
import resolve_release
import roll_back
import update_service
from localaws.server import LocalAws
from slipway.deployment.beginning import Start
from slipway.deployment.finish import Ending
from slipway.model import Model
from slipway.notices.news import News
from tests.support import step_answers

INPUTS: dict[str, type[Model]] = {
    "ResolveRelease": resolve_release.Input,
    "BeginDeployment": Start,
    "RegisterTaskDefinition": register_task_definition.Input,
    "UpdateService": update_service.Input,
    "CheckDeployment": check_deployment.Input,
    "RollBack": roll_back.Input,
    "FinishDeployment": Ending,
    "Notify": News,
}
FIRST = {"ResolveRelease", "BeginDeployment"}
"""Each machine's first step: it may be given what a person got wrong, and is to say so."""


class Script:
    """The answers of one function."""

    def __init__(self, script: Any) -> None:
        self._script = script
        self._asked = 0

    def answer(self, event: Any) -> Any:
        """The next one."""
        answer = self._script
        if isinstance(answer, list):
            answer = answer[self._asked]
        self._asked += 1
        return answer(event) if callable(answer) else answer

    def left(self) -> int:
        """How many of them nobody has asked for."""
        return len(self._script) - self._asked if isinstance(self._script, list) else 0


class by_service(Script):  # noqa: N801 - reads as the word of the script that it is
    """A script for each service, by its name without the cluster, and one for all the others."""

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
    """What a function was given, and the class of the error that it answered with, if so."""

    event: Any
    error: str | None = None


class Functions:
    """Functions by the names of the template, on one local AWS."""

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
        """Answer by this script from now on, and where it is silent, as when all goes well."""
        assert script.keys() <= INPUTS.keys(), f"no such function: {script.keys()}"
        self.calls.clear()
        self._problems.clear()
        self._scripts = {
            name: answer if isinstance(answer, Script) else Script(answer)
            for name, answer in {**step_answers.GOOD, **script}.items()
        }

    def check(self) -> None:
        """Fail where script and calls don't fit, or a function got what the real one can't read."""
        left = {name: script.left() for name, script in self._scripts.items() if script.left()}
        assert self._problems == []
        assert left == {}, "answers that nobody asked for"
        for name, calls in self.calls.items():
            for call in calls:
                if name not in FIRST or call.error != "InvalidInput":
                    _check_input(name, call.event)

    def invoke(self, function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        """Take the place of the local AWS's own ``LambdaFunction._invoke_lambda``."""
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
    """What CreateFunction wants; it is never run."""
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", "")
        return buffer.getvalue()
