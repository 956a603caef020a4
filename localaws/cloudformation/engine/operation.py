"""The operations on a stack: create, update, roll back and delete its resources.

moto creates a resource when something reads it, reports CREATE_COMPLETE whatever happens, has no
events of resources, and implements neither replacement nor rollback. Here resources are created and
updated in the order of their dependencies, and when one fails, what was done is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from localaws.cloudformation.engine.intrinsics import resolve
from localaws.cloudformation.engine.not_found import gone_already
from localaws.cloudformation.engine.resource_type import (
    TYPES,
    HalfCreatedError,
    Naming,
    Properties,
    Resource,
)
from localaws.cloudformation.engine.stack import Deployed, Stack, StackScope
from localaws.cloudformation.engine.syntax import text
from localaws.cloudformation.engine.template import Desired


class StackOperation:
    """One creation, update or deletion."""

    def __init__(self, stack: Stack, desired: Desired, imports: Mapping[str, Any]) -> None:
        self.stack = stack
        self.desired = desired
        self.scope = StackScope(stack, desired, imports)
        self.undo: list[Callable[[], None]] = []
        self.replaced: list[Deployed] = []
        self.failure = ""

    def bring_about(self, verb: str) -> None:
        """Create or update everything, or roll back if something fails."""
        if self.attempt(verb):
            self.settle(verb)

    def attempt(self, verb: str) -> bool:
        """Create or update everything, but delete nothing yet; roll back if something fails."""
        try:
            for logical_id, declared in self.desired.resources.items():
                self._bring_about(logical_id, declared)
            outputs = self._resolve_outputs()
        except Exception as error:  # noqa: BLE001 - any error ends the operation
            self.failure = _reason(error)
            if self.stack.disable_rollback:
                self.stack.record(f"{verb}_FAILED", self.failure)
            else:
                self.roll_back(verb, f"{self.failure} Rollback requested by user.")
            return False
        before = self.stack.desired, self.stack.outputs

        def undo() -> None:
            self.stack.desired, self.stack.outputs = before

        self.undo.append(undo)
        self.stack.desired, self.stack.outputs = self.desired, outputs
        if verb == "UPDATE":
            self.stack.record("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        return True

    def settle(self, verb: str) -> None:
        """Delete what is no longer needed. After that the operation can't be rolled back."""
        for resource in reversed(self.replaced):
            self._delete(resource)
        for logical_id, resource in reversed(list(self.stack.resources.items())):
            if logical_id in self.desired.resources:
                resource.kind.settle(resource.physical_id)
            else:
                self._delete(resource)
        self.stack.resources = {name: self.stack.resources[name] for name in self.desired.resources}
        self.stack.record(f"{verb}_COMPLETE")

    def roll_back(self, verb: str, reason: str | None = None) -> None:
        """Restore the state before the operation."""
        rollback = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        self.stack.record(f"{rollback}_IN_PROGRESS", reason)
        try:
            for undo in reversed(self.undo):
                undo()
        except Exception as error:  # noqa: BLE001 - see attempt
            self.stack.record(f"{rollback}_FAILED", _reason(error))
        else:
            self.stack.record(f"{rollback}_COMPLETE")

    def delete_everything(self) -> None:
        """Delete the resources of the stack in reverse order of their dependencies."""
        for resource in reversed(list(self.stack.resources.values())):
            if self._delete(resource):
                del self.stack.resources[resource.logical_id]
        if failed := ", ".join(self.stack.resources):
            reason = f"The following resource(s) failed to delete: [{failed}]."
            self.stack.record("DELETE_FAILED", reason)
        else:
            self.stack.record("DELETE_COMPLETE")

    def _bring_about(self, logical_id: str, declared: dict[str, Any]) -> None:
        kind = TYPES[declared["Type"]]
        before = self.stack.resources.get(logical_id)
        verb = "UPDATE" if before else "CREATE"
        physical_id = before.physical_id if before else ""
        policy = declared.get("DeletionPolicy", "Delete")
        retained = policy in ("Retain", "RetainExceptOnCreate")
        try:
            properties = self._properties(logical_id, kind, declared)
            same = before and before.kind is kind and before.properties == properties
            if before and same and not kind.looked_after:
                self.stack.resources[logical_id] = replace(before, retained=retained)
                return
            self.stack.add_event(logical_id, kind.type, physical_id, f"{verb}_IN_PROGRESS")
            if before and not is_replaced(before, kind, _changed(before.properties, properties)):
                replaced = self._update(before, properties)
            else:
                always = policy == "Retain"  # Retain applies to a rollback, too
                physical_id = self._create(logical_id, kind, properties, retained=always)
                replaced = before is not None
            if before and replaced and declared.get("UpdateReplacePolicy") != "Retain":
                self.replaced.append(replace(before, retained=False))
        except Exception as error:
            self.stack.add_event(
                logical_id, kind.type, physical_id, f"{verb}_FAILED", _reason(error)
            )
            message = f"The following resource(s) failed to {verb.lower()}: [{logical_id}]."
            raise RuntimeError(message) from error
        resource = self.stack.resources[logical_id]
        at = self.stack.add_event(logical_id, kind.type, resource.physical_id, f"{verb}_COMPLETE")
        self.stack.resources[logical_id] = replace(
            resource, retained=retained, status=f"{verb}_COMPLETE", changed_at=at
        )

    def _properties(self, logical_id: str, kind: Resource, declared: dict[str, Any]) -> Properties:
        properties: Properties = resolve(declared.get("Properties", {}), self.scope)
        properties = kind.placed(properties, self.stack.id, logical_id)
        if "Tags" in kind.properties and self.desired.tags:
            return kind.tagged(properties, self.desired.tags)
        return properties

    def _create(
        self, logical_id: str, kind: Resource, properties: Properties, *, retained: bool
    ) -> str:
        before = self.stack.resources.get(logical_id)
        failed: HalfCreatedError | None = None
        try:
            physical_id = kind.create(properties, Naming(self.stack.name, logical_id))
        except HalfCreatedError as error:
            physical_id, failed = error.physical_id, error
        now = datetime.now(UTC)
        made = Deployed(logical_id, kind, physical_id, properties, retained, "IN_PROGRESS", now)
        self.stack.resources[logical_id] = made

        def undo() -> None:
            if not self._delete(made):
                raise RuntimeError(f"The following resource(s) failed to delete: [{logical_id}].")
            if before:
                self.stack.resources[logical_id] = before
            else:
                del self.stack.resources[logical_id]

        self.undo.append(undo)
        if failed:
            raise failed
        kind.complete(physical_id, properties)
        return physical_id

    def _update(self, before: Deployed, properties: Properties) -> bool:
        """Update the resource; whether another one has replaced it."""

        def undo() -> None:
            now = self.stack.resources[before.logical_id]
            before.kind.put_back(now.physical_id, before.properties, properties)
            self.stack.resources[before.logical_id] = before
            if now.physical_id != before.physical_id:
                self._delete(now)
            identity = before.logical_id, before.kind.type, before.physical_id
            self.stack.add_event(*identity, "UPDATE_COMPLETE", "Rolled back")

        # Registered before the update, which may change something and then fail.
        self.undo.append(undo)
        other = before.kind.update(before.physical_id, properties, before.properties)
        self.stack.resources[before.logical_id] = replace(
            before, physical_id=other or before.physical_id, properties=properties
        )
        return other is not None

    def _delete(self, resource: Deployed) -> bool:
        identity = resource.logical_id, resource.kind.type, resource.physical_id
        if resource.retained:
            self.stack.add_event(*identity, "DELETE_SKIPPED")
            return True
        self.stack.add_event(*identity, "DELETE_IN_PROGRESS")
        try:
            with gone_already():
                resource.kind.delete(resource.physical_id, resource.properties)
        except Exception as error:  # noqa: BLE001 - see attempt
            self.stack.add_event(*identity, "DELETE_FAILED", _reason(error))
            return False
        self.stack.add_event(*identity, "DELETE_COMPLETE")
        return True

    def _resolve_outputs(self) -> list[dict[str, Any]]:
        outputs = []
        for name, declared in self.desired.outputs.items():
            output = {
                "OutputKey": name,
                "OutputValue": text(resolve(declared["Value"], self.scope)),
            }
            if "Description" in declared:
                output["Description"] = declared["Description"]
            if "Export" in declared:
                output["ExportName"] = resolve(declared["Export"]["Name"], self.scope)
            outputs.append(output)
        return outputs


def is_replaced(before: Deployed, kind: Resource, changed: set[str]) -> bool:
    """Whether such a change replaces the resource instead of updating it in place."""
    return before.kind is not kind or bool(changed & kind.create_only)


def _changed(before: Properties, after: Properties) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error) or type(error).__name__
