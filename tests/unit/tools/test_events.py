"""The recorded events fit the functions that they are for."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from slipway.deployment.beginning import Start
from slipway.deployment.finish import Ending
from slipway.deployment.operate import Action
from slipway.deployment.resolve_rollback import ManualRollback
from slipway.notices.news import News
from slipway.notices.notice import Notice
from slipway.notices.publish import attributes_of
from slipway.release.named import NamedRecovery, NamedRelease, parse_named
from slipway.release.release import Started
from slipway.release.resolve import ManualStart
from tests.support.paths import REPO

# The functions whose input is one of slipway's own values; the others have an Input.
INPUTS: dict[str, type[BaseModel]] = {
    "begin_deployment": Start,
    "finish_deployment": Ending,
    "notify": News,
    "operate": Action,
    "resolve_release": Started,
    "resolve_rollback": Started,
}
# Sweep looks at no field of its own, and NotifySlack reads a message's body. Both have tests here.
READ_OTHERWISE = {"sweep", "notify_slack"}
FUNCTIONS = sorted(path.stem for path in (REPO / "functions").glob("*.py"))
NAMES = [*FUNCTIONS, *(f"bad/{function}" for function in FUNCTIONS)]
# No state of a machine runs them: CloudFormation, a rule, a schedule, a queue and a person do.
NO_STEPS = {"put_first_image", "reserve_prefix", "recover", "sweep", "notify_slack", "operate"}


class AnyTag(yaml.CSafeLoader):
    """Takes CloudFormation's tags for what they hold."""


AnyTag.add_multi_constructor(
    "!",
    lambda loader, _suffix, node: (
        loader.construct_yaml_str(node) if isinstance(node, yaml.ScalarNode) else None
    ),
)


def event(name: str) -> Any:
    return json.loads((REPO / "events" / f"{name}.json").read_text())


def files(folder: str) -> set[str]:
    """The names of a folder's files, without their ending."""
    return {path.stem for path in (REPO / folder).glob("*.json")}


def globals_of_functions() -> dict[str, Any]:
    """What the template gives every function."""
    template = yaml.load((REPO / "template.yaml").read_text(), AnyTag)
    return dict(template["Globals"]["Function"])


def functions() -> dict[str, Any]:
    """The properties of the template's functions, by their logical ids."""
    template = yaml.load((REPO / "template.yaml").read_text(), AnyTag)
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_event_fits_the_input_of_its_function(name: str) -> None:
    function = name.removeprefix("bad/")
    if function not in READ_OTHERWISE:
        model = INPUTS.get(function) or importlib.import_module(function).Input
        model.model_validate(event(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_to_every_event_is_recorded(name: str) -> None:
    assert (REPO / "events" / "answers" / f"{name}.json").is_file()


def test_no_event_and_no_answer_is_of_a_function_that_is_not_there() -> None:
    starts = {"ecr_push", "manual_start", "manual_rollback"}
    assert files("events") - starts - {"local-env"} == {*FUNCTIONS}
    assert files("events/bad") == files("events/answers") == files("events/answers/bad")
    assert files("events/bad") == {*FUNCTIONS}


def test_every_function_has_its_variables_for_sam_local() -> None:
    of_all = set(globals_of_functions()["Environment"]["Variables"])
    variables = event("local-env")
    assert sorted(variables) == sorted(functions())
    for name, properties in functions().items():
        own = properties.get("Environment", {}).get("Variables", {})
        unset = {name for name, value in own.items() if value == "AWS::NoValue"}
        assert set(variables[name]) == (of_all | set(own)) - unset


@pytest.mark.parametrize("name", ["recover", "bad/recover"])
def test_the_event_of_recover_is_one_that_its_rule_delivers(name: str) -> None:
    pattern = functions()["Recover"]["Events"]["ExecutionDied"]["Properties"]["Pattern"]
    recorded = event(name)
    assert recorded["source"] in pattern["source"]
    assert recorded["detail-type"] in pattern["detail-type"]
    assert recorded["detail"]["status"] in pattern["detail"]["status"]


@pytest.mark.parametrize("name", ["sweep", "bad/sweep"])
def test_the_event_of_sweep_is_a_schedules(name: str) -> None:
    recorded = event(name)
    assert (recorded["source"], recorded["detail-type"]) == ("aws.events", "Scheduled Event")


@pytest.mark.parametrize("name", ["notify_slack", "bad/notify_slack"])
def test_the_event_of_notify_slack_is_a_notice_as_its_queue_delivers_it(name: str) -> None:
    [record] = event(name)["Records"]
    assert ":slipway-SlackNotices-" in record["eventSourceARN"]
    notice = Notice.model_validate_json(record["body"])
    attributes = record["messageAttributes"]
    assert {name: of["stringValue"] for name, of in attributes.items()} == attributes_of(notice)


def test_the_push_and_the_manual_start_are_what_starts_a_release() -> None:
    assert event("resolve_release")["start"] == event("ecr_push")
    ManualStart.model_validate(event("manual_start"))


def test_the_manual_rollback_and_what_resolve_rollback_gets_are_manual_rollbacks() -> None:
    for start in (
        event("manual_rollback"),
        event("resolve_rollback")["start"],
        event("bad/resolve_rollback")["start"],
    ):
        ManualRollback.model_validate(start, extra="forbid")


@pytest.mark.parametrize("name", ["begin_deployment", "bad/begin_deployment"])
def test_the_start_of_a_deployment_only_names_a_part_of_a_release(name: str) -> None:
    assert isinstance(parse_named(event(name)["start"]), NamedRelease)


def test_the_executions_that_died_are_the_first_one_of_a_deployment_and_a_recovery_of_it() -> None:
    first, recovery = (event(name)["detail"] for name in ("recover", "bad/recover"))
    named = parse_named(json.loads(recovery["input"]))
    assert isinstance(parse_named(json.loads(first["input"])), NamedRelease)
    assert isinstance(named, NamedRecovery)
    assert named.recover.endswith(f"#{first['name']}")


def test_a_function_has_one_name_in_every_place() -> None:
    handlers = {name: properties["Handler"] for name, properties in functions().items()}
    assert sorted(handlers.values()) == [f"{function}.handler" for function in FUNCTIONS]
    for logical_id, handler in handlers.items():
        assert handler.removesuffix(".handler").replace("_", "") == logical_id.lower()


def test_every_function_is_a_state_but_those_that_no_state_machine_starts() -> None:
    machines = "".join(path.read_text() for path in (REPO / "statemachine").glob("*.yaml"))
    for logical_id, properties in functions().items():
        is_state = f"\n  {logical_id}:\n" in machines
        assert is_state != (properties["Handler"].removesuffix(".handler") in NO_STEPS)
