"""Event source mappings in a template: a topic, its queue, and a function with the queue's messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.stacks import create, delete, outputs, reasons, update
from tests.support.waiting import wait_for

CODE = """
import os, pathlib
def handler(event, context):
    for record in event["Records"]:
        with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
            seen.write(record["body"] + chr(10))
"""


def template(seen: Path, *, visible: int = 30, **mapping: Any) -> str:
    sends = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": "Queue.Arn"},
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}},
    }
    polls = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": {"Fn::GetAtt": "Queue.Arn"},
    }
    function = {
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": "index.handler",
        "InlineCode": CODE,
        "Timeout": 30,
        "Environment": {"Variables": {"SEEN": str(seen)}},
        "Policies": [{"Version": "2012-10-17", "Statement": [polls]}],
    }
    subscription = {
        "TopicArn": {"Ref": "Topic"},
        "Protocol": "sqs",
        "Endpoint": {"Fn::GetAtt": "Queue.Arn"},
        "RawMessageDelivery": True,
    }
    source = {
        "EventSourceArn": {"Fn::GetAtt": "Queue.Arn"},
        "FunctionName": {"Ref": "Function"},
        **mapping,
    }
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": visible}},
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Queue"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [sends]},
            },
        },
        "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
        "Function": {"Type": "AWS::Serverless::Function", "Properties": function},
        "Source": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": source},
    }
    shown = {name: {"Value": {"Ref": name}} for name in resources}
    shown["SourceArn"] = {"Value": {"Fn::GetAtt": "Source.EventSourceMappingArn"}}
    shown["SourceId"] = {"Value": {"Fn::GetAtt": "Source.Id"}}
    return json.dumps(
        {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, "Outputs": shown}
    )


def test_a_message_of_a_topic_reaches_the_function_until_the_mapping_is_deleted(
    aws: LocalAws, tmp_path: Path
) -> None:
    seen, functions = tmp_path / "seen", aws.client("lambda")
    limited = {"BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": 2}}
    stack = create(aws, template(seen, **limited))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(aws, stack)
    made = outputs(stack)
    aws.client("sns").publish(TopicArn=made["Topic"], Message="one")
    wait_for(lambda: seen.exists() and seen.read_text() == "one\n", "the message")
    described = functions.get_event_source_mapping(UUID=made["Source"])
    assert made["SourceId"] == made["Source"]
    assert made["SourceArn"] == described["EventSourceMappingArn"]
    assert (described["BatchSize"], described["ScalingConfig"]) == (1, {"MaximumConcurrency": 2})

    changed = {
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    stack = update(aws, stack, template(seen, **changed))
    assert outputs(stack)["Source"] == made["Source"]
    described = functions.get_event_source_mapping(UUID=made["Source"])
    assert described["BatchSize"] == 10
    assert described["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "ScalingConfig" not in described
    assert functions.list_tags(Resource=made["SourceArn"])["Tags"]["a"] == "b"
    update(aws, stack, template(seen))
    assert "a" not in functions.list_tags(Resource=made["SourceArn"])["Tags"]

    delete(aws, stack)
    # Other tests' mappings are on the same local AWS.
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert made["Source"] not in {mapping["UUID"] for mapping in mappings}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"visible": 29}, "Queue visibility timeout: 29 seconds is less than Function timeout: 30"),
        ({"BatchSize": 11}, "BatchSize 11"),
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "no standard SQS"),
    ],
)
def test_a_mapping_that_lambda_refuses_fails_its_stack(
    aws: LocalAws, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    stack = create(aws, template(tmp_path / "seen", **options))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert said in reasons(aws, stack)["Source"]


@pytest.mark.parametrize("name", ["StartingPosition", "FilterCriteria", "ParallelizationFactor"])
def test_a_property_that_is_not_simulated_fails_before_anything_is_made(
    aws: LocalAws, tmp_path: Path, name: str
) -> None:
    with pytest.raises(aws.client("cloudformation").exceptions.ClientError, match=name):
        create(aws, template(tmp_path / "seen", **{name: "x"}))
