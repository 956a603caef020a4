"""What localaws/sns/sns.py mends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws import sns as sns_helpers


def _topic(aws: LocalAws, name: str, **filter_policy: list[str]) -> str:
    sns = aws.client("sns")
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    attributes = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
    sns.subscribe(
        TopicArn=topic, Protocol="email", Endpoint=f"{name}@example.com", Attributes=attributes
    )
    return topic


def _emails(aws: LocalAws, topic: str) -> list[dict[str, Any]]:
    emails = requests.get(f"{aws.url}/_localaws/emails", timeout=10).json()
    return [email for email in emails if email["topic"] == topic]


def test_a_message_to_an_email_subscription_is_sent_as_an_email(aws: LocalAws) -> None:
    topic = _topic(aws, "mailed")
    aws.client("sns").publish(
        TopicArn=topic,
        Subject="api was rolled back",
        Message="why\nand how",
        MessageAttributes={"outcome": {"DataType": "String", "StringValue": "ROLLED_BACK"}},
    )
    assert _emails(aws, topic) == [
        {
            "to": "mailed@example.com",
            "subject": "api was rolled back",
            "text": "why\nand how",
            "topic": topic,
            "attributes": {"outcome": "ROLLED_BACK"},
        }
    ]


def test_a_filter_policy_keeps_an_email_from_being_sent(aws: LocalAws) -> None:
    topic = _topic(aws, "filtered", outcome=["FAILED"])
    for outcome in ("SUCCEEDED", "FAILED"):
        aws.client("sns").publish(
            TopicArn=topic,
            Message=outcome,
            MessageAttributes={"outcome": {"DataType": "String", "StringValue": outcome}},
        )
    assert [email["text"] for email in _emails(aws, topic)] == ["FAILED"]


def test_a_message_per_protocol_gives_the_email_its_own_text(aws: LocalAws) -> None:
    topic = _topic(aws, "structured")
    aws.client("sns").publish(
        TopicArn=topic,
        MessageStructure="json",
        Message=json.dumps({"default": "{}", "email": "for people"}),
    )
    assert [email["text"] for email in _emails(aws, topic)] == ["for people"]


def test_a_queue_gets_what_an_email_gets(aws: LocalAws) -> None:
    topic = _topic(aws, "queued")
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="queued")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns_helpers.let_sns_send(aws, arn["QueueArn"])
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    aws.client("sns").publish(TopicArn=topic, Message="both")
    [received] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(received["Body"])["Message"] == "both"
    assert [email["text"] for email in _emails(aws, topic)] == ["both"]


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
def test_a_message_with_a_wrong_subject_or_size_is_refused_and_sent_to_nobody(
    aws: LocalAws, refused: dict[str, str], why: str
) -> None:
    topic = _topic(aws, "limits")
    with pytest.raises(ClientError) as refusal:
        aws.client("sns").publish(TopicArn=topic, **refused)
    assert refusal.value.response["Error"]["Code"] == "InvalidParameter"
    assert why in refusal.value.response["Error"]["Message"]
    assert _emails(aws, topic) == []


def test_the_largest_message_and_subject_are_sent(aws: LocalAws) -> None:
    topic = _topic(aws, "largest")
    aws.client("sns").publish(TopicArn=topic, Subject="s" * 100, Message="é" * 131_072)
    [email] = _emails(aws, topic)
    assert (len(email["subject"]), len(email["text"])) == (100, 131_072)


def test_attributes_count_towards_the_size_of_a_message(aws: LocalAws) -> None:
    topic, sns = _topic(aws, "sized"), aws.client("sns")
    # Name, type and value: 4 + 6 + 2 bytes.
    attribute = {"kind": {"DataType": "String", "StringValue": "é"}}
    sns.publish(TopicArn=topic, Message="m" * (262_144 - 12), MessageAttributes=attribute)
    with pytest.raises(ClientError, match="Message too long"):
        sns.publish(TopicArn=topic, Message="m" * (262_144 - 11), MessageAttributes=attribute)
    assert len(_emails(aws, topic)) == 1


def test_a_binary_attribute_counts_by_its_bytes(aws: LocalAws) -> None:
    topic, sns = _topic(aws, "binary"), aws.client("sns")
    attribute = {"kind": {"DataType": "Binary", "BinaryValue": b"123"}}  # 4 + 6 + 3 bytes
    sns.publish(TopicArn=topic, Message="m" * (262_144 - 13), MessageAttributes=attribute)
    with pytest.raises(ClientError, match="Message too long"):
        sns.publish(TopicArn=topic, Message="m" * (262_144 - 12), MessageAttributes=attribute)


def test_the_texts_of_all_protocols_count_towards_the_size(aws: LocalAws) -> None:
    topic = _topic(aws, "texts")
    texts = {"default": "d" * 131_072, "email": "e" * 131_072}
    with pytest.raises(ClientError, match="Message too long"):
        aws.client("sns").publish(
            TopicArn=topic, MessageStructure="json", Message=json.dumps(texts)
        )
    assert _emails(aws, topic) == []


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("no JSON", "JSON message body failed to parse"),
        ('["default"]', "JSON message body failed to parse"),
        ('{"email": "e"}', "No default entry"),
        ('{"default": {"no": "text"}, "email": "e"}', "No default entry"),
    ],
)
def test_an_invalid_message_per_protocol_is_refused_before_anybody_gets_it(
    aws: LocalAws, message: str, why: str
) -> None:
    topic = _topic(aws, "unstructured")
    with pytest.raises(ClientError, match=why):
        aws.client("sns").publish(TopicArn=topic, MessageStructure="json", Message=message)
    assert _emails(aws, topic) == []


def test_a_queue_gets_its_own_text_and_only_what_its_filter_policy_wants(aws: LocalAws) -> None:
    told, queue, sns = sns_helpers.topic(aws), sns_helpers.Queue(aws), aws.client("sns")
    policy = {"FilterPolicy": '{"kind": ["end"]}'}
    sns.subscribe(TopicArn=told, Protocol="sqs", Endpoint=queue.arn, Attributes=policy)
    texts = json.dumps({"default": "d", "sqs": "for queues"})
    for kind in ("start", "end"):
        attributes = sns_helpers.attributes(kind=kind)
        sns.publish(
            TopicArn=told, MessageStructure="json", Message=texts, MessageAttributes=attributes
        )
    envelope = queue.one()
    assert envelope["Message"] == "for queues"
    assert envelope["MessageAttributes"] == {"kind": {"Type": "String", "Value": "end"}}


def test_a_queues_filter_policy_is_read_to_its_end(aws: LocalAws) -> None:
    told, queue, sns = sns_helpers.topic(aws), sns_helpers.Queue(aws), aws.client("sns")
    policy = {"FilterPolicy": '{"kind": ["end", {"exists": false}]}'}
    sns.subscribe(TopicArn=told, Protocol="sqs", Endpoint=queue.arn, Attributes=policy)
    sns.publish(TopicArn=told, Message="m")
    assert queue.one()["Message"] == "m"


def test_a_queue_gets_only_what_its_policy_lets_sns_send(
    aws: LocalAws, caplog: pytest.LogCaptureFixture
) -> None:
    sns, letters = aws.client("sns"), sns_helpers.Queue(aws)
    allowed, other = sns_helpers.topic(aws), sns_helpers.topic(aws)
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": letters.arn})}
    queue, without = sns_helpers.Queue(aws), sns_helpers.Queue(aws)
    sns_helpers.let_sns_send(aws, queue.arn, ArnEquals={"aws:SourceArn": allowed})
    without.sqs.set_queue_attributes(QueueUrl=without.url, Attributes={"Policy": ""})
    for topic in (allowed, other):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=policy)
    sns.subscribe(TopicArn=other, Protocol="sqs", Endpoint=without.arn)
    sns.publish(TopicArn=allowed, Message="for it")
    sns.publish(TopicArn=other, Message="not for it")
    assert [json.loads(each["Body"])["Message"] for each in queue.receive()] == ["for it"]
    [refused] = letters.receive()
    assert json.loads(refused["Body"])["Message"] == "not for it"
    said = refused["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert f"does not let sns.amazonaws.com send to it for {other}" in said
    assert without.receive() == []
    assert f"is lost to {without.arn}" in caplog.text


def test_a_raw_message_with_more_attributes_than_sqs_takes_is_not_delivered(aws: LocalAws) -> None:
    sns, topic = aws.client("sns"), sns_helpers.topic(aws)
    letters, queue = sns_helpers.Queue(aws), sns_helpers.Queue(aws)
    settings = {
        "RawMessageDelivery": "true",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": letters.arn}),
    }
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=settings)
    for count in (10, 11):
        attributes = sns_helpers.attributes(**{f"a{number}": "x" for number in range(count)})
        sns.publish(TopicArn=topic, Message=str(count), MessageAttributes=attributes)
    assert [each["Body"] for each in queue.receive()] == ["10"]
    assert letters.one()["Message"] == "11"


def test_a_queue_that_is_gone_is_its_subscriptions_loss_not_the_publishers(
    aws: LocalAws, caplog: pytest.LogCaptureFixture
) -> None:
    topic, sns = _topic(aws, "gone"), aws.client("sns")
    gone, letters = sns_helpers.Queue(aws), sns_helpers.Queue(aws)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=gone.arn)
    gone.sqs.delete_queue(QueueUrl=gone.url)
    sns.publish(TopicArn=topic, Message="first")
    assert f"is lost to {gone.arn}" in caplog.text
    sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="RedrivePolicy",
        AttributeValue=json.dumps({"deadLetterTargetArn": letters.arn}),
    )
    sns.publish(TopicArn=topic, Message="second")
    assert letters.one()["Message"] == "second"
    assert [email["text"] for email in _emails(aws, topic)] == ["first", "second"]


@pytest.mark.parametrize(
    ("policy", "got"),
    [
        ('{"kind": ["end", {"exists": false}]}', ["end", "several", "none"]),
        ('{"kind": [{"anything-but": ["end"]}]}', ["start", "several"]),
        ('{"kind": [{"anything-but": {"suffix": "d"}}]}', ["start", "several"]),
        ('{"kind": [{"prefix": "st"}]}', ["start", "several"]),
        ('{"kind": [{"exists": true}], "tries": [{"numeric": [">", 1]}]}', ["end"]),
        ('{"tries": [2]}', ["end"]),
        ('{"$or": [{"kind": ["start"]}, {"tries": [2]}]}', ["start", "end", "several"]),
        ("{}", ["start", "end", "several", "none"]),
    ],
)
def test_a_filter_policy_lets_through_what_it_says(
    aws: LocalAws, policy: str, got: list[str]
) -> None:
    topic, sns = sns_helpers.topic(aws), aws.client("sns")
    settings = {"FilterPolicy": policy}
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com", Attributes=settings)
    several = {"DataType": "String.Array", "StringValue": '["end", "start"]'}
    tries = {"DataType": "Number", "StringValue": "2.0"}
    messages: dict[str, dict[str, Any]] = {
        "start": sns_helpers.attributes(kind="start"),
        "end": {**sns_helpers.attributes(kind="end"), "tries": tries},
        "several": {"kind": several},
        "none": {"kind": {"DataType": "Binary", "BinaryValue": b"end"}},
    }
    for message, attributes in messages.items():
        sns.publish(TopicArn=topic, Message=message, MessageAttributes=attributes)
    assert [email["text"] for email in _emails(aws, topic)] == got


def test_a_filter_policy_on_the_body_looks_into_it(aws: LocalAws) -> None:
    topic, sns = sns_helpers.topic(aws), aws.client("sns")
    policy = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"image": {"tag": ["v2"]}}'}
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com", Attributes=policy)
    wanted = json.dumps({"image": {"tag": "v2"}})
    for message in (wanted, json.dumps({"image": {"tag": "v3"}}), "no JSON", "[]"):
        sns.publish(TopicArn=topic, Message=message)
    assert [email["text"] for email in _emails(aws, topic)] == [wanted]
    texts = json.dumps({"default": wanted})
    with pytest.raises(ClientError, match=r"NotImplemented.*MessageBody"):
        sns.publish(TopicArn=topic, MessageStructure="json", Message=texts)


def test_a_filter_policy_follows_its_scope(aws: LocalAws) -> None:
    topic, sns = sns_helpers.topic(aws), aws.client("sns")
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint="a@example.com",
        Attributes={"FilterPolicy": '{"kind": ["end"]}'},
    )["SubscriptionArn"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription,
        AttributeName="FilterPolicyScope",
        AttributeValue="MessageBody",
    )
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=sns_helpers.attributes(kind="end"))
    sns.publish(TopicArn=topic, Message='{"kind": "end"}')
    assert [email["text"] for email in _emails(aws, topic)] == ['{"kind": "end"}']


@pytest.mark.parametrize("protocol", ["email-json", "sms", "application", "firehose"])
def test_a_protocol_that_would_not_be_delivered_is_not_accepted(
    aws: LocalAws, protocol: str
) -> None:
    topic = _topic(aws, "undelivered")
    with pytest.raises(ClientError, match=f"Protocol {protocol}"):
        aws.client("sns").subscribe(TopicArn=topic, Protocol=protocol, Endpoint="+15555550100")
