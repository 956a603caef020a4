"""A stack: its resources, outputs and events."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from localaws.aws import ACCOUNT, REGION
from localaws.cloudformation.engine.resource_type import Properties, Resource
from localaws.cloudformation.engine.syntax import invalid
from localaws.cloudformation.engine.template import Desired


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


class UnsettledUpdate(Protocol):
    """An update that has succeeded, but can still be rolled back."""

    def settle(self, verb: str) -> None:
        """Delete what the update no longer needs; after that it can't be rolled back."""

    def roll_back(self, verb: str) -> None:
        """Restore the state before the update."""


class Stack:
    """A stack. It begins as a CREATE change set leaves it: empty and in review."""

    def __init__(self, name: str, parent: Stack | None = None) -> None:
        self.name = name
        self.parent = parent
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
        self.unsettled: UnsettledUpdate | None = None
        """The update of a nested stack that the parent may still roll back."""

    @property
    def pseudo_parameters(self) -> dict[str, Any]:
        """The pseudo parameters, which a template can use without declaring them."""
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
    def nesting(self) -> dict[str, str]:
        """The ids of the parent and the root stack, as in CloudFormation's descriptions."""
        if self.parent is None:
            return {}
        above = self.parent.nesting
        return {"ParentId": self.parent.id, "RootId": above.get("RootId", self.parent.id)}

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def record(self, status: str, reason: str | None = None) -> None:
        """Change the stack's status and add an event."""
        self.status, self.reason = status, reason
        self.add_event(self.name, "AWS::CloudFormation::Stack", self.id, status, reason)

    def add_event(
        self, logical_id: str, kind: str, physical_id: str, status: str, reason: str | None = None
    ) -> datetime:
        """Add an event."""
        at = datetime.now(UTC)
        if self.events:  # the SAM CLI skips an event that is not later than the last one
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


class StackScope:
    """The scope of an operation: the parameters, and the resources that exist already."""

    def __init__(self, stack: Stack, desired: Desired, imports: Mapping[str, Any]) -> None:
        self.stack = stack
        self.values = desired.values
        self.mappings = desired.mappings
        self.imports = imports

    def physical_id(self, logical_id: str) -> str:
        """The value of Ref for a resource."""
        return self.stack.resources[logical_id].physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """The value of GetAtt for a resource."""
        resource = self.stack.resources[logical_id]
        return resource.kind.attribute(resource.physical_id, name)

    def imported(self, export: str) -> Any:
        """The value of ImportValue."""
        if export not in self.imports:
            raise invalid(f"No export named {export} found.")
        return self.imports[export]
