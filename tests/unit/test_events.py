"""The recorded events fit the steps that they are for."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.message import Ending
from slipway.release import Deployment, ManualStart

ROOT = Path(__file__).parent.parent.parent
# The steps whose input is one of slipway's own values; the others have an Input.
INPUTS = {"begin_deployment": Deployment, "notify": Ending}
STEPS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_an_event_that_fits_its_input(step: str) -> None:
    model = INPUTS.get(step) or importlib.import_module(step).Input
    model.model_validate(event(step))


def test_the_push_and_the_manual_start_are_what_starts_a_release() -> None:
    assert event("resolve_release")["start"] == event("ecr_push")
    ManualStart.model_validate(event("manual_start"))


def test_a_step_has_one_name_in_every_place() -> None:
    class AnyTag(yaml.SafeLoader):
        """Takes CloudFormation's tags for what they hold."""

    AnyTag.add_multi_constructor(
        "!",
        lambda loader, _suffix, node: (
            loader.construct_yaml_str(node) if isinstance(node, yaml.ScalarNode) else None
        ),
    )
    template = yaml.load((ROOT / "template.yaml").read_text(), AnyTag)
    functions = {
        name: resource["Properties"]["Handler"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    machines = "".join(path.read_text() for path in (ROOT / "statemachine").glob("*.yaml"))
    assert sorted(functions.values()) == [f"{step}.handler" for step in STEPS]
    for logical_id, handler in functions.items():
        assert handler.removesuffix(".handler").replace("_", "") == logical_id.lower()
        assert f"\n  {logical_id}:\n" in machines
