"""What the cause of a failed task says to people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import (
    CAUSE_LENGTH,
    MESSAGE_BYTES,
    AwsRefused,
    AwsUnavailable,
    InvalidInput,
    NoTarget,
    Refused,
    SlipwayError,
    Superseded,
    SupersededByPerson,
    reason_of,
)


def lambda_cause(error: Exception) -> str:
    """What Lambda makes of an error, with its stack trace."""
    kind, said = type(error).__name__, str(error)
    trace = ["  File x.py, line 1, in handler"]
    return json.dumps({"errorMessage": said, "errorType": kind, "stackTrace": trace})


KINDS = [
    NoTarget,
    InvalidInput,
    AwsRefused,
    AwsUnavailable,
    Refused,
    Superseded,
    SupersededByPerson,
]


def test_each_way_to_react_has_an_error():
    """Others, such as those of the ledger, are classes of their own modules."""
    kinds = {*SlipwayError.__subclasses__(), *Superseded.__subclasses__()}

    assert {kind for kind in kinds if kind.__module__ == "slipway.errors"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_slipways_own_is_reported_in_its_own_words(kind):
    assert reason_of(lambda_cause(kind("the service is gone"))) == "the service is gone"


def test_any_other_error_is_reported_with_its_kind():
    assert reason_of(lambda_cause(KeyError("id"))) == "KeyError: 'id'"


@pytest.mark.parametrize("error", [InvalidInput(), KeyError()])
def test_an_error_without_words_is_reported_by_its_kind(error):
    assert reason_of(lambda_cause(error)) == type(error).__name__


def test_an_error_without_a_kind_is_an_error():
    assert reason_of('{"errorMessage": "out of memory"}') == "an error: out of memory"


@given(st.text(alphabet='aä😀\n\x1b"\\\u2028', min_size=1), st.integers(1, 40_000), st.booleans())
def test_a_cause_that_step_functions_has_cut_is_reported_as_far_as_it_goes(
    text, length, ascii_only
):
    said = (text * (length // len(text) + 1))[:length]
    error = {"errorMessage": said, "errorType": "KeyError", "stackTrace": ["  File x.py"] * 20_000}
    cause = json.dumps(error, ensure_ascii=ascii_only)[:CAUSE_LENGTH]

    reason = reason_of(cause)

    whole = reason == f"KeyError: {said}"
    assert whole or said.startswith(reason.partition(": ")[2].removesuffix("…"))
    assert whole or length > 2_000
    assert "stackTrace" not in reason


@pytest.mark.parametrize("end", ["\\", "\\u", "\\u00", "\\ud83d", ""])
def test_a_message_may_be_cut_anywhere(end):
    start = '{"errorMessage": "'
    said = "x" * (CAUSE_LENGTH - len(start) - len(end))

    assert reason_of(start + said + end) == f"an error: {said}…"


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ('"', "an error: "),
        ('", "errorTy', "an error: "),
        ('", "errorType": "KeyErr', "an error: "),
        ('", "errorType": "KeyError"', "KeyError: "),
        ('","errorType":"InvalidInput","stackTrace":["  Fi', ""),
    ],
)
def test_a_message_that_is_whole_has_its_kind_if_that_is_not_cut(rest, kind):
    start = '{"errorMessage": "'
    said = "x" * (CAUSE_LENGTH - len(start) - len(rest))

    assert reason_of(start + said + rest) == kind + said


@pytest.mark.parametrize(
    "cause",
    [
        r'{"errorMessage": "C:\path',
        r'{"errorMessage": "C:\qath"}',
        '{"errorMessage": "done"} and more words',
        "[" * CAUSE_LENGTH,
        r'{"errorMessage": "\q' + "x" * CAUSE_LENGTH,
        "x" * CAUSE_LENGTH,
    ],
)
def test_a_text_that_looks_like_an_error_stays_as_it_is(cause):
    assert reason_of(cause) == cause


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_slipways_own_is_cut_before_step_functions_would(kind):
    error = kind("x" * 20_000)

    assert str(error).endswith("…")
    assert len(str(error).encode()) == MESSAGE_BYTES
    assert reason_of(lambda_cause(kind("x" * MESSAGE_BYTES))) == "x" * MESSAGE_BYTES


@pytest.mark.parametrize("letter", ["é", "語", "😀", "\ud800", '"', "\\"])
def test_a_message_fits_into_a_cause_with_its_stack_trace_whatever_its_letters_are(letter):
    error = InvalidInput(letter * 20_000)

    assert len(str(error).encode(errors="replace")) <= MESSAGE_BYTES
    assert len(lambda_cause(error)) <= CAUSE_LENGTH
    assert reason_of(lambda_cause(error)) == str(error)


@pytest.mark.parametrize(
    "cause",
    ["a task failed", "", "{", "[1]", "5", "null", '"text"', "{}", '{"errorType": "KeyError"}'],
)
def test_a_cause_that_is_no_error_of_lambda_is_reported_as_it_is(cause):
    assert reason_of(cause) == cause
