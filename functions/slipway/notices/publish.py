"""Publishing a notice: one message of SNS that holds each of its forms."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from slipway.aws import calling
from slipway.notices.chat import chat_of
from slipway.notices.email import subject_of, text_of
from slipway.notices.notice import Notice
from slipway.notices.sanitize import harmless, shortened
from slipway.text import truncate

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

# SNS takes 262,144 bytes, all forms and attributes together (API reference, Publish).
MESSAGE_BYTES = 262_144
# How many characters of a text and how many items of a list are left, until it fits.
ROOMS = ((20_000, 100), (4_000, 50), (1_000, 30), (300, 20), (100, 10), (40, 5))
ATTRIBUTE_LENGTH = 256

Attributes = dict[str, "MessageAttributeValueTypeDef"]


def publish(notice: Notice, topic: str, sns: SNSClient, chat: bool = False) -> str:
    """Publish to the topic with this ARN; return SNS's message id.

    Args:
        chat: whether HTTPS endpoints get what Amazon Q Developer in chat applications reads.

    Raises:
        AwsUnavailable, AwsRefused: from SNS.
    """
    notice = harmless(notice)
    attributes, message = _fitting(notice, chat)
    with calling("sns:Publish", f"topic {topic}"):
        answer = sns.publish(
            TopicArn=topic,
            Subject=subject_of(notice),
            MessageStructure="json",
            Message=message,
            MessageAttributes=attributes,
        )
    return answer["MessageId"]


def attributes_of(notice: Notice) -> dict[str, str]:
    """What subscriptions filter by."""
    values = {
        "kind": str(notice.kind),
        "outcome": notice.outcome,
        "repository": notice.repository,
        "service": notice.service,
        "stage": notice.stage,
    }
    return {name: truncate(value, ATTRIBUTE_LENGTH) for name, value in values.items() if value}


def _fitting(notice: Notice, chat: bool) -> tuple[Attributes, str]:
    """Attributes and message, with the notice shortened as far as SNS needs it to be."""
    attributes: Attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in attributes_of(notice).items()
    }
    around = len(json.dumps(attributes, ensure_ascii=False).encode()) + len(subject_of(notice))
    *rooms, least = ROOMS
    notices = chain([notice], (shortened(notice, *room) for room in rooms))
    # The message is longer than the notice as JSON, which is quicker to make.
    short = (n for n in notices if len(_whole(n).encode()) <= MESSAGE_BYTES)
    messages = (_message(n, chat) for n in short)
    fitting = (text for text in messages if len(text.encode()) + around <= MESSAGE_BYTES)
    return attributes, next(fitting, None) or _message(shortened(notice, *least), chat)


def _message(notice: Notice, chat: bool) -> str:
    whole = _whole(notice)
    text = text_of(notice)
    forms = {
        "default": text,
        "email": text,
        "lambda": whole,
        "sqs": whole,
        "http": whole,
        "https": chat_of(notice) if chat else whole,
    }
    return json.dumps(forms, ensure_ascii=False)


def _whole(notice: Notice) -> str:
    return json.dumps(notice.to_json(), ensure_ascii=False)
