"""Reading alarms of every kind."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.alarms import read_alarms
from tests.support.builders import NOW, at
from tests.support.stubs import Stubbed


def answered(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "StateValue": "OK",
        "StateReason": "fine",
        "StateUpdatedTimestamp": at(60),
        "StateTransitionedTimestamp": NOW,
    } | changes


def test_an_empty_list_of_alarms_asks_cloudwatch_nothing(cloudwatch):
    assert read_alarms([], cloudwatch.client) == {}


def test_metric_and_composite_alarms_are_found(cloudwatch):
    cloudwatch.answers(
        "describe_alarms", {"MetricAlarms": [answered("m")], "CompositeAlarms": [answered("c")]}
    )

    assert set(read_alarms(["m", "c"], cloudwatch.client)) == {"m", "c"}


def test_log_alarms_are_found(cloudwatch):
    cloudwatch.answers(
        "describe_alarms",
        {"MetricAlarms": [], "CompositeAlarms": [], "LogAlarms": [answered("l")]},
    )

    assert set(read_alarms(["l"], cloudwatch.client)) == {"l"}


def test_every_kind_of_alarm_that_cloudwatch_has_is_asked_for(cloudwatch):
    kinds = cloudwatch.client.meta.service_model.shape_for("AlarmType").enum
    asked = []

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.extend(params["AlarmTypes"])

    cloudwatch.client.meta.events.register("provide-client-params.cloudwatch.DescribeAlarms", note)
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [], "CompositeAlarms": []})
    read_alarms(["a"], cloudwatch.client)
    cloudwatch.client.meta.events.unregister(
        "provide-client-params.cloudwatch.DescribeAlarms", note
    )

    assert set(asked) == set(kinds)


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "me-central-1"])
def test_log_alarms_are_not_asked_for_where_cloudwatch_has_none(region):
    kinds = ["MetricAlarm", "CompositeAlarm"]
    with Stubbed(boto3.client("cloudwatch", region_name=region)) as there:
        asked = {"AlarmNames": ["m"], "AlarmTypes": kinds, "MaxRecords": 100}
        answer = {"MetricAlarms": [answered("m")], "CompositeAlarms": []}
        there.answers("describe_alarms", answer, **asked)

        assert set(read_alarms(["m"], there.client)) == {"m"}


def test_each_name_is_asked_for_once(cloudwatch):
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [answered("a")], "CompositeAlarms": []})

    assert len(read_alarms(["a", "a"], cloudwatch.client)) == 1


def test_an_alarm_that_does_not_exist_is_left_out(cloudwatch):
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [], "CompositeAlarms": []})

    assert read_alarms(["gone"], cloudwatch.client) == {}


@pytest.mark.parametrize(
    ("transition", "changed_at"), [({}, NOW), ({"StateTransitionedTimestamp": None}, at(60))]
)
def test_an_alarm_changed_when_its_state_did_where_cloudwatch_says_so(
    cloudwatch, transition, changed_at
):
    alarm = {k: v for k, v in (answered("a") | transition).items() if v is not None}
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [alarm], "CompositeAlarms": []})

    assert read_alarms(["a"], cloudwatch.client)["a"].changed_at == changed_at


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDenied", AwsRefused), ("Throttling", AwsUnavailable)]
)
def test_a_read_of_alarms_that_failed_names_the_alarms(cloudwatch, code, error):
    cloudwatch.refuses("describe_alarms", code, "not now", 400)

    with pytest.raises(error, match="cloudwatch:DescribeAlarms on alarms a, b: not now"):
        read_alarms(["b", "a"], cloudwatch.client)
