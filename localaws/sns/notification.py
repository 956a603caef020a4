"""One message to one subscriber, and its envelope.

Signatures are moto's and can't be verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.sns.models import Subscription

from localaws import aws


@dataclass(frozen=True)
class Notification:
    """One message to one subscriber."""

    subscription: Subscription
    message_id: str
    subject: str | None
    text: str
    attributes: dict[str, Any]
    """In moto's form: ``{"kind": {"Type": "String", "Value": "end"}}``."""

    def envelope(self) -> dict[str, Any]:
        """The JSON that SNS wraps around a message for queues and HTTP endpoints."""
        arn = self.subscription.arn
        data = self.subscription.get_post_data(
            self.text, self.message_id, self.subject, self.attributes
        )
        unsubscribe = f"https://sns.{aws.REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn="
        return {**data, "UnsubscribeURL": unsubscribe + arn}

    def record(self) -> dict[str, Any]:
        """The record for a function: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
        envelope = self.envelope()
        renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
        return {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.subscription.arn,
            "Sns": {
                "Subject": None,
                "MessageAttributes": {},
                **{renamed.get(name, name): value for name, value in envelope.items()},
            },
        }
