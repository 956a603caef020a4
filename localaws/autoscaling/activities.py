"""The activities of Auto Scaling groups, and the notifications that SNS topics get of them.

Notifications have the published shape. They are sent after the change that they are about, outside
of the lock, because a subscriber may well describe the group. Only a test notification is sent at
once: PutNotificationConfiguration answers with its failure.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from localaws import aws
from localaws.aws import ACCOUNT

LAUNCH = "autoscaling:EC2_INSTANCE_LAUNCH"
TERMINATE = "autoscaling:EC2_INSTANCE_TERMINATE"
TEST = "autoscaling:TEST_NOTIFICATION"
TYPES = (LAUNCH, f"{LAUNCH}_ERROR", TERMINATE, f"{TERMINATE}_ERROR", TEST)
_SUBJECTS = {LAUNCH: "launch", TERMINATE: "termination", TEST: "test notification"}

_lock = threading.RLock()
_outbox: list[tuple[str, dict[str, Any]]] = []


class Group(Protocol):
    """What is needed of an Auto Scaling group to record an activity and to notify people of it."""

    name: str
    topics: dict[str, list[str]]
    activities: list[dict[str, Any]]

    @property
    def arn(self) -> str:
        """The ARN of the group."""


@contextmanager
def changing() -> Iterator[None]:
    """Make one change at a time, then send the notifications of its activities.

    They are sent even if the change failed halfway.
    """
    notifications: list[tuple[str, dict[str, Any]]] = []
    try:
        with _lock:
            try:
                yield
            finally:
                notifications, _outbox[:] = _outbox[:], []
    finally:
        for topic, message in notifications:
            try:
                publish(topic, message)
            except (ClientError, BotoCoreError) as error:  # on AWS such a failure is silent
                print(f"localaws: notification to {topic}: {error}", file=sys.stderr)  # noqa: T201


def time(moment: datetime) -> str:
    """A time in the format of activities."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(group: Group, event: str, instance: Any, what: str, cause: str) -> None:
    """Record an activity, and queue notifications for the topics that subscribe to its type."""
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
        **head(group, event),
        **activity,
        "RequestId": activity["ActivityId"],
        "StartTime": _milliseconds(now),
        "EndTime": _milliseconds(now),
        # AWS sends the notification while the activity is in progress.
        "StatusCode": "InProgress",
        "StatusMessage": "",
        "Progress": 50,
        "EC2InstanceId": instance.id,
        "Details": details,
        "Origin": ends[event][0],
        "Destination": ends[event][1],
    }
    _outbox.extend((topic, message) for topic, kinds in group.topics.items() if event in kinds)


def head(group: Group, event: str) -> dict[str, Any]:
    """The fields that every notification begins with."""
    return {
        "Service": "AWS Auto Scaling",
        "Time": _milliseconds(datetime.now(UTC)),
        "RequestId": str(uuid.uuid4()),
        "Event": event,
        "AccountId": ACCOUNT,
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
    }


def publish(topic: str, message: dict[str, Any]) -> None:
    """Send a notification to an SNS topic."""
    group = message["AutoScalingGroupName"]
    subject = f'Auto Scaling: {_SUBJECTS[message["Event"]]} for group "{group}"'
    aws.client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(message))


def _milliseconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
