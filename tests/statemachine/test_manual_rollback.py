"""A manual rollback: the same machine, with another way through it."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.deployment.beginning import Decision
from slipway.ecs.rollback import RollBackAction
from tests.support.builders import NEW, OLD, OTHER, SERVICE, at, image, policy
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    BACK,
    Failure,
    deciding,
    end,
    failed,
    healthy,
    manual_rollback,
    pending,
    recorded,
    registration,
    rollback,
    rolled_back,
    superseded,
)

UP_TO_THE_DIRECTION = [
    "AcceptDeployment",
    "BeginDeployment",
    "DecideBeginning",
    "NotifyStart",
    "DecideDirection",
]
CHECK = ["RollBack", "DecideRollBack", "WaitForRollBack", "CheckRollBack", "JudgeRollBack"]
CHECK_AGAIN = CHECK[2:]
NOTIFY = ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]
V1 = image(digest="sha256:" + "cd" * 32, tag="v1")
WELL = healthy(baked=True)


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def run(machine: Machine, given: Any = None, **script: Any) -> Any:
    """Run a manual rollback; where the script does not say otherwise, to a task definition that is known."""
    return machine.run(given or rollback(), **{"BeginDeployment": manual_rollback, **script})


def test_a_manual_rollback_starts_at_once_and_ends_well_as_rolled_back(
    machine: Machine,
) -> None:
    ended = run(machine, CheckDeployment=WELL)
    assert ended.states == [*UP_TO_THE_DIRECTION, *CHECK, *NOTIFY, "EndedWell"]
    assert ended.output == {
        "outcome": "ROLLED_BACK",
        "reason": rolled_back()["reason"],
        "service": SERVICE,
        "task_definition": None,
        "rollback_target": OLD,
    }
    assert not {"RegisterTaskDefinition", "UpdateService"} & ended.calls.keys()


def test_a_manual_rollback_abandons_the_running_version_for_its_target(machine: Machine) -> None:
    given = rollback(by="jo")
    ended = run(machine, given)
    back = ended.called("RollBack")
    assert (back["abandoned"], back["rollback_target"]) == ([NEW], OLD)
    assert back["updated"] is True
    assert ended.called("BeginDeployment")["start"] == given
    starters = [(notified["started_by"], notified["by"]) for notified in ended.calls["Notify"]]
    assert starters == [("manual rollback", "jo")] * 2
    written = ended.called("FinishDeployment")
    assert (written["restored"], written["task_definition"], written["image"]) == (OLD, None, None)
    assert (written["deployment"], written["part"]) == (recorded(given), None)


def test_an_image_that_no_known_task_definition_has_is_registered_first(machine: Machine) -> None:
    begun = deciding(Decision.GO, manual_rollback=True, updated=True, task_definition=NEW, image=V1)
    ended = run(machine, BeginDeployment=begun, RegisterTaskDefinition=registration(OTHER))
    assert ended.states == [
        *UP_TO_THE_DIRECTION,
        "RegisterTaskDefinition",
        "DecideChange",
        *CHECK,
        *NOTIFY,
        "EndedWell",
    ]
    assert ended.called("RegisterTaskDefinition")["image"] == V1.to_json()
    back = ended.called("RollBack")
    assert (back["abandoned"], back["rollback_target"]) == ([NEW], OTHER)
    written = ended.called("FinishDeployment")
    assert (written["image"], written["task_definition"]) == (V1.to_json(), OTHER)


def test_a_manual_rollback_passes_every_gate_and_bakes_before_it_counts_as_rolled_back(
    machine: Machine,
) -> None:
    checks = [pending(), healthy(wait_seconds=15), healthy(wait_seconds=3), WELL]
    ended = run(machine, CheckDeployment=checks)
    assert ended.states == [
        *UP_TO_THE_DIRECTION,
        *CHECK,
        *CHECK_AGAIN * 3,
        *NOTIFY,
        "EndedWell",
    ]
    assert [seconds for _, seconds in ended.pauses] == [15, 15, 15, 3]
    first_healthy = at(60).isoformat().replace("+00:00", "Z")
    watched = [check["watch"] for check in ended.calls["CheckDeployment"]]
    assert [w["healthy_at"] for w in watched] == [None, None, first_healthy, first_healthy]
    assert all(w["update"]["deployment_id"] == BACK for w in watched)
    assert all(w["policy"] == policy().to_json() for w in watched), "alarms and bake included"


def test_a_manual_rollback_that_fails_its_check_ends_rollback_failed_with_what_was_tried(
    machine: Machine,
) -> None:
    ended = run(machine, CheckDeployment=[healthy(), failed("two tasks failed")])
    why = f"{rolled_back()['reason']}; rolling back failed: two tasks failed"
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "ROLLBACK_FAILED", why)
    assert ended.calls["Notify"][-1]["evidence"] == failed("two tasks failed")["evidence"]
    assert ended.called("FinishDeployment")["cause"] == "ALARM", "why it could not roll back"
    assert len(ended.calls["RollBack"]) == 1


def test_a_manual_rollback_that_is_refused_ends_rollback_failed_with_a_whole_sentence(
    machine: Machine,
) -> None:
    ended = run(machine, RollBack=Failure("AwsRefused", "denied"))
    why = "a person asked to roll back; rolling back failed: denied"
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "ROLLBACK_FAILED", why)
    assert ended.called("FinishDeployment")["cause"] == "PERSON"


def test_a_manual_rollback_that_can_not_be_checked_ends_rollback_failed_with_a_whole_sentence(
    machine: Machine,
) -> None:
    ended = run(machine, CheckDeployment=Failure("AwsRefused", "denied"))
    why = f"{rolled_back()['reason']}; rolling back failed: denied"
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "ROLLBACK_FAILED", why)


def test_an_image_that_can_not_be_registered_ends_failed_with_nothing_changed(
    machine: Machine,
) -> None:
    begun = deciding(Decision.GO, manual_rollback=True, updated=True, task_definition=NEW, image=V1)
    denied = Failure("AwsRefused", "denied")
    ended = run(machine, BeginDeployment=begun, RegisterTaskDefinition=denied)
    assert (ended.error, ended.cause) == ("FAILED", "denied")
    assert "RollBack" not in ended.calls


def test_a_service_that_has_the_target_already_is_left_alone(machine: Machine) -> None:
    ended = run(machine, BeginDeployment=end("NO_CHANGE", "it has shop-api:41 already"))
    assert ended.states[-2:] == ["EndDeployment", "EndedWell"]
    assert ended.output["outcome"] == "NO_CHANGE"
    assert ended.calls.keys() == {"BeginDeployment", "FinishDeployment"}


def test_a_manual_rollback_without_a_target_fails_as_rejected(machine: Machine) -> None:
    ended = run(machine, BeginDeployment=end("REJECTED", "there is no last good version"))
    assert (ended.error, ended.cause) == ("REJECTED", "there is no last good version")
    assert ended.called("Notify")["service"] == SERVICE


@pytest.mark.parametrize(
    "script",
    [
        {"RollBack": rolled_back(RollBackAction.SUPERSEDED)},
        {"RollBack": Failure("Superseded", "release shop/api:v3 has the service now")},
        {"CheckDeployment": superseded()},
    ],
    ids=["another change before it", "another deployment", "another change after it"],
)
def test_a_change_that_others_make_to_the_service_meanwhile_is_left_alone(
    machine: Machine, script: dict[str, Any]
) -> None:
    ended = run(machine, **script)
    assert ended.status == "SUCCEEDED"
    assert ended.output["outcome"] == "SUPERSEDED"


def test_a_service_that_does_not_exist_fails_and_is_named(machine: Machine) -> None:
    ended = run(machine, BeginDeployment=Failure("InvalidInput", "no service api"))
    assert (ended.error, ended.cause) == ("FAILED", "no service api")
    assert ended.called("FinishDeployment")["deployment"] is None
    assert ended.called("Notify")["service"] == SERVICE, "FinishDeployment finds it"
    assert ended.called("Notify")["started_by"] == "manual rollback"
