"""A deployment that goes wrong once the service may have been changed, up to each end of the rollback."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.ecs.rollback import RollBackAction
from slipway.health.cause import Cause
from tests.support.builders import NEW, OLD, OURS, at, update
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import (
    BACK,
    Failure,
    deployment,
    failed,
    healthy,
    pending,
    recorded,
    rolled_back,
    superseded,
)

CHECK_ROLLBACK = ["WaitForRollBack", "CheckRollBack", "JudgeRollBack"]
NOTIFY = ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]
BAD = failed("two tasks failed")
ROLLED_BACK_AGAIN = GOOD_AFTER_ALL = healthy(baked=True)


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def after(run: Run, state: str) -> list[str]:
    """The states from the first time this one was entered."""
    return run.states[run.states.index(state) :]


@pytest.mark.parametrize("before", [[], [pending()], [healthy()]], ids=["", "pending", "baking"])
def test_a_failed_deployment_is_rolled_back_and_fails_as_rolled_back(
    machine: Machine, before: list[Any]
) -> None:
    run = machine.run(deployment(), CheckDeployment=[*before, BAD, ROLLED_BACK_AGAIN])
    assert after(run, "RollBack") == [
        "RollBack",
        "DecideRollBack",
        *CHECK_ROLLBACK,
        *NOTIFY,
        "EndedBadly",
    ]
    assert (run.status, run.error, run.cause) == ("FAILED", "ROLLED_BACK", "two tasks failed")
    assert run.output is None


def test_rolling_back_is_given_both_task_definitions(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD, ROLLED_BACK_AGAIN])
    assert run.called("RollBack") == {
        "claim": run.called("UpdateService")["claim"],
        "abandoned": [NEW],
        "rollback_target": OLD,
        "replaced": None,
        "updated": True,
        "update": update(started_at=at(5)).to_json(),
        "answer_lost": False,
        "entered_at": run.called("RollBack")["entered_at"],
        "since": at(0).isoformat().replace("+00:00", "Z"),
        "manual_rollback": False,
    }
    assert run.called("FinishDeployment")["restored"] == OLD


def test_the_end_names_the_version_that_was_put_back_in_place_of_a_quarantined_one(
    machine: Machine,
) -> None:
    other = OLD.replace(":41", ":40")
    run = machine.run(
        deployment(),
        CheckDeployment=[BAD, ROLLED_BACK_AGAIN],
        RollBack=[
            {
                **rolled_back(),
                "task_definition": other,
                "other_target": other,
                "other_target_tag": "v0",
            }
        ],
    )
    end = run.calls["Notify"][-1]
    assert (end["rollback_target"], end["rollback_target_tag"]) == (other, "v0")
    assert end["rollback_target_images"] == {}


def test_the_rollback_is_watched_without_alarms_and_without_a_bake(machine: Machine) -> None:
    given = deployment(policy={"alarms": ["api-5xx"], "bake_seconds": 60})
    run = machine.run(given, CheckDeployment=[healthy(), BAD, ROLLED_BACK_AGAIN])
    assert run.calls["CheckDeployment"][-1] == {
        "claim": run.called("UpdateService")["claim"],
        "watch": {
            "update": rolled_back()["update"],
            "healthy_at": None,
            "progress": BAD["progress"],
            "rolling_back": True,
            "policy": {**recorded(given)["policy"], "alarms": [], "bake_seconds": 0},
        },
    }


def test_the_rollback_is_checked_until_it_is_decided(machine: Machine) -> None:
    checks = [BAD, pending(wait_seconds=7), pending(wait_seconds=8), ROLLED_BACK_AGAIN]
    run = machine.run(deployment(policy={"poll_seconds": 20}), CheckDeployment=checks)
    assert after(run, "WaitForRollBack") == [*CHECK_ROLLBACK * 3, *NOTIFY, "EndedBadly"]
    assert run.pauses[1:] == [
        ("WaitForRollBack", 20),
        ("WaitForRollBack", 7),
        ("WaitForRollBack", 8),
    ]
    assert run.error == "ROLLED_BACK"


def test_a_rollback_that_ecs_has_done_itself_is_watched_all_the_same(machine: Machine) -> None:
    run = machine.run(
        deployment(),
        CheckDeployment=[BAD, ROLLED_BACK_AGAIN],
        RollBack=rolled_back(RollBackAction.ALREADY_ROLLED_BACK),
    )
    assert after(run, "WaitForRollBack") == [*CHECK_ROLLBACK, *NOTIFY, "EndedBadly"]
    assert run.error == "ROLLED_BACK"


def test_a_rollback_that_fails_is_notified_with_both_reasons_and_all_evidence(
    machine: Machine,
) -> None:
    gone = failed("the old image is gone", Cause.IMAGE, ("api-4xx",))
    run = machine.run(deployment(), CheckDeployment=[BAD, gone])
    why = "two tasks failed; rolling back failed: the old image is gone"
    assert (run.status, run.error, run.cause) == ("FAILED", "ROLLBACK_FAILED", why)
    written, notified = run.called("FinishDeployment"), run.calls["Notify"][-1]
    assert (written["reason"], written["rollback_reason"]) == (
        "two tasks failed",
        "the old image is gone",
    )
    assert (notified["outcome"], notified["reason"]) == ("ROLLBACK_FAILED", why)
    assert notified["evidence"] == [*BAD["evidence"], *gone["evidence"]]
    assert notified["alarms_fired"] == [*BAD["alarms_fired"], "api-4xx"]
    assert written["cause"] == notified["cause"] == BAD["cause"], "what it has failed for first"


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (0, 1), (1, 0), (0, 2), (2, 1)])
def test_the_evidence_of_both_checks_is_one_list_however_long(
    machine: Machine, ours: int, theirs: int
) -> None:
    first = {**BAD, "evidence": [f"bad {n}" for n in range(ours)]}
    second = {**BAD, "evidence": [f"worse {n}" for n in range(theirs)]}
    run = machine.run(deployment(), CheckDeployment=[first, second])
    assert run.calls["Notify"][-1]["evidence"] == [*first["evidence"], *second["evidence"]]


def test_another_change_during_the_rollback_is_left_alone(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD, pending(), superseded()])
    assert after(run, "JudgeRollBack")[-5:] == [*NOTIFY, "EndedWell"]
    assert (run.output["outcome"], run.output["reason"]) == (
        "SUPERSEDED",
        superseded()["reason"],
    )
    assert run.calls["Notify"][-1]["outcome"] == "SUPERSEDED"


@pytest.mark.parametrize(
    ("error", "cause"), [("Superseded", "NEWER_RELEASE"), ("SupersededByPerson", "PERSON")]
)
def test_a_service_that_another_deployment_has_claimed_is_not_rolled_back(
    machine: Machine, error: str, cause: str
) -> None:
    taken = Failure(error, "another one has claimed service production/api")
    run = machine.run(deployment(), CheckDeployment=[BAD], RollBack=taken)
    assert after(run, "RollBack") == ["RollBack", *NOTIFY, "EndedWell"]
    assert (run.output["outcome"], run.output["reason"]) == ("SUPERSEDED", taken.message)
    assert run.called("FinishDeployment")["cause"] == cause
    assert len(run.calls["RollBack"]) == 1


def test_another_change_before_the_rollback_is_left_alone(machine: Machine) -> None:
    theirs = rolled_back(RollBackAction.SUPERSEDED)
    run = machine.run(deployment(), CheckDeployment=[BAD], RollBack=theirs)
    assert after(run, "RollBack") == ["RollBack", "DecideRollBack", *NOTIFY, "EndedWell"]
    assert (run.output["outcome"], run.output["reason"]) == ("SUPERSEDED", theirs["reason"])


def test_an_update_that_never_reached_the_service_fails_with_its_reason(machine: Machine) -> None:
    run = machine.run(
        deployment(),
        UpdateService=Failure("AwsRefused", "AccessDenied from ecs:UpdateService"),
        RollBack=rolled_back(RollBackAction.NOTHING_CHANGED),
    )
    assert after(run, "UpdateService") == [
        "UpdateService",
        "RollBack",
        "DecideRollBack",
        *NOTIFY,
        "EndedBadly",
    ]
    assert run.called("RollBack")["updated"] is False
    assert run.called("RollBack")["abandoned"] == [NEW]
    assert (run.error, run.cause) == ("FAILED", "AccessDenied from ecs:UpdateService")


def test_an_update_that_was_done_although_it_failed_is_rolled_back(machine: Machine) -> None:
    run = machine.run(
        deployment(),
        UpdateService=Failure("AwsRefused", "denied"),
        CheckDeployment=ROLLED_BACK_AGAIN,
    )
    assert (run.error, run.cause) == ("ROLLED_BACK", "denied")
    (check,) = run.calls["CheckDeployment"]
    assert check["watch"]["update"]["deployment_id"] == BACK, "only the rollback is checked"


def test_a_check_that_fails_is_no_verdict_and_is_made_again(machine: Machine) -> None:
    checks = [pending(), Failure("AwsRefused", "AccessDenied from ecs:ListTasks"), GOOD_AFTER_ALL]
    run = machine.run(deployment(), CheckDeployment=checks)
    assert after(run, "DecideUnchecked")[:3] == [
        "DecideUnchecked",
        "WaitForTasks",
        "CheckDeployment",
    ]
    assert run.output["outcome"] == "SUCCEEDED"


def test_the_wait_after_a_check_that_failed_is_twice_as_long(machine: Machine) -> None:
    checks = [Failure("AwsRefused", "denied"), GOOD_AFTER_ALL]
    run = machine.run(deployment(policy={"poll_seconds": 20}), CheckDeployment=checks)
    assert run.pauses == [("WaitForTasks", 20), ("WaitForTasks", 40)]


def test_rolling_back_that_is_refused_ends_rollback_failed(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD], RollBack=Failure("AwsRefused", "denied"))
    assert after(run, "RollBack") == ["RollBack", *NOTIFY, "EndedBadly"]
    assert (run.error, run.cause) == (
        "ROLLBACK_FAILED",
        "two tasks failed; rolling back failed: denied",
    )


def test_the_first_check_is_of_our_own_deployment(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[BAD, ROLLED_BACK_AGAIN])
    watched = [check["watch"]["update"]["deployment_id"] for check in run.calls["CheckDeployment"]]
    assert watched == [OURS, BACK]
