"""CloudFormation's intrinsic functions.

moto's functions (`moto.cloudformation.parsing.clean_json`) resolve an unknown reference to nothing,
leave unknown functions in place and fail on nested functions. Here an unknown reference or function
is an error.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from localaws.cloudformation.engine.parameters import stored_parameter
from localaws.cloudformation.engine.syntax import (
    VARIABLE,
    attribute_path,
    invalid,
    only_item,
    substitution,
    text,
)

_LITERAL = re.compile(r"\$\{!([^{}]*)\}")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:([^:}]+):([^}]+)\}\}")
_ZONES = "abc"


class Scope(Protocol):
    """What the functions need to resolve the names in a template."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Parameters and pseudo parameters."""

    @property
    def mappings(self) -> Mapping[str, Any]:
        """The template's Mappings."""

    def physical_id(self, logical_id: str) -> str:
        """The value of Ref for a resource."""

    def attribute(self, logical_id: str, name: str) -> Any:
        """The value of GetAtt for a resource."""

    def imported(self, export: str) -> Any:
        """The value of ImportValue."""


def evaluate_conditions(declared: Mapping[str, Any], scope: Scope) -> dict[str, bool]:
    """Evaluate each of the conditions in a template."""

    def evaluate(condition: Any, above: tuple[str, ...]) -> bool:
        function, argument = only_item(condition)
        if function == "Condition":
            return named(argument, above)
        if function == "Fn::Equals":
            left, right = (resolve(operand, scope) for operand in argument)
            return text(left) == text(right)
        outcomes = (evaluate(operand, above) for operand in argument)
        if function == "Fn::Not":
            return not next(outcomes)
        if function in ("Fn::And", "Fn::Or"):
            return all(outcomes) if function == "Fn::And" else any(outcomes)
        raise invalid(f"Template error: {function} is not a condition function")

    def named(name: str, above: tuple[str, ...]) -> bool:
        if name not in declared:
            raise invalid(f"Template format error: Unresolved condition dependency {name}")
        if name in above:
            raise invalid(f"Template format error: the condition {name} depends on itself")
        return evaluate(declared[name], (*above, name))

    return {name: named(name, ()) for name in declared}


def resolve(value: Any, scope: Scope) -> Any:
    """Replace every function in a value by its result. The template must be pruned first."""
    if isinstance(value, str):
        return _DYNAMIC_REFERENCE.sub(_dynamic_reference, value)
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        function, argument = only_item(value)
        if function in _FUNCTIONS:
            return _FUNCTIONS[function](argument, scope)
    return {key: resolve(item, scope) for key, item in value.items()}


def _ref(name: str, scope: Scope) -> Any:
    return scope.values[name] if name in scope.values else scope.physical_id(name)


def _get_att(argument: Any, scope: Scope) -> Any:
    return scope.attribute(*attribute_path(argument))


def _sub(argument: Any, scope: Scope) -> str:
    template, variables = substitution(argument)

    def substitute(match: re.Match[str]) -> str:
        name = match[1]
        if name in variables:
            return text(resolve(variables[name], scope))
        return text(_get_att(name, scope) if "." in name else _ref(name, scope))

    # Literals last: an escaped ${!name} becomes ${name}, which looks like a variable.
    replaced = _LITERAL.sub(r"${\1}", VARIABLE.sub(substitute, template))
    return str(resolve(replaced, scope))


def _join(argument: Any, scope: Scope) -> str:
    delimiter, items = argument[0], _list("Fn::Join", argument[1], scope)
    return str(delimiter).join(text(item) for item in items)


def _split(argument: Any, scope: Scope) -> list[str]:
    return text(resolve(argument[1], scope)).split(argument[0])


def _select(argument: Any, scope: Scope) -> Any:
    index, items = int(resolve(argument[0], scope)), _list("Fn::Select", argument[1], scope)
    if not 0 <= index < len(items):
        raise invalid(
            f"Template error: Fn::Select cannot select nonexistent value at index {index}"
        )
    return items[index]


def _find_in_map(argument: Any, scope: Scope) -> Any:
    name, *keys = (resolve(key, scope) for key in argument)
    found = scope.mappings.get(name)
    for key in keys:
        if not isinstance(found, dict) or text(key) not in found:
            raise invalid(f"Template error: Unable to get mapping for {'::'.join([name, *keys])}")
        found = found[text(key)]
    return found


def _get_azs(argument: Any, scope: Scope) -> list[str]:
    region = resolve(argument, scope) or scope.values["AWS::Region"]
    return [f"{region}{zone}" for zone in _ZONES]


def _cidr(argument: Any, scope: Scope) -> list[str]:
    given = _list("Fn::Cidr", argument, scope)
    if len(given) != 3:
        raise invalid(f"Template error: Fn::Cidr needs ipBlock, count and cidrBits, got {given!r}")
    block, count, bits = (text(item) for item in given)
    network = ipaddress.ip_network(block, strict=False)
    # The argument counts the bits of the host part: 8 bits make an IPv4 /24.
    prefix = network.max_prefixlen - int(bits)
    if not network.prefixlen <= prefix <= network.max_prefixlen or not 1 <= int(count) <= 256:
        raise invalid(f"Template error: Fn::Cidr cannot make {count} blocks of {bits} bits")
    blocks = [str(one) for one in itertools.islice(network.subnets(new_prefix=prefix), int(count))]
    if len(blocks) < int(count):
        raise invalid(f"Template error: Fn::Cidr: {block} has no {count} blocks of {bits} bits")
    return blocks


def _base64(argument: Any, scope: Scope) -> str:
    return base64.b64encode(text(resolve(argument, scope)).encode()).decode()


def _import_value(argument: Any, scope: Scope) -> Any:
    return scope.imported(text(resolve(argument, scope)))


_FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::Cidr": _cidr,
    "Fn::Base64": _base64,
    "Fn::ImportValue": _import_value,
}


def _dynamic_reference(match: re.Match[str]) -> str:
    service, name = match[1], match[2]
    if service != "ssm":
        raise invalid(f"Template error: the local AWS does not support {match[0]}")
    stored = stored_parameter(name)
    if stored is None:
        raise invalid(f"Parameters: [ssm:{name}] cannot be found.")
    return str(stored["Value"])


def _list(function: str, argument: Any, scope: Scope) -> list[Any]:
    items = resolve(argument, scope)
    if not isinstance(items, list):
        raise invalid(f"Template error: {function} needs a list, got {items!r}")
    return items
