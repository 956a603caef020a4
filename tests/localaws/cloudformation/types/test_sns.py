"""Topics with subscribers in a template: a function of SAM's, a queue, an endpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.sns import Endpoint, Queue, attributes, served
from tests.support.localaws.stacks import create, delete, outputs, reasons, update
from tests.support.waiting import wait_for

CODE = """
import os, pathlib
def handler(event, context):
    for record in event["Records"]:
        with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
            seen.write(record["Sns"]["Message"] + chr(10))
    raise RuntimeError("no")
"""


def teller(seen: Path, **policy: list[str]) -> str:
    """A function that is told of a topic, fails, and is watched, as a SAM template says it."""
    told: dict[str, Any] = {"Topic": {"Ref": "Topic"}, "FilterPolicy": policy}
    function = {
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": "index.handler",
        "InlineCode": CODE,
        "Timeout": 30,
        "Environment": {"Variables": {"SEEN": str(seen)}},
        "EventInvokeConfig": {
            "MaximumRetryAttempts": 1,
            "DestinationConfig": {
                "OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": "Untold.Arn"}}
            },
        },
        "Events": {"Told": {"Type": "SNS", "Properties": told}},
    }
    alarm = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": "Untold.QueueName"}}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Untold": {"Type": "AWS::SQS::Queue"},
        "Tell": {"Type": "AWS::Serverless::Function", "Properties": function},
        "UntoldNotEmpty": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
    }
    shown = {name: {"Value": {"Ref": name}} for name in resources}
    return json.dumps(
        {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, "Outputs": shown}
    )


def test_a_function_event_of_sam_s_tells_the_function_reports_it_and_raises_the_alarm(
    aws: LocalAws, tmp_path: Path
) -> None:
    seen, sns = tmp_path / "seen", aws.client("sns")
    stack = create(aws, teller(seen, kind=["start", "end"]))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(aws, stack)
    made = outputs(stack)
    topic = made["Topic"]
    for kind in ("progress", "end"):
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes(kind=kind))

    def alarm() -> str:
        names = [made["UntoldNotEmpty"]]
        [found] = aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return str(found["StateValue"])

    wait_for(lambda: alarm() == "ALARM", "the alarm on the queue")
    assert seen.read_text().split() == ["end", "end"]  # one retry
    [report] = aws.client("sqs").receive_message(QueueUrl=made["Untold"])["Messages"]
    payload = json.loads(report["Body"])["requestPayload"]
    assert payload["Records"][0]["Sns"]["MessageAttributes"]["kind"]["Value"] == "end"

    update(aws, stack, teller(seen, kind=["progress"]))
    for kind in ("end", "progress"):
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes(kind=kind))
    wait_for(lambda: len(seen.read_text().split()) == 4, "what is wanted now")
    assert seen.read_text().split()[2:] == ["progress", "progress"]

    delete(aws, stack)
    left = sns.list_subscriptions()["Subscriptions"]
    assert not [each for each in left if each["TopicArn"] == topic]


def test_a_destination_that_would_not_be_reported_to_fails_the_stack(
    aws: LocalAws, tmp_path: Path
) -> None:
    template = json.loads(teller(tmp_path / "seen"))
    to = {"Type": "SNS", "Destination": {"Ref": "Topic"}}
    properties = template["Resources"]["Tell"]["Properties"]
    properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] = to
    stack = create(aws, json.dumps(template))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    [said] = [why for name, why in reasons(aws, stack).items() if "Invoke" in name]
    assert "which is no standard SQS queue of this account" in said


def subscriptions(**properties: Any) -> str:
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Told": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, **properties},
        },
    }
    shown = {name: {"Value": {"Ref": name}} for name in resources}
    return json.dumps({"Resources": resources, "Outputs": shown})


def test_a_subscription_s_filter_moves_from_attributes_to_the_body_and_back(aws: LocalAws) -> None:
    queue, sns = Queue(aws), aws.client("sns")
    common = {"Protocol": "sqs", "Endpoint": queue.arn, "RawMessageDelivery": "true"}
    by_kind = subscriptions(**common, FilterPolicy={"kind": ["end"]})
    by_tag = subscriptions(
        **common, FilterPolicyScope="MessageBody", FilterPolicy={"image": {"tag": ["v2"]}}
    )
    body = json.dumps({"image": {"tag": "v2"}})
    stack = create(aws, by_kind)
    topic = outputs(stack)["Topic"]

    def got() -> list[str]:
        sns.publish(TopicArn=topic, Message=body)
        sns.publish(TopicArn=topic, Message="{}", MessageAttributes=attributes(kind="end"))
        return [message["Body"] for message in queue.receive()]

    assert got() == ["{}"]
    assert update(aws, stack, by_tag)["StackStatus"] == "UPDATE_COMPLETE"
    assert got() == [body]
    assert update(aws, stack, by_kind)["StackStatus"] == "UPDATE_COMPLETE"
    assert got() == ["{}"]
    assert update(aws, stack, subscriptions(**common))["StackStatus"] == "UPDATE_COMPLETE"
    assert sorted(got()) == sorted([body, "{}"])


def test_a_subscription_of_an_endpoint_has_its_dead_letter_queue(aws: LocalAws) -> None:
    letters = Queue(aws)
    with served(Endpoint()) as endpoint:
        endpoint.statuses += [404]
        stack = create(
            aws,
            subscriptions(
                Protocol="http",
                Endpoint=endpoint.url,
                RedrivePolicy={"deadLetterTargetArn": letters.arn},
            ),
        )
        aws.client("sns").publish(TopicArn=outputs(stack)["Topic"], Message="m")
        assert letters.one()["Message"] == "m"


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"Protocol": "https", "Endpoint": "https://example.com/"}, "not on this machine"),
        ({"Protocol": "sms", "Endpoint": "+15555550100"}, "Protocol sms"),
        ({"Protocol": "email", "Endpoint": "a@example.com", "FilterPolicy": {"a": 1}}, "array"),
    ],
)
def test_a_subscription_that_would_not_be_delivered_fails_its_stack(
    aws: LocalAws, properties: dict[str, Any], why: str
) -> None:
    stack = create(aws, subscriptions(**properties))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert why in reasons(aws, stack)["Told"]


@pytest.mark.parametrize(
    "name", ["DeliveryPolicy", "SubscriptionRoleArn", "ReplayPolicy", "Region"]
)
def test_a_property_that_is_not_there_fails_before_anything_is_made(
    aws: LocalAws, name: str
) -> None:
    properties = {"Protocol": "email", "Endpoint": "a@example.com", name: "x"}
    with pytest.raises(aws.client("cloudformation").exceptions.ClientError, match=name):
        create(aws, subscriptions(**properties))
