"""The state machines on one local AWS, whose Lambda functions answer what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.awslambda.models import LambdaFunction

from localaws.server import LocalAws
from localaws.stepfunctions import states, stop
from tests.support.machines import Clock, Machines
from tests.support.scripted_functions import Functions

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def machines() -> Iterator[Machines]:
    """Without Docker, SAM or an artifact, and without waiting."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        functions, clock = Functions(aws), Clock()

        def invoke(function, event=None):
            return functions.invoke(function, event)

        patch.setattr(LambdaFunction, "_invoke_lambda", invoke)
        patch.setattr(stop, "pause", clock.pause)
        patch.setattr(states, "now", clock.now)
        yield Machines(aws, functions, clock)


# --- whether all of this folder has run, for test_transitions.py -----------------------------------

RAN = pytest.StashKey[set[str]]()
DESELECTED = pytest.StashKey[bool]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.config.stash[DESELECTED] = True


def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.config.stash.setdefault(RAN, set()).add(item.nodeid)


@pytest.fixture
def everything_else_ran(request: pytest.FixtureRequest) -> None:
    """Skips the test where only a part of this folder was selected, or run by this process so far."""
    stash = request.config.stash
    if stash.get(DESELECTED, False):
        pytest.skip("some tests of this folder were deselected")
    ours = {item.nodeid: item.path for item in request.session.items if item.path.parent == HERE}
    others = {nodeid for nodeid, path in ours.items() if path != request.path}
    if set(HERE.glob("test_*.py")) != set(ours.values()) or not others <= stash.get(RAN, set()):
        pytest.skip("only some tests of this folder have run")
