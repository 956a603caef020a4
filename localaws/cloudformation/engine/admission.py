"""Whether an operation on a stack may begin, and its beginning.

Requests and nested stacks both begin their operations here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

from localaws.cloudformation.engine.operation import StackOperation
from localaws.cloudformation.engine.resource_type import TYPES
from localaws.cloudformation.engine.stack import Stack
from localaws.cloudformation.engine.store import bury, stacks
from localaws.cloudformation.engine.syntax import failure, invalid
from localaws.cloudformation.engine.template import Desired, parse, transforms

lock = threading.Lock()
"""Held while a stack is checked and marked as busy, but not during an operation."""

_UPDATABLE = {
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
}


def must_be_idle(stack: Stack) -> None:
    """Refuse a stack on which an operation is in progress."""
    if stack.busy:
        raise _in_wrong_state(stack)


def must_be_updatable(stack: Stack) -> None:
    """Refuse to update a stack that is busy or can only be deleted."""
    if stack.status not in _UPDATABLE:
        raise _in_wrong_state(stack)


def must_be_acknowledged(desired: Desired, given: Iterable[str], *, transformed: bool) -> None:
    """Refuse a request that lacks the capabilities which the template needs.

    A change set shows the result of the transform, so the transform needs no capability there.
    """
    needed = {
        TYPES[resource["Type"]].capability(resource.get("Properties", {}))
        for resource in desired.resources.values()
    }
    acknowledged = set(given)
    if "CAPABILITY_NAMED_IAM" in acknowledged:
        acknowledged.add("CAPABILITY_IAM")
    template = parse(desired.body)
    # A change set does not show the contents of an application's template.
    nested = (
        item["Type"] == "AWS::Serverless::Application" for item in template["Resources"].values()
    )
    if transforms(template) and (transformed or any(nested)):
        needed.add("CAPABILITY_AUTO_EXPAND")
    if missing := sorted(needed - acknowledged - {None}):  # type: ignore[type-var]
        message = f"Requires capabilities : [{', '.join(map(str, missing))}]"
        raise failure("InsufficientCapabilitiesException", message)


def begin(stack: Stack, desired: Desired, capabilities: list[str]) -> tuple[StackOperation, str]:
    """Mark the stack as busy. Returns the operation, and whether it is a CREATE or an UPDATE."""
    verb = "CREATE" if stack.desired is None else "UPDATE"
    imports = {
        output["ExportName"]: output["OutputValue"]
        for other in stacks()
        for output in other.outputs
        if "ExportName" in output
    }
    stack.capabilities = capabilities
    if stack.desired is None:
        stack.desired = desired
    else:
        stack.updated_at = datetime.now(UTC)
    stack.record(f"{verb}_IN_PROGRESS", "User Initiated")
    return StackOperation(stack, desired, imports), verb


def delete(stack: Stack) -> None:
    """Delete a stack that is already marked as busy."""
    if stack.desired:
        StackOperation(stack, stack.desired, {}).delete_everything()
    else:
        stack.record("DELETE_COMPLETE")
    if stack.status == "DELETE_COMPLETE":
        bury(stack)


def _in_wrong_state(stack: Stack) -> Exception:
    return invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
