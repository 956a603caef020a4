"""What the cause of a failed task says to people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import (
    MESSAGE_LENGTH,
    AwsRefused,
    AwsUnavailable,
    InvalidInput,
    Superseded,
    reason_of,
)

CAUSE_LENGTH = 32_768
"""The characters that Step Functions keeps of a Cause."""


def lambda_cause(error: Exception) -> str:
    """What Lambda makes of an error, with its stack trace."""
    kind, said = type(error).__name__, str(error)
    trace = ["  File x.py, line 1, in handler"]
    return json.dumps({"errorMessage": said, "errorType": kind, "stackTrace": trace})


@pytest.mark.parametrize("kind", [InvalidInput, AwsRefused, AwsUnavailable, Superseded])
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

    assert said.startswith(reason.removeprefix("an error: ").removesuffix("…"))
    assert "stackTrace" not in reason
    assert len(reason) > min(length, 2_000)


@pytest.mark.parametrize("end", ["\\", "\\u", "\\u00", "\\ud83d", "", '"', '", "errorT'])
def test_a_cause_may_be_cut_anywhere(end):
    assert reason_of('{"errorMessage": "the end' + end) == "an error: the end…"


@pytest.mark.parametrize("kind", [InvalidInput, AwsRefused, AwsUnavailable, Superseded])
def test_a_message_of_slipways_own_is_cut_before_step_functions_would(kind):
    error = kind("\x1b" * 1_000_000)

    assert str(error).endswith("…")
    assert len(str(error)) == MESSAGE_LENGTH
    assert reason_of(lambda_cause(kind("x" * MESSAGE_LENGTH))) == "x" * MESSAGE_LENGTH


@pytest.mark.parametrize(
    "cause",
    ["a task failed", "", "{", "[1]", "5", "null", '"text"', "{}", '{"errorType": "KeyError"}'],
)
def test_a_cause_that_is_no_error_of_lambda_is_reported_as_it_is(cause):
    assert reason_of(cause) == cause
