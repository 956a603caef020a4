"""What a state machine's role must allow, and what an execution keeps when its state machine changes."""

from __future__ import annotations

import json
import sys
import zipfile
from io import BytesIO
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.iam import TRUST, Statement, allow, document
from tests.support.localaws.sns import unique
from tests.support.waiting import wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


class Caller:
    """A function with a version and an alias, and a state machine with a role, that invokes it."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.iam = aws, aws.client("iam")
        self.states, self.functions = aws.client("stepfunctions"), aws.client("lambda")
        self.name = unique("caller")
        self.role = self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST)["Role"]
        artifact = BytesIO()
        with zipfile.ZipFile(artifact, "w") as archive:
            archive.writestr("app.py", "handler = lambda event, context: context.function_version")
        self.functions.create_function(
            FunctionName=self.name,
            Role=self.role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": artifact.getvalue()},
        )
        self.arn = ARN + self.name
        self.functions.publish_version(FunctionName=self.name)
        self.functions.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")

    def may(self, *statements: Statement) -> None:
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName="invoke", PolicyDocument=document(*statements)
        )

    def definition(self, function: str, seconds: int = 0) -> str:
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": function, "Payload": {}},
            "Output": "{% $states.result.Payload %}",
            "End": True,
        }
        wait = {"Type": "Wait", "Seconds": seconds, "Next": "Invoke"}
        return json.dumps(
            {
                "QueryLanguage": "JSONata",
                "StartAt": "Wait",
                "States": {"Wait": wait, "Invoke": task},
            }
        )

    def machine(self, function: str, seconds: int = 0) -> str:
        made = self.states.create_state_machine(
            name=unique("m"),
            definition=self.definition(function, seconds),
            roleArn=self.role["Arn"],
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str) -> str:
        return str(self.states.start_execution(stateMachineArn=machine)["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            described: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return None if described["status"] == "RUNNING" else described

        return wait_for(found, f"the end of {execution}")

    def run(self, function: str) -> dict[str, Any]:
        return self.ended(self.start(self.machine(function)))


@pytest.mark.parametrize(
    ("allowed", "invoked"),
    [
        ("", ""),
        (":*", ":1"),
        (":*", ":live"),
        (":1", ":1"),
        ("*", ""),
        ("*", ":1"),
        ("*", ":live"),
    ],
)
def test_a_task_invokes_what_the_role_of_its_state_machine_allows(
    aws: LocalAws, allowed: str, invoked: str
) -> None:
    caller = Caller(aws)
    caller.may(allow("lambda:InvokeFunction", caller.arn + allowed))
    run = caller.run(caller.arn + invoked)
    assert run["status"] == "SUCCEEDED", run
    assert json.loads(run["output"]) == ("1" if invoked else "$LATEST")


@pytest.mark.parametrize(
    ("allowed", "invoked"),
    [("", ":1"), ("", ":live"), (":*", ""), (":live", ":1"), (":1", ":live"), ("x", "")],
)
def test_a_task_that_the_role_of_its_state_machine_does_not_allow_fails(
    aws: LocalAws, allowed: str, invoked: str
) -> None:
    caller = Caller(aws)
    caller.may(allow("lambda:InvokeFunction", caller.arn + allowed))
    run = caller.run(caller.arn + invoked)
    assert (run["status"], run["error"]) == ("FAILED", "Lambda.AWSLambdaException")
    wanted = f"is not authorized to perform: lambda:InvokeFunction on resource: {caller.arn}"
    assert wanted + invoked in run["cause"]


def test_an_execution_keeps_its_definition_when_the_state_machine_is_updated(
    aws: LocalAws,
) -> None:
    caller = Caller(aws)
    caller.may(allow("lambda:InvokeFunction", f"{caller.arn}*"))
    machine = caller.machine(f"{caller.arn}:1", seconds=2)
    before = caller.start(machine)
    caller.states.update_state_machine(
        stateMachineArn=machine, definition=caller.definition(caller.arn)
    )
    after = caller.start(machine)
    outputs = [caller.ended(execution)["output"] for execution in (before, after)]
    assert outputs == ['"1"', '"$LATEST"']


def test_an_execution_keeps_its_role_when_the_state_machine_gets_another(aws: LocalAws) -> None:
    caller = Caller(aws)
    caller.may(allow("lambda:InvokeFunction", f"{caller.arn}*"))
    machine = caller.machine(f"{caller.arn}:1", seconds=2)
    before = caller.start(machine)
    other = caller.iam.create_role(RoleName=unique("none"), AssumeRolePolicyDocument=TRUST)["Role"]
    caller.states.update_state_machine(stateMachineArn=machine, roleArn=other["Arn"])
    after = caller.start(machine)
    assert caller.ended(before)["status"] == "SUCCEEDED"
    refused = caller.ended(after)
    assert refused["status"] == "FAILED"
    assert f"assumed-role/{other['RoleName']}/" in refused["cause"]
