"""Alarms: state changes that are told, composite alarms, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloudwatch.alarm_rule import parse
from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import listen, unique
from tests.support.localaws.sns import let_sns_send
from tests.support.waiting import wait_for


@pytest.fixture
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


def set_state(cloudwatch: Any, name: str, value: str, reason: str = "testing") -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason=reason)


def alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    answer = cloudwatch.describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return dict((answer["MetricAlarms"] + answer["CompositeAlarms"])[0])


def test_an_alarm_that_goes_to_alarm_emits_a_state_change_event(
    cloudwatch: Any, aws: LocalAws
) -> None:
    name = put_alarm(cloudwatch, unique('it\'s "quoted" ünï'), AlarmDescription="too many")
    seen = listen(
        aws, {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]}
    )

    set_state(cloudwatch, name, "ALARM", "over the threshold")

    event = wait_for(
        lambda: next((e for e in seen() if e["detail"]["alarmName"] == name), {}), "the event"
    )
    assert event["resources"] == [alarm(cloudwatch, name)["AlarmArn"]]
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["detail"]["state"]["reason"] == "over the threshold"
    configuration = event["detail"]["configuration"]
    assert configuration["description"] == "too many"
    assert configuration["metrics"][0]["metricStat"]["metric"]["name"] == "Errors"


def test_the_transition_time_moves_only_with_the_value(cloudwatch: Any) -> None:
    name = put_alarm(cloudwatch)
    set_state(cloudwatch, name, "ALARM")
    first = alarm(cloudwatch, name)

    set_state(cloudwatch, name, "ALARM", "again")

    second = alarm(cloudwatch, name)
    assert second["StateReason"] == "again"
    assert second["StateUpdatedTimestamp"] > first["StateUpdatedTimestamp"]
    assert second["StateTransitionedTimestamp"] == first["StateTransitionedTimestamp"]


def test_putting_an_alarm_again_keeps_its_state(cloudwatch: Any) -> None:
    name = put_alarm(cloudwatch)
    set_state(cloudwatch, name, "ALARM")

    put_alarm(cloudwatch, name, AlarmDescription="new")

    told = alarm(cloudwatch, name)
    assert (told["StateValue"], told["AlarmDescription"]) == ("ALARM", "new")


def test_actions_tell_the_topics_of_the_new_state(cloudwatch: Any, aws: LocalAws) -> None:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    let_sns_send(aws, arn["QueueArn"])
    topics = [sns.create_topic(Name=unique("t"))["TopicArn"] for _ in range(2)]
    for topic in topics:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    name = put_alarm(cloudwatch, AlarmActions=topics[:1], OKActions=topics[1:])
    heard: list[tuple[str, str]] = []

    def listen_on() -> list[tuple[str, str]]:
        for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
            body = json.loads(message["Body"])
            heard.append((body["TopicArn"], json.loads(body["Message"])["NewStateValue"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return heard

    set_state(cloudwatch, name, "ALARM")
    set_state(cloudwatch, name, "ALARM")
    wait_for(listen_on, "the alarm")
    set_state(cloudwatch, name, "OK")
    wait_for(lambda: len(listen_on()) > 1, "the all-clear")
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    set_state(cloudwatch, name, "ALARM")

    assert listen_on() == [(topics[0], "ALARM"), (topics[1], "OK")]


def test_an_action_that_is_not_a_topic_is_refused(cloudwatch: Any) -> None:
    name = unique("refused")
    with pytest.raises(ClientError):
        put_alarm(
            cloudwatch, name, AlarmActions=["arn:aws:lambda:us-east-1:123456789012:function:f"]
        )
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_a_composite_alarm_follows_its_children(cloudwatch: Any, aws: LocalAws) -> None:
    one, two = put_alarm(cloudwatch), put_alarm(cloudwatch, unique("with space"))
    both, outer = unique("both"), unique("outer")
    cloudwatch.put_composite_alarm(
        AlarmName=both, AlarmRule=f'ALARM({one}) AND NOT OK("{two}") AND NOT FALSE'
    )
    arn = alarm(cloudwatch, both)["AlarmArn"]
    cloudwatch.put_composite_alarm(AlarmName=outer, AlarmRule=f'ALARM("{arn}")')
    seen = listen(aws, {"detail": {"alarmName": [outer]}})
    assert alarm(cloudwatch, outer)["StateValue"] == "OK"

    set_state(cloudwatch, one, "ALARM")

    assert alarm(cloudwatch, both)["StateValue"] == "ALARM"
    assert alarm(cloudwatch, outer)["StateValue"] == "ALARM"
    event = wait_for(seen, "the event")[0]
    assert event["detail"]["configuration"] == {"alarmRule": f'ALARM("{arn}")'}
    set_state(cloudwatch, two, "OK")
    assert alarm(cloudwatch, outer)["StateValue"] == "OK"


@pytest.mark.parametrize(
    "rule", ["", "ALARM(", "ALARM(a) OR", "MAYBE(a)", "ALARM(a) ALARM(b)", '"']
)
def test_a_rule_that_cannot_be_read_is_refused(cloudwatch: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(rule)


def test_and_binds_tighter_than_or() -> None:
    rule = parse("ALARM(a) OR ALARM(b) AND ALARM(c)")
    assert rule.holds({"a": "ALARM", "b": "OK", "c": "OK"}.__getitem__)
    assert not rule.holds({"a": "OK", "b": "ALARM", "c": "OK"}.__getitem__)


def test_a_composite_alarm_of_a_missing_child_is_refused(cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="do not exist"):
        cloudwatch.put_composite_alarm(AlarmName=unique("c"), AlarmRule="ALARM(nobody)")


def test_alarms_are_described_by_name_and_type(cloudwatch: Any) -> None:
    child, parent = put_alarm(cloudwatch), unique("parent")
    cloudwatch.put_composite_alarm(AlarmName=parent, AlarmRule=f"ALARM({child})")
    names = [child, parent]

    metric_only = cloudwatch.describe_alarms(AlarmNames=names)
    both = cloudwatch.describe_alarms(
        AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )

    assert (len(metric_only["MetricAlarms"]), len(metric_only["CompositeAlarms"])) == (1, 0)
    assert (len(both["MetricAlarms"]), len(both["CompositeAlarms"])) == (1, 1)
    assert both["CompositeAlarms"][0]["AlarmRule"] == f"ALARM({child})"
    with pytest.raises(ClientError, match="100"):
        cloudwatch.describe_alarms(AlarmNames=["a"] * 101)


@pytest.mark.parametrize("kind", ["MetricAlarms", "LogAlarms", "metric", ""])
def test_alarms_of_a_kind_that_does_not_exist_are_refused(cloudwatch: Any, kind: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*alarmTypes.*enum value set") as error:
        cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", kind])
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_log_alarms_are_a_kind(cloudwatch: Any) -> None:
    name = put_alarm(cloudwatch)
    answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["LogAlarm"])
    assert answer["MetricAlarms"] == []


def test_the_reason_of_a_state_has_1023_characters_at_most(cloudwatch: Any) -> None:
    name = put_alarm(cloudwatch)
    set_state(cloudwatch, name, "ALARM", "r" * 1023)
    with pytest.raises(ClientError, match=r"ValidationError.*stateReason.*1023"):
        set_state(cloudwatch, name, "OK", "r" * 1024)
    assert alarm(cloudwatch, name)["StateReason"] == "r" * 1023


def test_the_data_of_a_reason_have_4000_characters_at_most(cloudwatch: Any) -> None:
    name = put_alarm(cloudwatch)
    data = json.dumps({"data": "d" * 3988})
    wanted = {"AlarmName": name, "StateValue": "ALARM", "StateReason": "r"}
    cloudwatch.set_alarm_state(**wanted, StateReasonData=data)
    with pytest.raises(ClientError, match=r"ValidationError.*stateReasonData.*4000"):
        cloudwatch.set_alarm_state(**wanted, StateReasonData=data + " ")


def test_a_composite_alarm_with_a_long_rule_has_a_reason_that_is_short_enough(
    cloudwatch: Any,
) -> None:
    children = [put_alarm(cloudwatch, unique("child" * 20)) for _ in range(12)]
    rule = " OR ".join(f'ALARM("{child}")' for child in children)
    cloudwatch.put_composite_alarm(AlarmName="long-rule", AlarmRule=rule)
    set_state(cloudwatch, children[-1], "ALARM")
    found = alarm(cloudwatch, "long-rule")
    assert (found["StateValue"], len(found["StateReason"])) == ("ALARM", 1023)
