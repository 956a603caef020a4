"""The history of alarms: which changes it has, in which order, and what is not simulated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import unique


@pytest.fixture
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


def changed(cloudwatch: Any, *values: str) -> str:
    """An alarm that had these states in turn; its name."""
    name = put_alarm(cloudwatch)
    for value in values:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason=f"it is {value}")
    return str(name)


def history(cloudwatch: Any, name: str, **asked: Any) -> list[dict[str, Any]]:
    asked = {"AlarmName": name, "HistoryItemType": "StateUpdate"} | asked
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(**asked)
    return [item for page in pages for item in page["AlarmHistoryItems"]]


def test_each_change_of_an_alarm_is_in_its_history_the_newest_first(cloudwatch: Any) -> None:
    name = changed(cloudwatch, "OK", "ALARM", "ALARM", "OK")

    items = history(cloudwatch, name, PaginationConfig={"PageSize": 2})

    assert [item["HistorySummary"] for item in items] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    data = json.loads(items[1]["HistoryData"])
    assert (data["oldState"]["stateValue"], data["newState"]["stateValue"]) == ("OK", "ALARM")
    assert data["newState"]["stateReason"] == "it is ALARM"


def test_the_history_begins_at_the_time_that_is_asked_for(cloudwatch: Any) -> None:
    name = changed(cloudwatch, "OK", "ALARM")
    first, last = history(cloudwatch, name, ScanBy="TimestampAscending")

    assert history(cloudwatch, name, StartDate=last["Timestamp"]) == [last]
    assert history(cloudwatch, name, EndDate=first["Timestamp"]) == [first]


def test_a_composite_alarm_is_found_only_if_its_type_is_asked_for(cloudwatch: Any) -> None:
    child, name = put_alarm(cloudwatch), unique("both")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{child}")')
    cloudwatch.set_alarm_state(AlarmName=child, StateValue="ALARM", StateReason="x")

    assert history(cloudwatch, name) == []
    found = history(cloudwatch, name, AlarmTypes=["CompositeAlarm"])
    assert found[0]["HistorySummary"] == "Alarm updated from OK to ALARM"


def test_the_history_of_a_deleted_alarm_stays(cloudwatch: Any) -> None:
    name = changed(cloudwatch, "ALARM")
    cloudwatch.delete_alarms(AlarmNames=[name])

    assert len(history(cloudwatch, name)) == 1


def test_a_history_of_more_than_state_changes_is_refused(cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="only StateUpdate is simulated"):
        cloudwatch.describe_alarm_history(AlarmName="any")
