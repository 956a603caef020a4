"""A deployment whose execution died: another execution of the same machine ends it."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.deployment.beginning import Decision
from slipway.ecs.rollback import RollBackAction
from slipway.notices.news import News
from tests.support.builders import NEW, OLD, OTHER, SERVICE, image
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    BEFORE,
    Failure,
    deciding,
    deployment,
    end,
    failed,
    finding,
    healthy,
    recorded,
    recovery,
    rollback,
    rolled_back,
)

WHY = "its execution was stopped (enough)"
BEGIN = ["AcceptDeployment", "BeginDeployment", "DecideBeginning"]
CHECK = ["RollBack", "DecideRollBack", "WaitForRollBack", "CheckRollBack", "JudgeRollBack"]
NOTIFY = ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]
WELL = healthy(baked=True)


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def back(**what: Any) -> Any:
    """The dead execution has changed the service."""
    known = {"reason": WHY, "task_definition": NEW, "updated": True, **BEFORE}
    return deciding(Decision.ROLL_BACK, **known | what)


def run(machine: Machine, **script: Any) -> Any:
    return machine.run(recovery(), **{"BeginDeployment": back(), "CheckDeployment": WELL, **script})


def test_a_service_that_a_dead_execution_changed_is_rolled_back_without_a_notice_of_a_start(
    machine: Machine,
) -> None:
    ended = run(machine)
    assert ended.states == [*BEGIN, *CHECK, *NOTIFY, "EndedBadly"]
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "ROLLED_BACK", WHY)
    notified = ended.called("Notify")
    assert (notified["kind"], notified["service"], notified["stage"]) == (
        "end",
        SERVICE,
        "production",
    )


def test_a_recovery_goes_on_as_the_deployment_that_it_recovers(machine: Machine) -> None:
    dead = deployment()
    recovers = recovery(of=dead)
    ended = machine.run(recovers, BeginDeployment=back(), CheckDeployment=WELL)
    given = ended.called("RollBack")
    assert (given["abandoned"], given["rollback_target"], given["updated"]) == ([NEW], OLD, True)
    assert given["claim"]["deployment"] == recovers["recover"]
    assert given["claim"]["execution"] == ended.arn
    written = ended.called("FinishDeployment")
    assert (written["claim"], written["deployment"]) == (given["claim"], recorded(dead))
    assert (written["start"], written["part"]) == (recovers, dead)
    assert ended.called("Notify")["claim"] == given["claim"]


def test_a_version_that_a_dead_execution_took_over_from_another_is_abandoned_too(
    machine: Machine,
) -> None:
    ended = run(machine, BeginDeployment=back(task_definition=None, unproven=(OTHER,)))
    assert ended.called("RollBack")["abandoned"] == [OTHER]


@pytest.mark.parametrize("updated", [True, False])
def test_roll_back_is_given_whether_the_dead_execution_is_known_to_have_updated_the_service(
    machine: Machine, updated: bool
) -> None:
    ended = run(machine, BeginDeployment=back(updated=updated))
    assert ended.called("RollBack")["updated"] is updated


def test_an_update_that_never_reached_the_service_ends_failed_with_why_the_execution_died(
    machine: Machine,
) -> None:
    ended = machine.run(
        recovery(),
        BeginDeployment=back(updated=False),
        RollBack=rolled_back(RollBackAction.NOTHING_CHANGED),
    )
    assert (ended.error, ended.cause) == ("FAILED", WHY)


def test_a_recovery_is_watched_without_alarms_and_without_a_bake(machine: Machine) -> None:
    watched = run(machine).called("CheckDeployment")["watch"]
    assert (watched["policy"]["alarms"], watched["policy"]["bake_seconds"]) == ([], 0)


def test_a_rollback_that_fails_ends_rollback_failed_with_both_reasons(machine: Machine) -> None:
    ended = run(machine, CheckDeployment=failed("two tasks failed"))
    assert ended.error == "ROLLBACK_FAILED"
    assert ended.cause == f"{WHY}; rolling back failed: two tasks failed"


def test_a_manual_rollback_that_died_goes_on_and_ends_well(machine: Machine) -> None:
    ended = machine.run(
        recovery(of=rollback()),
        BeginDeployment=back(manual_rollback=True),
        CheckDeployment=WELL,
    )
    assert ended.states[-1] == "EndedWell"
    assert ended.called("FinishDeployment")["part"] is None, "it is part of no release"
    assert (ended.output["outcome"], ended.output["reason"]) == ("ROLLED_BACK", WHY)


def test_a_deployment_that_died_before_it_changed_the_service_ends_failed(machine: Machine) -> None:
    why = f"{WHY} before anything was changed"
    ended = machine.run(recovery(), BeginDeployment=end("FAILED", why))
    assert ended.states == [*BEGIN, *NOTIFY, "EndedBadly"]
    assert (ended.error, ended.cause) == ("FAILED", why)


def test_a_deployment_whose_success_was_recorded_before_it_died_ends_well(machine: Machine) -> None:
    ended = machine.run(recovery(), BeginDeployment=end("SUCCEEDED", "every task is healthy"))
    assert ended.states == [*BEGIN, *NOTIFY, "EndedWell"]
    assert ended.output["outcome"] == "SUCCEEDED"


def test_a_recovery_that_has_to_wait_for_a_change_begins_again(machine: Machine) -> None:
    wait = deciding(Decision.WAIT, wait_seconds=2, reason="it is being changed")
    ended = run(machine, BeginDeployment=[wait, back()])
    assert ended.states == [*BEGIN, "WaitToBegin", *BEGIN[1:], *CHECK, *NOTIFY, "EndedBadly"]
    assert ended.error == "ROLLED_BACK"


def test_a_recovery_that_can_not_begin_notifies_nobody_and_is_recovered_itself(
    machine: Machine,
) -> None:
    recovers = recovery()
    left = finding("ROLLBACK_FAILED", "denied", cause="ERROR", left_to_recovery=True)
    ended = machine.run(
        recovers, BeginDeployment=Failure("AwsRefused", "denied"), FinishDeployment=left
    )
    assert ended.called("FinishDeployment")["claim"] is None
    assert ended.called("FinishDeployment")["outcome"] == "ROLLBACK_FAILED"
    assert ended.states[-3:] == ["DecideNotify", "EndDeployment", "EndedBadly"]
    assert "Notify" not in ended.calls


def test_a_recovery_that_can_not_begin_of_a_deployment_that_changed_nothing_ends_that_one(
    machine: Machine,
) -> None:
    recovers = recovery()
    ended = machine.run(
        recovers,
        BeginDeployment=Failure("AwsRefused", "denied"),
        FinishDeployment=finding("FAILED", "denied", cause="ERROR"),
    )
    assert (ended.error, ended.cause) == ("FAILED", "denied")
    notified = News.model_validate(ended.called("Notify"))
    assert (notified.outcome, notified.service) == ("FAILED", SERVICE)
    assert notified.claim is not None
    assert notified.claim.deployment == recovers["recover"]
    assert notified.image == image()


def test_a_recovery_that_nobody_has_recorded_is_refused_without_an_alert(machine: Machine) -> None:
    given = {**recovery(), "service": "production/worker"}
    ended = machine.run(given)
    assert ended.error == "FAILED", "not ROLLBACK_FAILED, which calls people to a service at risk"
    assert ended.calls.keys() == {"BeginDeployment", "FinishDeployment", "Notify"}
