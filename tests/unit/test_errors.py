"""What the cause of a failed task says to people."""

from __future__ import annotations

import json

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput, Superseded, reason_of


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


@pytest.mark.parametrize(
    "cause",
    ["a task failed", "", "{", "[1]", "5", "null", '"text"', "{}", '{"errorType": "KeyError"}'],
)
def test_a_cause_that_is_no_error_of_lambda_is_reported_as_it_is(cause):
    assert reason_of(cause) == cause
