"""StopExecution in every state of a deployment: ended honestly, nothing left, and people know."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from localaws.faults import faults
from tests.support import definitions
from tests.support.account import Account
from tests.support.stories import (
    HONEST,
    STORIES,
    Story,
    a_shop,
    wait_for_end,
)

pytestmark = pytest.mark.usefixtures("no_pushes")

AT_ONCE = 4
# The states that each story comes through, those of the stories before left out.
ON_THE_WAY = {
    "forth": [
        "AcceptDeployment",
        "BeginDeployment",
        "DecideBeginning",
        "NotifyStart",
        "DecideDirection",
        "RegisterTaskDefinition",
        "DecideChange",
        "UpdateService",
        "DecideUpdate",
        "WaitForTasks",
        "CheckDeployment",
        "JudgeDeployment",
        "Bake",
        "FinishDeployment",
        "DecideNotify",
        "Notify",
        "EndDeployment",
        "EndedWell",
    ],
    "back": [
        "RollBack",
        "DecideRollBack",
        "WaitForRollBack",
        "CheckRollBack",
        "JudgeRollBack",
        "EndedBadly",
    ],
}
ALONE = {"WaitToBegin", "DecideUndo", "DecideUnchecked", "DecideRollBackUnchecked"}
"""Where only another deployment leads one (test_overtaking.py), or a check that fails (test_verdicts.py)."""


def stop(account: Account, story: Story, state: str, when: str) -> list[str]:
    """What is wrong after an execution was stopped in the state."""
    with closing(a_shop(account)) as shop:
        added = faults.add(state=state, how="stop", when=when, containing=shop.service)
        story.start(shop)
        try:
            wait_for_end(shop)
        except AssertionError:
            return [
                f"{state} {when}: {shop.service} does not end: {shop.record()}, {shop.history()}"
            ]
        finally:
            met = faults.remove(added)
        outcomes = [item["outcome"] for item in shop.history()]
        old = shop.running() == shop.v1
        wrong = []
        if met["hits"] != 1:
            wrong.append("nothing was stopped")
        if len(outcomes) != 1 or not set(outcomes) <= HONEST:
            wrong.append(f"its outcomes are {outcomes}")
        if old is (outcomes == ["SUCCEEDED"]):
            wrong.append(f"it ended {outcomes} on the {'old' if old else 'new'} image")
        notified = {mail["attributes"]["outcome"] for mail in shop.mails()}
        if notified != set(outcomes):
            wrong.append(f"people were notified of {notified} of {outcomes}")
        return [f"{state} {when}: {problem}" for problem in wrong]


def test_every_state_of_the_machine_is_stopped_in() -> None:
    states = {name for name, _ in definitions.states(definitions.unfilled("deployment"))}
    assert {state for way in ON_THE_WAY.values() for state in way} | ALONE == states


def test_a_deployment_that_is_stopped_in_any_state_is_recovered(account: Account) -> None:
    tasks = {
        name
        for name, state in definitions.states(definitions.unfilled("deployment"))
        if state["Type"] == "Task"
    }
    cases = [
        (STORIES[story], state, when)
        for story, states in ON_THE_WAY.items()
        for state in states
        for when in ("entered", "running")
        if when == "entered" or state in tasks
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda case: stop(account, *case), cases)
        assert [problem for wrong in found for problem in wrong] == []
