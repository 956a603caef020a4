"""Values that cross a step's border."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, ValidationError

from slipway.errors import InvalidInput
from slipway.model import (
    MESSAGE_BYTES,
    PATH_BYTES,
    IfReadable,
    Model,
    parse,
    parse_written,
    read_json,
)
from tests.support.builders import NOW


class Inner(Model):
    count: int


class Outer(Model):
    when: datetime
    inner: Inner


def _refuse(_value):
    raise ValueError("too long " * 1_000)


class Wordy(Model):
    word: Annotated[str, AfterValidator(_refuse)]


class Named(Model):
    counts: dict[str, dict[str, int]]


class Several(Model):
    inner: tuple[Inner, ...] = Field(min_length=1)


class Tolerant(Model):
    inner: Annotated[Inner | None, IfReadable] = None


def said(value: object) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse_written(Outer, value, "the input of X")
    return str(raised.value)


def test_a_field_of_another_version_is_ignored_at_every_depth():
    value = {"when": NOW.isoformat(), "inner": {"count": 1, "more": 1}, "more": {}}

    assert parse(Outer, value, "x") == Outer(when=NOW, inner=Inner(count=1))


def test_a_model_written_as_json_is_read_back_equal():
    outer = Outer(when=NOW, inner=Inner(count=1))

    assert parse(Outer, outer.to_json(), "x") == outer


def test_a_value_cannot_be_changed():
    with pytest.raises(ValidationError):
        Inner(count=1).count = 2


def test_the_message_of_an_invalid_input_names_the_input_and_the_path_of_every_wrong_field():
    message = said({"inner": {"count": "many", "more": 1}})

    assert message.startswith("the input of X is not valid:\n")
    assert [line.strip().partition(":")[0] for line in message.splitlines()[1:]] == [
        "when",
        "inner.count",
        "inner.more",
    ]


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_an_input_that_is_no_object_is_wrong_as_a_whole(value):
    assert "\n  as a whole: " in said(value)


def test_a_list_with_a_wrong_item_is_not_called_too_short():
    with pytest.raises(InvalidInput) as raised:
        parse(Several, {"inner": [{"count": "many"}]}, "x")

    [line] = str(raised.value).splitlines()[1:]
    assert line.startswith("  inner.0.count: ")


def test_a_list_that_is_too_short_is_called_so():
    with pytest.raises(InvalidInput, match=r"\n  inner: it must not be empty"):
        parse(Several, {"inner": []}, "x")


def test_an_input_with_many_wrong_fields_is_told_of_twenty():
    message = said({f"more{number:02}": 1 for number in range(30)})

    lines = message.splitlines()
    assert (len(lines), lines[-1]) == (22, "  and 12 more")


def test_a_long_name_of_a_field_is_cut():
    message = said({"x" * 100_000: 1})

    assert len(message.encode()) < 1_000
    assert f"\n  {'x' * 79}…: there is no such name here" in message


def test_a_name_of_a_field_makes_no_line_of_its_own():
    message = said({"when": NOW.isoformat(), "inner": {"count": 1, "a\n  count: \x1b[1mfine": 1}})

    [line] = message.splitlines()[1:]
    assert line.startswith("  inner.a count: fine: there is no such name here: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(JSON)
def test_a_message_is_short_whatever_is_wrong(value):
    message = said(value)

    assert len(message.encode()) <= MESSAGE_BYTES


def test_the_longest_message_is_short():
    value = {f"{number}{'😀' * 5_000}": 1 for number in range(5_000)}

    assert len(said(value).encode()) <= MESSAGE_BYTES


def test_a_long_path_is_cut_between_characters():
    with pytest.raises(InvalidInput) as raised:
        parse(Named, {"counts": {"😀" * 100: {"😀" * 100: "x"}}}, "x")

    [line] = str(raised.value).splitlines()[1:]
    path, _, problem = line.strip().partition(": ")
    assert path.endswith("😀…")
    assert PATH_BYTES - 4 < len(path.encode()) <= PATH_BYTES
    assert problem.startswith("it has to be a whole number")


def test_a_long_problem_is_cut():
    with pytest.raises(InvalidInput) as raised:
        parse(Wordy, {"word": "x"}, "x")

    [line] = str(raised.value).splitlines()[1:]
    assert line.startswith("  word: too long too long")
    assert line.endswith("…")
    assert len(line.encode()) < 200


# --- JSON that a person wrote ---------------------------------------------------------------------


def refused(text: str) -> str:
    with pytest.raises(InvalidInput) as raised:
        read_json(text, "the plan of X")
    return str(raised.value)


@given(JSON)
def test_json_is_read_as_it_was_written(value):
    with suppress(InvalidInput):  # deeper than any plan, or a number that JSON does not have
        assert read_json(json.dumps(value), "x") == value


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('{"a": 1, "a": 2}', ["a"]),
        ('{"a": 1, "a": 1, "a": 1}', ["a"]),
        ('{"b": [{"c": 1}, {"a": {}, "a": {"c": 1, "c": 2}}]}', ["b.1.a", "b.1.a.c"]),
        ('[{"a": 1, "a": 2, "b": 1, "b": 2}]', ["0.a", "0.b"]),
        ('{"": 1, "": 2}', [""]),
        (r'{"a": 1, "\u0061": 2}', ["a"]),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_path(text, paths):
    lines = refused(text).splitlines()

    assert lines[0] == "the plan of X is not valid:"
    assert lines[1:] == [f"  {path}: this name stands there more than once" for path in paths]


def test_many_keys_that_are_there_twice_are_twenty_and_a_number():
    doubled = ", ".join(f'"{n}": 1, "{n}": 2' for n in range(1_000))

    lines = refused(f"{{{doubled}}}").splitlines()

    assert (len(lines), lines[-1]) == (22, "  and 980 more")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("times", [10, 1_000, 100_000])
def test_json_that_is_deeper_than_any_plan_is_refused_before_it_is_parsed(opening, times):
    assert refused(opening * times) == (
        "the plan of X is not valid:\n  as a whole: it is nested deeper than 9 levels"
    )


def test_brackets_in_text_are_no_nesting():
    text = json.dumps({"a": "[" * 100, "\\": '"{[' * 100})

    assert read_json(text, "x") == json.loads(text)


def test_nine_levels_are_read_and_ten_are_not():
    assert read_json("[" * 9 + "]" * 9, "x")
    assert "deeper" in refused("[" * 10 + "]" * 10)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": }', "{'a': 1}", "plan", "\ufeff{}", "9" * 5_000, '"\\', '"' * 5_001]
)
def test_text_that_is_no_json_is_refused(text):
    assert refused(text).startswith("the plan of X is not JSON: ")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_numbers_that_json_does_not_have_are_refused(text):
    assert refused(text).startswith("the plan of X is not JSON: ")


@pytest.mark.parametrize("value", ["text", 5, {"count": "many"}, {"more": 1}, []])
def test_a_tolerant_field_with_a_wrong_value_is_read_as_absent(value):
    assert parse(Tolerant, {"inner": value}, "x") == Tolerant()


def test_a_tolerant_field_with_a_valid_value_is_read():
    assert parse(Tolerant, {"inner": {"count": 1}}, "x").inner == Inner(count=1)
