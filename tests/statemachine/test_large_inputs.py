"""Inputs of executions that are as large as Step Functions takes them, which no step could be given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.notices.news import News
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import MANUAL, PUSH, Failure

LARGEST = 262_144
"""Bytes."""
LONGEST = 30_000
"""Characters of an input that is read."""
BY_JO = {"service": "production/api", "by": "jo"}
STARTS: dict[str, dict[str, Any]] = {
    "a push": PUSH,
    "a manual start": MANUAL,
    "a manual rollback": BY_JO,
    "a deployment": {"release": "r-1", "stage": "production", "service": "production/api"},
}
MACHINE_OF = {"a manual rollback": "rollback", "a deployment": "deployment"}


def grown(start: dict[str, Any], size: int, letter: str = "x") -> dict[str, Any]:
    """The input with a field more, so that it has this size as JSON, in bytes."""
    around = len(json.dumps({**start, "more": ""}).encode())
    return {**start, "more": letter * ((size - around) // len(json.dumps(letter)[1:-1]))}


def run(machines: Machines, kind: str, size: int, letter: str = "x", **script: Any) -> Run:
    machine: Machine = getattr(machines, MACHINE_OF.get(kind, "release"))
    return machine.run(grown(STARTS[kind], size, letter), **script)


@pytest.mark.parametrize("letter", ["x", "\x00", "é"])
@pytest.mark.parametrize("kind", STARTS)
def test_an_input_that_no_step_can_be_given_ends_failed_and_people_are_notified(
    machines: Machines, kind: str, letter: str
) -> None:
    ended = run(machines, kind, LARGEST, letter)
    assert (ended.status, ended.error) == (
        "FAILED",
        "FAILED" if kind in MACHINE_OF else "ReleaseFailed",
    )
    notified = News.model_validate(ended.called("Notify"))
    assert (notified.outcome, notified.service, notified.by) == ("FAILED", None, None)
    assert notified.cause == "CONFIGURATION"
    if kind != "a deployment":
        assert "the input of the execution has more than 30,000 characters" in str(ended.cause)
        assert ended.calls.keys() == {"Notify"}
    assert len(json.dumps(ended.calls)) < LONGEST, "nothing of it goes on"


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("a push", "ResolveRelease"),
        ("a manual start", "ResolveRelease"),
        ("a manual rollback", "ResolveRollback"),
        ("a deployment", "BeginDeployment"),
    ],
)
def test_a_long_input_is_still_read(machines: Machines, kind: str, function: str) -> None:
    wrong = Failure("InvalidInput", "it has a field that nobody knows")
    ended = run(machines, kind, LONGEST - 500, **{function: wrong})
    assert len(ended.called(function)["start"]["more"]) > LONGEST - 2_000
    assert ended.cause == wrong.message
