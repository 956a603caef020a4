"""Values that cross a step's border."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from slipway.errors import InvalidInput
from slipway.model import Model, parse
from tests.unit.builders import NOW


class Inner(Model):
    count: int


class Outer(Model):
    when: datetime
    inner: Inner


def said(value: object) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse(Outer, value, "the input of X")
    return str(raised.value)


def test_what_was_written_as_json_is_read_back_equal():
    outer = Outer(when=NOW, inner=Inner(count=1))

    assert parse(Outer, outer.to_json(), "x") == outer


def test_a_value_cannot_be_changed():
    with pytest.raises(ValidationError):
        Inner(count=1).count = 2


def test_the_message_says_where_and_names_every_wrong_field_with_its_path():
    message = said({"inner": {"count": "many", "more": 1}})

    assert message.startswith("the input of X is not valid:\n")
    assert [line.strip().partition(":")[0] for line in message.splitlines()[1:]] == [
        "when",
        "inner.count",
        "inner.more",
    ]


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_is_wrong_as_a_whole(value):
    assert "\n  as a whole: " in said(value)
