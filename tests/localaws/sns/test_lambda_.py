"""SNS to Lambda: what a function gets, when it may, and what becomes of what it can't take."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.faults import faults
from localaws.server import LocalAws
from tests.support.localaws.sns import Queue, Recorder, attributes, topic, unique
from tests.support.waiting import wait_for


def test_a_function_gets_the_envelope_that_sns_makes(aws: LocalAws, tmp_path: Path) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told)
    subscription = function.subscribe(told)
    message_id = aws.client("sns").publish(
        TopicArn=told, Subject="s", Message="é", MessageAttributes=attributes(kind="end")
    )["MessageId"]
    [event] = function.wait()
    [record] = event["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventVersion"] == "1.0"
    assert record["EventSubscriptionArn"] == subscription
    sns = record["Sns"]
    assert sns.pop("Timestamp").endswith("Z")
    assert sns.pop("Signature")
    assert sns.pop("SigningCertUrl").startswith("https://sns.us-east-1.amazonaws.com/")
    assert sns.pop("UnsubscribeUrl").endswith(subscription)
    assert sns == {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": told,
        "Subject": "s",
        "Message": "é",
        "SignatureVersion": "2",
        "MessageAttributes": {"kind": {"Type": "String", "Value": "end"}},
    }


def test_without_subject_and_attributes_they_are_there_and_empty(
    aws: LocalAws, tmp_path: Path
) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told)
    function.subscribe(told)
    aws.client("sns").publish(TopicArn=told, Message="m")
    [event] = function.wait()
    sns = event["Records"][0]["Sns"]
    assert (sns["Subject"], sns["MessageAttributes"]) == (None, {})


@pytest.mark.parametrize(
    ("texts", "got"),
    [
        ({"default": "d", "lambda": "for functions", "email": "e"}, "for functions"),
        ({"default": "d", "email": "e"}, "d"),
        ({"default": "d", "lambda": {"no": "text"}}, "d"),
    ],
)
def test_a_message_per_protocol_gives_the_function_its_own(
    aws: LocalAws, tmp_path: Path, texts: dict[str, Any], got: str
) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told)
    function.subscribe(told)
    aws.client("sns").publish(TopicArn=told, MessageStructure="json", Message=json.dumps(texts))
    [event] = function.wait()
    assert event["Records"][0]["Sns"]["Message"] == got


def test_a_filter_policy_spares_the_function(aws: LocalAws, tmp_path: Path) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told)
    function.subscribe(told, FilterPolicy=json.dumps({"kind": ["start", "end"]}))
    for kind in ("progress", "end"):
        aws.client("sns").publish(
            TopicArn=told, Message=kind, MessageAttributes=attributes(kind=kind)
        )
    [event] = function.wait()
    assert event["Records"][0]["Sns"]["Message"] == "end"


def test_a_function_that_fails_is_tried_again_and_reported(aws: LocalAws, tmp_path: Path) -> None:
    function, told, queue = Recorder(aws, tmp_path, FAIL="1"), topic(aws), Queue(aws)
    function.functions.put_function_event_invoke_config(
        FunctionName=function.name,
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )
    function.allow(told)
    function.subscribe(told)
    aws.client("sns").publish(TopicArn=told, Message="m")
    report = queue.one()
    assert len(function.events()) == 3
    assert report["requestContext"]["condition"] == "RetriesExhausted"
    assert report["requestPayload"]["Records"][0]["Sns"]["Message"] == "m"


@pytest.mark.parametrize("permission", ["none", "another topic", "another service"])
def test_a_function_whose_policy_does_not_allow_sns_is_not_invoked_and_the_loss_is_logged(
    aws: LocalAws, tmp_path: Path, permission: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    function, told = Recorder(aws, tmp_path), topic(aws)
    if permission == "another topic":
        function.allow(topic(aws))
    if permission == "another service":
        function.allow(told, "events.amazonaws.com")
    function.subscribe(told)
    message_id = aws.client("sns").publish(TopicArn=told, Message="m")["MessageId"]
    lost = f"the message {message_id} is lost to {function.arn}: its policy does not let sns"
    wait_for(lambda: lost in caplog.text, "the log")
    assert function.events() == []


def test_a_permission_with_a_wildcard_covers_the_topic(aws: LocalAws, tmp_path: Path) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told.rpartition("-")[0] + "-*")
    function.subscribe(told)
    aws.client("sns").publish(TopicArn=told, Message="m")
    assert function.wait()


def test_a_message_for_a_deleted_function_is_in_the_dead_letter_queue(
    aws: LocalAws, tmp_path: Path
) -> None:
    function, told, letters = Recorder(aws, tmp_path), topic(aws), Queue(aws)
    function.subscribe(told, RedrivePolicy=json.dumps({"deadLetterTargetArn": letters.arn}))
    function.functions.delete_function(FunctionName=function.name)
    aws.client("sns").publish(TopicArn=told, Message="m")
    letter = letters.one()
    assert (letter["Type"], letter["TopicArn"], letter["Message"]) == ("Notification", told, "m")


def test_an_invocation_that_lambda_throttles_is_tried_again(aws: LocalAws, tmp_path: Path) -> None:
    function, told = Recorder(aws, tmp_path), topic(aws)
    function.allow(told)
    function.subscribe(told)
    fault = faults.add(action="lambda:Invoke", how="throttle", containing=function.name, times=2)
    aws.client("sns").publish(TopicArn=told, Message="m")
    assert len(function.wait()) == 1
    assert faults.remove(fault)["hits"] == 2


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("not-an-arn", "InvalidParameter.*Lambda endpoint ARN"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:alias", "NotImplemented"),
        ("arn:aws:lambda:us-east-1:210987654321:function:f", "NotImplemented"),
    ],
)
def test_an_endpoint_that_is_no_function_of_this_account_is_not_subscribed(
    aws: LocalAws, endpoint: str, why: str
) -> None:
    sns, told = aws.client("sns"), topic(aws)
    with pytest.raises(ClientError, match=why):
        sns.subscribe(TopicArn=told, Protocol="lambda", Endpoint=endpoint)
    assert sns.list_subscriptions_by_topic(TopicArn=told)["Subscriptions"] == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"RawMessageDelivery": "true"}, "does not support raw message delivery"),
        ({"DeliveryPolicy": '{"healthyRetryPolicy": {}}'}, "NotImplemented.*DeliveryPolicy"),
        ({"FilterPolicy": '{"a": [{"wildcard": "*"}]}'}, "Unrecognized match type"),
        ({"FilterPolicy": '{"a": [{"anything-but": {"sounds-like": "x"}}]}'}, "Unrecognized match"),
        ({"FilterPolicy": '{"a": {"b": ["c"]}}'}, "does not support nested"),
        ({"FilterPolicy": "{"}, "failed to parse JSON"),
        ({"FilterPolicyScope": "Everything"}, "FilterPolicyScope"),
        ({"RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sns:r:1:t"}'}, "NotImplemented"),
    ],
)
def test_an_attribute_that_would_not_be_heeded_is_refused_and_nothing_is_subscribed(
    aws: LocalAws, settings: dict[str, str], why: str
) -> None:
    sns, told = aws.client("sns"), topic(aws)
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{unique('f')}"
    with pytest.raises(ClientError, match=why):
        sns.subscribe(TopicArn=told, Protocol="lambda", Endpoint=arn, Attributes=settings)
    assert sns.list_subscriptions_by_topic(TopicArn=told)["Subscriptions"] == []
    subscription = sns.subscribe(TopicArn=told, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    [(name, value)] = settings.items()
    with pytest.raises(ClientError, match=why):
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )
