"""CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from slipway.aws import calling
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class Alarm(Model):
    """What CloudWatch says of one alarm."""

    name: str
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    reason: str
    changed_at: datetime
    """When it last went from one state to another."""


def read_alarms(names: Iterable[str], cloudwatch: CloudWatchClient) -> dict[str, Alarm]:
    """The alarms that exist, by name, metric and composite ones; at most 100 names (DescribeAlarms)."""
    names = sorted(set(names))
    if not names:
        return {}
    with calling("cloudwatch:DescribeAlarms", f"alarms {', '.join(names)}"):
        found = cloudwatch.describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
        )
    return {
        alarm["AlarmName"]: Alarm(
            name=alarm["AlarmName"],
            state=alarm["StateValue"],
            reason=alarm.get("StateReason", ""),
            # StateUpdatedTimestamp moves with every evaluation that changes the reason alone.
            changed_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        )
        for alarm in [*found["MetricAlarms"], *found["CompositeAlarms"]]
    }
