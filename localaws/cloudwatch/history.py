"""DescribeAlarmHistory, of the state changes only.

CloudWatch keeps the history of an alarm that was deleted, and so does the local AWS. It has no items of
other kinds, so a request that could return one fails.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

LIMIT = 100  # of a page (botocore's model: MaxRecords)
KEPT = 1000


def note(
    backend: CloudWatchBackend, alarm: Alarm, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Keep a change of an alarm's state."""
    states = {"oldState": _state(before), "newState": _state(after)}
    _items(backend).append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": _in_milliseconds(datetime.now(UTC)),
            "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {before['value']} to {after['value']}",
            "HistoryData": json.dumps({"version": "1.0", **states}),
        }
    )
    del _items(backend)[:-KEPT]


def describe(self: CloudWatchResponse) -> ActionResult:
    """DescribeAlarmHistory."""
    if self._get_param("HistoryItemType") != "StateUpdate":
        raise NotImplementedError("cloudwatch: DescribeAlarmHistory: only StateUpdate is simulated")
    if self._get_param("AlarmContributorId"):
        raise NotImplementedError(
            "cloudwatch: DescribeAlarmHistory: AlarmContributorId is not simulated"
        )
    name, types = self._get_param("AlarmName"), self._get_param("AlarmTypes", [])
    start, end = (_time(self._get_param(field)) for field in ("StartDate", "EndDate"))
    found = [
        item
        for item in _items(self.cloudwatch_backend)
        if name in (None, item["AlarmName"])
        and item["AlarmType"] in (types or ["MetricAlarm"])
        and (start is None or item["Timestamp"] >= start)
        and (end is None or item["Timestamp"] <= end)
    ]
    if self._get_param("ScanBy") != "TimestampAscending":
        found.reverse()
    first = int(self._get_param("NextToken") or 0)
    last = first + int(self._get_param("MaxRecords") or LIMIT)
    return ActionResult(
        {
            "AlarmHistoryItems": found[first:last],
            "NextToken": str(last) if last < len(found) else None,
        }
    )


def _items(backend: CloudWatchBackend) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = vars(backend).setdefault("alarm_history", [])
    return items


def _in_milliseconds(moment: datetime) -> datetime:
    """As the answer has it, so that a time of an answer finds its own item."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _state(state: dict[str, Any]) -> dict[str, Any]:
    return {"stateValue": state["value"], "stateReason": state["reason"]}


def _time(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC) if value else None
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
