"""Reads CloudWatch alarms of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# DescribeAlarms returns only the kinds that the request names, and only metric alarms by default. It refuses
# a request that names a kind which the region does not have, and there are no log alarms in other partitions.
KINDS: list[Any] = ["MetricAlarm", "CompositeAlarm", "LogAlarm"]
WITHOUT_LOG_ALARMS = ("me-central-1",)


class Alarm(Model):
    """The state of one alarm."""

    name: str
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    reason: str
    changed_at: datetime
    """When it last went from one state to another."""
    was_firing: str | None = None
    """The reason of the last time that it was in ALARM, if it has left that state since the deployment
    started;
    otherwise None."""


def read_alarms_since(
    names: Iterable[str], since: datetime, cloudwatch: CloudWatchClient
) -> dict[str, Alarm]:
    """As `read_alarms`, but it finds an alarm, too, that has fired since then and fires no longer.

    Only an alarm that has changed its state since then has its history read.

    Raises:
        AwsUnavailable, AwsRefused: from CloudWatch.
    """
    alarms = read_alarms(names, cloudwatch)
    for name, alarm in alarms.items():
        if alarm.state != "ALARM" and alarm.changed_at >= since:
            was_firing = _last_firing(name, since, cloudwatch)
            alarms[name] = alarm.model_copy(update={"was_firing": was_firing})
    return alarms


def _last_firing(name: str, since: datetime, cloudwatch: CloudWatchClient) -> str | None:
    """The reason of the last time since then that the alarm went to ALARM, or None."""
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name,
        AlarmTypes=KINDS,
        HistoryItemType="StateUpdate",
        StartDate=since,
        ScanBy="TimestampDescending",
    )
    with calling("cloudwatch:DescribeAlarmHistory", f"alarm {name}"):
        for page in pages:
            for item in page["AlarmHistoryItems"]:
                state = json.loads(item["HistoryData"])["newState"]
                if state["stateValue"] == "ALARM":
                    return str(state.get("stateReason", ""))
    return None


def read_alarms(names: Iterable[str], cloudwatch: CloudWatchClient) -> dict[str, Alarm]:
    """The alarms with these names, by name; an alarm that does not exist is left out.

    Args:
        names: at most 100, which is DescribeAlarms' limit.

    Raises:
        AwsUnavailable, AwsRefused: from CloudWatch.
    """
    names = sorted(set(names))
    if not names:
        return {}
    kinds = _kinds(cloudwatch.meta.partition, cloudwatch.meta.region_name)
    with calling("cloudwatch:DescribeAlarms", f"alarms {', '.join(names)}"):
        found: Any = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=kinds, MaxRecords=100)
    # The answer has a list for each kind: MetricAlarms, CompositeAlarms, LogAlarms.
    alarms: list[Any] = [alarm for kind in kinds for alarm in found.get(f"{kind}s", [])]
    return {
        alarm["AlarmName"]: Alarm(
            name=alarm["AlarmName"],
            state=alarm["StateValue"],
            reason=alarm.get("StateReason", ""),
            # StateUpdatedTimestamp also changes if only the evaluation state does, while the alarm stays in
            # its state.
            changed_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        )
        for alarm in alarms
    }


def _kinds(partition: str, region: str) -> list[Any]:
    """The kinds of alarms that CloudWatch has in a region."""
    with_log_alarms = partition == "aws" and region not in WITHOUT_LOG_ALARMS
    return [kind for kind in KINDS if kind != "LogAlarm" or with_log_alarms]
