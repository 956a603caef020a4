"""A release up to its first deployment: how it starts, and how it ends where it comes to none."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.notices.news import News
from tests.support.machines import SETTLE_SECONDS, Machine, Machines
from tests.support.step_answers import MANUAL, PUSH, Failure, Rejection, ignored, resolution

NOT_JSON = "the plan of repository shop/api is not JSON"
WRONG_PLAN = Failure("InvalidInput", NOT_JSON)
NO_PLAN = ignored("repository shop/api has no plan")


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.release


def test_a_push_has_to_settle_before_it_is_resolved(machine: Machine) -> None:
    run = machine.run(PUSH, ResolveRelease=NO_PLAN)
    assert run.states[:3] == ["DecideToSettle", "WaitForPushToSettle", "ResolveRelease"]
    assert run.pauses == [("WaitForPushToSettle", SETTLE_SECONDS)]


def test_a_manual_start_is_resolved_at_once(machine: Machine) -> None:
    run = machine.run(MANUAL, ResolveRelease=NO_PLAN)
    assert run.states[:2] == ["DecideToSettle", "ResolveRelease"]
    assert run.pauses == []


@pytest.mark.parametrize("start", [PUSH, MANUAL], ids=["push", "manual start"])
def test_the_start_of_a_release_is_resolved_with_the_arn_and_time_of_its_execution(
    machine: Machine, start: dict[str, Any]
) -> None:
    run = machine.run(start, ResolveRelease=NO_PLAN)
    given = run.called("ResolveRelease")
    assert given.keys() == {"start", "execution", "started_at"}
    assert (given["start"], given["execution"]) == (start, run.arn)


def test_a_push_without_a_plan_ends_ignored_and_nobody_is_notified(machine: Machine) -> None:
    run = machine.run(PUSH, ResolveRelease=NO_PLAN)
    assert run.states[-2:] == ["DecideRelease", "Ignored"]
    assert run.status == "SUCCEEDED"
    assert run.output == {"outcome": "IGNORED", "reason": "repository shop/api has no plan"}
    assert run.calls.keys() == {"ResolveRelease"}


@pytest.mark.parametrize("start", [PUSH, MANUAL], ids=["push", "manual start"])
def test_a_release_that_can_not_be_resolved_is_notified_and_fails_with_the_message(
    machine: Machine, start: dict[str, Any]
) -> None:
    run = machine.run(start, ResolveRelease=WRONG_PLAN)
    assert run.states[-3:] == ["ResolveRelease", "Notify", "Failed"]
    assert (run.status, run.error) == ("FAILED", "ReleaseFailed")
    assert run.cause == NOT_JSON
    notified = run.called("Notify")
    assert notified.keys() == {
        "kind",
        "outcome",
        "reason",
        "cause",
        "execution",
        "release",
        "repository",
        "tag",
    }
    assert notified["cause"] == "CONFIGURATION"
    assert (notified["outcome"], notified["execution"], notified["repository"]) == (
        "FAILED",
        run.arn,
        "shop/api",
    )
    assert News.model_validate(notified).sentence == NOT_JSON


@pytest.mark.parametrize(
    "start",
    [{}, {"repository": 5}, {"repository": None}, {"detail-type": "x"}, [], "shop/api", 3, None],
)
def test_a_start_without_a_repository_is_notified_without_a_repository(
    machine: Machine, start: Any
) -> None:
    wrong = Failure("InvalidInput", "a manual start is not valid:\n  repository: it is missing")
    run = machine.run(start, ResolveRelease=wrong)
    assert (run.status, run.error) == ("FAILED", "ReleaseFailed")
    assert "repository: it is missing" in str(run.cause)
    assert News.model_validate(run.called("Notify")).repository is None


def test_a_repository_that_is_no_text_is_left_out_of_the_notice(machine: Machine) -> None:
    start = {**PUSH, "detail": {"repository-name": 5}}
    run = machine.run(start, ResolveRelease=WRONG_PLAN)
    assert News.model_validate(run.called("Notify")).repository is None


def test_a_release_that_nobody_can_be_notified_of_still_fails_with_the_message(
    machine: Machine,
) -> None:
    run = machine.run(
        MANUAL, ResolveRelease=WRONG_PLAN, Notify=Failure("AwsRefused", "no such topic")
    )
    assert run.states[-2:] == ["Notify", "Failed"]
    assert (run.status, run.error) == ("FAILED", "ReleaseFailed")
    assert NOT_JSON in str(run.cause)
    assert "no such topic" not in str(run.cause)


TRANSIENT = [Failure("AwsUnavailable"), Rejection("TooManyRequestsException")]


def test_resolving_is_tried_again_after_a_transient_error(machine: Machine) -> None:
    found = resolution(production=["production/api"])
    run = machine.run(MANUAL, ResolveRelease=[*TRANSIENT, found])
    assert run.output["outcome"] == "SUCCEEDED"
    assert run.states.count("ResolveRelease") == 1
    assert run.calls["ResolveRelease"] == [run.calls["ResolveRelease"][0]] * 3


def test_a_notification_is_tried_again_after_a_transient_error(machine: Machine) -> None:
    notified = {"message_id": "m-1", "reason": NOT_JSON}
    run = machine.run(MANUAL, ResolveRelease=WRONG_PLAN, Notify=[*TRANSIENT, notified])
    assert run.cause == NOT_JSON


@pytest.mark.parametrize("name", ["InvalidInput", "AwsRefused"])
def test_resolving_is_not_tried_again_after_an_error_that_will_not_pass(
    machine: Machine, name: str
) -> None:
    run = machine.run(MANUAL, ResolveRelease=[Failure(name)])
    assert run.error == "ReleaseFailed"


def test_a_release_that_never_gets_resolved_is_notified(machine: Machine) -> None:
    attempts = 1 + machine.definition["States"]["ResolveRelease"]["Retry"][0]["MaxAttempts"]
    tries = [Failure("AwsUnavailable", "SSM is away")] * attempts
    run = machine.run(MANUAL, ResolveRelease=tries)
    assert run.cause == "SSM is away"
    assert len(run.calls["Notify"]) == 1
