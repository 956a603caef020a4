"""The definitions of the state machines, as files and as graphs of transitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from tests.support.paths import REPO

NAMES = ("deployment", "release", "rollback")
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Transition(NamedTuple):
    """One way out of a state."""

    state: str
    via: str
    """``Next``, ``End``, ``Default``, ``Choices[0]``, ``Catch[0]``."""
    next: str
    """The next state, or the end."""


def text(name: str) -> str:
    """The text of the definition's file."""
    return (REPO / "statemachine" / f"{name}.asl.yaml").read_text()


def load(name: str, values: dict[str, str]) -> dict[str, Any]:
    """The definition with its placeholders replaced, as DefinitionSubstitutions of the template does."""
    filled = PLACEHOLDER.sub(lambda m: values[m[1]], text(name))
    definition: dict[str, Any] = yaml.load(filled, yaml.CSafeLoader)
    return definition


def unfilled(name: str) -> dict[str, Any]:
    """The definition with each placeholder replaced by its own name."""
    return load(name, {placeholder: placeholder for placeholder in PLACEHOLDER.findall(text(name))})


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state with its name, including the states within a Map."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def ways_out(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The ways out of a state, each with the next state."""
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(state.get(field, [])):
            yield f"{field}[{index}]", rule["Next"]
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    if state.get("End") or state["Type"] in ("Succeed", "Fail"):
        yield "End", "the end"


def transitions(machine: dict[str, Any]) -> set[Transition]:
    """Every transition that the definition allows."""
    return {
        Transition(name, via, next_state)
        for name, state in states(machine)
        for via, next_state in ways_out(state)
    }


def mark(machine: dict[str, Any]) -> None:
    """Make every rule, catcher and default of the definition record that it was taken.

    An execution's history says which state came next, but not which of two rules led there. So each of them
    assigns a variable of its own, which no state reads but the history shows.
    """
    for name, state in states(machine):
        for field in ("Choices", "Catch"):
            for index, rule in enumerate(state.get(field, [])):
                rule.setdefault("Assign", {})[f"left_{name}"] = f"{field}[{index}]"
        if state["Type"] == "Choice":
            state.setdefault("Assign", {})[f"left_{name}"] = "Default"


def taken(machine: dict[str, Any], history: list[dict[str, Any]]) -> set[Transition]:
    """The transitions of a marked state machine that an execution took."""
    left = []
    for event in history:
        exited = event.get("stateExitedEventDetails")
        if exited:
            name = exited["name"]
            mark_left = exited.get("assignedVariables", {}).get(f"left_{name}")
            left.append((name, mark_left.strip('"') if mark_left else None))
        elif event["type"] == "FailStateEntered":  # the only state that is never exited
            left.append((event["stateEnteredEventDetails"]["name"], None))
    found = dict(states(machine))
    return {
        Transition(name, via, next_state)
        for name, marked in left
        for via, next_state in ways_out(found[name])
        if via == marked or (marked is None and via in ("Next", "End"))
    }


MACHINES = {name: unfilled(name) for name in NAMES}


class Template(yaml.CSafeLoader):
    """A loader for template.yaml that does not evaluate CloudFormation's functions."""


Template.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((REPO / "template.yaml").read_text(), Template)
    return loaded
