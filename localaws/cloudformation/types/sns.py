"""SNS in CloudFormation.

moto has no AWS::SNS::Subscription, no topic policies and no GetAtt TopicArn.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)


class Topic(Resource):
    """A topic. The physical id is the ARN."""

    type = "AWS::SNS::Topic"
    settings = ("DisplayName", "KmsMasterKeyId")
    create_only = frozenset({"FifoTopic", "TopicName"})
    properties = frozenset({*create_only, *settings, "Tags"})
    attributes = frozenset({"TopicArn", "TopicName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        created = call(
            "sns",
            "CreateTopic",
            Name=properties.get("TopicName") or naming.unique(256),
            Attributes=pick(properties, *self.settings, "FifoTopic"),
            Tags=properties.get("Tags", []),
        )
        return str(created["TopicArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        for name in self.settings:
            if properties.get(name, "") != previous.get(name, ""):
                _set_topic(physical_id, name, properties.get(name, ""))
        update_tags("sns", properties, previous, ResourceArn=physical_id)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("sns", "DeleteTopic", TopicArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "TopicArn" else physical_id.rsplit(":", 1)[1]


class TopicPolicy(Resource):
    """The access policy of one or more topics."""

    type = "AWS::SNS::TopicPolicy"
    properties = frozenset({"Topics", "PolicyDocument"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        return naming.unique()

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        for topic in properties["Topics"]:
            _set_topic(topic, "Policy", properties["PolicyDocument"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._restore(set(previous["Topics"]) - set(properties["Topics"]))
        self.complete(physical_id, properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        self._restore(set(properties["Topics"]))

    def _restore(self, topics: set[str]) -> None:
        for topic in topics:
            _set_topic(topic, "Policy", _default_policy(topic))


class Subscription(Resource):
    """A subscription to a topic. The physical id is the ARN."""

    type = "AWS::SNS::Subscription"
    # The scope first, because it decides which filter policies are valid.
    settings = ("FilterPolicyScope", "FilterPolicy", "RawMessageDelivery", "RedrivePolicy")
    properties = frozenset({"TopicArn", "Protocol", "Endpoint", *settings})
    create_only = frozenset({"TopicArn", "Protocol", "Endpoint"})
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        subscribed = call(
            "sns",
            "Subscribe",
            **pick(properties, "TopicArn", "Protocol", "Endpoint"),
            Attributes=pick(properties, *self.settings),
            ReturnSubscriptionArn=True,
        )
        return str(subscribed["SubscriptionArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        defaults = {"FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false"}
        for name in self.settings:
            if properties.get(name) != previous.get(name):
                call(
                    "sns",
                    "SetSubscriptionAttributes",
                    SubscriptionArn=physical_id,
                    AttributeName=name,
                    AttributeValue=properties.get(name, defaults.get(name, "{}")),
                )

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("sns", "Unsubscribe", SubscriptionArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


def _set_topic(arn: str, name: str, value: Any) -> None:
    call("sns", "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=value)


def _default_policy(arn: str) -> dict[str, Any]:
    """The policy of a new topic: the account of the owner may do everything."""
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe"
        " ListSubscriptionsByTopic Publish"
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions.split()],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": arn.split(":")[4]}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
