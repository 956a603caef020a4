"""Versions and aliases of functions in stacks."""

from __future__ import annotations

import itertools
import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.iam import TRUST
from tests.support.localaws.stacks import create, delete, outputs, reasons, update


def template(code: str, version: str = "One", **more: Any) -> str:
    """A function whose version has a logical ID of its own for each content, as SAM makes them.

    Args:
        more: properties of the version, or of the function with ``Function``.
    """
    properties = {
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": "Role.Arn"},
        "Code": {"ZipFile": f"def handler(event, context): return {code!r}"},
        **more.pop("Function", {}),
    }
    number = {"Fn::GetAtt": f"{version}.Version"}
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": properties},
        version: {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}, **more},
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": number,
            },
        },
        "MayBeInvoked": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Alias"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
            },
        },
    }
    return json.dumps(
        {
            "Resources": resources,
            "Outputs": {
                "Function": {"Value": {"Ref": "Function"}},
                "Version": {"Value": {"Ref": version}},
                "Number": {"Value": number},
                "Arn": {"Value": {"Fn::GetAtt": f"{version}.FunctionArn"}},
                "Alias": {"Value": {"Ref": "Alias"}},
                "AliasArn": {"Value": {"Fn::GetAtt": "Alias.AliasArn"}},
            },
        }
    )


def returned(aws: LocalAws, function: str) -> Any:
    return json.loads(aws.client("lambda").invoke(FunctionName=function)["Payload"].read())


def published(aws: LocalAws, function: str) -> list[str]:
    found = aws.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    return [each["Version"] for each in found if each["Version"] != "$LATEST"]


def test_an_update_publishes_a_version_moves_the_alias_and_keeps_the_old_version(
    aws: LocalAws,
) -> None:
    stack = create(aws, template("one"))
    before = outputs(stack)
    assert before["Version"] == before["Arn"]
    assert before["Version"].endswith(f":function:{before['Function']}:1")
    assert before["Alias"] == before["AliasArn"]
    assert before["Alias"].endswith(f":function:{before['Function']}:live")
    after = outputs(update(aws, stack, template("two", "Two")))
    assert after["Number"] == "2"
    assert after["Alias"] == before["Alias"]
    assert returned(aws, before["Version"]) == "one"
    assert returned(aws, after["Version"]) == "two"
    assert returned(aws, after["Alias"]) == "two"
    policy = aws.client("lambda").get_policy(FunctionName=after["Alias"])["Policy"]
    assert json.loads(policy)["Statement"][0]["Resource"] == after["Alias"]


def test_a_stack_is_deleted_with_its_functions_and_their_versions(aws: LocalAws) -> None:
    stack = create(aws, template("one"))
    function = outputs(stack)["Function"]
    update(aws, stack, template("two", "Two"))
    delete(aws, stack)
    names = [each["FunctionName"] for each in aws.client("lambda").list_functions()["Functions"]]
    assert function not in names


def test_a_version_whose_description_changes_is_replaced(aws: LocalAws) -> None:
    stack = create(aws, template("one", Description="1 day"))
    before = outputs(stack)
    longer = {"Environment": {"Variables": {"DAYS": "2"}}}
    after = outputs(update(aws, stack, template("one", Description="2 days", Function=longer)))
    assert (before["Number"], after["Number"]) == ("1", "2")
    assert published(aws, after["Function"]) == ["1", "2"]
    described = aws.client("lambda").get_function_configuration(FunctionName=after["Version"])
    assert described["Description"] == "2 days"


def test_a_version_of_a_function_that_has_not_changed_fails_the_stack(aws: LocalAws) -> None:
    stack = create(aws, template("one"))
    version = outputs(stack)["Version"]
    failed = update(aws, stack, template("one", "Two"))
    assert failed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(aws, failed)["Two"] == (
        f"Version already exists: [{version}]. Please modify the function to create a new version."
    )


def test_an_update_that_failed_fails_again_until_its_version_is_deleted(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each zip would have another time, if the time were in it.
    minutes = itertools.count(step=60)
    clock = SimpleNamespace(time=time.time, localtime=lambda *_: time.gmtime(4e8 + next(minutes)))
    monkeypatch.setattr("zipfile.time", clock)
    stack = create(aws, template("one"))
    function = outputs(stack)["Function"]
    wrong = json.loads(template("two", "Two"))
    wrong["Resources"]["Fails"] = {
        "Type": "AWS::Lambda::Permission",
        "DependsOn": "Alias",
        "Properties": {
            "FunctionName": "none",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
        },
    }
    failed = update(aws, stack, json.dumps(wrong))
    assert failed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert returned(aws, outputs(failed)["Alias"]) == "one"
    assert published(aws, function) == ["1", "2"]
    again = update(aws, stack, template("two", "Two"))
    assert again["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Version already exists" in reasons(aws, again)["Two"]
    aws.client("lambda").delete_function(FunctionName=function, Qualifier="2")
    mended = update(aws, stack, template("two", "Two"))
    assert mended["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs(mended)["Number"] == "3"
    assert returned(aws, outputs(mended)["Alias"]) == "two"
