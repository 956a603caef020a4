"""A deployment whose image is good, or where someone else changes the service meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import NEW, OLD, SERVICE, at, copied, update
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    Failure,
    deployment,
    finding,
    healthy,
    pending,
    recorded,
    superseded,
)

UP_TO_THE_CHECK = [
    "AcceptDeployment",
    "BeginDeployment",
    "DecideBeginning",
    "NotifyStart",
    "DecideDirection",
    "RegisterTaskDefinition",
    "DecideChange",
    "UpdateService",
    "DecideUpdate",
    "WaitForTasks",
    "CheckDeployment",
    "JudgeDeployment",
]
CHECK_AGAIN = ["WaitForTasks", "CheckDeployment", "JudgeDeployment"]
BAKE = ["Bake", "CheckDeployment", "JudgeDeployment"]
NOTIFY = ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def moment(seconds: float) -> Any:
    """A moment as the models write it."""
    return at(seconds).isoformat().replace("+00:00", "Z")


def test_an_image_that_is_healthy_and_baked_ends_succeeded(machine: Machine) -> None:
    run = machine.run(deployment())
    assert run.states == [*UP_TO_THE_CHECK, *NOTIFY, "EndedWell"]
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "SUCCEEDED",
        "cause": None,
        "reason": "every task is healthy",
        "service": SERVICE,
        "task_definition": NEW,
        "rollback_target": OLD,
    }
    assert "RollBack" not in run.calls


def test_each_step_is_given_the_fields_that_it_needs_and_no_more(machine: Machine) -> None:
    given = deployment(policy={"alarms": ["api-5xx"], "bake_seconds": 60})
    run = machine.run(given)
    begun = run.called("BeginDeployment")
    assert begun == {
        "start": given,
        "execution": run.arn,
        "started_at": begun["started_at"],
        "patient_since": None,
    }
    claim = run.called("RegisterTaskDefinition")["claim"]
    assert (claim["service"], claim["execution"]) == (SERVICE, run.arn)
    assert run.called("RegisterTaskDefinition") == {
        "claim": claim,
        "deployment": recorded(given),
        "image": None,
        "base": {"unproven": [], "rollback_target": OLD, "changed": False},
        "since": moment(0),
    }
    assert run.called("UpdateService") == {
        "claim": claim,
        "task_definition": NEW,
        "copied": copied().to_json(),
        "since": moment(0),
    }
    assert run.called("CheckDeployment") == {
        "claim": claim,
        "release": recorded(given)["release"],
        "watch": {
            "update": update(started_at=at(5)).to_json(),
            "healthy_at": None,
            "progress": "",
            "policy": recorded(given)["policy"],
        },
    }


def test_a_pending_deployment_is_checked_again(machine: Machine) -> None:
    run = machine.run(
        deployment(), CheckDeployment=[pending(), pending(), pending(), healthy(baked=True)]
    )
    assert run.states == [*UP_TO_THE_CHECK, *CHECK_AGAIN * 3, *NOTIFY, "EndedWell"]


def test_the_first_wait_is_the_policys_and_later_waits_are_those_of_the_check(
    machine: Machine,
) -> None:
    checks = [pending(wait_seconds=7), pending(wait_seconds=0), healthy(baked=True)]
    run = machine.run(deployment(policy={"poll_seconds": 20}), CheckDeployment=checks)
    assert run.pauses == [("WaitForTasks", 20), ("WaitForTasks", 7), ("WaitForTasks", 0)]


def test_a_wait_is_a_third_longer_for_each_retry_of_the_check_before_it(machine: Machine) -> None:
    late = Failure("AwsUnavailable")
    checks: list[Any] = [late, pending(), late, late, pending(), healthy(baked=True)]
    run = machine.run(deployment(), CheckDeployment=checks)
    waits = [pause for pause in run.pauses if pause[0] == "WaitForTasks"]
    assert waits == [("WaitForTasks", 15), ("WaitForTasks", 20), ("WaitForTasks", 25)]


def test_a_healthy_deployment_bakes_until_a_check_finds_it_baked(machine: Machine) -> None:
    checks = [healthy(wait_seconds=15), healthy(wait_seconds=3), healthy(baked=True)]
    run = machine.run(deployment(), CheckDeployment=checks)
    assert run.states == [*UP_TO_THE_CHECK, *BAKE * 2, *NOTIFY, "EndedWell"]
    assert run.pauses == [("WaitForTasks", 15), ("Bake", 15), ("Bake", 3)]
    assert run.output["outcome"] == "SUCCEEDED"


def test_the_bake_counts_from_the_first_healthy_check(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[healthy(), healthy(), healthy(baked=True)])
    assert [call["watch"]["healthy_at"] for call in run.calls["CheckDeployment"]] == [
        None,
        moment(60),
        moment(60),
    ]


def test_a_deployment_that_gets_unhealthy_while_baking_may_recover(machine: Machine) -> None:
    again = {**pending(), "healthy_at": moment(60)}
    run = machine.run(deployment(), CheckDeployment=[healthy(), again, healthy(baked=True)])
    assert run.states == [*UP_TO_THE_CHECK, *BAKE, *CHECK_AGAIN, *NOTIFY, "EndedWell"]
    assert run.calls["CheckDeployment"][-1]["watch"]["healthy_at"] == moment(60)


@pytest.mark.parametrize("before", [[], [pending()], [healthy()]], ids=["", "pending", "baking"])
def test_another_change_of_the_service_is_left_alone(machine: Machine, before: list[Any]) -> None:
    run = machine.run(deployment(), CheckDeployment=[*before, superseded()])
    assert run.states[-5:] == [*NOTIFY, "EndedWell"]
    assert run.status == "SUCCEEDED"
    assert run.output["outcome"] == "SUPERSEDED"
    assert run.output["reason"] == superseded()["reason"]
    assert "RollBack" not in run.calls
    assert run.calls["Notify"][-1]["outcome"] == "SUPERSEDED"


@pytest.mark.parametrize(
    ("error", "cause"), [("Superseded", "NEWER_RELEASE"), ("SupersededByPerson", "PERSON")]
)
def test_a_service_that_another_deployment_has_claimed_is_not_changed(
    machine: Machine, error: str, cause: str
) -> None:
    taken = Failure(error, "another one has claimed service production/api")
    run = machine.run(deployment(), UpdateService=taken)
    assert run.states[-6:] == ["UpdateService", *NOTIFY, "EndedWell"]
    assert (run.output["outcome"], run.output["reason"]) == ("SUPERSEDED", taken.message)
    assert run.called("FinishDeployment")["cause"] == cause
    assert len(run.calls["UpdateService"]) == 1
    assert "RollBack" not in run.calls


def test_the_outcome_is_the_one_that_finish_deployment_finds(machine: Machine) -> None:
    other = finding("SUPERSEDED", "someone else has put shop-api:43 on the service", "a fact")
    run = machine.run(deployment(), FinishDeployment=other)
    assert run.called("FinishDeployment")["outcome"] == "SUCCEEDED"
    assert run.status == "SUCCEEDED"
    assert (run.output["outcome"], run.output["reason"]) == (
        "SUPERSEDED",
        "someone else has put shop-api:43 on the service",
    )
    notified = run.calls["Notify"][-1]
    assert (notified["outcome"], notified["evidence"]) == ("SUPERSEDED", ["a fact"])


def test_the_ledger_is_given_all_that_is_known_of_the_end(machine: Machine) -> None:
    given = deployment()
    run = machine.run(given, CheckDeployment={**healthy(baked=True), "evidence": ["a fact"]})
    assert run.called("FinishDeployment") == {
        "outcome": "SUCCEEDED",
        "reason": "every task is healthy",
        "cause": None,
        "rollback_reason": None,
        "evidence": ["a fact"],
        "alarms_fired": [],
        "claim": run.called("UpdateService")["claim"],
        "execution": run.arn,
        "started_at": run.called("BeginDeployment")["started_at"],
        "start": given,
        "deployment": recorded(given),
        "part": given,
        "image": None,
        "task_definition": NEW,
        "update": update(started_at=at(5)).to_json(),
        "restored": None,
        "other_target": None,
        "proven": True,
    }


def test_a_deployment_without_a_task_ends_unproven(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=healthy(baked=True) | {"proven": False})
    assert (run.status, run.output["outcome"]) == ("SUCCEEDED", "UNPROVEN")
    assert run.called("FinishDeployment")["proven"] is False
