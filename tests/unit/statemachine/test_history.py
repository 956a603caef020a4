"""A deployment's execution stays below Step Functions' limit of 25,000 events in its history.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html. The events are counted on the
definition: a state is entered and left, a task is scheduled, started and succeeds, and each attempt that is
tried again is scheduled, started and fails.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from localaws.stepfunctions.jsonata import evaluate
from slipway.deployment.beginning import (
    BUSY_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_TURN_SECONDS,
)
from slipway.ledger.ledger import CHANGE_SECONDS, CLOCKS_APART_SECONDS
from slipway.release.plan import MAXIMUM_POLLS, Policy
from tests.support import definitions
from tests.support.definitions import MACHINES

LIMIT = 25_000
STATES: dict[str, Any] = dict(definitions.states(MACHINES["deployment"]))
NEXT = {name: {way for _, way in definitions.ways_out(state)} for name, state in STATES.items()}
LONGEST_TIMEOUT, LONGEST_BAKE, LONGEST_POLL = 21_600, 86_400, 300
PHASES = (
    4  # it has the timeout to begin, to become healthy, to recover after the bake, and to roll back
)
# A deployment can't begin while another one changes the service, whose mark is over after this time.
BUSY_ROUNDS = math.ceil((CHANGE_SECONDS + CLOCKS_APART_SECONDS) / BUSY_SECONDS)
TAKEOVERS = 8
"""Deployments that change the service one after the other, just before this one can begin."""


def retries(state: dict[str, Any]) -> int:
    """The most attempts that are tried again, where an error has one retrier."""
    return max((retrier["MaxAttempts"] for retrier in state.get("Retry", [])), default=0)


def events(name: str, tried_again: int) -> int:
    """The events of passing through a state once."""
    task = 3 + 3 * tried_again if STATES[name]["Type"] == "Task" else 0
    return 2 + task


def rounds() -> list[tuple[str, ...]]:
    """The ways from each Wait state back to it, which pass no other."""
    waits = {name for name, state in STATES.items() if state["Type"] == "Wait"}

    def onwards(way: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = []
        for following in NEXT[way[-1]] & STATES.keys():
            if following in waits:
                found.append(way)
            elif following not in way:
                found += onwards((*way, following))
        return found

    return [way for wait in waits for way in onwards((wait,))]


def task_of(way: tuple[str, ...]) -> str:
    [task] = [name for name in way if STATES[name]["Type"] == "Task"]
    return task


ROUNDS = {way for way in rounds() if "RollBack" not in way and len(way) == 3}
CHECKS = {task_of(way) for way in ROUNDS}


COPYING = ("RegisterTaskDefinition", "DecideChange", "UpdateService", "DecideUpdate")
COPIES = 5
"""How often the task definition of a service is copied that someone else changes all the time."""


def waited_after(way: tuple[str, ...], poll: int, tried_again: int) -> int:
    """How long the state machine waits after a round, which may have ended in the catch of its check."""
    task = task_of(way)
    catch = STATES[task]["Catch"][-1]
    if catch["Next"] != way[-1]:
        return waited(task, poll, tried_again)
    text = catch["Assign"]["wait_seconds"].removeprefix("{%").removesuffix("%}")
    seconds: int = evaluate(text, {"deployment": {"policy": {"poll_seconds": poll}}})
    return seconds


def waited(task: str, wait_seconds: int, tried_again: int | None) -> int:
    """How long the state machine waits after a task that said how long, and was tried again so often."""
    state = {} if tried_again is None else {"RetryCount": tried_again}
    seconds: int = evaluate(
        STATES[task]["Assign"]["wait_seconds"].removeprefix("{%").removesuffix("%}"),
        {
            "states": {
                "result": {"Payload": {"wait_seconds": wait_seconds}},
                "context": {"State": state},
            }
        },
    )
    return seconds


def fixed() -> int:
    """The events of everything but the rounds: each state once with all of its retries, and what is rare."""
    once = sum(events(name, retries(state)) for name, state in STATES.items())
    copies = COPIES * sum(events(name, retries(STATES[name])) for name in COPYING)
    busy = TAKEOVERS * BUSY_ROUNDS * max(events_of(way, 0) for way in ROUNDS)
    # The last round of each phase may begin just before its time is over, and a bake has a shorter one.
    slack = (PHASES + 1) * max(events_of(way, retries(STATES[task_of(way)])) for way in ROUNDS)
    return once + copies + busy + slack + turns()


def turns() -> int:
    """The events of waiting for a turn for as long as that may take; a longer poll makes fewer.

    A round that is tried again adds events in proportion to the time that the state machine then waits.
    """
    [way] = [way for way in ROUNDS if task_of(way) == "BeginDeployment"]
    waited, rounds = 0, 0
    while waited < LONGEST_TURN_SECONDS:
        waited += min(LONGEST_PAUSE_SECONDS, max(1, waited // 10))
        rounds += 1
    return rounds * events_of(way, 0)


def events_of(way: tuple[str, ...], tried_again: int) -> int:
    return sum(events(name, tried_again) for name in way)


def test_a_task_definition_is_copied_so_often_at_most() -> None:
    again = [choice for choice in STATES["DecideUpdate"]["Choices"] if choice["Next"] == COPYING[0]]
    assert [choice["Condition"] for choice in again] == [f"{{% $copies < {COPIES} %}}"]


def test_nothing_but_rounds_of_a_wait_and_a_check_is_repeated() -> None:
    assert {way[0] for way in ROUNDS} == {
        name for name, state in STATES.items() if state["Type"] == "Wait"
    }
    assert {"BeginDeployment", "CheckDeployment", "CheckRollBack"} == CHECKS
    once = {
        state: ways - CHECKS - ({COPYING[0]} if state == COPYING[-1] else set())
        for state, ways in NEXT.items()
    }
    assert [name for name in STATES if _reaches(name, name, once)] == []
    assert all(_reaches(name, name, NEXT) for name in CHECKS)


def _reaches(start: str, end: str, ways: dict[str, set[str]]) -> bool:
    seen, ahead = set(), [start]
    while ahead:
        for following in ways.get(ahead.pop(), set()) - seen:
            if following == end:
                return True
            seen.add(following)
            ahead.append(following)
    return False


def test_every_wait_is_as_long_as_its_check_has_said() -> None:
    assert {STATES[way[0]]["Seconds"] for way in ROUNDS} == {"{% $wait_seconds %}"}


@pytest.mark.parametrize("task", sorted(CHECKS))
@pytest.mark.parametrize("wait_seconds", [0, 1, 2, 15, 300])
def test_a_check_that_was_not_tried_again_waits_as_long_as_it_says(
    task: str, wait_seconds: int
) -> None:
    assert waited(task, wait_seconds, 0) == waited(task, wait_seconds, None) == wait_seconds


@pytest.mark.parametrize("task", sorted(CHECKS))
def test_no_wait_is_longer_than_the_longest_time_between_two_checks(task: str) -> None:
    tried_again = retries(STATES[task])
    if task == "BeginDeployment":
        assert waited(task, LONGEST_PAUSE_SECONDS, tried_again) == 3 * LONGEST_PAUSE_SECONDS
    else:
        assert waited(task, LONGEST_POLL, tried_again) == LONGEST_POLL


@pytest.mark.parametrize("poll", [1, 2, 15, 30, 60, 69, 70, 99, 100, 101, 150, 299, 300])
def test_the_longest_deployment_fits_into_the_history_however_often_its_checks_are_tried_again(
    poll: int,
) -> None:
    longest = min(PHASES * LONGEST_TIMEOUT + LONGEST_BAKE, MAXIMUM_POLLS * poll)
    most = max(
        events_of(way, tried_again) * longest / waited_after(way, poll, tried_again)
        for way in ROUNDS
        for tried_again in range(retries(STATES[task_of(way)]) + 1)
    )
    assert most + fixed() <= LIMIT


@pytest.mark.parametrize("poll", [1, 15, 30])
def test_a_policy_may_be_so_long_and_no_longer(poll: int) -> None:
    timeout = min(LONGEST_TIMEOUT, MAXIMUM_POLLS * poll // 8)
    bake = MAXIMUM_POLLS * poll - PHASES * timeout
    Policy(timeout_seconds=timeout, bake_seconds=bake, poll_seconds=poll)
    with pytest.raises(ValueError, match="poll_seconds is too short"):
        Policy(timeout_seconds=timeout, bake_seconds=bake + 1, poll_seconds=poll)
