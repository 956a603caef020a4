"""The delivery of messages: to functions and HTTP endpoints in the background, with retries.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html: errors on the client side
are not retried, errors on the server side are. A function is invoked, and a queue is sent to, only if its
own policy allows SNS to do so for the topic. A message that can't be delivered goes to the dead-letter
queue of the subscription; without one its loss is logged.

Pauses are short: 0.2 s before each of the three retries of an HTTP endpoint, where AWS waits 20 s, and
up to 2 s before those of an invocation, which end after a minute, where AWS goes on for 23 days.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable

import requests
from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.sqs.models import sqs_backends

from localaws import aws
from localaws.iam import iam
from localaws.iam.access import Access
from localaws.sns.notification import Notification

_log = logging.getLogger(__name__)

_HTTP_PAUSES = (0.2, 0.2, 0.2)  # seconds
_FUNCTION_PAUSES = (0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.2, 0.4, 0.8, 1.6, *(2.0,) * 28)
_HTTP_SECONDS = 15  # the time that an endpoint has to answer
_JOIN_SECONDS = 2.0
_NOT_IMPLEMENTED = 501  # an error of the local AWS, which is not retried
_RAW_ATTRIBUTES = 10  # a message of SQS has no more


class _RefusedError(Exception):
    """An error that is not retried."""


class _FailedError(Exception):
    """An error that is retried."""


class _Deliveries:
    """The messages that are being delivered. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def accept(self, notification: Notification) -> None:
        """Deliver a message in the background, unless the deliveries were stopped."""
        with self._lock:
            if self._stopping.is_set():
                return
            thread = threading.Thread(target=self._work, args=(notification,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def stop(self) -> None:
        """Begin no more attempts, and wait a moment for those in progress."""
        with self._lock:
            self._stopping.set()
            threads = list(self._threads)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self, notification: Notification) -> None:
        try:
            self._deliver(notification)
        except Exception as crash:  # noqa: BLE001 - the thread's last word; nobody else would tell
            if not self._stopping.is_set():
                _log.exception("%s is lost: %r", notification.message_id, crash)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _deliver(self, notification: Notification) -> None:
        deliver, pauses = _DELIVERIES[notification.subscription.protocol]
        for pause in (*pauses, None):
            try:
                deliver(notification)
            except (_FailedError, _RefusedError) as error:
                if self._stopping.is_set():
                    return  # the stop may be the cause of the failure
                if pause is None or isinstance(error, _RefusedError):
                    give_up(notification, str(error))
                    return
                _log.debug("%s will be tried again: %s", notification.message_id, error)
            else:
                return
            if self._stopping.wait(pause):
                return


_deliveries = _Deliveries()


def start() -> None:
    """Begin without messages."""
    global _deliveries
    _deliveries = _Deliveries()


def stop() -> None:
    """Give up all messages that are not delivered yet."""
    _deliveries.stop()


def accept(notification: Notification) -> None:
    """Deliver a message to a function or an HTTP endpoint in the background."""
    _deliveries.accept(notification)


def give_up(notification: Notification, error: str) -> None:
    """Move a message to the dead-letter queue of its subscription, or log its loss."""
    subscription = notification.subscription
    policy = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
    queue = policy.get("deadLetterTargetArn")
    if queue is None:
        _log.error(
            "%s: the message %s is lost to %s: %s",
            *(subscription.topic_arn, notification.message_id, subscription.endpoint, error),
        )
        return
    sqs = aws.client("sqs")
    try:
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"],
            MessageBody=json.dumps(notification.envelope()),
            MessageAttributes={"ErrorMessage": {"DataType": "String", "StringValue": error}},
        )
    except (ClientError, BotoCoreError):
        _log.exception("%s: %s is lost to %s", subscription.topic_arn, notification.text, queue)


def check_queue(notification: Notification) -> None:
    """Raise an error if SNS may not send this message to the queue.

    https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
    """
    subscription = notification.subscription
    queue = sqs_backends[aws.ACCOUNT][aws.REGION].get_queue(
        subscription.endpoint.rpartition(":")[2]
    )
    topic = subscription.topic_arn
    statements = aws.listed(queue._policy_json["Statement"])
    access = Access("sqs:SendMessage", queue.queue_arn, _source(topic))
    if not iam.resource_allows(statements, "sns.amazonaws.com", access):
        raise _RefusedError(f"its policy does not let sns.amazonaws.com send to it for {topic}")
    raw = subscription.attributes.get("RawMessageDelivery")
    if raw and len(notification.attributes) > _RAW_ATTRIBUTES:
        raise _RefusedError(f"a raw message has {_RAW_ATTRIBUTES} attributes at most")


def _source(topic: str) -> dict[str, str]:
    """The condition keys of a request that SNS makes for a topic."""
    return {"aws:SourceArn": topic, "aws:SourceAccount": aws.ACCOUNT}


def _to_function(notification: Notification) -> None:
    subscription = notification.subscription
    arn, topic = subscription.endpoint, subscription.topic_arn
    try:
        function = lambda_backends[aws.ACCOUNT][aws.REGION].get_function(arn)
    except UnknownFunctionException as missing:
        raise _RefusedError(f"the function {arn} does not exist") from missing
    access = Access("lambda:InvokeFunction", function.function_arn, _source(topic))
    if not iam.resource_allows(function.policy.statements, "sns.amazonaws.com", access):
        raise _RefusedError(f"its policy does not let sns.amazonaws.com invoke it for {topic}")
    event = json.dumps({"Records": [notification.record()]}).encode()
    try:
        aws.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=event)
    except BotoCoreError as error:  # no connection
        raise _FailedError(repr(error)) from error
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        failed = status == 429 or (status >= 500 and status != _NOT_IMPLEMENTED)
        raise (_FailedError if failed else _RefusedError)(str(error)) from error


def _to_url(notification: Notification) -> None:
    """Post a message: https://docs.aws.amazon.com/sns/latest/dg/http-header.html"""
    subscription = notification.subscription
    headers = {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": notification.message_id,
        "x-amz-sns-topic-arn": subscription.topic_arn,
        "x-amz-sns-subscription-arn": subscription.arn,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    if subscription.attributes.get("RawMessageDelivery"):
        headers["x-amz-sns-rawdelivery"] = "true"
        body = notification.text
    else:
        body = json.dumps(notification.envelope(), indent=2)
    with requests.Session() as session:
        session.trust_env = False  # no proxy for calls to this machine
        try:
            answer = session.post(
                subscription.endpoint,
                data=body.encode(),
                headers=headers,
                timeout=_HTTP_SECONDS,
                allow_redirects=False,
                verify=os.environ.get("REQUESTS_CA_BUNDLE", True),
            )
        except requests.RequestException as error:
            raise _FailedError(repr(error)) from error
    if not answer.ok or answer.is_redirect:
        failed = answer.status_code == 429 or answer.status_code >= 500
        raise (_FailedError if failed else _RefusedError)(f"HTTP status {answer.status_code}")


_Delivery = tuple[Callable[[Notification], None], tuple[float, ...]]

_DELIVERIES: dict[str, _Delivery] = {
    "lambda": (_to_function, _FUNCTION_PAUSES),
    "http": (_to_url, _HTTP_PAUSES),
    "https": (_to_url, _HTTP_PAUSES),
}
