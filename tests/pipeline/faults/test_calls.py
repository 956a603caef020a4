"""Whatever call to AWS fails, in whatever way: an honest end, a good service, no lock, and people know."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from localaws.faults import faults
from tests.conftest import FAULT_RUNS
from tests.support.account import Account
from tests.support.stories import (
    STORIES,
    Call,
    Story,
    a_shop,
    calls_in,
    problems_of,
    wait_for_end,
)
from tests.support.waiting import wait_for

AT_ONCE = 4
MET_SECONDS = 60  # after the end of the story
FAULTS: dict[str, dict[str, Any]] = {
    "throttled three times": {"how": "throttle", "times": 3},
    "server error": {"how": "error"},
    "done, but the answer is lost": {"how": "lose"},
    "access denied": {"how": "deny"},
    "killed": {"how": "kill"},
}


@pytest.fixture(scope="module")
def calls(account: Account) -> dict[str, list[Call]]:
    """The calls of each story, by its name."""
    return {name: calls_in(account, story) for name, story in STORIES.items()}


pytestmark = pytest.mark.usefixtures("no_pushes")

ALONE = {
    Call("BeginDeployment", "ssm:GetParameter", 1): "/slipway/freeze",
    Call("BeginDeployment", "dynamodb:GetItem", 1): '"freeze"',
}
"""The calls of the way forth that are the same for every shop, and what is in them: they are tried alone."""


def try_out(
    account: Account, story: Story, call: Call, fault: dict[str, Any], aimed_at: str = ""
) -> list[str]:
    """What is wrong at the end of the story where this call failed."""
    with closing(a_shop(account)) as shop:
        added = faults.add(
            action=call.action,
            function=account.functions()[call.function],
            call=call.number,
            containing=aimed_at or shop.name,
            **fault,
        )
        story.start(shop)
        try:
            wait_for_end(shop)
            # Recover is still invoked for an execution that has ended as it should.
            wait_for(lambda: faults.get(added)["hits"], f"the fault in {call}", MET_SECONDS)
        except AssertionError as late:
            return [f"{call}: {late}: {shop.service}: {shop.record()}, {shop.history()}"]
        finally:
            met = faults.remove(added)
        return [f"{call}: {wrong}" for wrong in problems_of(shop, fault["how"], story, met)]


def _alike(one: Call, other: Call) -> bool:
    return (one.function, one.action) == (other.function, other.action)


@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize("story", STORIES)
def test_a_call_that_fails_leads_to_an_honest_end(
    account: Account,
    calls: dict[str, list[Call]],
    story: str,
    how: str,
    record_property: Callable[[str, int], None],
) -> None:
    alone = ALONE if story == "forth" else {}
    together = list(calls[story])
    for (
        call
    ) in alone:  # of the calls of this action, those of the shop itself have the lower numbers
        together.remove(max((c for c in together if _alike(c, call)), key=lambda c: c.number))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda call: try_out(account, STORIES[story], call, FAULTS[how]), together)
        problems = [problem for wrong in found for problem in wrong]
    for call, aimed_at in alone.items():
        problems += try_out(account, STORIES[story], call, FAULTS[how], aimed_at)
    assert problems == []
    assert len(together) >= 3
    record_property(FAULT_RUNS, len(together) + len(alone))
