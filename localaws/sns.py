"""SNS: emails, and the limits that a notification can run into.

moto drops what is published to an email address and counts a message's characters instead of its
bytes. Here a message to an email subscription is kept as a mail (``GET /_localaws/mails``). A
subscription counts as confirmed at once: nobody here can follow the link that AWS sends first.
"""

from __future__ import annotations

import re
from typing import Any

from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import MAXIMUM_MESSAGE_LENGTH, SNSBackend, Subscription

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_DELIVERED = ("email", "sqs", "sms", "application")

_mails: list[dict[str, Any]] = []


def mails() -> list[dict[str, Any]]:
    """The mails that were sent, oldest first."""
    return list(_mails)


def reset() -> None:
    """Forget the mails."""
    _mails.clear()


def install() -> None:
    """Deliver emails, and refuse what SNS refuses."""
    subscribe, publish, deliver = SNSBackend.subscribe, SNSBackend.publish, Subscription.publish

    def subscribe_or_fail(
        self: SNSBackend, topic_arn: str, endpoint: str, protocol: str
    ) -> Subscription:
        if protocol not in _DELIVERED:
            raise NotImplementedError(f"SNS Subscribe: Protocol {protocol}")
        return subscribe(self, topic_arn, endpoint, protocol)

    def publish_within_limits(self: SNSBackend, message: str, *args: Any, **options: Any) -> str:
        _check(message, options.get("subject"))
        return publish(self, message, *args, **options)

    def deliver_mail(
        self: Subscription, message: str, message_id: str, *args: Any, **options: Any
    ) -> None:
        if self.protocol == "email":
            _send(self, message, **options)
        else:
            deliver(self, message, message_id, *args, **options)

    SNSBackend.subscribe = subscribe_or_fail  # type: ignore[method-assign]
    SNSBackend.publish = publish_within_limits  # type: ignore[method-assign]
    Subscription.publish = deliver_mail  # type: ignore[method-assign]


def _check(message: str, subject: str | None) -> None:
    if not message:
        raise InvalidParameterValue("Invalid parameter: Empty message")
    if len(message.encode()) > MAXIMUM_MESSAGE_LENGTH:
        raise InvalidParameterValue("Invalid parameter: Message too long")
    if subject is not None and (len(subject) > 100 or _CONTROL_CHARACTER.search(subject)):
        raise InvalidParameterValue("Invalid parameter: Subject")


def _send(
    subscription: Subscription,
    message: str,
    subject: str | None,
    message_attributes: dict[str, Any] | None,
    message_structure: str | None,
    **_of_queues: Any,
) -> None:
    matcher = subscription._filter_policy_matcher
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    if message_structure == "json":
        message = subscription._parse_message_structure(message, subscription.protocol)
    _mails.append(
        {
            "to": subscription.endpoint,
            # SNS names the sender's kind in place of a missing subject
            "subject": subject or "AWS Notification Message",
            "text": message,
            "topic": subscription.topic_arn,
            "attributes": {
                name: attribute["Value"] for name, attribute in (message_attributes or {}).items()
            },
        }
    )
