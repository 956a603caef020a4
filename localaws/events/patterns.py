"""Event patterns of EventBridge.

moto's matcher treats an unknown filter as a match and true as equal to 1, and does not look into
arrays of objects. Here an unknown filter is refused when the rule is put.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable
from typing import Any

from moto.events.exceptions import InvalidEventPatternException

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether every field of the pattern matches the event."""
    for field, rule in pattern.items():
        if field == "$or":
            if not any(matches(alternative, event) for alternative in rule):
                return False
            continue
        values = _values(event.get(field, []))
        if isinstance(rule, dict):
            objects = [value for value in values if isinstance(value, dict)]
            if not any(matches(rule, item) for item in objects or [{}]):
                return False
        else:
            leaves = [value for value in values if not isinstance(value, dict)]
            if not any(_passes(test, leaves) for test in rule):
                return False
    return True


def validate(pattern: Any) -> None:
    """Raise InvalidEventPatternException unless matches() supports the pattern."""
    if not isinstance(pattern, dict):
        raise InvalidEventPatternException(reason="The pattern must be an object")
    for field, rule in pattern.items():
        if isinstance(rule, dict):
            validate(rule)
        elif not isinstance(rule, list):
            raise InvalidEventPatternException(reason=f"'{field}' must be an object or an array")
        elif not rule:
            raise InvalidEventPatternException(reason="Empty arrays are not allowed")
        elif field == "$or":
            for alternative in rule:
                validate(alternative)
        else:
            for test in rule:
                _validate_test(field, test)


def _validate_test(field: str, test: Any) -> None:
    if isinstance(test, list):
        raise InvalidEventPatternException(reason=f"'{field}' must not have an array in an array")
    if not isinstance(test, dict):
        return
    name, *more = test
    known = {"exists", *_FILTERS}
    if more or name not in known:
        raise InvalidEventPatternException(reason=f"Unrecognized match type {name} of '{field}'")
    if name == "anything-but" and isinstance(test[name], dict):
        _validate_test(field, test[name])


def _values(value: Any) -> list[Any]:
    """The values of a field. An array stands for each of its elements."""
    if isinstance(value, list):
        return [leaf for item in value for leaf in _values(item)]
    return [value]


def _passes(test: Any, leaves: list[Any]) -> bool:
    if not isinstance(test, dict):
        return any(_same(test, leaf) for leaf in leaves)
    [(name, argument)] = test.items()
    if name == "exists":
        return bool(leaves) is bool(argument)
    return any(_FILTERS[name](argument, leaf) for leaf in leaves)


def _same(expected: Any, value: Any) -> bool:
    return expected == value and isinstance(expected, bool) == isinstance(value, bool)


def _any_of(single: Callable[[Any, str], bool]) -> Callable[[Any, Any], bool]:
    """A filter that takes one argument or an array of them."""

    def passes(argument: Any, value: Any) -> bool:
        arguments = argument if isinstance(argument, list) else [argument]
        return isinstance(value, str) and any(single(item, value) for item in arguments)

    return passes


def _prefix(argument: Any, value: str) -> bool:
    if isinstance(argument, dict):
        return value.lower().startswith(argument["equals-ignore-case"].lower())
    return value.startswith(argument)


def _suffix(argument: Any, value: str) -> bool:
    if isinstance(argument, dict):
        return value.lower().endswith(argument["equals-ignore-case"].lower())
    return value.endswith(argument)


def _wildcard(argument: str, value: str) -> bool:
    tokens = re.findall(r"\\[*\\]|[\s\S]", argument)
    expression = "".join("[\\s\\S]*" if token == "*" else re.escape(token[-1]) for token in tokens)
    return re.fullmatch(expression, value) is not None


def _numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, limit) for comparison, limit in pairs)


def _cidr(argument: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument)
    except ValueError:
        return False


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, dict):
        return not _passes(argument, [value])
    excluded = argument if isinstance(argument, list) else [argument]
    return not any(_same(item, value) for item in excluded)


_FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _any_of(_prefix),
    "suffix": _any_of(_suffix),
    "equals-ignore-case": _any_of(lambda argument, value: argument.lower() == value.lower()),
    "wildcard": _any_of(_wildcard),
    "cidr": _any_of(_cidr),
    "numeric": _numeric,
    "anything-but": _anything_but,
}
