"""What Lambda and Step Functions report to CloudWatch, for the alarms on it.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html

Metrics are known by one dimension only. A datapoint is kept for a week, which is as far as an alarm can
look back. On AWS a datapoint takes minutes to arrive; here it is there at once. It has the time at which
the function was invoked, like AWS's.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import fmean

DIMENSIONS = {"AWS/Lambda": "FunctionName", "AWS/States": "StateMachineArn"}
UNITS = {
    ("AWS/Lambda", "Invocations"): "Count",
    ("AWS/Lambda", "Errors"): "Count",
    ("AWS/Lambda", "Duration"): "Milliseconds",
    ("AWS/States", "ExecutionsSucceeded"): "Count",
    ("AWS/States", "ExecutionsFailed"): "Count",
    ("AWS/States", "ExecutionsAborted"): "Count",
    ("AWS/States", "ExecutionsTimedOut"): "Count",
}
"""The unit of each metric that is reported."""
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Average": fmean,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}

_KEPT = timedelta(days=7)

_lock = threading.Lock()
_reported: defaultdict[tuple[str, str, str], deque[tuple[datetime, float]]] = defaultdict(deque)


def now() -> datetime:
    """The time at which alarms are evaluated."""
    return datetime.now(UTC)


def clear() -> None:
    """Forget everything that was reported."""
    with _lock:
        _reported.clear()


def record(namespace: str, metric: str, name: str, value: float, at: datetime) -> None:
    """Report a value of the function or the state machine with this name or ARN."""
    with _lock:
        series = _reported[namespace, metric, name]
        series.append((at, value))
        while series[0][0] < at - _KEPT:
            series.popleft()


def periods(
    key: tuple[str, str, str], statistic: str, seconds: int, count: int, until: datetime
) -> list[float | None]:
    """The statistic of each of the last periods, the newest first; None for one without data.

    Args:
        key: namespace, metric, and name or ARN.
    """
    with _lock:
        series = list(_reported.get(key, ()))
    values: list[list[float]] = [[] for _ in range(count)]
    for at, value in series:
        index = int((until - at).total_seconds() // seconds)
        if 0 <= index < count:
            values[index].append(value)
    return [float(STATISTICS[statistic](each)) if each else None for each in values]
