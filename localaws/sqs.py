"""SQS: no message is lost to a race, and a dead-letter queue's messages can be moved back.

moto replaces a queue's list of messages in a deletion and changes it in a reception, both without the lock
under which a message is added. Here all of them take it, and wake whoever waits for a message. Its lock is
also the condition on which event source mappings wait (lambda_/event_sources.py).

StartMessageMoveTask moves at once all messages that are visible, where AWS does it in the background. The
tasks can't be listed or cancelled.
"""

from __future__ import annotations

import base64
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

_add = Queue.add_message
_delete = Queue.delete_message
_delete_queue = SQSBackend.delete_queue
_receive = SQSBackend.receive_message
_change_visibility = SQSBackend.change_message_visibility


def install() -> None:
    """Replace moto's methods, and add the action that it lacks."""
    Queue.add_message = _add_from_its_queue  # type: ignore[method-assign]
    Queue.delete_message = _delete_alone  # type: ignore[method-assign]
    SQSBackend.delete_queue = _delete_queue_and_wake  # type: ignore[method-assign]
    SQSBackend.receive_message = _receive_alone  # type: ignore[method-assign]
    SQSBackend.change_message_visibility = _change_visibility_and_wake  # type: ignore[method-assign]
    SQSResponse.start_message_move_task = _start_message_move_task  # type: ignore[attr-defined]


def _add_from_its_queue(self: Queue, message: Message) -> None:
    """A message keeps the name of the queue that it was sent to when it moves to a dead-letter queue."""
    message.__dict__.setdefault("sent_to", self.name)
    _add(self, message)


def _delete_alone(self: Queue, receipt_handle: str) -> None:
    with self._messages_lock:
        _delete(self, receipt_handle)


def _delete_queue_and_wake(self: SQSBackend, queue_name: str) -> None:
    queue = self.get_queue(queue_name)
    _delete_queue(self, queue_name)
    with queue._messages_lock:
        queue._messages_lock.notify_all()


def _receive_alone(self: SQSBackend, queue_name: str, *args: Any, **options: Any) -> list[Message]:
    with self.get_queue(queue_name)._messages_lock:  # released while it waits for a message
        return _receive(self, queue_name, *args, **options)


def _change_visibility_and_wake(
    self: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    queue = self.get_queue(queue_name)
    with queue._messages_lock:
        _change_visibility(self, queue_name, receipt_handle, visibility_timeout)
        queue._messages_lock.notify_all()


def _start_message_move_task(self: SQSResponse) -> ActionResult:
    backend, source = self.sqs_backend, self._get_param("SourceArn")
    for name in ("DestinationArn", "MaxNumberOfMessagesPerSecond"):
        if self._get_param(name) is not None:
            raise NotImplementedError(f"sqs StartMessageMoveTask: {name}")
    letters = next((each for each in backend.queues.values() if each.queue_arn == source), None)
    if letters is None:
        raise SQSException(
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        )
    if not backend.list_dead_letter_source_queues(letters.name):
        raise SQSException(
            "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
        )
    _move_back(backend, letters)
    return ActionResult({"TaskHandle": base64.b64encode(source.encode()).decode()})


def _move_back(backend: SQSBackend, letters: Queue) -> None:
    """Send each message to the queue that it was first sent to, as a new message that nobody received yet.

    A message that was sent to the dead-letter queue itself, or whose queue is gone, stays.
    """
    with letters._messages_lock:
        moved = [each for each in letters.messages if _source(backend, each) not in (None, letters)]
        letters._messages = [each for each in letters._messages if each not in moved]
    for (
        message
    ) in moved:  # without the lock, because a queue holds its own while it adds to this one
        backend.send_message(vars(message)["sent_to"], message.body, message.message_attributes)


def _source(backend: SQSBackend, message: Message) -> Queue | None:
    return backend.queues.get(vars(message)["sent_to"])
