"""What a scaling policy makes of a capacity; EC2's and Application Auto Scaling's count alike.

Metrics are not evaluated here, so how far one is beyond an alarm's threshold is taken from the data
that SetAlarmState was given: StateReasonData with `recentDatapoints`, as CloudWatch's own. Without it
the metric counts as being at the threshold.
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
    """How far the metric is beyond the threshold; negative below it."""
    points = json.loads(alarm.state_reason_data or "{}").get("recentDatapoints")
    if not points:
        return 0.0
    metric = _AGGREGATES[aggregation or "Average"](points)
    return metric - float(alarm.threshold)


def goes_up(alarm: Alarm) -> bool:
    """Whether the alarm is about too much, which turns the ends of the steps' intervals."""
    return alarm.comparison_operator.startswith("Greater")


def step(steps: Sequence[Mapping[str, Any]], distance: float, *, up: bool) -> int | None:
    """The adjustment of the step that a breach falls into; the end nearer to the threshold belongs to it."""
    for candidate in steps:
        lower = float(candidate.get("MetricIntervalLowerBound", -math.inf))
        upper = float(candidate.get("MetricIntervalUpperBound", math.inf))
        if (lower <= distance < upper) if up else (lower < distance <= upper):
            return int(candidate["ScalingAdjustment"])
    return None


def adjusted(current: int, kind: str, adjustment: int, magnitude: int | None = None) -> int:
    """A capacity after an adjustment, before its limits."""
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return current + adjustment
    if kind != "PercentChangeInCapacity":
        raise ValueError(f"AdjustmentType {kind}")
    change = current * adjustment / 100
    # Rounded towards zero, but never to nothing.
    size = max(math.floor(abs(change)), magnitude or 0, 1 if change else 0)
    return current + int(math.copysign(size, adjustment))


def within(capacity: int, least: int, most: int) -> int:
    """The capacity, held between its limits."""
    return max(least, min(most, capacity))
