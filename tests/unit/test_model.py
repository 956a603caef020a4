"""Values that cross a step's border."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from slipway.errors import InvalidInput
from slipway.model import IfReadable, Model, parse
from tests.support.builders import NOW


class Inner(Model):
    count: int


class Outer(Model):
    when: datetime
    inner: Inner


class Several(Model):
    inner: tuple[Inner, ...] = Field(min_length=1)


class Tolerant(Model):
    inner: Annotated[Inner | None, IfReadable] = None


def said(value: object) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse(Outer, value, "the input of X")
    return str(raised.value)


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
    with pytest.raises(InvalidInput, match=r"\n  inner: Tuple should have at least 1 item"):
        parse(Several, {"inner": []}, "x")


@pytest.mark.parametrize("value", ["text", 5, {"count": "many"}, {"more": 1}, []])
def test_a_tolerant_field_with_a_wrong_value_is_read_as_absent(value):
    assert parse(Tolerant, {"inner": value}, "x") == Tolerant()


def test_a_tolerant_field_with_a_valid_value_is_read():
    assert parse(Tolerant, {"inner": {"count": 1}}, "x").inner == Inner(count=1)
