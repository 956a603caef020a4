"""The store of stacks and change sets. It is moto's backend, so that moto's reset clears it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation.models import cloudformation_backends

from localaws.aws import ACCOUNT, REGION
from localaws.cloudformation.engine.stack import Stack
from localaws.cloudformation.engine.syntax import failure, invalid
from localaws.cloudformation.engine.template import Desired


@dataclass
class ChangeSet:
    """The changes that would bring a stack to a new template."""

    name: str
    kind: str
    stack: Stack
    desired: Desired
    description: str
    capabilities: list[str]
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution_status: str = "AVAILABLE"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = ""

    def __post_init__(self) -> None:
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet"
        self.id = f"{arn}/{self.name}/{uuid.uuid4()}"


def stacks() -> list[Stack]:
    """The stacks that exist."""
    return list(cloudformation_backends[ACCOUNT][REGION].stacks.values())  # type: ignore[arg-type]


def deleted_stacks() -> list[Stack]:
    """The deleted stacks."""
    return list(cloudformation_backends[ACCOUNT][REGION].deleted_stacks.values())  # type: ignore[arg-type]


def change_sets() -> dict[str, ChangeSet]:
    """The change sets by id."""
    return cloudformation_backends[ACCOUNT][REGION].change_sets  # type: ignore[return-value]


def existing(name_or_id: str) -> Stack | None:
    """The stack with this name or id, or None."""
    return next((stack for stack in stacks() if name_or_id in (stack.name, stack.id)), None)


def find(name_or_id: str) -> Stack:
    """The stack with this name or id. A deleted stack is found by its id only."""
    deleted = cloudformation_backends[ACCOUNT][REGION].deleted_stacks
    if stack := existing(name_or_id):
        return stack
    if name_or_id in deleted:
        return deleted[name_or_id]  # type: ignore[return-value]
    raise invalid(f"Stack with id {name_or_id} does not exist")


def find_change_set(request: dict[str, Any]) -> ChangeSet:
    """A change set by its id, or by its name and stack."""
    name = request["ChangeSetName"]
    if name in change_sets():
        return change_sets()[name]
    for change_set in change_sets().values():
        owner = change_set.stack
        if change_set.name == name and request.get("StackName") in (owner.name, owner.id):
            return change_set
    raise failure("ChangeSetNotFoundException", f"ChangeSet [{name}] does not exist")


def keep(stack: Stack) -> None:
    """Add a new stack."""
    cloudformation_backends[ACCOUNT][REGION].stacks[stack.id] = stack  # type: ignore[assignment]


def bury(stack: Stack) -> None:
    """Move a stack to the deleted ones."""
    backend = cloudformation_backends[ACCOUNT][REGION]
    backend.deleted_stacks[stack.id] = backend.stacks.pop(stack.id)
