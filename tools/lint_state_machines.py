"""Checks both state machines with statelint, AWS's schema in cfn-lint, and a parser of JSONata.

First it fills the placeholders, as the template's DefinitionSubstitutions do.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonata
import yaml
from statelint.linter import Linter

from localaws.cloudformation.engine.yaml_loader import Loader

DEFINITIONS = sorted((Path(__file__).parent.parent / "statemachine").glob("*.asl.yaml"))


def load(path: Path) -> dict[str, Any]:
    """The definition with a value in place of every placeholder.

    AliasError, if its YAML has an alias or a merge key: AWS refuses those.
    """
    values = {"Partition": "aws", "SettleSeconds": "5", "NotifyNoChange": "false"}
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
    text = re.sub(r"\$\{(\w+)\}", lambda m: values.get(m[1], arn + m[1]), path.read_text())
    definition: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    return definition


def expressions(value: Any) -> Iterator[str]:
    """Every JSONata expression of the definition."""
    if isinstance(value, str) and value.startswith("{%"):
        yield value.removeprefix("{%").removesuffix("%}")
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from expressions(part)


def problems(definition: dict[str, Any]) -> Iterator[str]:
    """Every error in the definition."""
    # In a Wait, statelint 3.1 accepts only a number, although JSONata machines may have an expression
    # there.
    known_gap = re.compile(r'\.Seconds is "\{%.*%\}" but should be an Integer')
    yield from (p for p in Linter.validate(definition) if not known_gap.search(p))
    for expression in expressions(definition):
        try:
            jsonata.Jsonata(expression)
        except jsonata.JException as error:
            yield f"{error} in {expression.strip()}"
    yield from _against_schema(definition)


def _against_schema(definition: dict[str, Any]) -> Iterator[str]:
    # Takes a second to load, also for the tests that only load this module.
    from cfnlint.api import lint

    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": "arn:aws:iam::123456789012:role/any",
            "DefinitionString": json.dumps(definition),
        },
    }
    yield from (str(found) for found in lint(json.dumps({"Resources": {"Machine": machine}})))


def main() -> int:
    """Print every error; return 1 if there is one."""
    found = [f"{path.name}: {p}" for path in DEFINITIONS for p in problems(load(path))]
    print("\n".join(found) or f"{len(DEFINITIONS)} state machines have no errors")  # noqa: T201
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
