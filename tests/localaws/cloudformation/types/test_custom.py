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
    fails = event["RequestType"] in value.split()
    if value == "silent":
        raise ValueError("not a word")
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": "the value is wrong",
        "PhysicalResourceId": event["ResourceProperties"]["Name"],
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
            "Create",
            "Received response status [FAILED] from custom resource. the value is wrong",
        ),
        ("silent", "did not answer: "),
    ],
)
def test_a_resource_that_is_not_made_fails_the_stack(aws, function, value, reason):
    stack = create(aws, template(function, value))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["First"]


def test_a_resource_whose_creation_failed_is_deleted_by_the_id_in_the_answer(aws, function):
    stack = create(aws, template(function, "Create"))
    assert asked(stack) == [("Create", "Create"), ("Delete", "Create")]
    assert custom.requests()[-1]["PhysicalResourceId"] == "a"


def test_a_stack_is_not_rolled_back_if_what_was_half_created_can_not_be_deleted(aws, function):
    stack = create(aws, template(function, "Create Delete"))
    assert stack["StackStatus"] == "ROLLBACK_FAILED"


def test_two_stacks_have_requests_of_their_own_for_resources_of_one_physical_id(aws, function):
    first, second = (create(aws, template(function, value)) for value in ("one", "two"))
    delete(aws, second)
    assert asked(second) == [("Create", "two"), ("Delete", "two")]
    assert asked(first) == [("Create", "one")]
    delete(aws, first)


def names(stack: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was asked of the function for a stack: kind of request, physical id before, and name."""
    return [
        (
            request["RequestType"],
            request.get("PhysicalResourceId", ""),
            request["ResourceProperties"]["Name"],
        )
        for request in custom.requests()
        if request["StackId"] == stack["StackId"]
    ]


def test_an_update_that_answers_another_physical_id_deletes_the_old_resource_at_the_end(
    aws, function
):
    stack = create(aws, template(function, "one"))
    stack = update(aws, stack, template(function, "one", name="b"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs(stack)["First"] == "b"
    delete(aws, stack)
    assert names(stack) == [
        ("Create", "", "a"),
        ("Update", "a", "b"),
        ("Delete", "a", "a"),
        ("Delete", "b", "b"),
    ]


def test_a_rollback_of_an_update_that_answered_another_physical_id_deletes_the_new_resource(
    aws, function
):
    stack = create(aws, template(function, "one"))
    broken = json.loads(template(function, "one", name="b"))
    broken["Resources"]["Second"] = {
        **json.loads(template(function, "Create", name="c"))["Resources"]["First"],
        "DependsOn": "First",
    }
    stack = update(aws, stack, json.dumps(broken))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(stack)["First"] == "a"
    assert names(stack) == [
        ("Create", "", "a"),
        ("Update", "a", "b"),
        ("Create", "", "c"),
        ("Delete", "c", "c"),
        ("Update", "b", "a"),
        ("Delete", "b", "b"),
    ]
    delete(aws, stack)


def test_a_replaced_resource_that_is_retained_is_not_deleted(aws, function):
    def retained(name: str) -> str:
        kept = json.loads(template(function, "one", name=name))
        kept["Resources"]["First"]["UpdateReplacePolicy"] = "Retain"
        return json.dumps(kept)

    stack = create(aws, retained("a"))
    update(aws, stack, retained("b"))
    assert names(stack) == [("Create", "", "a"), ("Update", "a", "b")]
    delete(aws, stack)
