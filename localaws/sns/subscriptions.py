"""The subscriptions that SNS accepts here: those that it can deliver with all their attributes.

moto accepts every attribute and evaluates few.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

from moto.core.utils import ensure_boolean
from moto.events.exceptions import InvalidEventPatternException
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend, Topic

from localaws.aws import ACCOUNT, REGION
from localaws.events import patterns

_PROTOCOLS = ("email", "http", "https", "lambda", "sqs")
_SCOPES = ("MessageAttributes", "MessageBody")
_RAW = ("http", "https", "sqs")
_FUNCTION = re.compile(rf"arn:aws:lambda:{REGION}:{ACCOUNT}:function:[A-Za-z0-9_-]+")
_QUEUE = re.compile(rf"arn:aws:sqs:{REGION}:{ACCOUNT}:[A-Za-z0-9_-]+")


def check(topic: Topic, protocol: str, endpoint: str) -> None:
    """Raise NotImplementedError, or InvalidParameter as SNS does, for an endpoint without
    delivery.
    """
    if protocol not in _PROTOCOLS or (topic.fifo_topic and protocol != "sqs"):
        kind = " to a FIFO topic" if topic.fifo_topic else ""
        raise NotImplementedError(f"SNS Subscribe: Protocol {protocol}{kind}")
    if protocol == "lambda":
        _check_function(endpoint)
    if protocol in ("http", "https"):
        _check_url(protocol, endpoint)


def check_attribute(
    backend: SNSBackend, protocol: str, name: str, value: Any, scope: str | None
) -> None:
    """Raise such an error for an attribute without effect here.

    The scope is that of the filter policy.
    """
    where = f"SNS: {name} of a subscription"
    if name in ("DeliveryPolicy", "SubscriptionRoleArn") and value not in (None, "", "{}"):
        raise NotImplementedError(where)
    if name == "FilterPolicyScope" and value not in _SCOPES:
        raise InvalidParameterValue(f"Invalid parameter: FilterPolicyScope: {value}")
    if name == "FilterPolicy" and value:
        policy = _object(name, value)
        backend._validate_filter_policy(policy, scope=scope)
        try:
            patterns.validate(policy)  # moto does not check within anything-but
        except InvalidEventPatternException as error:
            raise InvalidParameterValue(
                f"Invalid parameter: FilterPolicy: {error.message}"
            ) from error
    if name == "RawMessageDelivery" and ensure_boolean(value) and protocol not in _RAW:
        raise InvalidParameterValue(
            f"Invalid parameter: Attributes Reason: Delivery protocol [{protocol}] does not support"
            " raw message delivery."
        )
    if name == "RedrivePolicy" and value:
        queue = _object(name, value).get("deadLetterTargetArn")
        if queue is not None and not _QUEUE.fullmatch(queue):
            raise NotImplementedError(
                f"{where}: {queue}, which is no standard SQS queue of this account"
            )


def _check_function(endpoint: str) -> None:
    if not endpoint.startswith("arn:aws:lambda:"):
        raise InvalidParameterValue("Invalid parameter: Lambda endpoint ARN")
    if not _FUNCTION.fullmatch(endpoint):
        raise NotImplementedError(
            f"SNS Subscribe: {endpoint}, which is no function of this account, or a version or an"
            " alias of one"
        )


def _check_url(protocol: str, endpoint: str) -> None:
    url = urlsplit(endpoint)
    if url.scheme != protocol or not url.hostname:
        raise InvalidParameterValue("Invalid parameter: Endpoint must match the specified protocol")
    if not _is_loopback(url.hostname):
        # Tests and demos must not send anything beyond this machine.
        raise NotImplementedError(f"SNS Subscribe: {endpoint}, which is not on this machine")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name that is resolved by the network


def _object(name: str, value: str) -> dict[str, Any]:
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidParameterValue(f"Invalid parameter: {name}: failed to parse JSON")
    return parsed
