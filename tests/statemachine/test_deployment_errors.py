"""What a deployment does with the errors of its steps: which it tries again, and where they lead."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.statemachine import definitions
from tests.statemachine.answers import (
    GOOD,
    Failure,
    Rejection,
    deployment,
    failed,
    healthy,
    registration,
)
from tests.statemachine.machines import Machine, Machines

BAD = failed("two tasks failed")
RETRIED = definitions.unfilled("deployment")["States"]["BeginDeployment"]["Retry"][0]
ATTEMPTS = 1 + RETRIED["MaxAttempts"]

# Every Task: its function, what the script has to say so that it is reached, and what it answers.
TASKS: dict[str, tuple[str, dict[str, Any], list[Any], Any]] = {
    "BeginDeployment": ("BeginDeployment", {}, [], GOOD["BeginDeployment"]),
    "RegisterTaskDefinition": ("RegisterTaskDefinition", {}, [], registration()),
    "UpdateService": ("UpdateService", {}, [], GOOD["UpdateService"]),
    "CheckDeployment": ("CheckDeployment", {}, [], healthy(baked=True)),
    "RollBack": ("RollBack", {"CheckDeployment": [BAD, healthy()]}, [], GOOD["RollBack"]),
    "CheckRollBack": ("CheckDeployment", {}, [BAD], healthy()),
    "Notify": ("Notify", {}, [], GOOD["Notify"]),
}

OTHERS = ("InvalidInput", "KeyError", "Sandbox.Unknown")


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def error_of(name: str) -> Failure | Rejection:
    """The error with this name, as Lambda has it: from the function, or from Invoke."""
    service, _, code = name.partition(".")
    return Rejection(code) if service == "Lambda" else Failure(name)


@pytest.mark.parametrize("state", TASKS)
def test_a_transient_error_of_a_step_is_tried_again_and_then_it_goes_on(
    machine: Machine, state: str
) -> None:
    function, script, before, good = TASKS[state]
    twice = [Failure("AwsUnavailable"), Rejection("TooManyRequestsException")]
    run = machine.run(deployment(), **{**script, function: [*before, *twice, good]})
    assert run.states.count(state) == 1
    assert (run.error or run.output["outcome"]) == (
        "ROLLED_BACK" if "RollBack" in state else "SUCCEEDED"
    )
    attempts = run.calls[function][len(before) :][:3]
    assert attempts == [attempts[0]] * 3, "every attempt is given the same"


@pytest.mark.parametrize("name", [n for n in RETRIED["ErrorEquals"] if n != "States.Timeout"])
def test_each_of_the_errors_that_may_pass_is_tried_again(machine: Machine, name: str) -> None:
    answers = [error_of(name), GOOD["BeginDeployment"]]
    run = machine.run(deployment(), BeginDeployment=answers)
    assert run.output["outcome"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("state", "name"),
    [*((state, "AwsRefused") for state in TASKS), *(("BeginDeployment", name) for name in OTHERS)],
)
def test_an_error_that_will_not_pass_is_not_tried_again(
    machine: Machine, state: str, name: str
) -> None:
    function, script, before, _ = TASKS[state]
    after = [healthy()] if state == "CheckDeployment" else []
    if state == "RollBack":
        script = {"CheckDeployment": [BAD]}
    run = machine.run(deployment(), **{**script, function: [*before, Failure(name), *after]})
    assert run.states.count(state) == 1
    assert all("Wait" in waiting or waiting == "Bake" for waiting, _ in run.pauses)


@pytest.mark.parametrize(
    ("state", "next_state", "outcome"),
    [
        ("BeginDeployment", "Notify", "FAILED"),
        ("RegisterTaskDefinition", "Notify", "FAILED"),
        ("UpdateService", "RollBack", "ROLLED_BACK"),
        ("CheckDeployment", "RollBack", "ROLLED_BACK"),
        ("RollBack", "Notify", "ROLLBACK_FAILED"),
        ("CheckRollBack", "Notify", "ROLLBACK_FAILED"),
        ("Notify", "EndDeployment", "SUCCEEDED"),
    ],
)
def test_retries_that_run_out_land_in_the_catch(
    machine: Machine, state: str, next_state: str, outcome: str
) -> None:
    function, script, before, _ = TASKS[state]
    after = [healthy()] if state == "CheckDeployment" else []
    if state == "RollBack":
        script = {"CheckDeployment": [BAD]}
    tries = [Failure("AwsUnavailable", "ECS is away")] * ATTEMPTS
    run = machine.run(deployment(), **{**script, function: [*before, *tries, *after]})
    assert run.states[run.states.index(state) + 1] == next_state
    assert (run.error or run.output["outcome"]) == outcome
    if state != "Notify":
        assert "ECS is away" in str(run.cause)


def test_the_pauses_before_retries_double_up_to_half_a_minute_with_full_jitter(
    machine: Machine,
) -> None:
    run = machine.run(deployment(), BeginDeployment=[Failure("AwsUnavailable")] * ATTEMPTS)
    longest = [1, 2, 4, 8, 16, 30]
    assert [state for state, _ in run.pauses] == ["BeginDeployment"] * len(longest)
    assert all(0 <= pause <= most for (_, pause), most in zip(run.pauses, longest, strict=True))


def test_a_step_that_hangs_is_tried_again_and_told_by_the_errors_name(machines: Machines) -> None:
    def impatient(definition: dict[str, Any]) -> None:
        begin = definition["States"]["BeginDeployment"]
        begin["TimeoutSeconds"] = 1
        begin["Retry"][0]["MaxAttempts"] = 1

    over = threading.Event()
    hanging = [lambda _: over.wait(60) and None] * 2
    run = machines.deployment_but(impatient).run(deployment(), BeginDeployment=hanging)
    over.set()
    assert len(run.calls["BeginDeployment"]) == 2
    assert (run.error, run.cause) == ("FAILED", "States.Timeout")


@pytest.mark.parametrize("state", ["BeginDeployment", "RegisterTaskDefinition"])
def test_an_error_before_the_update_ends_failed_with_nothing_changed(
    machine: Machine, state: str
) -> None:
    message = "cluster production has no service api"
    run = machine.run(deployment(), **{state: Failure("InvalidInput", message)})
    assert run.states[-4:] == [state, "Notify", "EndDeployment", "EndedBadly"]
    assert (run.status, run.error, run.cause) == ("FAILED", "FAILED", message)
    assert not {"UpdateService", "RollBack"} & run.calls.keys()


@pytest.mark.parametrize(
    "given",
    [{}, {"service": 5}, {"stage": ["a"]}, {"release": {"image": "v2"}}, [], "v2", 3, None],
)
def test_a_wrong_input_ends_failed_and_is_told(machine: Machine, given: Any) -> None:
    wrong = Failure("InvalidInput", "the input of the deployment state machine is not valid")
    run = machine.run(given, BeginDeployment=wrong)
    assert (run.status, run.error, run.cause) == ("FAILED", "FAILED", wrong.message)
