"""SQS in CloudFormation.

moto has no queue policies, and its queues lose their policy in every update.
"""

from __future__ import annotations

import json
from typing import Any

from moto.sqs.models import Queue as SqsQueue
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
    tag_map,
)

QUEUE_DEFAULTS = {
    "DelaySeconds": "0",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


class Queue(Resource):
    """A queue. The physical id is the URL."""

    type = "AWS::SQS::Queue"
    properties = frozenset({*QUEUE_DEFAULTS, "QueueName", "FifoQueue", "Tags"})
    create_only = frozenset({"QueueName", "FifoQueue"})
    attributes = frozenset({"Arn", "QueueName", "QueueUrl"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = properties.get("QueueName") or naming.unique(80)
        attributes = pick(properties, *QUEUE_DEFAULTS, "FifoQueue")
        created = call(
            "sqs", "CreateQueue", QueueName=name, Attributes=attributes, tags=tag_map(properties)
        )
        return str(created["QueueUrl"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        before = pick(previous, *QUEUE_DEFAULTS)
        now = pick(properties, *QUEUE_DEFAULTS)
        unset = {name: QUEUE_DEFAULTS[name] for name in before if name not in now}
        if attributes := {**unset, **now}:
            call("sqs", "SetQueueAttributes", QueueUrl=physical_id, Attributes=attributes)
        tags, gone = changed_tags(properties, previous)
        if tags:
            call("sqs", "TagQueue", QueueUrl=physical_id, Tags=tags)
        if gone:
            call("sqs", "UntagQueue", QueueUrl=physical_id, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("sqs", "DeleteQueue", QueueUrl=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        if name == "QueueUrl":
            return physical_id
        if name == "QueueName":
            return physical_id.rsplit("/", 1)[1]
        answer = call(
            "sqs", "GetQueueAttributes", QueueUrl=physical_id, AttributeNames=["QueueArn"]
        )
        return answer["Attributes"]["QueueArn"]


class QueuePolicy(Resource):
    """The access policy of one or more queues."""

    type = "AWS::SQS::QueuePolicy"
    properties = frozenset({"Queues", "PolicyDocument"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        return naming.unique()

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        for url in properties["Queues"]:
            self._set(url, json.dumps(properties["PolicyDocument"]))

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        for url in set(previous["Queues"]) - set(properties["Queues"]):
            self._set(url, "")
        self.complete(physical_id, properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        for url in properties["Queues"]:
            self._set(url, "")

    def _set(self, url: str, policy: str) -> None:
        call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})


def install() -> None:
    """Make a queue keep its policy when other attributes change."""
    set_attributes = SqsQueue._set_attributes

    def set_given_attributes(
        self: Any, attributes: dict[str, Any], now: float | None = None
    ) -> None:
        policy = {"Policy": self.policy} if getattr(self, "policy", None) else {}
        set_attributes(self, {**policy, **attributes}, now)

    SqsQueue._set_attributes = set_given_attributes  # type: ignore[method-assign]
