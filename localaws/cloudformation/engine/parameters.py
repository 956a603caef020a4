"""The parameters of a template. CloudFormation checks their values before it creates anything.

moto does not check them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localaws.aws import client
from localaws.cloudformation.engine.syntax import invalid, text

_EC2 = r"AWS::EC2::[A-Za-z]+::(?:Id|[A-Za-z]*Name)"
_SSM_VALUE = re.compile(
    rf"AWS::SSM::Parameter::Value<(?:String|{_EC2}|(?P<list>CommaDelimitedList|List<(?:String|{_EC2})>))>"
)
# CloudFormation also checks that a resource with this id exists. Here the service that gets the id
# does.
_STRINGS = re.compile(rf"String|AWS::SSM::Parameter::Name|{_EC2}")
_LISTS = re.compile(r"CommaDelimitedList|List<(String|Number|AWS::EC2::[A-Za-z:]+)>")

Given = list[dict[str, Any]]
"""The parameters in a request: ParameterKey with ParameterValue or UsePreviousValue."""


def given_values(
    declared: Mapping[str, Any], given: Given, previous: Mapping[str, str]
) -> dict[str, str]:
    """The text of each declared parameter: the given value, the previous one or the default."""
    if unknown := sorted({item["ParameterKey"] for item in given} - declared.keys()):
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {
        name: text(parameter["Default"])
        for name, parameter in declared.items()
        if "Default" in parameter
    }
    for item in given:
        name = item["ParameterKey"]
        if not item.get("UsePreviousValue"):
            values[name] = item.get("ParameterValue", "")
        elif name in previous:
            values[name] = previous[name]
        else:
            raise invalid(f"Invalid input for parameter key {name}. There is no previous value")
    if missing := sorted(declared.keys() - values.keys()):
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def typed_values(declared: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """The value of Ref for each parameter. Raises an error if one violates its constraints."""
    typed = {name: _typed(name, declared[name], value) for name, value in values.items()}
    return {**typed, **_read_from_ssm(declared, values)}


def is_read_from_ssm(parameter: Mapping[str, Any]) -> bool:
    """Whether the value of a parameter names an SSM parameter."""
    return bool(_SSM_VALUE.fullmatch(parameter["Type"]))


def stored_parameter(name: str) -> dict[str, Any] | None:
    """An SSM parameter, of a version if the name is ``name:version``; None if there is none."""
    ssm = client("ssm")
    try:
        parameter: dict[str, Any] = ssm.get_parameter(Name=name)["Parameter"]
    except (ssm.exceptions.ParameterNotFound, ssm.exceptions.ParameterVersionNotFound):
        return None
    return parameter


def _read_from_ssm(declared: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    names = {name: key for name, key in values.items() if is_read_from_ssm(declared[name])}
    stored = {key: stored_parameter(key) for key in names.values()}
    if missing := [key for key, parameter in stored.items() if parameter is None]:
        listed = ", ".join(missing)
        raise invalid(
            f"Unable to fetch parameters [{listed}] from parameter store for this account."
        )
    found = {key: parameter for key, parameter in stored.items() if parameter}
    if secure := [key for key, parameter in found.items() if parameter["Type"] == "SecureString"]:
        raise invalid(
            f"Parameters [{', '.join(secure)}] referenced by template have types not supported by "
            "CloudFormation."
        )
    read = {}
    for name, key in names.items():
        is_list = bool(_SSM_VALUE.fullmatch(declared[name]["Type"])["list"])  # type: ignore[index]
        if is_list != (found[key]["Type"] == "StringList"):
            raise invalid(
                f"Types for SSM parameters [{key}] defined in CFN template and SSM are incompatible"
            )
        value = found[key]["Value"]
        read[name] = _items(value) if is_list else value
    return read


def _typed(name: str, parameter: dict[str, Any], value: str) -> Any:
    kind = parameter.get("Type")
    if not isinstance(kind, str):
        raise invalid(f"Template format error: parameter {name} needs a Type")
    if _LISTS.fullmatch(kind):
        items = _items(value)
        for item in items:
            _check(name, parameter, item, number=kind == "List<Number>")
        return items
    if kind == "Number" or _STRINGS.fullmatch(kind) or _SSM_VALUE.fullmatch(kind):
        _check(name, parameter, value, number=kind == "Number")
        return value
    raise invalid(f"The local AWS does not support the type {kind} of parameter {name}")


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",")] if value else []


def _check(name: str, parameter: dict[str, Any], value: str, *, number: bool = False) -> None:
    problem = _number_problem(parameter, value) if number else _string_problem(parameter, value)
    allowed = [text(item) for item in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        problem = f"must be one of AllowedValues: [{', '.join(allowed)}]"
    if problem and (constraint := parameter.get("ConstraintDescription")):
        problem = f"failed to satisfy constraint: {constraint}"
    if problem:
        raise invalid(f"Parameter '{name}' {problem}")


def _number_problem(parameter: dict[str, Any], value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "must be a number"
    if "MinValue" in parameter and number < float(parameter["MinValue"]):
        return f"must be a number not less than {parameter['MinValue']}"
    if "MaxValue" in parameter and number > float(parameter["MaxValue"]):
        return f"must be a number not greater than {parameter['MaxValue']}"
    return None


def _string_problem(parameter: dict[str, Any], value: str) -> str | None:
    if len(value) < int(parameter.get("MinLength", 0)):
        return f"must contain at least {parameter['MinLength']} characters"
    if "MaxLength" in parameter and len(value) > int(parameter["MaxLength"]):
        return f"must contain at most {parameter['MaxLength']} characters"
    if (pattern := parameter.get("AllowedPattern")) and not re.fullmatch(pattern, value):
        return f"must match pattern {pattern}"
    return None
