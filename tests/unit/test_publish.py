"""Handing a message to SNS."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, AwsUnavailable
from slipway.message import Message, publish
from tests.unit.builders import TOPIC

MESSAGE = Message(subject="subject", text="text", attributes={"kind": "end"})


def test_a_message_is_published_once_with_its_attributes(sns):
    sns.answers(
        "publish",
        {"MessageId": "m-1"},
        TopicArn=TOPIC,
        Subject="subject",
        Message="text",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "end"}},
    )

    assert publish(MESSAGE, TOPIC, sns.client) == "m-1"


@pytest.mark.parametrize(
    ("code", "error"), [("AuthorizationError", AwsRefused), ("Throttled", AwsUnavailable)]
)
def test_a_message_that_was_not_taken_names_the_topic(sns, code, error):
    sns.refuses("publish", code, status=429 if error is AwsUnavailable else 403)

    with pytest.raises(error, match=f"{code} from sns:Publish on topic {TOPIC}"):
        publish(MESSAGE, TOPIC, sns.client)
