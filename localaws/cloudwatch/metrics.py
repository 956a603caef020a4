"""The metric that is simulated: the number of visible messages in a queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html

moto has no values of AWS's own metrics. Here an alarm on AWS/SQS ApproximateNumberOfMessagesVisible is
evaluated with the present depth of moto's queue, as if the depth had been the same in each period of
the alarm. Statistics that this does not determine, such as sums and percentiles, are NotImplemented
when the alarm is put.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm
from moto.sqs.models import sqs_backends

from localaws.aws import ACCOUNT, REGION

_STATISTICS = ("Average", "Maximum", "Minimum")  # all three are equal for a single value
_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
}
_MISSING = {"breaching": ("ALARM", "Breaching"), "notBreaching": ("OK", "NonBreaching")}


@dataclass(frozen=True)
class Judgement:
    """The state that an alarm should have, and the reason for it."""

    state: str
    reason: str
    data: str
    """JSON, as in
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """


def check(name: str, asked: Mapping[str, Any]) -> None:
    """Raise NotImplementedError for an alarm on the simulated metric that can't be evaluated.

    The names of the settings are those of moto's put_metric_alarm.
    """
    if not _known(asked.get("namespace"), asked.get("metric_name")):
        return
    allowed = {
        "statistic": _STATISTICS,
        "comparison_operator": tuple(_COMPARISONS),
        "unit": (None, "Count"),
        "extended_statistic": (None,),
    }
    for setting, values in allowed.items():
        if asked.get(setting) not in values:
            raise NotImplementedError(
                f"cloudwatch: alarm {name}: {setting} {asked.get(setting)} of"
                f" {asked.get('namespace')} {asked.get('metric_name')}"
            )


def judge(alarm: Alarm) -> Judgement | None:
    """The state for the present value of the metric; None if the metric is not simulated or the
    state stays.
    """
    if alarm.rule is not None or not _known(alarm.namespace, alarm.metric_name):
        return None
    value = _depth(alarm)
    return _of_nothing(alarm) if value is None else _of_value(alarm, value)


def _known(namespace: str | None, metric: str | None) -> bool:
    return (namespace, metric) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")


def _depth(alarm: Alarm) -> float | None:
    """The depth of the queue. None if there is no such queue, or if there are other dimensions
    than QueueName.
    """
    if [dimension.name for dimension in alarm.dimensions] != ["QueueName"]:
        return None
    queue = sqs_backends[ACCOUNT][REGION].queues.get(alarm.dimensions[0].value or "")
    return None if queue is None else float(queue.approximate_number_of_messages)


def _of_value(alarm: Alarm, value: float) -> Judgement:
    breaches, words = _COMPARISONS[alarm.comparison_operator]
    breached = breaches(value, float(alarm.threshold))
    now = datetime.now(UTC)
    reason = (
        f"Threshold Crossed: 1 out of the last 1 datapoints [{value} ({now:%d/%m/%y %H:%M:%S})] was"
        f"{'' if breached else ' not'} {words} the threshold ({float(alarm.threshold)})"
        f" (minimum 1 datapoint for {'OK -> ALARM' if breached else 'ALARM -> OK'} transition)."
    )
    start = now - timedelta(seconds=int(alarm.period))
    point = {"timestamp": _time(start), "sampleCount": 1.0, "value": value}
    data = {
        "version": "1.0",
        "queryDate": _time(now),
        "startDate": _time(start),
        "statistic": alarm.statistic,
        "period": int(alarm.period),
        "recentDatapoints": [value],
        "threshold": float(alarm.threshold),
        "evaluatedDatapoints": [point],
    }
    return Judgement("ALARM" if breached else "OK", reason, json.dumps(data))


def _of_nothing(alarm: Alarm) -> Judgement | None:
    """The state without data:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    treatment = alarm.treat_missing_data or "missing"
    if treatment == "ignore":
        return None
    said = "no datapoints were received for 1 period"
    if treatment not in _MISSING:
        return Judgement("INSUFFICIENT_DATA", f"Insufficient Data: {said}.", "{}")
    state, named = _MISSING[treatment]
    reason = f"Threshold Crossed: {said} and 1 missing datapoint was treated as [{named}]."
    return Judgement(state, reason, "{}")


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
