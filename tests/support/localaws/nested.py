"""Stacks with nested stacks: their templates, and what CloudFormation reports of them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.stacks import BUCKET, outputs

TOPIC = {"Type": "AWS::SNS::Topic"}
QUEUE = {"Type": "AWS::SQS::Queue"}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}
# A role that can not be created, because its managed policy does not exist.
IMPOSSIBLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        **ROLE["Properties"],  # type: ignore[dict-item]
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"],
    },
}
NOTE = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Text"}}}
SHOWN = {"Note": {"Value": {"Ref": "Note"}}, "Text": {"Value": {"Fn::GetAtt": "Note.Value"}}}


def described(aws: LocalAws, stack: str) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("cloudformation").describe_stacks(StackName=stack)
    return dict(answer["Stacks"][0])


def nested(aws: LocalAws, body: str, **properties: Any) -> dict[str, Any]:
    """Upload the template; the resource that nests it."""
    key = f"{uuid.uuid4()}.template"
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    url = f"{aws.url}/{BUCKET}/{key}"
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, **properties}}


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def note(**resources: Any) -> str:
    """A template that writes its parameter Text to SSM, with more resources."""
    text = {"Text": {"Type": "String", "Default": "none"}}
    return template({"Note": NOTE, **resources}, Parameters=text, Outputs=SHOWN)


def child(aws: LocalAws, parent: dict[str, Any], logical_id: str = "Child") -> dict[str, Any]:
    resource = aws.client("cloudformation").describe_stack_resource(
        StackName=parent["StackId"], LogicalResourceId=logical_id
    )
    return described(aws, resource["StackResourceDetail"]["PhysicalResourceId"])


def events(aws: LocalAws, stack: dict[str, Any]) -> list[tuple[str, str]]:
    answer = aws.client("cloudformation").describe_stack_events(StackName=stack["StackId"])
    return [
        (event["LogicalResourceId"], event["ResourceStatus"])
        for event in reversed(answer["StackEvents"])
    ]


def noted(aws: LocalAws, stack: dict[str, Any]) -> str:
    value: str = aws.client("ssm").get_parameter(Name=outputs(stack)["Note"])["Parameter"]["Value"]
    return value
