"""AWS::CloudFormation::Stack: stacks that another stack creates and deletes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.nested import child, described, events, nested, note, template
from tests.support.localaws.stacks import (
    BUCKET,
    create,
    delete,
    finished,
    outputs,
    reasons,
    stack_name,
)

PARENT = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Topics:
    Type: AWS::Serverless::Application
    Properties:
      Location: topics/template.yaml
      Parameters: {Title: !Join ["-", [all, !Ref AWS::Region]]}
      Tags: {team: web}
  Queues:
    Type: AWS::Serverless::Application
    Properties:
      Location: queues/template.yaml
      Parameters: {TopicArn: !GetAtt Topics.Outputs.Arn}
Outputs:
  Topics: {Value: !Ref Topics}
  Queues: {Value: !Ref Queues}
  Subscribed: {Value: !Sub "${Queues.Outputs.TopicOfQueue}"}
"""
TOPICS = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Title: {Type: String}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Title}}
Outputs:
  Arn: {Value: !Ref Topic}
"""
QUEUES = """
Transform: AWS::Serverless-2016-10-31
Parameters: {TopicArn: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref TopicArn, Protocol: sqs, Endpoint: !GetAtt Queue.Arn}
  Reader:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}}
Outputs:
  TopicOfQueue: {Value: !Ref TopicArn}
"""


def sam(folder: Path, command: str, *arguments: str) -> None:
    binaries = Path(sys.executable).parent
    run = subprocess.run(
        [binaries / "sam", command, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.fixture(scope="module")
def family(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A stack of two applications, deployed by the SAM CLI."""
    folder = tmp_path_factory.mktemp("family")
    for name, body in (("", PARENT), ("topics", TOPICS), ("queues", QUEUES)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "template.yaml").write_text(body)
    aws.client("s3").create_bucket(Bucket=BUCKET)
    stack = stack_name()
    sam(folder, "build", "--region", "us-east-1")
    capabilities = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
    where = ("--stack-name", stack, "--s3-bucket", BUCKET, "--region", "us-east-1")
    sam(folder, "deploy", *where, *capabilities, "--no-confirm-changeset")
    return described(aws, stack)


def test_sam_deploys_an_application_as_a_stack_in_the_stack(aws, family):
    topics = described(aws, outputs(family)["Topics"])
    assert family["StackStatus"] == topics["StackStatus"] == "CREATE_COMPLETE"
    assert re.fullmatch(f"{family['StackName']}-Topics-[A-Z0-9]{{12}}", topics["StackName"])
    assert topics["ParentId"] == topics["RootId"] == family["StackId"]
    assert "ParentId" not in family
    assert events(aws, topics) == [
        (topics["StackName"], "CREATE_IN_PROGRESS"),
        ("Topic", "CREATE_IN_PROGRESS"),
        ("Topic", "CREATE_COMPLETE"),
        (topics["StackName"], "CREATE_COMPLETE"),
    ]
    assert ("Topics", "CREATE_COMPLETE") in events(aws, family)


def test_an_output_of_one_application_is_a_parameter_of_another(aws, family):
    topic = outputs(described(aws, outputs(family)["Topics"]))["Arn"]
    assert outputs(family)["Subscribed"] == topic
    (subscription,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert f":{described(aws, outputs(family)['Queues'])['StackName']}-" in subscription["Endpoint"]
    attributes = aws.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["DisplayName"] == "all-us-east-1"


def test_an_applications_tags_are_on_its_resources(aws, family):
    topic = outputs(described(aws, outputs(family)["Topics"]))["Arn"]
    tags = aws.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "lambda:createdBy": "SAM",
        "team": "web",
    }


def test_an_application_needs_the_callers_acknowledgement(aws):
    application = {
        "Type": "AWS::Serverless::Application",
        "Properties": {"Location": f"{aws.url}/{BUCKET}/any.template"},
    }
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_AUTO_EXPAND\]"):
        aws.client("cloudformation").create_change_set(
            StackName=stack_name(),
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=template({"Child": application}, Transform="AWS::Serverless-2016-10-31"),
            Capabilities=["CAPABILITY_IAM"],
        )


def test_a_nested_stack_is_deleted_with_its_parent_or_says_why_not(aws):
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": f"nested-{uuid.uuid4()}",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": True,
        },
    }
    stack = create(aws, template({"Child": nested(aws, template({"Table": table}))}))
    inside = child(aws, stack)
    delete(aws, stack)
    assert finished(aws, stack["StackId"])["StackStatus"] == "DELETE_FAILED"
    assert reasons(aws, stack)["Child"] == (
        f"Embedded stack {inside['StackId']} was not successfully deleted: "
        "The following resource(s) failed to delete: [Table]. "
    )
    aws.client("dynamodb").update_table(
        TableName=table["Properties"]["TableName"],  # type: ignore[index]
        DeletionProtectionEnabled=False,
    )
    delete(aws, stack)
    for gone in (stack, inside):
        assert described(aws, gone["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_nested_stack_that_is_gone_already_is_no_reason_not_to_delete_its_parent(aws):
    stack = create(aws, template({"Child": nested(aws, note())}))
    delete(aws, child(aws, stack))
    delete(aws, stack)
    assert described(aws, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(("wanted", "text"), [("true", "here"), ("false", "nowhere")])
def test_a_nested_stack_is_there_under_its_condition_only(aws, wanted, text):
    conditional = {**nested(aws, note(), Parameters={"Text": "here"}), "Condition": "Wanted"}
    given = {"Fn::If": ["Wanted", {"Fn::GetAtt": ["Child", "Outputs.Text"]}, "nowhere"]}
    body = template(
        {"Child": conditional},
        Conditions={"Wanted": {"Fn::Equals": [wanted, "true"]}},
        Outputs={"Text": {"Value": given}},
    )
    assert outputs(create(aws, body))["Text"] == text
