"""AWS::SSM::Parameter, seen through SSM's API."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.stacks import create, delete, outputs, reasons, update

SHOWN = {
    "Name": {"Value": {"Ref": "It"}},
    "Type": {"Value": {"Fn::GetAtt": "It.Type"}},
    "Value": {"Value": {"Fn::GetAtt": "It.Value"}},
}


def unique() -> str:
    return f"/cfn/{uuid.uuid4()}"


def template(**properties: Any) -> str:
    """A stack of one parameter; a property that is None is left out."""
    given = {"Type": "String", "Value": "v", **properties}
    kept = {name: value for name, value in given.items() if value is not None}
    it = {"Type": "AWS::SSM::Parameter", "Properties": kept}
    return json.dumps({"Resources": {"It": it}, "Outputs": SHOWN})


def described(aws: LocalAws, name: str) -> dict[str, Any]:
    ssm = aws.client("ssm")
    of_name = [{"Key": "Name", "Values": [name]}]
    (parameter,) = ssm.describe_parameters(ParameterFilters=of_name)["Parameters"]
    value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    return {**parameter, "Value": value}


def tags(aws: LocalAws, name: str) -> dict[str, str]:
    answer = aws.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
    return {tag["Key"]: tag["Value"] for tag in answer["TagList"]}


def test_a_parameter_has_what_its_template_says(aws):
    name = unique()
    stack = create(
        aws,
        template(
            Name=name,
            Type="StringList",
            Value="a,b",
            Description="letters",
            Tier="Advanced",
            AllowedPattern="[a-z,]+",
            Tags={"team": "web"},
        ),
        Tags=[{"Key": "team", "Value": "none"}, {"Key": "stage", "Value": "test"}],
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs(stack) == {"Name": name, "Type": "StringList", "Value": "a,b"}
    parameter = described(aws, name)
    assert (parameter["Description"], parameter["Tier"]) == ("letters", "Advanced")
    assert parameter["AllowedPattern"] == "[a-z,]+"
    assert tags(aws, name) == {"team": "web", "stage": "test"}
    delete(aws, stack)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws.client("ssm").get_parameter(Name=name)


def test_a_parameter_without_a_name_gets_a_generated_name(aws):
    assert outputs(create(aws, template()))["Name"].startswith("CFN-It-")


def test_a_change_overwrites_all_of_a_parameter_but_its_name(aws):
    stack = create(
        aws, template(Description="old", AllowedPattern=".", Tags={"kept": "1", "gone": "1"})
    )
    name = outputs(stack)["Name"]
    stack = update(aws, stack, template(Value="new", Tags={"kept": "2", "more": "1"}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs(stack)["Name"] == name
    parameter = described(aws, name)
    assert (parameter["Value"], parameter["Version"]) == ("new", 2)
    assert not parameter.get("Description")
    assert not parameter.get("AllowedPattern")
    assert tags(aws, name) == {"kept": "2", "more": "1"}
    update(aws, stack, template(Value="new", Description="told"))
    assert described(aws, name)["Description"] == "told"
    assert tags(aws, name) == {}


def test_another_name_makes_another_parameter(aws):
    first, second = unique(), unique()
    stack = create(aws, template(Name=first))
    update(aws, stack, template(Name=second))
    assert described(aws, second)["Value"] == "v"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws.client("ssm").get_parameter(Name=first)


def test_a_parameter_that_is_gone_already_is_no_reason_not_to_delete_its_stack(aws):
    stack = create(aws, template())
    aws.client("ssm").delete_parameter(Name=outputs(stack)["Name"])
    delete(aws, stack)
    listed = aws.client("cloudformation").describe_stacks(StackName=stack["StackId"])
    assert listed["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Type": "SecureString"}, "#/Type: SecureString is not a valid enum value"),
        ({"Type": None}, "Type is missing"),
        ({"Value": None}, "Value"),
        ({"Tier": "Best"}, "PutParameter.Tier must be one of"),
        ({"AllowedPattern": "[0-9]+"}, "cannot be validated against allowedPattern: [0-9]+"),
    ],
)
def test_a_wrong_parameter_fails_with_the_reason(aws, properties, reason):
    stack = create(aws, template(**properties))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["It"]


def test_a_parameter_that_somebody_else_has_is_not_taken(aws):
    name = unique()
    aws.client("ssm").put_parameter(Name=name, Value="theirs", Type="String")
    stack = create(aws, template(Name=name))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "ParameterAlreadyExists" in reasons(aws, stack)["It"]
    assert described(aws, name)["Value"] == "theirs"


def test_a_dynamic_reference_to_a_missing_parameter_fails_with_the_reason(aws):
    name = unique()
    stack = create(aws, template(Value=f"{{{{resolve:ssm:{name}}}}}"))
    assert f"Parameters: [ssm:{name}] cannot be found." in reasons(aws, stack)["It"]
