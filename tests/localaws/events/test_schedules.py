"""EventBridge schedules: when rules with a rate fire, by themselves and by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.events import schedules
from tests.support.localaws.bus import QUEUES, Bus
from tests.support.localaws.processes import run_forked
from tests.support.waiting import wait_for


@pytest.fixture
def bus(aws):
    return Bus(aws)


@pytest.fixture
def short(monkeypatch):
    """Let a minute be over soon; hours and days stay what they are."""
    monkeypatch.setitem(schedules._UNITS, "minute", 0.3)


def schedule(bus: Bus, rate: str, target: Any = None, **settings: Any) -> str:
    arn: str = bus.events.put_rule(Name=bus.name, ScheduleExpression=rate, **settings)["RuleArn"]
    if target is not None:
        bus.events.put_targets(Rule=bus.name, Targets=[{"Id": "0", **target}])
    return arn


def fire(bus: Bus, name: str | None = None) -> requests.Response:
    return requests.post(f"{bus.aws.url}/_localaws/schedules/{name or bus.name}", timeout=10)


def is_empty(bus: Bus, arn: str) -> bool:
    sqs = bus.aws.client("sqs")
    url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
    return "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_rate_fires_the_event_of_aws_again_and_again(bus, short):
    queue = bus.queue()
    arn = schedule(bus, "rate(1 minute)", {"Arn": queue})
    first, second = (json.loads(bus.received(queue)["Body"]) for _ in range(2))
    assert first["id"] != second["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.pop("time"))
    del first["id"]
    assert first == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {},
    }


@pytest.mark.parametrize(
    "rate", ["rate(2 minutes)", "rate(1 hour)", "rate(2 hours)", "rate(1 day)"]
)
def test_a_rate_counts_minutes_hours_and_days(bus, monkeypatch, rate):
    for unit in schedules._UNITS:
        monkeypatch.setitem(schedules._UNITS, unit, 0.3)
    queue = bus.queue()
    schedule(bus, rate, {"Arn": queue})
    assert json.loads(bus.received(queue)["Body"])["source"] == "aws.events"


def test_a_schedule_with_an_endless_rate_does_not_hold_up_other_schedules(aws, bus, short):
    schedule(Bus(aws), f"rate({10**15} days)")
    queue = bus.queue()
    schedule(bus, "rate(1 minute)", {"Arn": queue})
    assert bus.received(queue)


def test_a_target_that_fails_at_once_does_not_hold_up_other_schedules(aws, bus, short, caplog):
    groups = "arn:aws:logs:us-east-1:123456789012:log-group:"
    schedule(Bus(aws), "rate(1 minute)", {"Arn": f"{groups}nowhere"})
    wait_for(lambda: "an event of its schedule is lost" in caplog.text, "the log")
    queue = bus.queue()
    schedule(bus, "rate(1 minute)", {"Arn": queue})
    assert bus.received(queue)


@pytest.mark.parametrize(
    "rate",
    [
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(1.5 hours)",
        "rate(2 weeks)",
        "rate(2 minutes) ",
        "every minute",
    ],
)
def test_a_rate_that_aws_refuses_is_refused(bus, rate):
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid") as error:
        schedule(bus, rate)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_schedule_is_on_the_default_bus(bus):
    bus.events.create_event_bus(Name=bus.name)
    with pytest.raises(ClientError, match="supported only on the default event bus") as error:
        schedule(bus, "rate(1 minute)", EventBusName=bus.name)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_cron_expression_is_not_implemented(bus):
    with pytest.raises(ClientError, match=r"cron\(0 12 \* \* \? \*\)") as error:
        schedule(bus, "cron(0 12 * * ? *)")
    assert error.value.response["Error"]["Code"] == "NotImplemented"


def test_a_schedule_that_is_fired_delivers_its_event_at_once(bus):
    queue = bus.queue()
    schedule(bus, "rate(1 day)", {"Arn": queue})
    answer = fire(bus)
    assert answer.status_code == 200
    assert json.loads(bus.received(queue)["Body"])["id"] == answer.json()["id"]


def test_the_targets_input_takes_the_place_of_the_event(bus):
    queue = bus.queue()
    schedule(bus, "rate(1 day)", {"Arn": queue, "Input": '{"reconcile": true}'})
    fire(bus)
    assert bus.received(queue)["Body"] == '{"reconcile": true}'
    transformer = {"InputPathsMap": {"rule": "$.resources[0]"}, "InputTemplate": '"by <rule>"'}
    arn = schedule(bus, "rate(1 day)", {"Arn": queue, "InputTransformer": transformer})
    fire(bus)
    assert bus.received(queue)["Body"] == f'"by {arn}"'


def test_an_event_that_cannot_be_delivered_is_in_the_dead_letter_queue(bus):
    letters = bus.queue()
    target = {"Arn": f"{QUEUES}nowhere", "DeadLetterConfig": {"Arn": letters}}
    arn = schedule(bus, "rate(1 day)", target)
    fire(bus)
    letter = bus.received(letters)
    assert json.loads(letter["Body"])["detail-type"] == "Scheduled Event"
    assert letter["MessageAttributes"]["RULE_ARN"]["StringValue"] == arn


def test_a_schedule_reaches_a_log_group(aws, bus):
    logs, group = aws.client("logs"), f"/aws/events/{bus.name}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    schedule(bus, "rate(1 day)", {"Arn": arn})
    fire(bus)
    [event] = logs.filter_log_events(logGroupName=group)["events"]
    assert json.loads(event["message"])["detail-type"] == "Scheduled Event"


def test_a_rule_that_does_not_exist_cannot_be_fired(bus):
    answer = fire(bus, "no-such-rule")
    assert answer.status_code == 404
    assert "no-such-rule" in answer.json()["message"]


def test_a_rule_without_a_schedule_cannot_be_fired(bus):
    bus.rule()
    answer = fire(bus)
    assert answer.status_code == 404
    assert bus.name in answer.json()["message"]


def test_a_disabled_rule_cannot_be_fired(bus):
    schedule(bus, "rate(1 day)", State="DISABLED")
    answer = fire(bus)
    assert answer.status_code == 409
    assert bus.name in answer.json()["message"]


def test_a_schedule_can_be_fired_with_post_only(bus):
    schedule(bus, "rate(1 day)")
    url = f"{bus.aws.url}/_localaws/schedules/{bus.name}"
    assert requests.get(url, timeout=10).status_code == 404


def has_fired_thrice(aws: Any) -> None:
    """Wait until a rate of a minute that was put now would have fired three times."""
    slower = Bus(aws)
    queue = slower.queue()
    schedule(slower, "rate(3 minutes)", {"Arn": queue})
    assert slower.received(queue)


def test_a_disabled_rule_fires_from_when_it_is_enabled(aws, bus, short):
    queue = bus.queue()
    schedule(bus, "rate(1 minute)", {"Arn": queue}, State="DISABLED")
    has_fired_thrice(aws)
    assert is_empty(bus, queue)
    bus.events.enable_rule(Name=bus.name)
    assert bus.received(queue)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_rule_that_was_replaced_or_deleted_does_not_fire(aws, bus, short, deleted):
    schedule(bus, "rate(1 minute)", {"Arn": bus.queue()})
    if deleted:
        bus.events.remove_targets(Rule=bus.name, Ids=["0"])
        bus.events.delete_rule(Name=bus.name)
    queue = bus.queue("-after")
    bus.rule({"Arn": queue})
    has_fired_thrice(aws)
    assert is_empty(bus, queue)
    assert fire(bus).status_code == 404


def test_a_rule_with_a_schedule_only_gets_no_events(bus):
    scheduled, by_event = bus.queue(), bus.queue("-event")
    bus.rule({"Arn": by_event})
    bus.events.put_rule(Name=f"{bus.name}-schedule", ScheduleExpression="rate(1 day)")
    bus.events.put_targets(Rule=f"{bus.name}-schedule", Targets=[{"Id": "0", "Arn": scheduled}])
    bus.put(n=1)
    assert bus.received(by_event)
    fire(bus, f"{bus.name}-schedule")
    assert json.loads(bus.received(scheduled)["Body"])["source"] == "aws.events"


def test_every_timer_ends_with_the_local_aws():
    run_forked(
        """
        import threading
        from localaws.server import LocalAws
        with LocalAws() as aws:
            for rate in ("rate(1 minute)", "rate(7 days)"):
                aws.client("events").put_rule(Name=rate[5], ScheduleExpression=rate)
        assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        """
    )
