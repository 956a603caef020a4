"""A rule on the event bus, and the queues that it delivers to."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.support.waiting import wait_for

QUEUES = "arn:aws:sqs:us-east-1:123456789012:"


class Bus:
    """A source of events that only one test uses, and the rule for it."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.name = f"eventbridge-{uuid.uuid4()}"
        self.events = aws.client("events")

    def rule(self, *targets: dict[str, Any]) -> str:
        pattern = json.dumps({"source": [self.name]})
        arn: str = self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"]
        for number, target in enumerate(targets):
            numbered = {"Id": str(number), **target}
            self.events.put_targets(Rule=self.name, Targets=[numbered])
        return arn

    def put(self, **detail: Any) -> str:
        entry = {"Source": self.name, "DetailType": "Test", "Detail": json.dumps(detail)}
        [result] = self.events.put_events(Entries=[entry])["Entries"]
        return str(result["EventId"])

    def queue(self, suffix: str = "") -> str:
        name = f"{self.name}{suffix}"[-80:]
        self.aws.client("sqs").create_queue(QueueName=name)
        return QUEUES + name

    def received(self, arn: str) -> dict[str, Any]:
        sqs = self.aws.client("sqs")
        url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]

        def receive() -> list[dict[str, Any]]:
            answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
            messages: list[dict[str, Any]] = answer.get("Messages", [])
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return messages

        [message] = wait_for(receive, f"a message in {arn}")
        return message
