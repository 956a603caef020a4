"""A deployment whose image is good, or where nothing is to be done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.statemachine.answers import (
    deployment,
    healthy,
    pending,
    registration,
    superseded,
)
from tests.statemachine.machines import Machine, Machines
from tests.unit.builders import NEW, NOW, OLD, OURS, SERVICE, at

UP_TO_THE_LOOK = [
    "AcceptDeployment",
    "BeginDeployment",
    "RegisterTaskDefinition",
    "DecideChange",
    "UpdateService",
    "WaitForTasks",
    "CheckDeployment",
    "JudgeDeployment",
]
LOOK_AGAIN = ["WaitForTasks", "CheckDeployment", "JudgeDeployment"]
BAKE = ["Bake", "CheckDeployment", "JudgeDeployment"]
TELL = ["Notify", "EndDeployment"]


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def moment(seconds: float) -> Any:
    """A moment as the models write it."""
    return at(seconds).isoformat().replace("+00:00", "Z")


def test_an_image_that_is_healthy_and_baked_ends_succeeded(machine: Machine) -> None:
    run = machine.run(deployment())
    assert run.states == [*UP_TO_THE_LOOK, *TELL, "EndedWell"]
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "SUCCEEDED",
        "reason": "every task is healthy",
        "service": SERVICE,
        "task_definition": NEW,
        "previous": OLD,
    }
    assert "RollBack" not in run.calls


def test_each_step_is_given_what_it_needs_and_no_more(machine: Machine) -> None:
    given = deployment(policy={"alarms": ["api-5xx"], "bake_seconds": 60})
    run = machine.run(given)
    assert run.called("BeginDeployment") == given
    since = NOW.isoformat().replace("+00:00", "Z")
    assert run.called("RegisterTaskDefinition") == {"deployment": given, "since": since}
    assert run.called("UpdateService") == {"service": SERVICE, "task_definition": NEW}
    assert run.called("CheckDeployment") == {
        "service": SERVICE,
        "watch": {
            "deployment_id": OURS,
            "started_at": moment(5),
            "healthy_at": None,
            "policy": given["policy"],
        },
    }


def test_while_it_is_pending_it_is_looked_at_again(machine: Machine) -> None:
    run = machine.run(
        deployment(), CheckDeployment=[pending(), pending(), pending(), healthy(baked=True)]
    )
    assert run.states == [*UP_TO_THE_LOOK, *LOOK_AGAIN * 3, *TELL, "EndedWell"]


def test_the_first_wait_is_the_polls_and_the_others_are_what_the_look_says(
    machine: Machine,
) -> None:
    looks = [pending(wait_seconds=7), pending(wait_seconds=0), healthy(baked=True)]
    run = machine.run(deployment(policy={"poll_seconds": 20}), CheckDeployment=looks)
    assert run.pauses == [("WaitForTasks", 20), ("WaitForTasks", 7), ("WaitForTasks", 0)]


def test_a_healthy_one_bakes_until_a_look_finds_it_baked(machine: Machine) -> None:
    looks = [healthy(wait_seconds=15), healthy(wait_seconds=3), healthy(baked=True)]
    run = machine.run(deployment(), CheckDeployment=looks)
    assert run.states == [*UP_TO_THE_LOOK, *BAKE * 2, *TELL, "EndedWell"]
    assert run.pauses == [("WaitForTasks", 15), ("Bake", 15), ("Bake", 3)]
    assert run.output["outcome"] == "SUCCEEDED"


def test_the_bake_counts_from_the_first_healthy_look(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[healthy(), healthy(), healthy(baked=True)])
    assert [call["watch"]["healthy_at"] for call in run.calls["CheckDeployment"]] == [
        None,
        moment(60),
        moment(60),
    ]


def test_one_that_gets_unhealthy_while_baking_may_recover(machine: Machine) -> None:
    again = {**pending(), "healthy_at": moment(60)}
    run = machine.run(deployment(), CheckDeployment=[healthy(), again, healthy(baked=True)])
    assert run.states == [*UP_TO_THE_LOOK, *BAKE, *LOOK_AGAIN, *TELL, "EndedWell"]
    assert run.calls["CheckDeployment"][-1]["watch"]["healthy_at"] == moment(60)


def test_a_service_that_runs_the_image_is_left_alone_and_nobody_is_told(machine: Machine) -> None:
    run = machine.run(deployment(), RegisterTaskDefinition=registration(no_change=True))
    assert run.states == [*UP_TO_THE_LOOK[:4], "EndDeployment", "EndedWell"]
    assert run.output == {
        "outcome": "NO_CHANGE",
        "reason": "the service runs this image already",
        "service": SERVICE,
        "task_definition": OLD,
        "previous": OLD,
    }
    assert run.calls.keys() == {"BeginDeployment", "RegisterTaskDefinition"}


@pytest.mark.parametrize("before", [[], [pending()], [healthy()]], ids=["", "pending", "baking"])
def test_another_change_of_the_service_is_left_alone(machine: Machine, before: list[Any]) -> None:
    run = machine.run(deployment(), CheckDeployment=[*before, superseded()])
    assert run.states[-3:] == [*TELL, "EndedWell"]
    assert run.status == "SUCCEEDED"
    assert run.output["outcome"] == "SUPERSEDED"
    assert run.output["reason"] == superseded()["reason"]
    assert "RollBack" not in run.calls
    assert run.called("Notify")["outcome"] == "SUPERSEDED"
