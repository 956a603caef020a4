"""Every way through the state machines has been taken, by the tests of this folder's other files.

They have to run before it, which the order of the files' names sees to.
"""

from __future__ import annotations

import pytest

from tests.support import definitions
from tests.support.machines import Machines


@pytest.mark.usefixtures("everything_else_ran")
@pytest.mark.parametrize("name", definitions.NAMES)
def test_every_transition_of_the_state_machine_is_taken_by_a_test(
    machines: Machines, name: str
) -> None:
    allowed = definitions.transitions(definitions.unfilled(name))
    assert allowed - machines.transitions(name) == set()
