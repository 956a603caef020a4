"""SNS: messages reach email subscribers, functions, HTTP endpoints and queues, within SNS's limits.

moto drops messages to email addresses, invokes functions with a made-up event, posts to any address,
counts characters instead of bytes, and fails the publisher if a subscriber fails. Here a message to an
email subscription is stored (``GET /_localaws/emails``), functions and HTTP endpoints get it from a
thread (sns/delivery.py), and a queue that refuses it, also by its policy, affects its own subscription
only.
sns/filter_policies.py evaluates filter policies.

A subscription is confirmed at once, because nobody can follow the link in AWS's confirmation message.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import MAXIMUM_MESSAGE_LENGTH, SNSBackend, Subscription
from moto.sns.responses import SNSResponse

from localaws import changes
from localaws.sns import delivery, filter_policies, subscriptions
from localaws.sns.notification import Notification

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

_mails: list[dict[str, Any]] = []


def mails() -> list[dict[str, Any]]:
    """The emails that were sent, oldest first."""
    return list(_mails)


def start() -> None:
    """Begin without emails and deliveries."""
    _mails.clear()
    delivery.start()


def stop() -> None:
    """Stop all deliveries."""
    delivery.stop()


_subscribe = SNSBackend.subscribe
_respond_to_subscribe = SNSResponse.subscribe
_set_attribute = SNSBackend.set_subscription_attributes
_publish = SNSBackend.publish
_deliver_to_queue = Subscription.publish


def install() -> None:
    """Deliver messages, and refuse what SNS refuses or what is not simulated."""
    backend = SNSBackend
    backend.subscribe = _subscribe_or_fail  # type: ignore[method-assign]
    backend.set_subscription_attributes = _set_attribute_or_fail  # type: ignore[method-assign]
    backend.publish = _publish_within_limits  # type: ignore[method-assign]
    SNSResponse.subscribe = _check_attributes_and_subscribe  # type: ignore[method-assign]
    Subscription.publish = _deliver  # type: ignore[method-assign]


def _subscribe_or_fail(
    self: SNSBackend, topic_arn: str, endpoint: str, protocol: str
) -> Subscription:
    subscriptions.check(self.get_topic(topic_arn), protocol, endpoint)
    return _subscribe(self, topic_arn, endpoint, protocol)


def _check_attributes_and_subscribe(self: SNSResponse) -> ActionResult:
    """moto subscribes first, and keeps the subscription if an attribute is refused."""
    protocol, attributes = self._get_param("Protocol"), self._get_attributes()
    scope = attributes.get("FilterPolicyScope")
    for name, value in attributes.items():
        subscriptions.check_attribute(self.backend, protocol, name, value, scope)
    return _respond_to_subscribe(self)


def _set_attribute_or_fail(self: SNSBackend, arn: str, name: str, value: Any) -> None:
    if subscription := self.subscriptions.get(arn):
        scope = subscription.attributes.get("FilterPolicyScope")
        subscriptions.check_attribute(self, subscription.protocol, name, value, scope)
    _set_attribute(self, arn, name, value)
    self.subscriptions[arn]._filter_policy_matcher = None  # replaced by sns/filter_policies.py


def _publish_within_limits(
    self: SNSBackend, message: str, arn: str | None, *args: Any, **options: Any
) -> str:
    structure = options.get("message_structure")
    _check(message, options.get("subject"), options.get("message_attributes"), structure)
    filter_policies.check(self.subscriptions.values(), arn, structure)
    return _publish(self, message, arn, *args, **options)


def _deliver(
    self: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    attributes = message_attributes or {}
    if not filter_policies.passes(self, message, attributes):
        return
    text = _of_protocol(message, self.protocol) if message_structure == "json" else message
    notification = Notification(self, message_id, subject, text, attributes)
    if self.protocol == "email":
        _send(notification)
    elif self.protocol != "sqs":
        delivery.accept(notification)
    else:
        try:
            delivery.check_queue(notification)
            _deliver_to_queue(
                self, text, message_id, subject, attributes, group_id, deduplication_id
            )
        except Exception as refusal:  # noqa: BLE001 - moto's queues have no error in common
            delivery.give_up(notification, repr(refusal))


def _check(
    message: str, subject: str | None, attributes: dict[str, Any] | None, structure: str | None
) -> None:
    if not message:
        raise InvalidParameterValue("Invalid parameter: Empty message")
    # The size is that of the whole JSON, not of the part for one protocol, and of the attributes:
    # https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    size = len(message.encode()) + sum(map(_size, (attributes or {}).items()))
    if size > MAXIMUM_MESSAGE_LENGTH:
        raise InvalidParameterValue("Invalid parameter: Message too long")
    if subject is not None and (len(subject) > 100 or _CONTROL_CHARACTER.search(subject)):
        raise InvalidParameterValue("Invalid parameter: Subject")
    if structure == "json":
        _check_structure(message)


def _size(attribute: tuple[str, dict[str, Any]]) -> int:
    """The bytes that an attribute adds to the size of a message."""
    name, typed = attribute
    value = str(typed["Value"])
    binary = typed["Type"].startswith("Binary")
    raw = base64.b64decode(value) if binary else value.encode()
    return len(name.encode()) + len(typed["Type"].encode()) + len(raw)


def _check_structure(message: str) -> None:
    try:
        texts = json.loads(message)
    except ValueError:
        texts = None
    what = "Invalid parameter: Message Structure - "
    if not isinstance(texts, dict):
        raise InvalidParameterValue(f"{what}JSON message body failed to parse")
    if not isinstance(texts.get("default"), str):
        raise InvalidParameterValue(f"{what}No default entry in JSON message body")


def _of_protocol(message: str, protocol: str) -> str:
    """The text of a message for a protocol. A value that is not a string is ignored."""
    texts: dict[str, Any] = json.loads(message)
    own = texts.get(protocol)
    return own if isinstance(own, str) else str(texts["default"])


def _send(notification: Notification) -> None:
    subscription = notification.subscription
    _mails.append(
        {
            "to": subscription.endpoint,
            # SNS uses this subject if there is none
            "subject": notification.subject or "AWS Notification Message",
            "text": notification.text,
            "topic": subscription.topic_arn,
            "attributes": {
                name: attribute["Value"] for name, attribute in notification.attributes.items()
            },
        }
    )
    changes.announce()
