"""The metrics that are simulated, and the state of an alarm on one of them.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html

moto has no values of AWS's own metrics. Here an alarm on AWS/SQS ApproximateNumberOfMessagesVisible is
evaluated with the present depth of moto's queue, as if the depth had been the same in each period of
the alarm. An alarm on what Lambda and Step Functions report (cloudwatch/datapoints.py) is evaluated with
the datapoints of its periods. What this does not determine, such as percentiles, is NotImplemented when
the alarm is put.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm
from moto.sqs.models import sqs_backends

from localaws.aws import ACCOUNT, REGION
from localaws.cloudwatch import datapoints

_DEPTH = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
_SHOWN = 3  # values in a reason
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
    """Raise NotImplementedError for an alarm on a simulated metric that can't be evaluated.

    The names of the settings are those of moto's put_metric_alarm.

    Raises:
        ValidationError: CloudWatch does not look back so far.
    """
    _check_window(asked)
    metric = (str(asked.get("namespace")), str(asked.get("metric_name")))
    allowed: dict[str, Collection[Any]] = {
        "comparison_operator": tuple(_COMPARISONS),
        "extended_statistic": (None,),
    }
    if metric == _DEPTH:
        allowed |= {"statistic": _STATISTICS, "unit": (None, "Count")}
    elif metric in datapoints.UNITS:
        allowed |= {
            "statistic": tuple(datapoints.STATISTICS),
            "unit": (None, datapoints.UNITS[metric]),
            "treat_missing_data": tuple(_MISSING),
        }
        dimensions = [dimension["Name"] for dimension in asked.get("dimensions") or []]
        if dimensions != [datapoints.DIMENSIONS[metric[0]]]:
            raise NotImplementedError(f"cloudwatch: alarm {name}: {metric} by {dimensions}")
    else:
        return
    for setting, values in allowed.items():
        if asked.get(setting) not in values:
            raise NotImplementedError(
                f"cloudwatch: alarm {name}: {setting} {asked.get(setting)} of {' '.join(metric)}"
            )


def _check_window(asked: Mapping[str, Any]) -> None:
    """Period in botocore's model of PutMetricAlarm has the limits."""
    period, count = int(asked.get("period") or 0), int(asked.get("evaluation_periods") or 1)
    if period not in (10, 20, 30) and period % 60:
        raise ValidationError("Period must be 10, 20, 30, or a multiple of 60.")
    longest = 604_800 if period >= 3600 else 86_400
    if period * count > longest:
        raise ValidationError(
            f"Period multiplied by EvaluationPeriods can't be more than {longest} seconds."
        )
    if int(asked.get("datapoints_to_alarm") or 1) > count:
        raise ValidationError("DatapointsToAlarm can't be more than EvaluationPeriods.")


def judge(alarm: Alarm) -> Judgement | None:
    """The state for the present values of the metric; None if the metric is not simulated, or the
    state stays.
    """
    metric = (alarm.namespace or "", alarm.metric_name or "")
    if alarm.rule is not None or _warms_up(alarm):
        return None
    if metric == _DEPTH:
        value = _depth(alarm)
        return _of_nothing(alarm, 1) if value is None else _of_values(alarm, [value])
    if metric in datapoints.UNITS:
        return _of_periods(alarm, metric)
    return None


def _warms_up(alarm: Alarm) -> bool:
    """Whether an alarm that was just put is not evaluated yet."""
    warm_up: dict[str, Any] | None = getattr(alarm, "warm_up_configuration", None)
    if warm_up is None:
        return False
    put = alarm.configuration_updated_timestamp.replace(tzinfo=UTC)
    return datapoints.now() < put + timedelta(minutes=int(warm_up["WarmUpPeriodDurationInMinutes"]))


def _of_periods(alarm: Alarm, metric: tuple[str, str]) -> Judgement | None:
    """The state for what was reported. A period without data breaches if the alarm says so."""
    count = int(alarm.evaluation_periods)
    values = datapoints.periods(
        (*metric, str(alarm.dimensions[0].value)),
        str(alarm.statistic),
        int(alarm.period),
        count,
        datapoints.now(),
    )
    known = [value for value in values if value is not None]
    if not known:
        return _of_nothing(alarm, count)
    breaches, _ = _COMPARISONS[alarm.comparison_operator]
    breaching = sum(breaches(value, float(alarm.threshold)) for value in known)
    if alarm.treat_missing_data == "breaching":
        breaching += count - len(known)
    return _of_values(alarm, known, breaching >= int(alarm.datapoints_to_alarm or count))


def _depth(alarm: Alarm) -> float | None:
    """The depth of the queue. None if there is no such queue, or if there are other dimensions
    than QueueName.
    """
    if [dimension.name for dimension in alarm.dimensions] != ["QueueName"]:
        return None
    queue = sqs_backends[ACCOUNT][REGION].queues.get(alarm.dimensions[0].value or "")
    return None if queue is None else float(queue.approximate_number_of_messages)


def _of_values(alarm: Alarm, values: list[float], breached: bool | None = None) -> Judgement:
    """The state for values, the newest first. ``breached`` if they do not say so themselves."""
    breaches, words = _COMPARISONS[alarm.comparison_operator]
    threshold, now = float(alarm.threshold), datetime.now(UTC)
    if breached is None:
        breached = breaches(values[0], threshold)
    shown = [value for value in values if breaches(value, threshold) == breached] or values
    listed = ", ".join(f"{value} ({now:%d/%m/%y %H:%M:%S})" for value in shown[:_SHOWN])
    count, least = len(values), int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    reason = (
        f"Threshold Crossed: {len(shown)} out of the last {count} datapoints [{listed}]"
        f" {'was' if len(shown) == 1 else 'were'}{'' if breached else ' not'} {words} the threshold"
        f" ({threshold}) (minimum {least} datapoint{'' if least == 1 else 's'} for"
        f" {'OK -> ALARM' if breached else 'ALARM -> OK'} transition)."
    )
    start = now - timedelta(seconds=int(alarm.period))
    point = {"timestamp": _time(start), "sampleCount": 1.0, "value": values[0]}
    data = {
        "version": "1.0",
        "queryDate": _time(now),
        "startDate": _time(start),
        "statistic": alarm.statistic,
        "period": int(alarm.period),
        "recentDatapoints": [values[0]],
        "threshold": threshold,
        "evaluatedDatapoints": [point],
    }
    return Judgement("ALARM" if breached else "OK", reason, json.dumps(data))


def _of_nothing(alarm: Alarm, periods: int) -> Judgement | None:
    """The state without data:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    treatment = alarm.treat_missing_data or "missing"
    if treatment == "ignore":
        return None
    said = f"no datapoints were received for {periods} period{'' if periods == 1 else 's'}"
    if treatment not in _MISSING:
        return Judgement("INSUFFICIENT_DATA", f"Insufficient Data: {said}.", "{}")
    state, named = _MISSING[treatment]
    missing = "datapoint was" if periods == 1 else "datapoints were"
    reason = f"Threshold Crossed: {said} and {periods} missing {missing} treated as [{named}]."
    return Judgement(state, reason, "{}")


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
