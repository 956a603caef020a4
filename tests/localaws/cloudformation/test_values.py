"""What the functions of a template give, as the values of a stack's outputs."""

from __future__ import annotations

import json

import pytest

from tests.support.localaws.stacks import create, outputs, parameters, update

TEMPLATE = {
    "Parameters": {
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Count": {"Type": "Number", "Default": 3},
        "Region": {"Type": "String", "Default": "eu-west-1"},
        "Secret": {"Type": "String", "NoEcho": True, "Default": "hush"},
    },
    "Mappings": {"Sizes": {"us-east-1": {"small": 1, "names": ["x", "y"]}}},
    "Conditions": {
        "Three": {"Fn::Equals": [{"Ref": "Count"}, 3]},
        "Many": {"Fn::Not": [{"Condition": "Three"}]},
        "Both": {"Fn::And": [{"Condition": "Three"}, {"Condition": "Many"}]},
        "Either": {"Fn::Or": [{"Condition": "Three"}, {"Condition": "Many"}]},
    },
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Fn::Sub": "${AWS::URLSuffix} ${Count} ${!Count} ${Topic.TopicName}"}, "TOPIC"),
        ({"Fn::Sub": ["${Here}-${Count}", {"Here": {"Fn::Select": [1, ["x", "y"]]}}]}, "y-3"),
        ({"Fn::Join": ["+", {"Ref": "Names"}]}, "a+b"),
        ({"Fn::Join": ["", ["a", {"Fn::If": ["Many", "b", {"Ref": "AWS::NoValue"}]}]]}, "a"),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", {"Fn::Sub": "x/${Count}"}]}]}, "3"),
        ({"Fn::Select": [0, {"Fn::GetAZs": {"Ref": "AWS::Region"}}]}, "us-east-1a"),
        ({"Fn::Select": [1, {"Fn::GetAZs": ""}]}, "us-east-1b"),
        ({"Fn::Select": [0, {"Fn::GetAZs": {"Ref": "Region"}}]}, "eu-west-1a"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, "1"),
        ({"Fn::Base64": {"Fn::Sub": "n=${Count}"}}, "bj0z"),
        ({"Fn::If": ["Both", "both", {"Fn::If": ["Either", "either", "none"]}]}, "either"),
        ("{{resolve:ssm:/cloudformation/test}}", "from ssm"),
    ],
)
def test_a_function_gives(aws, expression, value):
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/cloudformation/test", Value="from ssm", Type="String", Overwrite=True)
    stack = create(aws, json.dumps({**TEMPLATE, "Outputs": {"It": {"Value": expression}}}))
    given = outputs(stack)["It"]
    if value == "TOPIC":
        assert given.startswith(f"amazonaws.com 3 ${{Count}} {stack['StackName']}-Topic-")
    else:
        assert given == value


def test_the_short_forms_of_yaml_mean_the_same_and_dates_stay_text(aws):
    body = """
Resources:
  Queue: {Type: AWS::SQS::Queue}
Outputs:
  Day: {Value: 2012-10-17}
  Arn: {Value: !GetAtt Queue.Arn}
  Joined: {Value: !Join ["/", [!Ref AWS::Region, !Select [0, !Split [":", "a:b"]]]]}
  Sub: {Value: !Sub ["${It}!", {It: !Base64 a}]}
"""
    given = outputs(create(aws, body))
    assert given.pop("Arn").startswith("arn:aws:sqs:us-east-1:123456789012:")
    assert given == {"Day": "2012-10-17", "Joined": "us-east-1/a", "Sub": "YQ==!"}


def test_a_secret_parameter_is_not_shown(aws):
    shown = {
        item["ParameterKey"]: item["ParameterValue"]
        for item in create(aws, json.dumps(TEMPLATE))["Parameters"]
    }
    assert shown == {"Names": "a, b", "Count": "3", "Region": "eu-west-1", "Secret": "****"}


def test_a_previous_value_is_kept_and_an_absent_one_is_the_default(aws):
    body = json.dumps({**TEMPLATE, "Outputs": {"It": {"Value": {"Fn::Sub": "${Count} ${Region}"}}}})
    stack = create(aws, body, Parameters=parameters({"Count": "7", "Region": "x"}))
    assert outputs(stack)["It"] == "7 x"
    kept = [{"ParameterKey": "Count", "UsePreviousValue": True}]
    assert outputs(update(aws, stack, body, Parameters=kept))["It"] == "7 eu-west-1"


def test_an_export_is_what_another_stack_imports(aws):
    exported = {"It": {"Value": {"Ref": "Topic"}, "Export": {"Name": "test-topic"}}}
    exporting = create(aws, json.dumps({**TEMPLATE, "Outputs": exported}))
    imported = {"It": {"Value": {"Fn::ImportValue": "test-topic"}}}
    importing = create(aws, json.dumps({**TEMPLATE, "Outputs": imported}))
    assert outputs(importing) == outputs(exporting)


def test_the_stacks_tags_are_on_its_resources_and_change_with_it(aws):
    body = json.dumps({**TEMPLATE, "Outputs": {"It": {"Value": {"Ref": "Topic"}}}})
    stack = create(aws, body, Tags=[{"Key": "team", "Value": "web"}, {"Key": "old", "Value": "1"}])
    topic = outputs(stack)["It"]
    update(aws, stack, body, Tags=[{"Key": "team", "Value": "app"}])
    tags = aws.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]
    assert tags == [{"Key": "team", "Value": "app"}]


def test_a_summary_says_what_a_template_declares(aws):
    summary = aws.client("cloudformation").get_template_summary(TemplateBody=json.dumps(TEMPLATE))
    count = next(item for item in summary["Parameters"] if item["ParameterKey"] == "Count")
    assert count == {
        "ParameterKey": "Count",
        "DefaultValue": "3",
        "ParameterType": "Number",
        "NoEcho": False,
        "ParameterConstraints": {},
    }
    assert summary["ResourceTypes"] == ["AWS::SNS::Topic"]
