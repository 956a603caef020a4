"""The arithmetic of step scaling, which EC2 and Application Auto Scaling share.

Metrics are not evaluated here. The distance of a metric from the threshold is taken from the
StateReasonData of SetAlarmState, whose `recentDatapoints` have CloudWatch's format. Without them the
metric counts as equal to the threshold.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.cloudwatch.models import Alarm

_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Average": statistics.fmean,
}


def breach(alarm: Alarm, aggregation: str | None) -> float:
    """The distance of the metric from the threshold; negative below it."""
    points = json.loads(alarm.state_reason_data or "{}").get("recentDatapoints")
    if not points:
        return 0.0
    metric = _AGGREGATES[aggregation or "Average"](points)
    return metric - float(alarm.threshold)


def goes_up(alarm: Alarm) -> bool:
    """Whether the alarm fires above its threshold. The bounds of steps are read in that direction."""
    return alarm.comparison_operator.startswith("Greater")


def step(steps: Sequence[Mapping[str, Any]], distance: float, *, up: bool) -> int | None:
    """The adjustment of the step that contains the breach. Of its bounds, the one nearer to the
    threshold is included.
    """
    for candidate in steps:
        lower = float(candidate.get("MetricIntervalLowerBound", -math.inf))
        upper = float(candidate.get("MetricIntervalUpperBound", math.inf))
        if (lower <= distance < upper) if up else (lower < distance <= upper):
            return int(candidate["ScalingAdjustment"])
    return None


def adjusted(current: int, kind: str, adjustment: int, magnitude: int | None = None) -> int:
    """The capacity after an adjustment, before the limits apply."""
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return current + adjustment
    if kind != "PercentChangeInCapacity":
        raise ValueError(f"AdjustmentType {kind}")
    change = current * adjustment / 100
    # Rounded towards zero, but to 1 or -1 at least.
    size = max(math.floor(abs(change)), magnitude or 0, 1 if change else 0)
    return current + int(math.copysign(size, adjustment))


def within(capacity: int, least: int, most: int) -> int:
    """The capacity, limited to the minimum and the maximum."""
    return max(least, min(most, capacity))
