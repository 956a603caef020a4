"""What an Auto Scaling group did: its activities, and the SNS topics that are told of them.

Messages have the published shape. They leave after the change that they are about, outside of the
lock: a subscriber may well ask for the group. Only a test notification is sent at once, for its
failure is the answer.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, autoscaling_backends

from localaws import aws
from localaws.aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from localaws.autoscaling.groups import Group

LAUNCH = "autoscaling:EC2_INSTANCE_LAUNCH"
TERMINATE = "autoscaling:EC2_INSTANCE_TERMINATE"
_TEST = "autoscaling:TEST_NOTIFICATION"
_TYPES = (LAUNCH, f"{LAUNCH}_ERROR", TERMINATE, f"{TERMINATE}_ERROR", _TEST)
_SUBJECTS = {LAUNCH: "launch", TERMINATE: "termination", _TEST: "test notification"}

_lock = threading.RLock()
_outbox: list[tuple[str, dict[str, Any]]] = []


def backend() -> AutoScalingBackend:
    """Moto's EC2 Auto Scaling of the account: it keeps the groups and the policies."""
    return autoscaling_backends[ACCOUNT][REGION]


def group_named(name: str) -> Group:
    """The group of a name."""
    if name not in backend().autoscaling_groups:
        raise ValidationError(
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    return backend().autoscaling_groups[name]  # type: ignore[return-value]


@contextmanager
def changing() -> Iterator[None]:
    """One change at a time; what it has to tell is told after it, even if it failed on its way."""
    told: list[tuple[str, dict[str, Any]]] = []
    try:
        with _lock:
            try:
                yield
            finally:
                told, _outbox[:] = _outbox[:], []
    finally:
        for topic, message in told:
            try:
                _publish(topic, message)
            except (ClientError, BotoCoreError) as error:  # on AWS nobody hears of it
                print(f"localaws: notification to {topic}: {error}", file=sys.stderr)  # noqa: T201


def time(moment: datetime) -> str:
    """A moment as activities have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(group: Group, event: str, instance: Any, what: str, cause: str) -> None:
    """Keep an activity, and tell the topics that asked for its kind."""
    now = datetime.now(UTC)
    details = {"Subnet ID": instance.subnet_id, "Availability Zone": instance.availability_zone}
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": f"{what}: {instance.id}",
        "Cause": cause,
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Successful",
        "Progress": 100,
        "Details": json.dumps(details),
    }
    group.activities.insert(0, activity)
    ends = {LAUNCH: ("EC2", "AutoScalingGroup"), TERMINATE: ("AutoScalingGroup", "EC2")}
    message = {
        **_head(group, event),
        **activity,
        "RequestId": activity["ActivityId"],
        "StartTime": _milliseconds(now),
        "EndTime": _milliseconds(now),
        # Published before the activity is over.
        "StatusCode": "InProgress",
        "StatusMessage": "",
        "Progress": 50,
        "EC2InstanceId": instance.id,
        "Details": details,
        "Origin": ends[event][0],
        "Destination": ends[event][1],
    }
    _outbox.extend((topic, message) for topic, kinds in group.topics.items() if event in kinds)


def _put(params: dict[str, Any]) -> None:
    group, topic = group_named(params["AutoScalingGroupName"]), params["TopicARN"]
    for kind in params["NotificationTypes"]:
        if kind not in _TYPES:
            raise ValidationError(f'"{kind}" is not a valid Notification Type.')
    try:
        _publish(topic, _head(group, _TEST))
    except (ClientError, BotoCoreError) as error:  # in the words that lifecycle hooks have for it
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
    return {"AutoScalingNotificationTypes": list(_TYPES)}


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


def _head(group: Group, event: str) -> dict[str, Any]:
    return {
        "Service": "AWS Auto Scaling",
        "Time": _milliseconds(datetime.now(UTC)),
        "RequestId": str(uuid.uuid4()),
        "Event": event,
        "AccountId": ACCOUNT,
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
    }


def _publish(topic: str, message: dict[str, Any]) -> None:
    group = message["AutoScalingGroupName"]
    subject = f'Auto Scaling: {_SUBJECTS[message["Event"]]} for group "{group}"'
    aws.client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(message))


def _milliseconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
