"""What is asked of every state of the state machines, whatever way an execution takes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import definitions
from tests.support.definitions import MACHINES, template
from tools import lint_state_machines

STATES = {
    f"{machine}.{name}": state
    for machine, definition in MACHINES.items()
    for name, state in definitions.states(definition)
}
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
# Tried again whatever the error: a bad version has to go; as long as the ledger does not know the end, the
# service is not free; and people are to hear of it.
STUBBORN = ("deployment.RollBack", "deployment.FinishDeployment", "deployment.Notify")
# Something waits for it, and goes on without it.
HASTY = ("deployment.NotifyStart", "release.NotifyStage")
# Made again after the next wait, until the deployment is out of time.
CHECKS = ("deployment.CheckDeployment", "deployment.CheckRollBack")
OTHERS = {name: task for name, task in TASKS.items() if name not in STUBBORN + HASTY + CHECKS}


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_comment(state: str) -> None:
    assert len(STATES[state]["Comment"]) > 10


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_timeout(task: str) -> None:
    assert TASKS[task]["TimeoutSeconds"] > 0


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_tried_again_after_growing_pauses_with_full_jitter(task: str) -> None:
    for retrier in [r for r in TASKS[task]["Retry"] if r["MaxAttempts"] != 0]:
        assert retrier["BackoffRate"] > 1
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["MaxAttempts"] > 1
        assert retrier["IntervalSeconds"] < retrier["MaxDelaySeconds"]


@pytest.mark.parametrize("task", TASKS)
def test_no_error_of_a_task_ends_an_execution_half_done(task: str) -> None:
    assert TASKS[task]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


def test_every_step_but_those_that_must_not_be_left_out_is_retried_after_the_same_errors() -> None:
    steps = [task for task in OTHERS.values() if task["Resource"].endswith("lambda:invoke")]
    assert len(steps) > 2
    assert all(step["Retry"] == steps[0]["Retry"] for step in steps)


def test_a_step_that_only_notifies_is_tried_again_after_the_same_errors_but_not_for_long() -> None:
    step = OTHERS["deployment.RegisterTaskDefinition"]
    for name in HASTY:
        assert TASKS[name]["Retry"] == [{**step["Retry"][0], "MaxAttempts": 2}]
        assert TASKS[name]["Catch"][0]["Next"] == TASKS[name]["Next"], "it goes on all the same"


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_fails_is_soon_left_to_the_next_one_until_the_deadline(name: str) -> None:
    step = OTHERS["deployment.RegisterTaskDefinition"]
    assert TASKS[name]["Retry"] == [{**step["Retry"][0], "MaxAttempts": 2}]
    [caught] = TASKS[name]["Catch"]
    decision = STATES[f"deployment.{caught['Next']}"]
    [again] = decision["Choices"]
    assert "$deadline" in again["Condition"]
    waiting = STATES[f"deployment.{again['Next']}"]
    assert f"deployment.{waiting['Next']}" == name


def test_every_step_has_the_same_timeout() -> None:
    steps = [task for task in TASKS.values() if task["Resource"].endswith("lambda:invoke")]
    assert len({step["TimeoutSeconds"] for step in steps}) == 1


def test_no_step_but_those_that_must_not_be_left_out_is_retried_after_what_will_not_pass() -> None:
    retried = {
        error for task in OTHERS.values() for r in task["Retry"] for error in r["ErrorEquals"]
    }
    will_not_pass = {
        *("States.ALL", "States.TaskFailed"),
        *("InvalidInput", "AwsRefused", "Refused", "Superseded", "SupersededByPerson"),
    }
    assert not retried & will_not_pass


@pytest.mark.parametrize("task", STUBBORN)
def test_rolling_back_and_writing_and_notifying_the_end_is_tried_after_every_error_for_a_quarter_of_an_hour(
    task: str,
) -> None:
    *never, retrier = TASKS[task]["Retry"]
    assert all(other["MaxAttempts"] == 0 for other in never)
    assert retrier["ErrorEquals"] == ["States.ALL"]
    longest = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    ]
    assert sum(longest) > 900


def test_only_the_steps_that_check_the_input_of_a_deployment_are_given_it() -> None:
    given = {
        name.partition(".")[2]
        for name, task in TASKS.items()
        if name.startswith("deployment.") and reads_the_input(task["Arguments"])
    }
    assert given == {"BeginDeployment", "FinishDeployment"}


def test_a_deployment_keeps_of_its_input_only_the_input_as_a_whole() -> None:
    kept = {
        f"{name}.{variable}"
        for name, state in definitions.states(MACHINES["deployment"])
        for rule in (state, *state.get("Catch", []), *state.get("Choices", []))
        for variable, value in rule.get("Assign", {}).items()
        if reads_the_input(value) and variable != "outcome"
    }
    assert kept == {"AcceptDeployment.start"}


def reads_the_input(value: Any) -> bool:
    """Whether an expression reads the input of the execution."""
    return any(
        "$start" in e or "$states.input" in e for e in lint_state_machines.expressions(value)
    )


@pytest.mark.parametrize("machine", ["release", "rollback"])
def test_a_deployment_is_given_only_the_name_and_input_that_were_recorded(machine: str) -> None:
    [start] = [
        task
        for name, task in TASKS.items()
        if name.startswith(machine) and "startExecution" in task["Resource"]
    ]
    arguments = start["Arguments"]
    recorded = {"release": "$states.input", "rollback": "$deployment"}[machine]
    assert arguments["Name"] == f"{{% {recorded}.name %}}"
    assert arguments["Input"] == f"{{% {recorded}.input %}}"


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name: str) -> None:
    definition = MACHINES[name]
    inner = [s["ItemProcessor"] for _, s in definitions.states(definition) if "ItemProcessor" in s]
    reached = {machine["StartAt"] for machine in (definition, *inner)}
    transitions = definitions.transitions(definition)
    while more := {t.next for t in transitions if t.state in reached} - reached - {"the end"}:
        reached |= more
    assert reached == {state for state, _ in definitions.states(definition)}


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_is_in_jsonata_and_has_a_timeout(name: str) -> None:
    assert MACHINES[name]["QueryLanguage"] == "JSONata"
    assert MACHINES[name]["TimeoutSeconds"] > 0


@pytest.mark.parametrize("name", MACHINES)
def test_the_template_fills_every_placeholder_and_no_other(name: str) -> None:
    machine = template()["Resources"][f"{name.capitalize()}StateMachine"]["Properties"]
    assert machine["DefinitionUri"] == f"statemachine/{name}.asl.yaml"
    used = set(definitions.PLACEHOLDER.findall(definitions.text(name)))
    assert machine["DefinitionSubstitutions"].keys() == used


@pytest.mark.parametrize("path", lint_state_machines.DEFINITIONS, ids=lambda path: path.stem)
def test_every_definition_passes_statelint_jsonata_and_awss_schema(path: Any) -> None:
    assert list(lint_state_machines.problems(lint_state_machines.load(path))) == []


def _next_to_nowhere(states: dict[str, Any]) -> None:
    states["AcceptDeployment"]["Next"] = "Nowhere"


def _no_jsonata(states: dict[str, Any]) -> None:
    states["JudgeDeployment"]["Choices"][0]["Condition"] = "{% $verdict = %}"


def _against_the_schema(states: dict[str, Any]) -> None:
    states["BeginDeployment"]["Retry"][0]["JitterStrategy"] = "SOME"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(_next_to_nowhere, "Nowhere"), (_no_jsonata, "$verdict ="), (_against_the_schema, "SOME")],
)
def test_an_error_in_a_definition_is_found(
    spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    definition = copy.deepcopy(MACHINES["deployment"])
    spoil(definition["States"])
    assert any(said in problem for problem in lint_state_machines.problems(definition))
