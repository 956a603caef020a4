"""Alarms on the depth of a queue, the one metric that is known here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import listen, unique
from tests.support.localaws.sns import Queue
from tests.support.waiting import wait_for

DEPTH = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Statistic": "Maximum",
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


@pytest.fixture
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


@pytest.fixture
def queue(aws: LocalAws) -> Queue:
    return Queue(aws)


def on_depth(cloudwatch: Any, queue: str, name: str | None = None, **settings: Any) -> str:
    dimensions = [{"Name": "QueueName", "Value": queue}]
    return put_alarm(cloudwatch, name, **{**DEPTH, "Dimensions": dimensions, **settings})


def state(cloudwatch: Any, name: str) -> str:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def wait_state(cloudwatch: Any, name: str, value: str) -> None:
    wait_for(lambda: state(cloudwatch, name) == value, f"{name} in {value}")


def heard(aws: LocalAws, alarm: str) -> Callable[[int], list[dict[str, Any]]]:
    seen = listen(aws, {"source": ["aws.cloudwatch"], "detail": {"alarmName": [alarm]}})

    def wait(count: int) -> list[dict[str, Any]]:
        wait_for(lambda: len(seen()) >= count, f"{count} events of {alarm}")
        return [event["detail"] for event in seen()]

    return wait


def test_an_alarm_follows_what_is_in_the_queue_and_says_so(
    aws: LocalAws, cloudwatch: Any, queue: Queue
) -> None:
    name = unique("depth")
    events = heard(aws, name)
    on_depth(cloudwatch, queue.name, name, Period=300)
    wait_state(cloudwatch, name, "OK")
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    wait_state(cloudwatch, name, "ALARM")
    assert queue.receive()
    wait_state(cloudwatch, name, "OK")

    quiet, alarmed, settled = sorted(events(3), key=lambda told: told["state"]["timestamp"])
    assert (quiet["previousState"]["value"], quiet["state"]["value"]) == ("INSUFFICIENT_DATA", "OK")
    assert (alarmed["alarmName"], alarmed["state"]["value"]) == (name, "ALARM")
    assert alarmed["previousState"] == quiet["state"]
    assert re.fullmatch(
        r"Threshold Crossed: 1 out of the last 1 datapoints \[1\.0 \(\d\d/\d\d/\d\d \d\d:\d\d:\d\d\)\]"
        r" was greater than the threshold \(0\.0\) \(minimum 1 datapoint for OK -> ALARM transition\)\.",
        alarmed["state"]["reason"],
    )
    data = json.loads(alarmed["state"]["reasonData"])
    assert (data["statistic"], data["period"], data["threshold"]) == ("Maximum", 300, 0.0)
    assert data["recentDatapoints"] == [data["evaluatedDatapoints"][0]["value"]] == [1.0]
    [metric] = alarmed["configuration"]["metrics"]
    assert metric["metricStat"]["metric"]["dimensions"] == {"QueueName": queue.name}
    assert settled["state"]["value"] == "OK"
    assert "was not greater than the threshold" in settled["state"]["reason"]


def test_a_message_that_is_being_worked_on_does_not_count(cloudwatch: Any, queue: Queue) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    name = on_depth(cloudwatch, queue.name)
    wait_state(cloudwatch, name, "ALARM")
    [message] = queue.sqs.receive_message(QueueUrl=queue.url)["Messages"]
    wait_state(cloudwatch, name, "OK")
    queue.sqs.change_message_visibility(
        QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    wait_state(cloudwatch, name, "ALARM")


@pytest.mark.parametrize(
    ("operator", "threshold", "messages", "value"),
    [
        ("GreaterThanThreshold", 1, 1, "OK"),
        ("GreaterThanThreshold", 1, 2, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 1, 1, "ALARM"),
        ("LessThanThreshold", 1, 0, "ALARM"),
        ("LessThanThreshold", 1, 1, "OK"),
        ("LessThanOrEqualToThreshold", 1, 1, "ALARM"),
    ],
)
def test_an_alarm_compares_as_it_says(
    cloudwatch: Any, queue: Queue, operator: str, threshold: int, messages: int, value: str
) -> None:
    for _ in range(messages):
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    settings = {"ComparisonOperator": operator, "Threshold": threshold}
    wait_state(cloudwatch, on_depth(cloudwatch, queue.name, **settings), value)


@pytest.mark.parametrize(
    ("treatment", "value"),
    [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "INSUFFICIENT_DATA")],
)
def test_a_queue_that_is_gone_is_missing_data(
    cloudwatch: Any, queue: Queue, treatment: str, value: str
) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    # Which state it comes from must not be the one that it goes to.
    limit = 1 if value == "ALARM" else 0
    name = on_depth(cloudwatch, queue.name, TreatMissingData=treatment, Threshold=limit)
    wait_state(cloudwatch, name, "OK" if value == "ALARM" else "ALARM")
    queue.sqs.delete_queue(QueueUrl=queue.url)
    wait_state(cloudwatch, name, value)


def test_missing_data_that_is_ignored_leaves_the_state_as_it_is(
    cloudwatch: Any, queue: Queue
) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    ignoring = on_depth(cloudwatch, queue.name, TreatMissingData="ignore")
    noticing = on_depth(cloudwatch, queue.name)
    wait_state(cloudwatch, ignoring, "ALARM")
    wait_state(cloudwatch, noticing, "ALARM")
    queue.sqs.delete_queue(QueueUrl=queue.url)
    wait_state(cloudwatch, noticing, "OK")  # by then both were evaluated
    assert state(cloudwatch, ignoring) == "ALARM"


def test_a_state_that_was_set_by_hand_lasts_until_the_next_evaluation(
    cloudwatch: Any, queue: Queue
) -> None:
    name = on_depth(cloudwatch, queue.name)
    wait_state(cloudwatch, name, "OK")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing")
    wait_state(cloudwatch, name, "OK")


def test_a_composite_alarm_and_actions_follow(aws: LocalAws, cloudwatch: Any, queue: Queue) -> None:
    sns, actions, parent = aws.client("sns"), Queue(aws), unique("parent")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=actions.arn)
    name = on_depth(cloudwatch, queue.name, AlarmActions=[topic])
    cloudwatch.put_composite_alarm(AlarmName=parent, AlarmRule=f"ALARM({name})")
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    assert json.loads(actions.one()["Message"])["NewStateValue"] == "ALARM"
    found = cloudwatch.describe_alarms(AlarmNames=[parent], AlarmTypes=["CompositeAlarm"])
    assert found["CompositeAlarms"][0]["StateValue"] == "ALARM"


def test_an_alarm_on_a_metric_that_is_not_known_has_insufficient_data(
    cloudwatch: Any, queue: Queue
) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="m")
    unknown = on_depth(cloudwatch, queue.name, MetricName="NumberOfMessagesSent", Statistic="Sum")
    known = on_depth(cloudwatch, queue.name)
    wait_state(cloudwatch, known, "ALARM")  # by then both were evaluated
    assert state(cloudwatch, unknown) == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    "settings",
    [
        {"Statistic": "Sum"},
        {"Unit": "Bytes"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
    ],
)
def test_an_alarm_on_the_depth_that_could_not_be_judged_is_not_implemented(
    cloudwatch: Any, queue: Queue, settings: dict[str, str]
) -> None:
    name = unique("alarm")
    with pytest.raises(ClientError, match="NotImplemented"):
        on_depth(cloudwatch, queue.name, name, **settings)
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
