"""Reading alarms of every kind."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.alarms import KINDS, read_alarms, read_alarms_since
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


def changes(*values: str, alarm: str = "a") -> list[dict[str, Any]]:
    """Items of an alarm's history, with these new states."""
    return [
        {
            "AlarmName": alarm,
            "HistoryItemType": "StateUpdate",
            "HistoryData": json.dumps(
                {
                    "version": "1.0",
                    "newState": {"stateValue": value, "stateReason": f"it is {value}"},
                }
            ),
        }
        for value in values
    ]


def has_changed(cloudwatch: Stubbed, state: str = "OK", *pages: list[dict[str, Any]]) -> None:
    """Alarm a went to this state at the start of the deployment, with this history since."""
    alarm = answered("a", StateValue=state)
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [alarm], "CompositeAlarms": []})
    for number, page in enumerate(pages):
        more = {} if page is pages[-1] else {"NextToken": str(number)}
        cloudwatch.answers("describe_alarm_history", {"AlarmHistoryItems": page, **more})


@pytest.mark.parametrize(
    "pages", [[changes("OK", "ALARM")], [changes("OK"), changes("INSUFFICIENT_DATA", "ALARM")]]
)
def test_an_alarm_that_has_fired_and_fires_no_longer_is_found_in_its_history(cloudwatch, pages):
    has_changed(cloudwatch, "OK", *pages)

    assert read_alarms_since(["a"], NOW, cloudwatch.client)["a"].was_firing == "it is ALARM"


def test_the_history_is_asked_for_by_name_kind_and_time_with_the_newest_change_first(cloudwatch):
    alarm = answered("a")
    cloudwatch.answers("describe_alarms", {"MetricAlarms": [alarm], "CompositeAlarms": []})
    cloudwatch.answers(
        "describe_alarm_history",
        {"AlarmHistoryItems": []},
        AlarmName="a",
        AlarmTypes=KINDS,
        HistoryItemType="StateUpdate",
        StartDate=NOW,
        ScanBy="TimestampDescending",
    )

    assert read_alarms_since(["a"], NOW, cloudwatch.client)["a"].was_firing is None


def test_an_alarm_that_has_gone_back_from_an_earlier_firing_has_not_fired_since(cloudwatch):
    has_changed(cloudwatch, "OK", changes("OK"))

    assert read_alarms_since(["a"], NOW, cloudwatch.client)["a"].was_firing is None


@pytest.mark.parametrize(("state", "since"), [("ALARM", NOW), ("OK", at(1))])
def test_the_history_of_an_alarm_that_fires_or_has_not_changed_is_not_read(
    cloudwatch, state, since
):
    has_changed(cloudwatch, state)

    assert read_alarms_since(["a"], since, cloudwatch.client)["a"].was_firing is None


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDenied", AwsRefused), ("Throttling", AwsUnavailable)]
)
def test_a_read_of_a_history_that_failed_names_the_alarm(cloudwatch, code, error):
    has_changed(cloudwatch)
    cloudwatch.refuses("describe_alarm_history", code, "not now", 400)

    with pytest.raises(error, match="cloudwatch:DescribeAlarmHistory on alarm a: not now"):
        read_alarms_since(["a"], NOW, cloudwatch.client)
