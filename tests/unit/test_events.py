"""The recorded events fit the functions that they are for."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.beginning import ManualRollback, Start
from slipway.finish import Ending
from slipway.news import News
from slipway.notice import Notice
from slipway.publish import attributes_of
from slipway.resolve import ManualStart

ROOT = Path(__file__).parent.parent.parent
# The functions whose input is one of slipway's own values; the others have an Input.
INPUTS = {"begin_deployment": Start, "finish_deployment": Ending, "notify": News}
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
# No state of a machine runs them: CloudFormation, a rule, a schedule and a topic do.
NO_STEPS = {"put_first_image", "recover", "sweep", "tell_slack"}


class AnyTag(yaml.SafeLoader):
    """Takes CloudFormation's tags for what they hold."""


AnyTag.add_multi_constructor(
    "!",
    lambda loader, _suffix, node: (
        loader.construct_yaml_str(node) if isinstance(node, yaml.ScalarNode) else None
    ),
)


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def functions() -> dict[str, Any]:
    """The properties of the template's functions, by their logical ids."""
    template = yaml.load((ROOT / "template.yaml").read_text(), AnyTag)
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@pytest.mark.parametrize("function", sorted({*FUNCTIONS} - {"sweep", "tell_slack"}))
def test_every_function_that_reads_its_input_has_an_event_that_fits_it(function: str) -> None:
    model = INPUTS.get(function) or importlib.import_module(function).Input
    model.model_validate(event(function))


def test_the_event_of_recover_is_one_that_its_rule_delivers() -> None:
    pattern = functions()["Recover"]["Events"]["ExecutionDied"]["Properties"]["Pattern"]
    recorded = event("recover")
    assert recorded["source"] in pattern["source"]
    assert recorded["detail-type"] in pattern["detail-type"]
    assert recorded["detail"]["status"] in pattern["detail"]["status"]


def test_the_event_of_sweep_is_a_schedules() -> None:
    recorded = event("sweep")
    assert (recorded["source"], recorded["detail-type"]) == ("aws.events", "Scheduled Event")


def test_the_event_of_tell_slack_is_a_notice_as_sns_delivers_it() -> None:
    [record] = event("tell_slack")["Records"]
    notice = Notice.model_validate_json(record["Sns"]["Message"])
    attributes = record["Sns"]["MessageAttributes"]
    assert {name: of["Value"] for name, of in attributes.items()} == attributes_of(notice)


def test_the_push_and_the_manual_start_are_what_starts_a_release() -> None:
    assert event("resolve_release")["start"] == event("ecr_push")
    ManualStart.model_validate(event("manual_start"))


def test_the_manual_rollback_is_what_starts_a_rollback_by_hand() -> None:
    ManualRollback.model_validate(event("manual_rollback"))


def test_a_function_has_one_name_in_every_place() -> None:
    handlers = {name: properties["Handler"] for name, properties in functions().items()}
    assert sorted(handlers.values()) == [f"{function}.handler" for function in FUNCTIONS]
    for logical_id, handler in handlers.items():
        assert handler.removesuffix(".handler").replace("_", "") == logical_id.lower()


def test_every_function_is_a_state_but_those_that_something_else_starts() -> None:
    machines = "".join(path.read_text() for path in (ROOT / "statemachine").glob("*.yaml"))
    for logical_id, properties in functions().items():
        is_state = f"\n  {logical_id}:\n" in machines
        assert is_state != (properties["Handler"].removesuffix(".handler") in NO_STEPS)
