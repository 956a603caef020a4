"""The shell function ``operate`` of docs/operations.md."""

from __future__ import annotations

import json
import re

import pytest

from tests.support import shells
from tests.support.paths import REPO

PAGE = (REPO / "docs" / "operations.md").read_text()
ONCE = next(
    block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "operate()" in block
)
LIFTING = 'operate \'"action": "release_from_quarantine", "why": "the alarm was wrong"\''


def operated(after: str = "", answer: str | None = None, error: str | None = None) -> shells.Ran:
    return shells.operated(f"{ONCE}\n{LIFTING} {after}", answer, error)


def test_operate_prints_the_answer_to_an_action_in_the_name_of_its_caller() -> None:
    ran = operated(answer='{"done": "it is lifted", "deployments": []}')

    assert (ran.code, ran.said) == (0, "")
    assert json.loads(ran.printed) == {"done": "it is lifted", "deployments": []}
    assert ran.asked == {
        "by": shells.CALLER,
        "action": "release_from_quarantine",
        "why": "the alarm was wrong",
    }
    assert ran.left == []


def test_operate_fails_with_the_message_only_if_the_function_refuses() -> None:
    ran = operated(answer=shells.REFUSAL, error="Unhandled")

    assert (ran.code, ran.printed, ran.said) == (1, "", "the digest is not quarantined\n")
    assert ran.left == []


def test_operate_shows_the_lines_and_the_quotes_of_a_message() -> None:
    answer = json.dumps({"errorMessage": 'the input is not valid:\n  digest: "x" is none'})

    assert operated(answer=answer, error="Unhandled").said.splitlines() == [
        "the input is not valid:",
        '  digest: "x" is none',
    ]


def test_operate_fails_if_aws_denies_the_call() -> None:
    ran = operated(answer=None)

    assert (ran.code, ran.printed) == (1, "")
    assert ran.said.splitlines()[0] == "AccessDeniedException"
    assert ran.left == []


@pytest.mark.parametrize("error", [None, "Unhandled"])
def test_operate_adds_to_a_log_to_which_its_output_goes(error: str | None) -> None:
    answer = shells.REFUSAL if error else '{"done": "it is lifted"}'
    kept = 'echo "an earlier line" >"$HOME/log"; exec >>"$HOME/log" 2>&1'
    ran = shells.operated(
        f'{ONCE}\nexec 3>&1; {kept}; {LIFTING} || true; cat "$HOME/log" >&3', answer, error
    )

    assert ran.printed.startswith("an earlier line\n")
    assert len(ran.printed.splitlines()) == 2
