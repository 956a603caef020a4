"""Alarms whose state a test sets."""

from __future__ import annotations

import json
from typing import Any

from tests.support.localaws.ecs import unique


def put_alarm(cloudwatch: Any, name: str | None = None, **settings: Any) -> str:
    """Put a metric alarm that fires on more than one error; its name."""
    name = name or unique("alarm")
    errors = {
        "MetricName": "Errors",
        "Namespace": "Test",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(AlarmName=name, **{**errors, **settings})
    return name


def scaling_alarm(cloudwatch: Any, policy: str, operator: str = "GreaterThanThreshold") -> str:
    """Put an alarm with a threshold of 50 that triggers a scaling policy; its name."""
    settings = {"Statistic": "Average", "Threshold": 50, "ComparisonOperator": operator}
    return put_alarm(cloudwatch, **settings, AlarmActions=[policy])


def ring(cloudwatch: Any, alarm: str, *points: float) -> None:
    """Set an alarm to ALARM, with these values of its metric as the cause, and back to OK."""
    data = {"StateReasonData": json.dumps({"recentDatapoints": points})} if points else {}
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="testing", **data)
