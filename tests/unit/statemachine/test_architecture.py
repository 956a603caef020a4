"""The pictures in docs/architecture.md show the state machines as they are."""

from __future__ import annotations

import re

import pytest

from tests.support import definitions

DIAGRAM = re.compile(r"### A (\w+)\n+```mermaid\nstateDiagram-v2\n(.*?)```", re.DOTALL)
ARROW = re.compile(r"^ *(\S+) --> ([^\s:]+)", re.MULTILINE)
START = "[*]"


def pictured(name: str) -> set[tuple[str, str]]:
    """The arrows of the diagram under the heading of this name."""
    diagrams = dict(DIAGRAM.findall((definitions.REPO / "docs" / "architecture.md").read_text()))
    return set(ARROW.findall(diagrams[name]))


@pytest.mark.parametrize("name", definitions.NAMES)
def test_the_picture_has_exactly_the_states_and_transitions_of_the_machine(name: str) -> None:
    definition = definitions.unfilled(name)
    arrows = {
        (transition.state, transition.next)
        for transition in definitions.transitions(definition)
        if transition.state in definition["States"] and transition.via != "End"
    }
    assert pictured(name) == arrows | {(START, definition["StartAt"])}
