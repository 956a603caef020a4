"""What localaws/sns.py mends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.server import LocalAws


def _topic(aws: LocalAws, name: str, **filter_policy: list[str]) -> str:
    sns = aws.client("sns")
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    attributes = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
    sns.subscribe(
        TopicArn=topic, Protocol="email", Endpoint=f"{name}@example.com", Attributes=attributes
    )
    return topic


def _mails(aws: LocalAws, topic: str) -> list[dict[str, Any]]:
    mails = requests.get(f"{aws.url}/_localaws/mails", timeout=10).json()
    return [mail for mail in mails if mail["topic"] == topic]


def test_a_message_to_an_email_subscription_is_sent_as_a_mail(aws: LocalAws) -> None:
    topic = _topic(aws, "mailed")
    aws.client("sns").publish(
        TopicArn=topic,
        Subject="api was rolled back",
        Message="why\nand how",
        MessageAttributes={"outcome": {"DataType": "String", "StringValue": "ROLLED_BACK"}},
    )
    assert _mails(aws, topic) == [
        {
            "to": "mailed@example.com",
            "subject": "api was rolled back",
            "text": "why\nand how",
            "topic": topic,
            "attributes": {"outcome": "ROLLED_BACK"},
        }
    ]


def test_a_filter_policy_keeps_a_mail_from_being_sent(aws: LocalAws) -> None:
    topic = _topic(aws, "filtered", outcome=["FAILED"])
    for outcome in ("SUCCEEDED", "FAILED"):
        aws.client("sns").publish(
            TopicArn=topic,
            Message=outcome,
            MessageAttributes={"outcome": {"DataType": "String", "StringValue": outcome}},
        )
    assert [mail["text"] for mail in _mails(aws, topic)] == ["FAILED"]


def test_a_message_per_protocol_gives_the_mail_its_own_text(aws: LocalAws) -> None:
    topic = _topic(aws, "structured")
    aws.client("sns").publish(
        TopicArn=topic,
        MessageStructure="json",
        Message=json.dumps({"default": "{}", "email": "for people"}),
    )
    assert [mail["text"] for mail in _mails(aws, topic)] == ["for people"]


def test_a_queue_gets_what_a_mail_gets(aws: LocalAws) -> None:
    topic = _topic(aws, "queued")
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="queued")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    aws.client("sns").publish(TopicArn=topic, Message="both")
    [received] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(received["Body"])["Message"] == "both"
    assert [mail["text"] for mail in _mails(aws, topic)] == ["both"]


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ({"Message": "m", "Subject": "s" * 101}, "Subject"),
        ({"Message": "m", "Subject": "one\ntwo"}, "Subject"),
        ({"Message": "m", "Subject": "tab\there"}, "Subject"),
        ({"Message": "é" * 131_073}, "Message too long"),  # bytes count, not characters
        ({"Message": ""}, "Empty message"),
    ],
)
def test_what_sns_refuses_is_refused(aws: LocalAws, refused: dict[str, str], why: str) -> None:
    topic = _topic(aws, "limits")
    with pytest.raises(ClientError) as refusal:
        aws.client("sns").publish(TopicArn=topic, **refused)
    assert refusal.value.response["Error"]["Code"] == "InvalidParameter"
    assert why in refusal.value.response["Error"]["Message"]
    assert _mails(aws, topic) == []


def test_the_largest_message_and_subject_are_sent(aws: LocalAws) -> None:
    topic = _topic(aws, "largest")
    aws.client("sns").publish(TopicArn=topic, Subject="s" * 100, Message="é" * 131_072)
    [mail] = _mails(aws, topic)
    assert (len(mail["subject"]), len(mail["text"])) == (100, 131_072)


def test_a_protocol_that_would_not_be_delivered_is_not_accepted(aws: LocalAws) -> None:
    topic = _topic(aws, "undelivered")
    with pytest.raises(ClientError, match="Protocol email-json"):
        aws.client("sns").subscribe(
            TopicArn=topic, Protocol="email-json", Endpoint="someone@example.com"
        )
