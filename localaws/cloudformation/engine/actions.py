"""CloudFormation's actions that change stacks and change sets. Each takes a request and returns an
answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localaws.cloudformation.engine.admission import (
    begin,
    delete,
    lock,
    must_be_acknowledged,
    must_be_idle,
    must_be_updatable,
)
from localaws.cloudformation.engine.resource_changes import changes, differs
from localaws.cloudformation.engine.stack import Stack
from localaws.cloudformation.engine.store import (
    ChangeSet,
    change_sets,
    existing,
    find,
    find_change_set,
    keep,
)
from localaws.cloudformation.engine.syntax import failure, invalid
from localaws.cloudformation.engine.template import Desired, read, template_body

Request = dict[str, Any]
Answer = dict[str, Any]

ANSWERED_WITHIN = 20.0
"""The seconds that a request waits for its operation. CloudFormation does not wait at all.

A client that then polls finds the operation done and need not wait for its next poll, which takes 30
seconds with boto3's waiters. With a longer wait the client would give up on the request.
"""

_TEMPLATE = {"TemplateBody", "TemplateURL"}
_CHANGE = {*_TEMPLATE, "Capabilities", "Parameters", "StackName", "Tags", "UsePreviousTemplate"}
# Parameters without effect here. No role is checked, so RoleARN makes no difference.
_IDLE = {"ClientRequestToken", "ClientToken", "IncludePropertyValues", "RoleARN"}


def create_stack(request: Request) -> Answer:
    """Create a stack, and wait a while for the operation."""
    _understand(request, {*_CHANGE, "DisableRollback", "OnFailure", "TimeoutInMinutes"})
    on_failure = request.get("OnFailure", "ROLLBACK")
    if on_failure == "DELETE":
        raise NotImplementedError("cloudformation CreateStack: OnFailure DELETE")
    name, capabilities = request["StackName"], request.get("Capabilities", [])
    with lock:
        if existing(name):
            raise failure("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = Stack(name)
        desired = _desired(stack, request)
        must_be_acknowledged(desired, capabilities, transformed=True)
        keep(stack)
        stack.disable_rollback = request.get("DisableRollback", on_failure == "DO_NOTHING")
        operation = _operation(stack, desired, capabilities)
    _run(operation)
    return {"StackId": stack.id}


def update_stack(request: Request) -> Answer:
    """Update a stack, and wait a while for the operation."""
    _understand(request, {*_CHANGE, "DisableRollback"})
    capabilities = request.get("Capabilities", [])
    with lock:
        stack = find(request["StackName"])
        must_be_updatable(stack)
        desired = _desired(stack, request)
        must_be_acknowledged(desired, capabilities, transformed=True)
        if not differs(stack, desired):
            raise invalid("No updates are to be performed.")
        stack.disable_rollback = request.get("DisableRollback", False)
        operation = _operation(stack, desired, capabilities)
    _run(operation)
    return {"StackId": stack.id}


def delete_stack(request: Request) -> Answer:
    """Delete a stack, and wait a while for the operation. It is no error if there is no such
    stack.
    """
    _understand(request, {"StackName"})
    with lock:
        stack = existing(request["StackName"])
        if stack is None:
            return {}
        must_be_idle(stack)
        stack.record("DELETE_IN_PROGRESS", "User Initiated")

    _run(lambda: delete(stack))
    return {}


def create_change_set(request: Request) -> Answer:
    """Compute the changes between a stack and a template."""
    _understand(request, {*_CHANGE, "ChangeSetName", "ChangeSetType", "Description"})
    kind, name = request.get("ChangeSetType", "UPDATE"), request["StackName"]
    capabilities = request.get("Capabilities", [])
    with lock:
        before = existing(name)
        if kind == "CREATE":
            if before and before.status != "REVIEW_IN_PROGRESS":
                message = f"Stack [{name}] already exists and cannot be created again"
                raise failure("AlreadyExistsException", message)
            stack = before or Stack(name)
        elif kind == "UPDATE" and before:
            stack = before
            must_be_updatable(stack)
        elif kind == "UPDATE":
            raise invalid(f"Stack [{name}] does not exist")
        else:
            raise NotImplementedError(f"cloudformation CreateChangeSet: ChangeSetType {kind}")
        desired = _desired(stack, request)
        must_be_acknowledged(desired, capabilities, transformed=False)
        change_set = ChangeSet(
            name=request["ChangeSetName"],
            kind=kind,
            stack=stack,
            desired=desired,
            description=request.get("Description", ""),
            capabilities=capabilities,
            changes=changes(stack, desired),
        )
        if not differs(stack, desired):
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.reason = (
                "The submitted information didn't contain changes. Submit different information "
                "to create a change set."
            )
        if before is None:
            keep(stack)
            stack.record("REVIEW_IN_PROGRESS", "User Initiated")
        change_sets()[change_set.id] = change_set
    return {"Id": change_set.id, "StackId": stack.id}


def execute_change_set(request: Request) -> Answer:
    """Apply a change set to its stack, and wait a while for the operation."""
    _understand(request, {"ChangeSetName", "DisableRollback", "StackName"})
    with lock:
        change_set = find_change_set(request)
        stack = change_set.stack
        must_be_idle(stack)
        if change_set.execution_status != "AVAILABLE":
            message = f"ChangeSet [{change_set.id}] cannot be executed in its current status"
            raise failure("InvalidChangeSetStatus", message)
        change_set.execution_status = "EXECUTE_COMPLETE"
        for other in list(change_sets().values()):
            # The other change sets were computed for the stack as it was.
            if other.stack is stack and other is not change_set:
                del change_sets()[other.id]
        stack.change_set_id = change_set.id
        stack.disable_rollback = request.get("DisableRollback", False)
        operation = _operation(stack, change_set.desired, change_set.capabilities)
    _run(operation)
    return {}


def delete_change_set(request: Request) -> Answer:
    """Delete a change set."""
    del change_sets()[find_change_set(request).id]
    return {}


def _understand(request: Request, names: set[str]) -> None:
    for name, value in request.items():
        if value and name not in names | _IDLE:
            raise NotImplementedError(f"cloudformation: the parameter {name} = {value!r}")


def _desired(stack: Stack, request: Request) -> Desired:
    before = stack.desired
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    return read(
        template_body(request, before),
        request.get("Parameters", []),
        before.given if before else {},
        stack.pseudo_parameters,
        tags or (before.tags if before else {}),
    )


def _operation(stack: Stack, desired: Desired, capabilities: list[str]) -> Callable[[], None]:
    operation, verb = begin(stack, desired, capabilities)
    return lambda: operation.bring_about(verb)


def _run(operation: Callable[[], None]) -> None:
    thread = threading.Thread(target=operation, name="cloudformation", daemon=True)
    thread.start()
    thread.join(ANSWERED_WITHIN)
