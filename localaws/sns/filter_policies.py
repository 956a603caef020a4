"""The filter policies of SNS subscriptions.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html: the language is that
of EventBridge's patterns, applied to the attributes or the body of a message. moto's matcher stops at
the first rule for a name that the message lacks, even if ``{"exists": false}`` follows, and keeps the
scope that the subscription had when its policy was set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from moto.sns.models import Subscription

from localaws.events import patterns


def passes(subscription: Subscription, message: str, attributes: Mapping[str, Any]) -> bool:
    """Whether a subscriber gets a message. The attributes are in moto's form."""
    policy = subscription._filter_policy
    if not policy:
        return True
    if not _of_the_body(subscription):
        values = {name: _value(typed) for name, typed in attributes.items()}
        readable = {name: value for name, value in values.items() if value is not None}
        return patterns.matches(policy, readable)
    try:
        body = json.loads(message)
    except ValueError:
        return False
    return isinstance(body, dict) and patterns.matches(policy, body)


def check(subscriptions: Iterable[Subscription], topic: str | None, structure: str | None) -> None:
    """Raise NotImplementedError if AWS does not document which body of the message is filtered."""
    if structure != "json":
        return
    for each in list(subscriptions):
        if each.topic_arn == topic and each._filter_policy and _of_the_body(each):
            raise NotImplementedError(
                f"MessageStructure json to {each.arn}, which filters by MessageBody"
            )


def _of_the_body(subscription: Subscription) -> bool:
    return bool(subscription.attributes.get("FilterPolicyScope") == "MessageBody")


def _value(typed: Mapping[str, Any]) -> Any:
    """The value of an attribute for a filter policy; None if it is binary, which no policy
    matches.
    """
    kind, value = typed["Type"], typed["Value"]
    if kind.startswith("Binary"):
        return None
    if kind.startswith("Number"):
        return float(value)
    if kind == "String.Array":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
