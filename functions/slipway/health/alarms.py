"""CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# Every kind there is: DescribeAlarms leaves out those that it is not asked for.
KINDS: list[Any] = ["MetricAlarm", "CompositeAlarm", "LogAlarm"]


class Alarm(Model):
    """What CloudWatch says of one alarm."""

    name: str
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    reason: str
    changed_at: datetime
    """When it last went from one state to another."""


def read_alarms(names: Iterable[str], cloudwatch: CloudWatchClient) -> dict[str, Alarm]:
    """The alarms that exist, by name; at most 100 names (DescribeAlarms).

    Raises:
        AwsUnavailable, AwsRefused: from CloudWatch.
    """
    names = sorted(set(names))
    if not names:
        return {}
    with calling("cloudwatch:DescribeAlarms", f"alarms {', '.join(names)}"):
        found: Any = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=KINDS, MaxRecords=100)
    # Each kind has a list of its own: MetricAlarms, CompositeAlarms, LogAlarms.
    alarms: list[Any] = [alarm for kind in KINDS for alarm in found.get(f"{kind}s", [])]
    return {
        alarm["AlarmName"]: Alarm(
            name=alarm["AlarmName"],
            state=alarm["StateValue"],
            reason=alarm.get("StateReason", ""),
            # StateUpdatedTimestamp also moves when only the evaluation's state changes.
            changed_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        )
        for alarm in alarms
    }
