"""Template parameters whose values SSM has."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.stacks import create, outputs, stack_name

IMAGES = "/aws/service/ecs/optimized-ami/amazon-linux-2023"


def unique() -> str:
    return f"/cfn/{uuid.uuid4()}"


def reading(kind: str, default: str, **attributes: Any) -> str:
    """A stack that shows what it reads from SSM."""
    parameter = {"Type": f"AWS::SSM::Parameter::Value<{kind}>", "Default": default, **attributes}
    read: Any = {"Ref": "Read"}
    if "List" in kind:
        read = {"Fn::Join": ["|", read]}
    return json.dumps(
        {
            "Parameters": {"Read": parameter},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"Read": {"Value": read}},
        }
    )


def put(aws: LocalAws, value: str, name: str = "", kind: str = "String") -> str:
    name = name or unique()
    aws.client("ssm").put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)
    return name


def refusal(aws: LocalAws, body: str) -> str:
    with pytest.raises(ClientError) as refused:
        aws.client("cloudformation").create_stack(StackName=stack_name(), TemplateBody=body)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    return str(refused.value)


@pytest.mark.parametrize(
    ("kind", "stored", "read"),
    [
        ("String", "a, b", "a, b"),
        ("AWS::EC2::Image::Id", "ami-1", "ami-1"),
        ("AWS::EC2::KeyPair::KeyName", "key", "key"),
        ("List<String>", "a,b, c ,d", "a|b|c|d"),
        ("CommaDelimitedList", "a,b", "a|b"),
        ("List<AWS::EC2::Subnet::Id>", "subnet-1,subnet-2", "subnet-1|subnet-2"),
    ],
)
def test_a_templates_parameter_is_what_ssm_has(aws, kind, stored, read):
    name = put(aws, stored, kind="String" if "|" not in read else "StringList")
    stack = create(aws, reading(kind, name))
    assert outputs(stack)["Read"] == read
    assert stack["Parameters"] == [
        {
            "ParameterKey": "Read",
            "ParameterValue": name,
            "ResolvedValue": read.replace("|", ","),
        }
    ]


def test_every_update_reads_anew_though_the_name_is_the_same(aws):
    name = put(aws, "old")
    stack = create(aws, reading("String", name))
    cloudformation = aws.client("cloudformation")
    previous = {
        "StackName": stack["StackName"],
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": "Read", "UsePreviousValue": True}],
    }
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(**previous)
    put(aws, "new", name)
    made = cloudformation.create_change_set(**previous, ChangeSetName="anew")
    change_set = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert change_set["Parameters"][0]["ResolvedValue"] == "new"
    cloudformation.update_stack(**previous)
    (stack,) = cloudformation.describe_stacks(StackName=stack["StackName"])["Stacks"]
    assert stack["Parameters"][0]["ResolvedValue"] == outputs(stack)["Read"] == "new"


def test_a_version_is_read_where_one_is_named(aws):
    name = put(aws, "one")
    put(aws, "two", name)
    assert outputs(create(aws, reading("String", f"{name}:1")))["Read"] == "one"


def test_a_secret_parameter_does_not_show_what_ssm_has(aws):
    stack = create(aws, reading("String", put(aws, "hush"), NoEcho=True))
    (shown,) = stack["Parameters"]
    assert (shown["ParameterValue"], shown["ResolvedValue"]) == ("****", "****")


def test_constraints_are_of_the_name_and_not_of_the_value(aws):
    name = put(aws, "value")
    assert (
        outputs(create(aws, reading("String", name, AllowedPattern="/cfn/.*")))["Read"] == "value"
    )
    assert "must be one of" in refusal(aws, reading("String", name, AllowedValues=["value"]))


@pytest.mark.parametrize(
    ("kind", "stored", "reason"),
    [
        (
            "String",
            None,
            "Unable to fetch parameters [NAME] from parameter store for this account.",
        ),
        ("String", "StringList", "Types for SSM parameters [NAME] defined in CFN template and SSM"),
        (
            "List<String>",
            "String",
            "Types for SSM parameters [NAME] defined in CFN template and SSM",
        ),
        ("String", "SecureString", "Parameters [NAME] referenced by template have types not"),
        ("Number", "String", "does not support the type AWS::SSM::Parameter::Value<Number>"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_refused_before_a_resource_is_made(
    aws, kind, stored, reason
):
    name = put(aws, "a,b", kind=stored) if stored else unique()
    assert reason.replace("NAME", name) in refusal(aws, reading(kind, name))


@pytest.mark.parametrize(
    ("path", "architecture"),
    [(f"{IMAGES}/arm64/recommended", "arm64"), (f"{IMAGES}/recommended", "x86_64")],
)
def test_the_image_that_aws_recommends_for_ecs_can_be_launched(aws, path, architecture):
    stack = create(aws, reading("AWS::EC2::Image::Id", f"{path}/image_id"))
    (instance,) = aws.client("ec2").run_instances(
        ImageId=outputs(stack)["Read"], MinCount=1, MaxCount=1
    )["Instances"]
    assert instance["Architecture"] == architecture
