"""The API of notification configurations, and DescribeScalingActivities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.autoscaling.exceptions import ValidationError

from localaws.autoscaling.activities import TEST, TYPES, head, publish
from localaws.autoscaling.groups import Group, backend, group_named


def _put(params: dict[str, Any]) -> None:
    group, topic = group_named(params["AutoScalingGroupName"]), params["TopicARN"]
    for kind in params["NotificationTypes"]:
        if kind not in TYPES:
            raise ValidationError(f'"{kind}" is not a valid Notification Type.')
    try:
        publish(topic, head(group, TEST))
    except (ClientError, BotoCoreError) as error:  # worded as for lifecycle hooks
        raise ValidationError(
            f"Unable to publish test notification message to notification target {topic}. Please"
            " check your target configuration and try to put notification configuration again."
        ) from error
    group.topics[topic] = list(params["NotificationTypes"])


def _delete(params: dict[str, Any]) -> None:
    group = group_named(params["AutoScalingGroupName"])
    group.topics.pop(params["TopicARN"], None)


def _describe(params: dict[str, Any]) -> dict[str, Any]:
    names = params.get("AutoScalingGroupNames")
    configurations = [
        {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
        for group in _groups()
        for topic, kinds in group.topics.items()
        for kind in kinds
        if not names or group.name in names
    ]
    return {"NotificationConfigurations": configurations}


def _describe_types(_params: dict[str, Any]) -> dict[str, Any]:
    return {"AutoScalingNotificationTypes": list(TYPES)}


def _describe_activities(params: dict[str, Any]) -> dict[str, Any]:
    name, ids = params.get("AutoScalingGroupName"), params.get("ActivityIds")
    found = [
        activity
        for group in _groups()
        for activity in group.activities
        if name in (None, group.name) and (not ids or activity["ActivityId"] in ids)
    ]
    start = int(params.get("NextToken") or 0)
    end = start + int(params.get("MaxRecords") or 100)
    return {"Activities": found[start:end], "NextToken": str(end) if end < len(found) else None}


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "put_notification_configuration": _put,
    "delete_notification_configuration": _delete,
    "describe_notification_configurations": _describe,
    "describe_auto_scaling_notification_types": _describe_types,
    "describe_scaling_activities": _describe_activities,
}


def _groups() -> list[Group]:
    return list(backend().autoscaling_groups.values())  # type: ignore[arg-type]
