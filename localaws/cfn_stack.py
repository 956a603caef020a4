"""What is known of a stack: its resources, its outputs, its events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.aws import ACCOUNT, REGION
from localaws.cfn_resources import Properties, Resource
from localaws.cfn_template import Desired


@dataclass(frozen=True)
class Deployed:
    """A resource that exists."""

    logical_id: str
    kind: Resource
    physical_id: str
    properties: Properties
    retained: bool
    status: str
    changed_at: datetime


class Stack:
    """A stack, which starts as CREATE change sets make it: empty and in review."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{uuid.uuid4()}"
        self.created_at = datetime.now(UTC)
        self.updated_at: datetime | None = None
        self.status = "REVIEW_IN_PROGRESS"
        self.reason: str | None = None
        self.desired: Desired | None = None
        self.resources: dict[str, Deployed] = {}
        self.outputs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.capabilities: list[str] = []
        self.disable_rollback = False
        self.change_set_id: str | None = None

    @property
    def pseudo_parameters(self) -> dict[str, Any]:
        """What a template can refer to without declaring it."""
        return {
            "AWS::AccountId": ACCOUNT,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackId": self.id,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    @property
    def busy(self) -> bool:
        """Whether an operation is at work."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def record(self, status: str, reason: str | None = None) -> None:
        """Change the stack's status and tell it as an event."""
        self.status, self.reason = status, reason
        self.tell(self.name, "AWS::CloudFormation::Stack", self.id, status, reason)

    def tell(
        self, logical_id: str, kind: str, physical_id: str, status: str, reason: str | None = None
    ) -> datetime:
        """Add an event."""
        at = datetime.now(UTC)
        if self.events:  # the SAM CLI passes over an event that is not later than the one before
            at = max(at, self.events[-1]["Timestamp"] + timedelta(milliseconds=1))
        event = {
            "StackId": self.id,
            "EventId": str(uuid.uuid4()),
            "StackName": self.name,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Timestamp": at,
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }
        self.events.append({key: value for key, value in event.items() if value is not None})
        return at
