"""What is wrong with a field of JSON from outside, and what is right there, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TIME = "a time is written like 2026-12-23T00:00:00Z or 2026-12-23T00:00:00+01:00"
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    ((list, tuple), "a list"),
    (dict, "an object"),
)


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


def _wanted(what: str) -> Callable[[Mapping[str, Any], Any], str]:
    def said(_facts: Mapping[str, Any], found: Any) -> str:
        return f"it has to be {what}, and is {_kind(found)}"

    return said


def _fixed(words: str) -> Callable[[Mapping[str, Any], Any], str]:
    return lambda facts, _found: words.format(**facts)


def _too_short(facts: Mapping[str, Any], _found: Any) -> str:
    least = facts["min_length"]
    return "it must not be empty" if least == 1 else f"it has to have at least {least} members"


_WORDS: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    "missing": _fixed("it is missing"),
    "extra_forbidden": _fixed("there is no such name here: it is misspelt, or belongs elsewhere"),
    "value_error": _fixed("{error}"),
    "model_type": _wanted("an object"),
    "model_attributes_type": _wanted("an object"),
    "dict_type": _wanted("an object"),
    "json_type": _wanted("text with JSON"),
    "json_invalid": _fixed("it is not JSON: {error}"),
    "tuple_type": _wanted("a list"),
    "too_short": _too_short,
    "too_long": _fixed("it has to have at most {max_length} members"),
    "string_type": _wanted("text"),
    "string_unicode": _fixed("it has half a character: a surrogate without the other one"),
    "string_too_short": _too_short,
    "string_too_long": _fixed("it has to have at most {max_length} characters"),
    "string_pattern_mismatch": _fixed("it has to match {pattern}"),
    "int_type": _wanted("a whole number"),
    "int_parsing": _fixed("it has to be a whole number, and is text without one"),
    "int_parsing_size": _fixed("it has to be a whole number, and has too many digits"),
    "int_from_float": _fixed("it has to be a whole number, and has a fraction"),
    "greater_than_equal": _fixed("it has to be at least {ge}"),
    "less_than_equal": _fixed("it has to be at most {le}"),
    "finite_number": _fixed("it has to be a number"),
    "bool_type": _wanted("true or false"),
    "bool_parsing": _wanted("true or false"),
    "literal_error": _fixed("it has to be {expected}"),
    "enum": _fixed("it has to be {expected}"),
    "datetime_type": _fixed(TIME),
    "datetime_parsing": _fixed(TIME),
    "datetime_from_date_parsing": _fixed(TIME),
    "datetime_object_invalid": _fixed(TIME),
    "timezone_aware": _fixed(f"it has no offset: {TIME}"),
    "union_tag_not_found": _fixed("{discriminator} is missing"),
    "union_tag_invalid": _fixed("{discriminator} has to be one of {expected_tags}"),
}
"""By the type of pydantic's error; a test derives from the models which there are."""


def words_for(problem: ErrorDetails) -> str:
    """What is wrong with a field, as pydantic found it."""
    say = _WORDS.get(problem["type"])
    return say(problem.get("ctx", {}), problem["input"]) if say else problem["msg"]
