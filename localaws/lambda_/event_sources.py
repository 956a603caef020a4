"""Event source mappings of SQS queues: Lambda receives messages, and invokes a function with them.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

A batch that the function has processed is deleted. After an error, or a throttle, its messages stay in the
queue until they are visible again, and SQS moves them to the dead-letter queue if they were received too
often. MaximumConcurrency bounds the invocations at a time; without it there are five, with which AWS begins.

moto invokes the function within SendMessage, with a made-up event and whatever the execution role allows,
and accepts every setting. Here each mapping has a thread, which sleeps on the condition of its queue.

Pauses are a six-hundredth of AWS's: so much of the visibility timeout that is left is waited for after a
failed invocation. Mappings of other sources, and settings without effect here, are NotImplemented.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterable
from typing import Any

from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends
from moto.core.utils import unix_time_millis
from moto.sqs.models import Message, Queue, sqs_backends

from localaws import aws, changes
from localaws.iam import iam
from localaws.iam.access import Access
from localaws.lambda_.pool import ENVIRONMENTS_OF_A_FUNCTION, TooManyRequestsError

_log = logging.getLogger(__name__)

ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What the execution role has to allow."""
_INITIAL_CONCURRENCY = 5
_SHORTENED = 600


class Pollers:
    """The threads that poll, one for each mapping. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pollers: dict[str, _Poller] = {}
        self._deleted: list[_Poller] = []

    def start(self, mapping: EventSourceMapping) -> None:
        """Poll the queue of a mapping."""
        with self._lock:
            self._pollers[mapping.uuid] = _Poller(mapping)

    def update(self, mapping: EventSourceMapping) -> None:
        """Heed the changed settings of a mapping."""
        self._pollers[mapping.uuid].wake()

    def delete(self, mapping: EventSourceMapping) -> None:
        """Poll no more for a mapping. An invocation in progress goes on."""
        with self._lock:
            poller = self._pollers.pop(mapping.uuid)
            poller.stop()
            self._deleted.append(poller)

    def stop(self) -> None:
        """Receive no more messages."""
        with self._lock:
            for poller in self._pollers.values():
                poller.stop()

    def join(self) -> None:
        """Wait for the invocations that were in progress at the stop."""
        for poller in (*self._pollers.values(), *self._deleted):
            poller.join()


class _Poller:
    """The thread of one mapping, and its invocations in progress."""

    def __init__(self, mapping: EventSourceMapping) -> None:
        self._mapping = mapping
        self._queue = queue_of(mapping.event_source_arn)
        self._changed = self._queue._messages_lock
        self._busy: set[threading.Thread] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="event-sources", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self) -> None:
        self._thread.join()
        with self._changed:
            busy = list(self._busy)
        for thread in busy:
            thread.join()

    def _run(self) -> None:
        try:
            with self._changed:
                while not self._stopped:
                    while self._has_room() and (batch := self._received()):
                        self._begin(batch)
                    self._changed.wait(_until_visible(self._queue) if self._has_room() else None)
        except Exception:  # noqa: BLE001 - the thread's last word; nobody else would tell
            _log.exception("event source mapping %s polls no more", self._mapping.uuid)

    def _has_room(self) -> bool:
        given = (self._mapping.scaling_config or {}).get("MaximumConcurrency")
        limit = min(given or _INITIAL_CONCURRENCY, ENVIRONMENTS_OF_A_FUNCTION)
        return bool(self._mapping.enabled) and len(self._busy) < limit

    def _received(self) -> list[Message]:
        queue = self._queue
        backend = sqs_backends[aws.ACCOUNT][aws.REGION]
        if backend.queues.get(queue.name) is not queue:
            raise RuntimeError(f"the queue {queue.queue_arn} was deleted")
        if not queue.messages:
            return []
        check_role(_function(self._mapping), queue.queue_arn)
        before = len(queue._messages)
        timeout = int(queue.attributes["VisibilityTimeout"])
        batch = backend.receive_message(queue.name, self._mapping.batch_size, 0, timeout, ["All"])
        if len(queue._messages) < before:
            changes.announce()  # some went to the dead-letter queue
        return batch

    def _begin(self, batch: list[Message]) -> None:
        thread = threading.Thread(target=self._process, args=(batch,), daemon=True)
        self._busy.add(thread)
        thread.start()

    def _process(self, batch: list[Message]) -> None:
        failed: set[str] | None = None
        try:
            failed = self._invoke(batch)
        except Exception:  # noqa: BLE001 - the thread's last word; nobody else would tell
            if not self._stopped:
                _log.exception("event source mapping %s could not invoke", self._mapping.uuid)
                failed = {message.id for message in batch}
        finally:
            with self._changed:
                # The stop may be the cause of a failure, so the messages stay as they are.
                if failed is not None and not (failed and self._stopped):
                    self._settle(batch, failed)
                self._busy.discard(threading.current_thread())
                self._changed.notify_all()
            changes.announce()

    def _invoke(self, batch: list[Message]) -> set[str]:
        """Invoke the function; return the ids of the messages that it has not processed."""
        event: Any = {"Records": [_record(message, self._queue) for message in batch]}
        try:
            payload, errored, _ = _function(self._mapping)._invoke_lambda(event)
        except TooManyRequestsError:
            return {message.id for message in batch}
        if errored:
            return {message.id for message in batch}
        if "ReportBatchItemFailures" in (self._mapping.function_response_types or []):
            return _reported(payload, {message.id for message in batch})
        return set()

    def _settle(self, batch: list[Message], failed: set[str]) -> None:
        """Delete the messages that are processed, and shorten the pause of the others."""
        received = {each.receipt_handle: each for each in self._queue._messages}
        for message in batch:
            kept = received.get(message.receipt_handle)
            if kept is None:
                continue  # it was deleted, or somebody else has received it since
            if message.id not in failed:
                self._queue.delete_message(str(message.receipt_handle))
            else:
                now = unix_time_millis()
                kept.visible_at = now + max(0.0, kept.visible_at - now) / _SHORTENED


def _until_visible(queue: Queue) -> float | None:
    """The seconds until the next message is visible; None if the queue is empty."""
    times = [max(each.visible_at, each.delayed_until) for each in queue._messages]
    if not times:
        return None
    return max(0.0, min(times) - unix_time_millis()) / 1000 + 0.002  # visible only after that time


def _reported(payload: str, all_ids: set[str]) -> set[str]:
    """The failures in a response with batchItemFailures; all if Lambda can't tell which they are.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        answer = json.loads(payload)
        failures = (answer or {}).get("batchItemFailures") or []
        failed = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, AttributeError, KeyError, TypeError):
        return all_ids
    return failed if failed <= all_ids else all_ids


def _record(message: Message, queue: Queue) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {
            name: _attribute(value) for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def _attribute(typed: dict[str, Any]) -> dict[str, Any]:
    if "BinaryValue" in typed:
        value = {"binaryValue": base64.b64encode(typed["BinaryValue"]).decode()}
    else:
        value = {"stringValue": typed["StringValue"]}
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    return {**value, **lists, "dataType": typed["DataType"]}


def queue_of(arn: str) -> Queue:
    """The queue with this ARN. Raises KeyError if there is none."""
    queue: Queue = sqs_backends[aws.ACCOUNT][aws.REGION].queues[arn.rpartition(":")[2]]
    return queue


def _function(mapping: EventSourceMapping) -> LambdaFunction:
    function: LambdaFunction = lambda_backends[aws.ACCOUNT][aws.REGION].get_function(
        mapping.function_arn
    )
    return function


def check_role(function: LambdaFunction, queue_arn: str, actions: Iterable[str] = ACTIONS) -> None:
    """Raise AccessDeniedError unless the execution role lets Lambda poll the queue."""
    iam.check(function.function_name, "sqs", [Access(action, queue_arn) for action in actions])
