"""Checks of a template before any resource is created, and the order of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.cloudformation.engine.resource_type import TYPES
from localaws.cloudformation.engine.syntax import check_functions, invalid, references

_RESOURCE_ATTRIBUTES = frozenset(
    {
        "Condition",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdateReplacePolicy",
    }
)


def check(template: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Check all resources, including those whose conditions do not hold."""
    resources = template["Resources"]
    problems = [problem for item in resources.items() for problem in _unsupported(*item)]
    if problems:
        raise invalid(f"The local AWS does not support these: {'; '.join(problems)}")
    for section in ("Resources", "Outputs"):
        check_functions(template.get(section, {}))
        for reference in references(template.get(section, {})):
            if reference.name not in {*resources, *values, "AWS::NoValue"}:
                raise invalid(_unresolved(reference.name, section))
    for resource in resources.values():
        if unknown := sorted(_depends_on(resource) - resources.keys()):
            raise invalid(_unresolved(unknown[0], "Resources"))


def check_references(
    resources: dict[str, Any], outputs: dict[str, Any], values: Mapping[str, Any]
) -> None:
    """Check the references that are left once the conditions are evaluated."""
    for section, part in (("Resources", resources), ("Outputs", outputs)):
        for reference in references(part):
            if reference.name in values and reference.attribute is None:
                continue
            if reference.name not in resources:
                raise invalid(_unresolved(reference.name, section))
            kind = TYPES[resources[reference.name]["Type"]]
            if reference.attribute is not None and not kind.has_attribute(reference.attribute):
                raise invalid(
                    f"Template error: resource {reference.name} does not support attribute type "
                    f"{reference.attribute} in Fn::GetAtt"
                )


def _unsupported(logical_id: str, resource: dict[str, Any]) -> list[str]:
    kind = TYPES.get(resource.get("Type", ""))
    if kind is None:
        return [f"{logical_id} is of type {resource.get('Type')}"]
    names = sorted(resource.keys() - _RESOURCE_ATTRIBUTES)
    names += sorted(resource.get("Properties", {}).keys() - kind.properties)
    for policy, further in (
        ("DeletionPolicy", "RetainExceptOnCreate"),
        ("UpdateReplacePolicy", ""),
    ):
        if resource.get(policy, "Delete") not in ("Delete", "Retain", further):
            names.append(f"{policy} {resource[policy]}")
    return [f"{logical_id} ({kind.type}) has {name}" for name in names]


def _unresolved(name: str, section: str) -> str:
    return (
        f"Template format error: Unresolved resource dependencies [{name}] in the {section} block "
        "of the template"
    )


def in_order(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The resources in the order of their dependencies."""
    ordered: dict[str, dict[str, Any]] = {}

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = ", ".join(above[above.index(name) :])
            raise invalid(f"Circular dependency between resources: [{circle}]")
        if name in ordered:
            return
        for needed in sorted(_needs(resources[name]) & resources.keys()):
            place(needed, (*above, name))
        ordered[name] = resources[name]

    for name in resources:
        place(name, ())
    return ordered


def _needs(resource: Mapping[str, Any]) -> set[str]:
    """The names that a resource refers to, and the resources that it depends on."""
    used = {reference.name for reference in references(resource.get("Properties", {}))}
    return used | _depends_on(resource)


def _depends_on(resource: Mapping[str, Any]) -> set[str]:
    names = resource.get("DependsOn", [])
    return {names} if isinstance(names, str) else set(names)
