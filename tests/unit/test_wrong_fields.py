"""Every error that pydantic may raise for a model is told in our own words."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import slipway
from slipway.wrong_fields import _WORDS, words_for

for each in pkgutil.walk_packages(slipway.__path__, "slipway."):
    importlib.import_module(each.name)

# The errors of each kind of node in a schema. A kind that is not here fails the test.
NUMBER = {"ge": "greater_than_equal", "le": "less_than_equal"}
LENGTH = {"min_length": "string_too_short", "max_length": "string_too_long"}
ERRORS: dict[str, set[str]] = {
    "model": {"model_type"},
    "model-fields": {"missing", "extra_forbidden", "model_type"},
    "model-field": set(),
    "tuple": {"tuple_type"},
    "str": {"string_type", "string_unicode"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float", "finite_number"},
    "bool": {"bool_type", "bool_parsing"},
    "literal": {"literal_error"},
    "enum": {"enum"},
    "dict": {"dict_type"},
    "json": {"json_type", "json_invalid"},
    "datetime": {
        "datetime_type",
        "datetime_parsing",
        "datetime_from_date_parsing",
        "datetime_object_invalid",
    },
    "tagged-union": {"union_tag_not_found", "union_tag_invalid", "model_attributes_type"},
    "function-after": {"value_error"},
    "function-before": {"value_error"},
    "function-wrap": {"value_error"},
    "union": set(),  # each of its members says what is wrong
    "nullable": set(),
    "default": set(),
    "any": set(),
    "definitions": set(),
    "definition-ref": set(),
    "no-info": set(),
    "with-info": set(),
}
CONSTRAINTS = {
    "str": LENGTH | {"pattern": "string_pattern_mismatch"},
    "int": NUMBER,
    "tuple": {"min_length": "too_short", "max_length": "too_long"},
    "datetime": {"tz_constraint": "timezone_aware"},
}


def models(of: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for model in of.__subclasses__():
        if model.__module__.startswith("slipway."):
            yield model
        yield from models(model)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for name, member in schema.items():
            if name not in ("metadata", "serialization"):
                yield from nodes(member)
    elif isinstance(schema, list | tuple):
        for member in schema:
            yield from nodes(member)


def possible() -> set[str]:
    """The types of the errors that the models may raise."""
    found: set[str] = set()
    for model in models():
        for node in nodes(model.__pydantic_core_schema__):
            kind = node["type"]
            found |= ERRORS[kind]
            found |= {error for name, error in CONSTRAINTS.get(kind, {}).items() if name in node}
    return found


def test_each_error_of_the_models_has_words_and_there_are_words_for_no_other() -> None:
    assert possible() == set(_WORDS)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, "x", "it has to be a whole number, and is text without one"),
        (int, None, "it has to be a whole number, and is null"),
        (int, 1.5, "it has to be a whole number, and has a fraction"),
        (str, 5, "it has to be text, and is a number"),
        (str, True, "it has to be text, and is true or false"),
        (bool, {}, "it has to be true or false, and is an object"),
        (dict, [], "it has to be an object, and is a list"),
        (tuple, "a", "it has to be a list, and is text"),
    ],
)
def test_the_words_say_what_is_there_and_what_has_to_be_there(
    kind: Any, value: Any, said: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(kind).validate_python(value)
    assert [words_for(problem) for problem in raised.value.errors()] == [said]
