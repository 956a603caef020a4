"""Nested stacks. Their operations run in the thread of the parent's operation, and end with it:

    parent    create and update .................. settle: delete what is no longer needed
                |                                    |
    nested      attempt: create and update ....... settle

Until then a nested update can be rolled back if the parent fails; a new nested stack is deleted.
SAM turns AWS::Serverless::Application into a nested stack, whose template `sam package` uploads.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.admission import (
    begin,
    delete,
    lock,
    must_be_acknowledged,
    must_be_idle,
    must_be_updatable,
)
from localaws.cloudformation.engine.parameters import Given
from localaws.cloudformation.engine.resource_changes import differs
from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, tag_map
from localaws.cloudformation.engine.stack import Stack
from localaws.cloudformation.engine.store import existing, find, keep
from localaws.cloudformation.engine.syntax import text
from localaws.cloudformation.engine.template import Desired, read, template_body

_LONGEST_NAME = 128
_OUTPUTS = "Outputs."


class NestedStack(Resource):
    """A stack that belongs to another stack. The physical id is its ARN."""

    type = "AWS::CloudFormation::Stack"
    # TimeoutInMinutes has no effect, as in CreateStack: no operation takes minutes here.
    properties = frozenset(
        {"NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"}
    )
    # The SSM parameters that it reads may have changed, or the template at its URL.
    looked_after = True

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        stack = Stack(naming.unique(_LONGEST_NAME), find(naming.stack))
        keep(stack)
        return stack.id

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        _bring_about(find(physical_id), properties)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self.settle(physical_id)  # the parent leaves an update open if its rollback is disabled
        _bring_about(find(physical_id), properties)

    @override
    def put_back(self, physical_id: str, properties: Properties, undone: Properties) -> None:
        stack = find(physical_id)
        # There is no operation if nothing was updated, or if it failed and rolled back by itself.
        operation, stack.unsettled = stack.unsettled, None
        if operation:
            operation.roll_back("UPDATE")
        if stack.status == "UPDATE_ROLLBACK_FAILED":
            raise _embedded(stack, f"rolled back: {stack.reason} ")

    @override
    def settle(self, physical_id: str) -> None:
        stack = find(physical_id)
        operation, stack.unsettled = stack.unsettled, None
        if operation:
            operation.settle("UPDATE")

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        self.settle(physical_id)
        with lock:
            stack = existing(physical_id)
            if stack is None:
                return
            must_be_idle(stack)
            stack.record("DELETE_IN_PROGRESS", "User Initiated")
        delete(stack)
        if stack.status != "DELETE_COMPLETE":
            raise _embedded(stack, f"deleted: {stack.reason} ")

    @override
    def has_attribute(self, name: str) -> bool:
        return name.startswith(_OUTPUTS)  # only the nested template has their names

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        wanted = name.removeprefix(_OUTPUTS)
        for output in find(physical_id).outputs:
            if output["OutputKey"] == wanted:
                return output["OutputValue"]
        raise LookupError(f"Output '{wanted}' not found in stack '{physical_id}'")


def _bring_about(stack: Stack, properties: Properties) -> None:
    parent = stack.parent
    assert parent is not None
    with lock:
        if stack.desired:
            must_be_updatable(stack)
        desired = _desired(stack, properties)
        must_be_acknowledged(desired, parent.capabilities, transformed=True)
        if not differs(stack, desired):
            return
        stack.disable_rollback = parent.disable_rollback
        operation, verb = begin(stack, desired, parent.capabilities)
    succeeded = operation.attempt(verb)
    if verb == "CREATE":
        if not succeeded:
            raise _embedded(stack, f"created: {operation.failure} ")
        operation.settle(verb)
    else:
        if not succeeded:
            state = "UPDATE_FAILED" if stack.disable_rollback else "UPDATE_ROLLBACK_IN_PROGRESS"
            reason = f"Currently in {state} with reason: {operation.failure} "
            raise _embedded(stack, f"updated. {reason}")
        stack.unsettled = operation


def _desired(stack: Stack, properties: Properties) -> Desired:
    if properties.get("NotificationARNs"):
        raise NotImplementedError(f"{NestedStack.type}: NotificationARNs")
    body = template_body({"TemplateURL": properties["TemplateURL"]})
    given = _given(properties.get("Parameters", {}))
    # No previous values: a parameter that the parent omits gets its default again.
    return read(body, given, {}, stack.pseudo_parameters, tag_map(properties))


def _given(parameters: Any) -> Given:
    if not isinstance(parameters, dict):
        raise TypeError("Value of property Parameters must be an object")
    if any(isinstance(value, dict | list) for value in parameters.values()):
        raise TypeError(
            "Value of property Parameters must be an object with String (or simple type) properties"
        )
    return [
        {"ParameterKey": name, "ParameterValue": text(value)} for name, value in parameters.items()
    ]


def _embedded(stack: Stack, what: str) -> RuntimeError:
    return RuntimeError(f"Embedded stack {stack.id} was not successfully {what}")
