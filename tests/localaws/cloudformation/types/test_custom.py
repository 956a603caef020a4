"""Custom resources: a function makes, changes and deletes them, and answers."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.cloudformation.types import custom
from localaws.server import LocalAws
from tests.support.localaws.stacks import create, delete, outputs, reasons, stack_name, update

SOURCE = """
import json
import urllib.request

def handler(event, context):
    value = event["ResourceProperties"]["Value"]
    if value == "silent":
        raise ValueError("not a word")
    answer = {
        "Status": "FAILED" if value == "wrong" else "SUCCESS",
        "Reason": "the value is wrong",
        "PhysicalResourceId": "other" if value == "other" else event["ResourceProperties"]["Name"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(answer).encode(), method="PUT"
    )
    urllib.request.urlopen(request)
"""


@pytest.fixture(scope="module")
def function(aws: LocalAws) -> Iterator[str]:
    """The ARN of a function that does what custom resources' functions do."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as module:
        module.writestr("app.py", SOURCE)
    name = stack_name()
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role=role["Arn"],
        Code={"ZipFile": archive.getvalue()},
    )
    yield made["FunctionArn"]
    aws.client("lambda").delete_function(FunctionName=name)


def template(function: str, value: str, name: str = "a") -> str:
    properties = {"ServiceToken": function, "ServiceTimeout": 60, "Name": name, "Value": value}
    first = {"Type": "Custom::FirstImage", "Properties": properties}
    return json.dumps(
        {"Resources": {"First": first}, "Outputs": {"First": {"Value": {"Ref": "First"}}}}
    )


def asked(stack: dict[str, Any]) -> list[tuple[str, str]]:
    """What was asked of the function for a stack: kind of request, and value."""
    return [
        (request["RequestType"], request["ResourceProperties"]["Value"])
        for request in custom.requests()
        if request["StackId"] == stack["StackId"]
    ]


def test_a_function_makes_changes_and_deletes_a_custom_resource(aws, function):
    stack = create(aws, template(function, "one"))
    assert outputs(stack)["First"] == "a"
    update(aws, stack, template(function, "two"))
    request = custom.requests()[-1]
    assert request["OldResourceProperties"]["Value"] == "one"
    assert request["PhysicalResourceId"] == "a"
    assert request["ResourceProperties"]["ServiceTimeout"] == "60"  # as CloudFormation writes it
    delete(aws, stack)
    assert asked(stack) == [("Create", "one"), ("Update", "two"), ("Delete", "two")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            "wrong",
            "Received response status [FAILED] from custom resource. the value is wrong",
        ),
        ("silent", "did not answer: "),
    ],
)
def test_a_resource_that_is_not_made_fails_the_stack(aws, function, value, reason):
    stack = create(aws, template(function, value))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["First"]


def test_an_update_that_makes_another_resource_is_not_simulated(aws, function):
    stack = create(aws, template(function, "one"))
    stack = update(aws, stack, template(function, "other"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "answers another physical id" in reasons(aws, stack)["First"]
