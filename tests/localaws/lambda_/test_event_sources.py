"""Event source mappings of queues: what localaws/lambda_/event_sources.py polls, and what is refused."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.lambda_ import event_sources
from localaws.server import LocalAws
from tests.support.localaws.event_sources import HERE, MAY_POLL, Source
from tests.support.localaws.sns import Queue, unique
from tests.support.waiting import wait_for


@pytest.fixture
def source(aws: LocalAws, tmp_path: Path) -> Source:
    return Source(aws, tmp_path)


@contextmanager
def gate() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port at which functions wait, and the connections of those that wait so far."""
    waiting: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    waiting.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], waiting
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for line in waiting:
                line.close()


def threads() -> int:
    """How many threads poll."""
    return sum(each.name == "event-sources" for each in threading.enumerate())


def test_a_message_reaches_the_function_in_lambdas_shape_and_is_deleted(source: Source) -> None:
    source.map()
    sent = source.sqs.send_message(
        QueueUrl=source.url,
        MessageBody="{}",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "end"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
        },
    )
    [record] = source.wait_for_records(1)
    attributes = record.pop("attributes")
    assert attributes.pop("SentTimestamp") <= attributes.pop("ApproximateFirstReceiveTimestamp")
    assert attributes.pop("SenderId")
    assert attributes == {"ApproximateReceiveCount": "1"}
    assert record.pop("receiptHandle")
    empty: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": sent["MessageId"],
        "body": "{}",
        "messageAttributes": {
            "kind": {"stringValue": "end", **empty, "dataType": "String"},
            "raw": {"binaryValue": "AA==", **empty, "dataType": "Binary"},
        },
        "md5OfBody": hashlib.md5(b"{}").hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": source.arn,
        "awsRegion": "us-east-1",
    }
    source.wait_until_empty()


def test_messages_that_were_there_before_the_mapping_come_in_batches(source: Source) -> None:
    for number in range(5):
        source.send(number=number)
    source.map(BatchSize=2)
    source.wait_for_records(5)
    source.wait_until_empty()
    assert sorted(len(event["Records"]) for event in source.events()) == [1, 2, 2]
    assert sorted(json.loads(each["body"])["number"] for each in source.records()) == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_a_message_whose_delay_is_over_reaches_the_function(source: Source) -> None:
    source.map()
    source.sqs.send_message(QueueUrl=source.url, MessageBody="{}", DelaySeconds=1)
    assert source.counts()[0] == 0
    source.wait_for_records(1)


def test_a_message_on_which_the_function_failed_comes_again(source: Source) -> None:
    source.map()
    source.send(fail=2)
    records = source.wait_for_records(3)
    assert len({each["messageId"] for each in records}) == 1
    assert len({each["receiptHandle"] for each in records}) == 3
    assert [each["attributes"]["ApproximateReceiveCount"] for each in records] == ["1", "2", "3"]
    source.wait_until_empty()


def test_a_message_is_invisible_while_its_function_runs(source: Source) -> None:
    source.map()
    with gate() as (port, waiting):
        source.send(wait_at=port)
        wait_for(lambda: waiting, "the function to run")
        assert source.counts() == (0, 1)
        waiting[0].sendall(b"!")
        source.wait_until_empty()


def test_a_message_that_failed_too_often_is_in_the_dead_letter_queue(
    aws: LocalAws, source: Source
) -> None:
    letters = Queue(aws)
    policy = {"deadLetterTargetArn": letters.arn, "maxReceiveCount": 2}
    source.set(RedrivePolicy=json.dumps(policy))
    source.map()
    source.send(fail=9)
    assert letters.one() == {"fail": 9}
    assert len(source.records()) == 2
    assert source.counts() == (0, 0)


@pytest.mark.parametrize(
    ("settings", "most"), [({"ScalingConfig": {"MaximumConcurrency": 2}}, 2), ({}, 5)]
)
def test_no_more_invocations_run_at_once_than_the_mapping_allows(
    source: Source, settings: dict[str, Any], most: int
) -> None:
    source.map(BatchSize=1, **settings)
    with gate() as (port, waiting):
        for _ in range(most + 2):
            source.send(wait_at=port)
        wait_for(lambda: len(waiting) >= most, f"{most} invocations")
        # One more is not even received, as long as none of these has ended.
        assert source.counts() == (2, most)
        waiting[0].sendall(b"!")
        wait_for(lambda: len(waiting) == most + 1, "the next invocation")
        assert source.counts() == (1, most)
        waiting[1].sendall(b"!")
        wait_for(lambda: len(waiting) == most + 2, "the last invocation")
        for line in waiting[2:]:
            line.sendall(b"!")
        source.wait_until_empty()


def _failures(*ids: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, _failures()])
def test_a_response_without_failed_items_deletes_the_batch(source: Source, answer: Any) -> None:
    source.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    source.send(answer=answer)
    source.wait_for_records(1)
    source.wait_until_empty()
    assert len(source.records()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        _failures(""),
        _failures(None),
        _failures("another"),
        {"batchItemFailures": [{"id": "x"}]},
        {"batchItemFailures": "x"},
        ["x"],
        "x",
    ],
)
def test_a_response_with_items_that_are_not_in_the_batch_fails_the_batch(
    aws: LocalAws, source: Source, answer: Any
) -> None:
    letters = Queue(aws)
    policy = {"deadLetterTargetArn": letters.arn, "maxReceiveCount": 1}
    source.set(RedrivePolicy=json.dumps(policy))
    source.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    source.send(answer=answer)
    assert letters.one() == {"answer": answer}


@pytest.mark.parametrize("reports", [True, False])
def test_a_failed_item_comes_again_only_if_the_mapping_reports_them(
    aws: LocalAws, source: Source, reports: bool
) -> None:
    letters = Queue(aws)
    policy = {"deadLetterTargetArn": letters.arn, "maxReceiveCount": 1}
    source.set(RedrivePolicy=json.dumps(policy))
    uuid = source.map(
        Enabled=False, FunctionResponseTypes=["ReportBatchItemFailures"] if reports else []
    )
    bad = source.send(number=1)
    source.send(answer=_failures(bad))
    source.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    source.wait_for_records(2)
    if reports:
        assert letters.one() == {"number": 1}
    source.wait_until_empty()
    assert letters.receive() == []


def test_a_throttled_batch_comes_again(source: Source) -> None:
    source.functions.put_function_concurrency(
        FunctionName=source.name, ReservedConcurrentExecutions=0
    )
    source.map()
    source.send()
    [message] = event_sources.queue_of(source.arn)._messages
    wait_for(lambda: message.approximate_receive_count > 2, "the message to be received again")
    assert source.records() == []
    source.functions.delete_function_concurrency(FunctionName=source.name)
    [record] = source.wait_for_records(1)
    assert int(record["attributes"]["ApproximateReceiveCount"]) > 2
    source.wait_until_empty()


def test_a_mapping_is_disabled_changed_listed_and_deleted(source: Source) -> None:
    uuid = source.map(Enabled=False, ScalingConfig={"MaximumConcurrency": 2})
    source.send()
    described = source.functions.get_event_source_mapping(UUID=uuid)
    assert described["State"] == "Disabled"
    assert described["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert source.counts() == (1, 0)
    source.functions.update_event_source_mapping(UUID=uuid, Enabled=True, ScalingConfig={})
    source.wait_for_records(1)
    source.wait_until_empty()
    assert "ScalingConfig" not in source.functions.get_event_source_mapping(UUID=uuid)
    listed = source.functions.list_event_source_mappings(EventSourceArn=source.arn)
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]
    source.functions.delete_event_source_mapping(UUID=uuid)
    for action in ("get", "delete"):
        call = getattr(source.functions, f"{action}_event_source_mapping")
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            call(UUID=uuid)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        source.functions.update_event_source_mapping(UUID=uuid, BatchSize=1)
    source.send()
    assert source.counts() == (1, 0)


def test_a_mapping_has_one_thread_which_sleeps_while_its_queue_is_empty_and_ends_with_it(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sleeps = threads(), []
    until_visible = event_sources._until_visible

    def noted(queue: Any) -> float | None:
        seconds = until_visible(queue)
        if queue.name == source.name:
            sleeps.append(seconds)
        return seconds

    monkeypatch.setattr(event_sources, "_until_visible", noted)
    uuid = source.map()
    assert threads() == before + 1
    wait_for(lambda: sleeps, "the thread to sleep")
    assert sleeps == [None], "it wakes up for messages only"
    source.send()
    source.wait_until_empty()
    wait_for(lambda: sleeps[-1] is None, "the thread to sleep again")
    assert len(sleeps) < 10, "each change of the queue wakes it, and nothing else"
    source.functions.delete_event_source_mapping(UUID=uuid)
    wait_for(lambda: threads() == before, "the end of the thread")


@pytest.mark.parametrize("missing", MAY_POLL)
def test_a_role_that_may_not_poll_is_refused(aws: LocalAws, tmp_path: Path, missing: str) -> None:
    source = Source(aws, tmp_path, *(action for action in MAY_POLL if action != missing))
    action = missing.partition(":")[2]
    with pytest.raises(ClientError, match=f"permissions to call {action} on SQS") as refused:
        source.map()
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    listed = source.functions.list_event_source_mappings(EventSourceArn=source.arn)
    assert listed["EventSourceMappings"] == []


def test_a_role_that_may_not_poll_any_more_ends_the_polling_loudly(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    source.map()
    source.may("sqs:ReceiveMessage")
    with caplog.at_level(logging.ERROR):
        source.send()
        wait_for(lambda: "polls no more" in caplog.text, "the error")
    assert "sqs:deletemessage" in caplog.text
    assert source.counts() == (1, 0)


def test_a_queue_that_is_deleted_ends_the_polling_loudly(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    uuid = source.map()
    with caplog.at_level(logging.ERROR):
        source.sqs.delete_queue(QueueUrl=source.url)
        wait_for(lambda: "was deleted" in caplog.text, "the error")
    source.functions.delete_event_source_mapping(UUID=uuid)


def test_a_visibility_timeout_below_the_functions_timeout_is_refused(
    aws: LocalAws, tmp_path: Path
) -> None:
    source = Source(aws, tmp_path, attributes={"VisibilityTimeout": "19"})
    said = "Queue visibility timeout: 19 seconds is less than Function timeout: 20 seconds"
    with pytest.raises(ClientError, match=said) as refused:
        source.map()
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    source.set(VisibilityTimeout="20")
    uuid = source.map()
    source.functions.update_function_configuration(FunctionName=source.name, Timeout=21)
    with pytest.raises(ClientError, match="Queue visibility timeout: 20 seconds is less"):
        source.functions.update_event_source_mapping(UUID=uuid, BatchSize=1)


def test_a_second_mapping_of_the_same_queue_and_function_is_refused(source: Source) -> None:
    uuid = source.map()
    with pytest.raises(ClientError, match=f"existing mapping with UUID {uuid}") as refused:
        source.map()
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


def test_a_mapping_needs_a_queue_and_a_function_that_exist(source: Source) -> None:
    with pytest.raises(ClientError, match="NonExistentQueue"):
        source.map(EventSourceArn=f"arn:aws:sqs:{HERE}:{unique('none')}")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        source.map(FunctionName="none")


@pytest.mark.parametrize(
    "settings",
    [
        {"EventSourceArn": f"arn:aws:kinesis:{HERE}:stream/clicks"},
        {"EventSourceArn": f"arn:aws:sqs:{HERE}:ordered.fifo"},
        {"EventSourceArn": "arn:aws:sqs:us-east-1:999999999999:theirs"},
        {"BatchSize": 11},
        {"MaximumBatchingWindowInSeconds": 1},
        {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
        {"DestinationConfig": {"OnFailure": {"Destination": "x"}}},
    ],
)
def test_what_is_not_simulated_of_a_mapping_is_refused(
    source: Source, settings: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        source.map(**settings)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "greater than or equal to 2"),
        ({"ScalingConfig": {"MaximumConcurrency": 1001}}, "less than or equal to 1000"),
        ({"BatchSize": 0}, "greater than or equal to 1"),
    ],
)
def test_a_number_out_of_its_range_is_refused(
    aws: LocalAws, source: Source, settings: dict[str, Any], said: str
) -> None:
    lenient: Any = boto3.client(
        "lambda",
        endpoint_url=aws.url,
        region_name="us-east-1",
        config=Config(parameter_validation=False),
    )
    with pytest.raises(ClientError, match=said) as refused:
        lenient.create_event_source_mapping(
            EventSourceArn=source.arn, FunctionName=source.name, **settings
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"
