"""One message on its way to one subscriber, and what SNS wraps around it.

Signatures are moto's own: nobody can verify them.
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
    """As moto keeps them: ``{"kind": {"Type": "String", "Value": "end"}}``."""

    def envelope(self) -> dict[str, Any]:
        """What SNS wraps around a message, for queues and HTTP endpoints."""
        arn = self.subscription.arn
        data = self.subscription.get_post_data(
            self.text, self.message_id, self.subject, self.attributes
        )
        unsubscribe = f"https://sns.{aws.REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn="
        return {**data, "UnsubscribeURL": unsubscribe + arn}

    def record(self) -> dict[str, Any]:
        """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
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
