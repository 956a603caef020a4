"""The contents of a change set: the resources that an update adds, modifies, replaces and removes.

Values that depend on other resources are not known yet, so nothing is resolved. Two declarations are
equal if their text and the parameters that they use are equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localaws.cloudformation.engine.operation import is_replaced
from localaws.cloudformation.engine.resource_type import TYPES
from localaws.cloudformation.engine.stack import Stack
from localaws.cloudformation.engine.syntax import references
from localaws.cloudformation.engine.template import Desired

_AUTOMATIC = {
    "Target": {"Attribute": "Properties"},
    "Evaluation": "Dynamic",
    "ChangeSource": "Automatic",
}
"""The change of a resource that takes part in every update."""


def changes(stack: Stack, desired: Desired) -> list[dict[str, Any]]:
    """The changes as DescribeChangeSet lists them."""
    listed: list[dict[str, Any]] = []
    replaced: set[str] = set()
    for logical_id, declared in desired.resources.items():
        kind, before = TYPES[declared["Type"]], stack.resources.get(logical_id)
        if before is None:
            listed.append(_change("Add", logical_id, kind.type))
            continue
        changed = _changed_properties(stack, desired, logical_id, replaced)
        if before.kind is kind and not changed and not kind.looked_after:
            continue
        replacement = is_replaced(before, kind, changed)
        if replacement:
            replaced.add(logical_id)
        targets: list[dict[str, Any]] = [
            {"Target": {"Attribute": "Properties", "Name": name}} for name in sorted(changed)
        ]
        details = {
            "PhysicalResourceId": before.physical_id,
            "Replacement": "True" if replacement else "False",
            "Scope": ["Properties"],
            "Details": targets or [_AUTOMATIC],
        }
        listed.append(_change("Modify", logical_id, kind.type, details))
    for logical_id, before in stack.resources.items():
        if logical_id not in desired.resources:
            details = {"PhysicalResourceId": before.physical_id}
            listed.append(_change("Remove", logical_id, before.kind.type, details))
    return listed


def differs(stack: Stack, desired: Desired) -> bool:
    """Whether an update would do anything."""
    before = stack.desired
    return (
        before is None
        or bool(changes(stack, desired))
        or before.tags != desired.tags
        or _fingerprint(before.outputs, before) != _fingerprint(desired.outputs, desired)
    )


def _changed_properties(
    stack: Stack, desired: Desired, logical_id: str, replaced: set[str]
) -> set[str]:
    after = desired.resources[logical_id].get("Properties", {})
    if stack.desired is None or logical_id not in stack.desired.resources:
        return set(after)
    before = stack.desired.resources[logical_id].get("Properties", {})
    return {
        name
        for name in {*before, *after}
        if _fingerprint(before.get(name), stack.desired) != _fingerprint(after.get(name), desired)
        or any(reference.name in replaced for reference in references(after.get(name)))
    }


def _fingerprint(declared: Any, desired: Desired) -> str:
    """A text that is equal for equal declarations."""
    used = {reference.name for reference in references(declared)}
    values = {name: desired.values[name] for name in used if name in desired.values}
    mappings: Mapping[str, Any] = desired.mappings if "Fn::FindInMap" in str(declared) else {}
    return json.dumps([declared, values, mappings], sort_keys=True)


def _change(
    action: str, logical_id: str, kind: str, details: dict[str, Any] | None = None
) -> dict[str, Any]:
    change = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind}
    return {"Type": "Resource", "ResourceChange": {**change, **(details or {})}}
