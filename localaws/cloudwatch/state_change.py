"""What follows a state change of an alarm: an EventBridge event, and the actions of the alarm.

Events and the messages to SNS topics have the published shapes.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudwatch.models import Alarm, MetricDataQuery

from localaws import aws
from localaws.applicationautoscaling import scaling_policies as service_policies
from localaws.autoscaling import scaling_policies as group_policies
from localaws.aws import ACCOUNT

SCALING = re.compile(
    r"arn:aws:autoscaling:[^:]+:\d+:scalingPolicy:[^:]+:(resource/ecs|autoScalingGroupName)/"
)
"""Matches the ARN of a scaling policy, and names its service."""

_REGION_NAME = "US East (N. Virginia)"


def state(alarm: Alarm) -> dict[str, Any]:
    """The state of an alarm in the shape of its event."""
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _time(alarm.state_updated_timestamp),
    }


def publish(alarm: Alarm, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Emit the event of a state change, and carry out the actions for the new state."""
    detail = {
        "alarmName": alarm.name,
        "state": after,
        "previousState": before,
        "configuration": _configuration(alarm),
    }
    aws.emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn])
    if not alarm.actions_enabled:
        return
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    for action in actions[after["value"]]:
        try:
            _act(action, alarm, before, after)
        except (ClientError, BotoCoreError, LookupError) as error:
            # On AWS the failure is only in the history of the alarm.
            print(f"localaws: alarm {alarm.name}: action {action}: {error}", file=sys.stderr)  # noqa: T201


def _act(action: str, alarm: Alarm, before: dict[str, Any], after: dict[str, Any]) -> None:
    if scaling := SCALING.match(action):
        of_a_group = scaling[1] == "autoScalingGroupName"
        (group_policies if of_a_group else service_policies).act(action, alarm)
        return
    aws.client("sns").publish(
        TopicArn=action,
        Subject=f'{after["value"]}: "{alarm.name}" in {_REGION_NAME}'[:100],
        Message=json.dumps(_message(alarm, before, after)),
    )


def _configuration(alarm: Alarm) -> dict[str, Any]:
    configuration: dict[str, Any] = {}
    if alarm.description:
        configuration["description"] = alarm.description
    if alarm.rule is not None:
        return {**configuration, "alarmRule": alarm.rule}
    if alarm.metric_data_queries:
        metrics = [_query(query) for query in alarm.metric_data_queries]
    else:
        stat = {
            "metric": {
                "namespace": alarm.namespace,
                "name": alarm.metric_name,
                "dimensions": {d.name: d.value for d in alarm.dimensions},
            },
            "period": alarm.period,
            "stat": alarm.statistic or alarm.extended_statistic,
        }
        metrics = [{"id": "m1", "metricStat": stat, "returnData": True}]
    return {**configuration, "metrics": metrics}


def _query(query: MetricDataQuery) -> dict[str, Any]:
    described: dict[str, Any] = {"id": query.id, "returnData": bool(query.return_data)}
    if query.label:
        described["label"] = query.label
    if query.expression:
        described["expression"] = query.expression
    if query.metric_stat:
        metric = query.metric_stat.metric
        described["metricStat"] = {
            "metric": {
                "namespace": metric.namespace,
                "name": metric.metric_name,
                "dimensions": {d.name: d.value for d in metric.dimensions},
            },
            "period": query.metric_stat.period,
            "stat": query.metric_stat.stat,
        }
    return described


def _message(alarm: Alarm, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configuration_updated_timestamp),
        "NewStateValue": after["value"],
        "NewStateReason": after["reason"],
        "StateChangeTime": after["timestamp"],
        "Region": _REGION_NAME,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before["value"],
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }
    if alarm.rule is not None:
        return {**message, "AlarmRule": alarm.rule}
    trigger = {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic",
        "Statistic": (alarm.statistic or "").upper() or None,
        "Unit": alarm.unit,
        "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
    }
    return {**message, "Trigger": trigger}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
