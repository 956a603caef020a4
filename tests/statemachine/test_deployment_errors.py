"""What a deployment does with the errors of its steps: which it tries again, and where they lead."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from slipway.deployment.beginning import Decision
from tests.support import definitions
from tests.support.builders import OLD, OTHER
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    BEFORE,
    GOOD,
    Failure,
    Rejection,
    changed,
    deciding,
    deployment,
    failed,
    finding,
    healthy,
    registration,
)

BAD = failed("two tasks failed")
WELL = healthy(baked=True)
STATES = definitions.unfilled("deployment")["States"]
RETRIED = STATES["BeginDeployment"]["Retry"][0]
ATTEMPTS = 1 + RETRIED["MaxAttempts"]

# Every Task but FinishDeployment: its function, what the script has to say so that it is reached, and what
# it answers.
TASKS: dict[str, tuple[str, dict[str, Any], list[Any], Any]] = {
    "BeginDeployment": ("BeginDeployment", {}, [], GOOD["BeginDeployment"]),
    "NotifyStart": ("Notify", {}, [], GOOD["Notify"]),
    "RegisterTaskDefinition": ("RegisterTaskDefinition", {}, [], registration()),
    "UpdateService": ("UpdateService", {}, [], GOOD["UpdateService"]),
    "CheckDeployment": ("CheckDeployment", {}, [], WELL),
    "RollBack": ("RollBack", {"CheckDeployment": [BAD, WELL]}, [], GOOD["RollBack"]),
    "CheckRollBack": ("CheckDeployment", {}, [BAD], WELL),
    "Notify": ("Notify", {}, [GOOD["Notify"]], GOOD["Notify"]),
}
STUBBORN = {"Notify", "RollBack"}
"""Tried again whatever the error; see test_definitions.py."""
# What else its function is asked for where it does not answer.
AFTER = {
    "CheckDeployment": [WELL],
    "CheckRollBack": [WELL],
    "NotifyStart": [GOOD["Notify"]],
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
def test_a_transient_error_of_a_step_is_tried_again_and_then_the_deployment_goes_on(
    machine: Machine, state: str
) -> None:
    function, script, before, good = TASKS[state]
    twice = [Failure("AwsUnavailable"), Rejection("TooManyRequestsException")]
    after = AFTER[state] if state == "NotifyStart" else []
    run = machine.run(deployment(), **{**script, function: [*before, *twice, good, *after]})
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
    [
        *((state, "AwsRefused") for state in TASKS if state not in STUBBORN),
        *(("BeginDeployment", name) for name in OTHERS),
    ],
)
def test_an_error_that_will_not_pass_is_not_tried_again(
    machine: Machine, state: str, name: str
) -> None:
    function, script, before, _ = TASKS[state]
    after = AFTER.get(state, [])
    run = machine.run(deployment(), **{**script, function: [*before, Failure(name), *after]})
    checked_again = state in ("CheckDeployment", "CheckRollBack")
    assert run.states.count(state) == 1 + checked_again
    assert all("Wait" in waiting or waiting == "Bake" for waiting, _ in run.pauses)


@pytest.mark.parametrize(
    ("state", "next_state", "outcome"),
    [
        ("BeginDeployment", "FinishDeployment", "FAILED"),
        ("NotifyStart", "DecideDirection", "SUCCEEDED"),
        ("RegisterTaskDefinition", "DecideUndo", "FAILED"),
        ("UpdateService", "RollBack", "ROLLED_BACK"),
        ("CheckDeployment", "DecideUnchecked", "SUCCEEDED"),
        ("CheckRollBack", "DecideRollBackUnchecked", "ROLLED_BACK"),
    ],
)
def test_retries_that_run_out_land_in_the_catch(
    machine: Machine, state: str, next_state: str, outcome: str
) -> None:
    function, script, before, _ = TASKS[state]
    after = AFTER.get(state, [])
    attempts = 1 + STATES[state]["Retry"][0]["MaxAttempts"]
    tries = [Failure("AwsUnavailable", "ECS is away")] * attempts
    run = machine.run(deployment(), **{**script, function: [*before, *tries, *after]})
    assert run.states[run.states.index(state) + 1] == next_state
    assert (run.error or run.output["outcome"]) == outcome
    if outcome == "FAILED":
        assert "ECS is away" in str(run.cause)


AWAY = Failure("AwsUnavailable", "ECS is away")


def test_a_service_that_can_not_be_checked_is_rolled_back_when_the_deployment_is_out_of_time(
    machine: Machine,
) -> None:
    policy = {"timeout_seconds": 60, "poll_seconds": 15}
    run = machine.run(deployment(policy=policy), CheckDeployment=by_call(AWAY, BACK=WELL))
    assert run.states.count("CheckDeployment") in (3, 4)
    end = run.called("FinishDeployment")
    assert (end["outcome"], end["cause"]) == ("ROLLED_BACK", "UNREADABLE")
    assert "ECS is away" in str(run.cause)


def test_a_rollback_that_can_not_be_checked_fails_when_it_is_out_of_time(machine: Machine) -> None:
    policy = {"timeout_seconds": 60, "poll_seconds": 15}
    run = machine.run(deployment(policy=policy), CheckDeployment=by_call(BAD, BACK=AWAY))
    assert run.states.count("CheckRollBack") in (3, 4)
    end = run.called("FinishDeployment")
    assert (end["outcome"], end["cause"]) == ("ROLLBACK_FAILED", "ALARM")
    assert "two tasks failed" in end["reason"]
    assert "ECS is away" in end["rollback_reason"]


def test_a_rollback_that_can_be_checked_again_has_not_failed(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD, *[AWAY] * 3, WELL])
    end = run.called("FinishDeployment")
    assert (end["outcome"], end["rollback_reason"]) == ("ROLLED_BACK", None)


def by_call(ours: Any, BACK: Any) -> Any:  # noqa: N803 - it reads like the outcome
    """An answer of CheckDeployment: one for the deployment, one for its rollback."""
    return lambda event: BACK if event["watch"].get("rolling_back") else ours


def test_a_service_that_someone_changes_meanwhile_is_copied_again_and_people_are_told(
    machine: Machine,
) -> None:
    run = machine.run(deployment(), UpdateService=[changed(), GOOD["UpdateService"]])
    assert run.output["outcome"] == "SUCCEEDED"
    first, second = run.calls["RegisterTaskDefinition"]
    assert (first["base"]["changed"], second["base"]["changed"]) == (False, True)
    assert run.called("FinishDeployment")["evidence"] == changed()["changed"]


def test_a_service_that_never_stays_still_is_left_alone(machine: Machine) -> None:
    run = machine.run(deployment(), UpdateService=changed())
    assert run.states.count("UpdateService") == 5
    assert (run.error, run.cause) == ("FAILED", changed()["changed"][0])
    assert run.called("FinishDeployment")["cause"] == "PERSON"
    assert "RollBack" not in run.calls


@pytest.mark.parametrize(
    ("error", "lost"), [("AwsRefused", False), ("InvalidInput", False), ("AwsUnavailable", True)]
)
def test_rolling_back_is_told_whether_the_answer_of_the_update_was_lost(
    machine: Machine, error: str, lost: bool
) -> None:
    attempts = ATTEMPTS if error == "AwsUnavailable" else 1
    run = machine.run(deployment(), UpdateService=[Failure(error, "no")] * attempts)
    assert run.called("RollBack")["answer_lost"] is lost


def test_a_target_whose_settings_changed_meanwhile_is_the_one_to_go_back_to(
    machine: Machine,
) -> None:
    again = registration() | {"rollback_target": OTHER}
    run = machine.run(
        deployment(),
        RegisterTaskDefinition=[registration(), again],
        UpdateService=[changed(), GOOD["UpdateService"]],
        CheckDeployment=[BAD, WELL],
    )
    assert run.called("RollBack")["rollback_target"] == OTHER


def test_rolling_back_is_tried_for_long_whatever_the_error(machine: Machine) -> None:
    tries = [Failure("AwsRefused", "denied")] * (1 + 20)
    run = machine.run(deployment(), CheckDeployment=[BAD], RollBack=tries)
    assert run.states[run.states.index("RollBack") + 1] == "FinishDeployment"
    assert run.error == "ROLLBACK_FAILED"
    assert "denied" in str(run.cause)


@pytest.mark.parametrize("name", ["InvalidInput", "Superseded", "SupersededByPerson"])
def test_rolling_back_is_not_tried_again_where_there_is_no_rollback_target(
    machine: Machine, name: str
) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD], RollBack=[Failure(name, "no")])
    assert (run.error or run.output["outcome"]) in ("ROLLBACK_FAILED", "SUPERSEDED")


def test_an_end_that_cannot_be_notified_is_tried_for_long_and_keeps_its_outcome(
    machine: Machine,
) -> None:
    tries = [Failure("AwsRefused", "SNS is away")] * (1 + 20)
    run = machine.run(deployment(), Notify=[GOOD["Notify"], *tries])
    assert run.states[run.states.index("Notify") + 1] == "EndDeployment"
    assert run.output["outcome"] == "SUCCEEDED"


def test_the_pauses_before_retries_double_up_to_half_a_minute_with_full_jitter(
    machine: Machine,
) -> None:
    run = machine.run(deployment(), BeginDeployment=[Failure("AwsUnavailable")] * ATTEMPTS)
    longest = [1, 2, 4, 8, 16, 30]
    assert [state for state, _ in run.pauses] == ["BeginDeployment"] * len(longest)
    assert all(0 <= pause <= most for (_, pause), most in zip(run.pauses, longest, strict=True))


def test_a_step_that_hangs_is_tried_again_and_reported_by_the_errors_name(
    machines: Machines,
) -> None:
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


def test_a_deployment_that_fails_before_its_update_rolls_back_the_version_that_it_took_over(
    machine: Machine,
) -> None:
    run = machine.run(
        deployment(),
        BeginDeployment=deciding(Decision.GO, unproven=(OTHER,), **BEFORE),
        RegisterTaskDefinition=Failure("AwsRefused", "denied"),
    )
    start = run.states.index("RegisterTaskDefinition")
    assert run.states[start:][1:3] == ["DecideUndo", "RollBack"]
    back = run.called("RollBack")
    assert (back["abandoned"], back["rollback_target"], back["updated"]) == ([OTHER], OLD, False)
    assert (run.error, run.cause) == ("ROLLED_BACK", "denied")


def test_an_end_that_is_left_to_the_recovery_is_not_notified(machine: Machine) -> None:
    run = machine.run(
        deployment(),
        BeginDeployment=Failure("AwsUnavailable", "dynamodb:UpdateItem: Timeout"),
        FinishDeployment=finding(
            "FAILED", "dynamodb:UpdateItem: Timeout", cause="ERROR", left_to_recovery=True
        ),
    )
    assert run.states[-3:] == ["DecideNotify", "EndDeployment", "EndedBadly"]
    assert (run.error, run.cause) == ("FAILED", "dynamodb:UpdateItem: Timeout")


@pytest.mark.parametrize(
    ("state", "decided"), [("BeginDeployment", []), ("RegisterTaskDefinition", ["DecideUndo"])]
)
def test_an_error_before_the_update_ends_failed_with_nothing_changed(
    machine: Machine, state: str, decided: list[str]
) -> None:
    message = "cluster production has no service api"
    run = machine.run(deployment(), **{state: Failure("InvalidInput", message)})
    assert run.called("FinishDeployment")["cause"] == "CONFIGURATION"
    assert run.states[run.states.index(state) :] == [
        state,
        *decided,
        "FinishDeployment",
        "DecideNotify",
        "Notify",
        "EndDeployment",
        "EndedBadly",
    ]
    assert (run.status, run.error, run.cause) == ("FAILED", "FAILED", message)
    assert not {"UpdateService", "RollBack"} & run.calls.keys()
