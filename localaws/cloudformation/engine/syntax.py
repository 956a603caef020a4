"""The syntax of templates: references, conditions and the forms of intrinsic functions.

Conditions depend on parameters only, so CloudFormation evaluates them first. The references that are
left after `prune` are the dependencies of a resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from moto.cloudformation.exceptions import CloudFormationError, ValidationError

FUNCTIONS = frozenset(
    {
        "Fn::Base64",
        "Fn::Cidr",
        "Fn::FindInMap",
        "Fn::GetAZs",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::ImportValue",
        "Fn::Join",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
    }
)
NO_VALUE = {"Ref": "AWS::NoValue"}
VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")


class Reference(NamedTuple):
    """A name that a template refers to. The attribute is None for Ref."""

    name: str
    attribute: str | None


def failure(code: str, message: str) -> CloudFormationError:
    """An error of CloudFormation."""
    return CloudFormationError(code, message)


def invalid(message: str) -> ValidationError:
    """The error with which CloudFormation refuses a template or a request."""
    return ValidationError(message=message)


def text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, dict | list):
        raise invalid(f"Template error: expected a string, got {value!r}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def references(value: Any) -> Iterator[Reference]:
    """Every name that a value refers to with Ref, GetAtt or Sub."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    if "Ref" in value and len(value) == 1:
        yield Reference(value["Ref"], None)
    elif "Fn::GetAtt" in value:
        name, attribute = attribute_path(value["Fn::GetAtt"])
        yield Reference(name, attribute)
    elif "Fn::Sub" in value:
        template, variables = substitution(value["Fn::Sub"])
        yield from references(list(variables.values()))
        for variable in VARIABLE.findall(template):
            if variable not in variables:
                name, _, attribute = variable.partition(".")
                yield Reference(name, attribute or None)
    else:
        yield from references(list(value.values()))


def prune(value: Any, conditions: Mapping[str, bool]) -> Any:
    """The value with Fn::If evaluated and AWS::NoValue removed."""
    if isinstance(value, list):
        kept = (prune(item, conditions) for item in value)
        return [item for item in kept if item != NO_VALUE]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        name, then, otherwise = value["Fn::If"]
        if name not in conditions:
            raise invalid(f"Template error: Fn::If names the condition {name}, which is not there")
        return prune(then if conditions[name] else otherwise, conditions)
    if value == NO_VALUE:
        return value
    pruned = {key: prune(item, conditions) for key, item in value.items()}
    return {key: item for key, item in pruned.items() if item != NO_VALUE}


def check_functions(value: Any) -> None:
    """Refuse unknown functions, and computed delimiters, which CloudFormation refuses as well."""
    if isinstance(value, list):
        for item in value:
            check_functions(item)
    if not isinstance(value, dict):
        return
    for name, argument in value.items():
        if name.startswith("Fn::") and name not in FUNCTIONS:
            raise invalid(f"Template error: the local AWS does not support {name}")
        if name in ("Fn::Join", "Fn::Split") and not (
            isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str)
        ):
            raise invalid(
                f"Template error: every {name} object requires two parameters, the first of them "
                f"a string delimiter without functions: {argument!r}"
            )
        check_functions(argument)


def only_item(value: Any) -> tuple[str, Any]:
    """The name and the argument of a function."""
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid(f"Template error: expected one function, got {value!r}")
    return next(iter(value.items()))


def attribute_path(argument: Any) -> tuple[str, str]:
    """The resource and the attribute that GetAtt names."""
    parts = argument.split(".") if isinstance(argument, str) else argument
    return parts[0], ".".join(parts[1:])


def substitution(argument: Any) -> tuple[str, dict[str, Any]]:
    """The text and the variables of a Sub."""
    return (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
