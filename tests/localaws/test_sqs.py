"""What localaws/sqs.py mends."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sqs import models as sqs_models
from moto.sqs.models import Message, sqs_backends

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws
from tests.support.localaws.sns import Queue, attributes


def _with_letters(aws: LocalAws) -> tuple[Queue, Queue]:
    """A queue whose messages become dead letters after one reception, and its dead-letter queue."""
    queue, letters = Queue(aws), Queue(aws)
    policy = json.dumps({"deadLetterTargetArn": letters.arn, "maxReceiveCount": 1})
    queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": policy})
    return queue, letters


def _give_up(queue: Queue) -> None:
    """Receive all visible messages until they are dead letters."""
    while queue.sqs.receive_message(
        QueueUrl=queue.url, MaxNumberOfMessages=10, VisibilityTimeout=0
    ).get("Messages"):
        pass


def test_dead_letters_go_back_to_the_queues_they_came_from_as_new_messages(aws: LocalAws) -> None:
    queue, letters = _with_letters(aws)
    another = Queue(aws)
    policy = json.dumps({"deadLetterTargetArn": letters.arn, "maxReceiveCount": 1})
    another.sqs.set_queue_attributes(QueueUrl=another.url, Attributes={"RedrivePolicy": policy})
    sent = queue.sqs.send_message(
        QueueUrl=queue.url, MessageBody="a", MessageAttributes=attributes(kind="end")
    )
    another.sqs.send_message(QueueUrl=another.url, MessageBody="b")
    letters.sqs.send_message(QueueUrl=letters.url, MessageBody="not a dead letter")
    _give_up(queue)
    _give_up(another)
    assert letters.sqs.start_message_move_task(SourceArn=letters.arn)["TaskHandle"]
    [first] = queue.sqs.receive_message(
        QueueUrl=queue.url,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )["Messages"]
    assert first["Body"] == "a"
    assert first["MessageId"] != sent["MessageId"]
    assert first["Attributes"] == {"ApproximateReceiveCount": "1"}
    assert first["MessageAttributes"] == attributes(kind="end")
    assert [each["Body"] for each in another.receive()] == ["b"]
    assert [each["Body"] for each in letters.receive()] == ["not a dead letter"]


def test_a_dead_letter_that_somebody_has_received_is_not_moved(aws: LocalAws) -> None:
    queue, letters = _with_letters(aws)
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="a")
    _give_up(queue)
    [received] = letters.sqs.receive_message(QueueUrl=letters.url)["Messages"]
    letters.sqs.start_message_move_task(SourceArn=letters.arn)
    assert queue.receive() == []
    letters.sqs.delete_message(QueueUrl=letters.url, ReceiptHandle=received["ReceiptHandle"])


def test_a_dead_letter_expires_by_the_time_at_which_it_was_first_sent(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, letters = _with_letters(aws)
    sent = time.time()
    monkeypatch.setattr(sqs_models, "unix_time", lambda *_: clock[0])
    monkeypatch.setattr(sqs_models, "unix_time_millis", lambda *_: clock[0] * 1000)
    clock = [sent]
    for each, seconds in ((queue, 600), (letters, 300)):
        retention = {"MessageRetentionPeriod": str(seconds)}
        each.sqs.set_queue_attributes(QueueUrl=each.url, Attributes=retention)
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="first")
    clock[0] = sent + 200
    _give_up(queue)  # 200 s after it was sent
    [letter] = letters.sqs.receive_message(QueueUrl=letters.url, VisibilityTimeout=0)["Messages"]
    assert letter["Body"] == "first"

    clock[0] = sent + 301

    assert letters.receive() == []


def test_only_a_dead_letter_queue_is_moved_from(aws: LocalAws) -> None:
    queue = Queue(aws)
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue") as refused:
        queue.sqs.start_message_move_task(SourceArn=queue.arn)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(ClientError, match="doesn't exist") as refused:
        queue.sqs.start_message_move_task(SourceArn=f"{queue.arn}-none")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_what_is_not_simulated_of_a_move_is_refused(aws: LocalAws) -> None:
    queue, letters = _with_letters(aws)
    sqs = letters.sqs
    for call in (
        lambda: sqs.start_message_move_task(SourceArn=letters.arn, DestinationArn=queue.arn),
        lambda: sqs.start_message_move_task(SourceArn=letters.arn, MaxNumberOfMessagesPerSecond=1),
        lambda: sqs.list_message_move_tasks(SourceArn=letters.arn),
        lambda: sqs.cancel_message_move_task(TaskHandle="x"),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "NotImplemented"


@pytest.mark.parametrize("step", ["mark_received", "had_receipt_handle"])
def test_no_message_is_added_while_another_is_received_or_deleted(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """moto replaces the list of messages in a deletion, so one that is added meanwhile would be lost."""
    queue, free = Queue(aws), []
    lock = sqs_backends[ACCOUNT][REGION].queues[queue.name]._messages_lock
    original = getattr(Message, step)

    def take() -> bool:
        taken: bool = lock.acquire(blocking=False)
        if taken:
            lock.release()
        return taken

    def noted(self: Message, *args: Any, **options: Any) -> Any:
        with ThreadPoolExecutor(1) as another:
            free.append(another.submit(take).result())
        return original(self, *args, **options)

    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="a")
    monkeypatch.setattr(Message, step, noted)
    assert len(queue.receive()) == 1
    assert free
    assert not any(free)
