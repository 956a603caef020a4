"""A release on its way through its stages, each deployment a real execution of the other machine."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.machines import Machine, Machines, Run
from tests.support.scripted_functions import by_service
from tests.support.step_answers import (
    MANUAL,
    PUSH,
    Failure,
    end,
    failed,
    finding,
    go,
    healthy,
    resolution,
    superseded,
)

TWO_STAGES = {"staging": ["staging/api"], "production": ["production/api", "production/worker"]}
BAD = failed("two tasks failed")
WELL = healthy(baked=True)
NO_CHANGE = end("NO_CHANGE", "the service runs this image already, and it is good")
STAGE = ["DeployStage", "DeployService", "ReportDeployment"]


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.release


def deployed(run: Run) -> list[str]:
    """The services whose deployment began."""
    return [given["start"]["service"] for given in run.calls["BeginDeployment"]]


def result(service: str, outcome: str = "SUCCEEDED", reason: str = "every task is healthy") -> Any:
    """A deployment as the release reports it."""
    stage = service.partition("/")[0]
    return {"service": service, "stage": stage, "outcome": outcome, "reason": reason}


def test_a_release_to_one_service_of_one_stage_succeeds(machine: Machine) -> None:
    found = resolution(production=["production/api"])
    run = machine.run(MANUAL, ResolveRelease=found)
    assert run.states == [
        "DecideToSettle",
        "ResolveRelease",
        "DecideRelease",
        "DeployStage",
        "DeployService",
        "DecideNextStage",
        "Released",
    ]
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "SUCCEEDED",
        "release": found["release"],
        "deployments": [result("production/api")],
    }


def test_a_deployment_is_started_with_the_name_and_input_that_were_resolved(
    machine: Machine, machines: Machines
) -> None:
    found = resolution(production=["production/api"])
    run = machine.run(MANUAL, ResolveRelease=found)
    (planned,) = found["stages"][0]["deployments"]
    assert run.called("BeginDeployment")["start"] == planned["input"]
    names = [arn.rpartition(":")[2] for arn in machines.deployment.executions()]
    assert names.count(planned["name"]) == 1


def test_the_stages_follow_each_other_and_the_services_of_a_stage_go_side_by_side(
    machine: Machine,
) -> None:
    both = threading.Barrier(2)  # it breaks where only one of the two comes

    def begin(event: Any) -> Any:
        if event["start"]["stage"] == "production":
            both.wait(30)
        return go(event)

    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), BeginDeployment=begin)
    assert run.states[-7:] == [
        "DecideNextStage",
        "NotifyStage",
        "DeployStage",
        "DeployService",
        "DeployService",
        "DecideNextStage",
        "Released",
    ]
    assert deployed(run)[0] == "staging/api"
    assert run.output["deployments"] == [
        result("staging/api"),
        result("production/api"),
        result("production/worker"),
    ]


def test_a_service_that_runs_the_image_already_is_as_good_as_deployed(machine: Machine) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(**TWO_STAGES),
        BeginDeployment=by_service([NO_CHANGE] * 2, worker=go),
    )
    assert run.status == "SUCCEEDED"
    outcomes = [deployment["outcome"] for deployment in run.output["deployments"]]
    assert outcomes == ["NO_CHANGE", "NO_CHANGE", "SUCCEEDED"]


def test_the_stage_after_one_that_was_rolled_back_does_not_start(machine: Machine) -> None:
    run = machine.run(MANUAL, ResolveRelease=resolution(**TWO_STAGES), CheckDeployment=[BAD, WELL])
    assert run.states[-4:] == [*STAGE[1:], "DecideNextStage", "Failed"]
    assert deployed(run) == ["staging/api"]
    assert (run.status, run.error) == ("FAILED", "ReleaseFailed")
    assert run.cause == "staging/api ROLLED_BACK: two tasks failed"
    kinds = [notified["kind"] for notified in run.calls["Notify"]]
    assert kinds == ["stage", "start", "end"], (
        "the deployment notifies, the release does not repeat it"
    )


@pytest.mark.parametrize("outcome", ["REJECTED", "FAILED"])
def test_the_stage_after_one_that_could_not_begin_does_not_start(
    machine: Machine, outcome: str
) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(**TWO_STAGES),
        BeginDeployment=end(outcome, "deployments are frozen"),
    )
    assert deployed(run) == ["staging/api"]
    assert (run.error, run.cause) == (
        "ReleaseFailed",
        f"staging/api {outcome}: deployments are frozen",
    )
    assert [notified["kind"] for notified in run.calls["Notify"]] == ["stage", "end"]


def test_a_success_that_is_superseded_when_it_is_written_ends_the_release(
    machine: Machine,
) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(**TWO_STAGES),
        FinishDeployment=finding("SUPERSEDED", "someone else has put shop-api:43 on the service"),
    )
    assert run.states[-1] == "Superseded"
    assert deployed(run) == ["staging/api"]


def test_the_other_services_of_a_stage_go_on_when_one_deployment_fails(machine: Machine) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(production=["production/api", "production/worker"]),
        BeginDeployment=by_service(
            go, api=Failure("InvalidInput", "cluster production has no service api")
        ),
    )
    assert run.cause == "production/api FAILED: cluster production has no service api"
    updated = [update["claim"]["service"] for update in run.calls["UpdateService"]]
    assert updated == ["production/worker"]
    ends = [notified for notified in run.calls["Notify"] if notified["kind"] == "end"]
    assert {notified["service"]: notified["outcome"] for notified in ends} == {
        "production/api": "FAILED",
        "production/worker": "SUCCEEDED",
    }


def test_every_deployment_that_failed_is_named(machine: Machine) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(production=["production/api", "production/worker"]),
        CheckDeployment=by_service(
            None, api=[BAD, WELL], worker=[failed("the alarm went off"), failed("gone")]
        ),
    )
    assert str(run.cause).split("\n") == [
        "production/api ROLLED_BACK: two tasks failed",
        "production/worker ROLLBACK_FAILED: the alarm went off; rolling back failed: gone",
    ]


def test_a_superseded_deployment_ends_the_release_without_failing_it(machine: Machine) -> None:
    found = resolution(**TWO_STAGES)
    run = machine.run(MANUAL, ResolveRelease=found, CheckDeployment=superseded())
    assert run.states[-2:] == ["DecideNextStage", "Superseded"]
    assert deployed(run) == ["staging/api"], "the next stage does not start"
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "SUPERSEDED",
        "release": found["release"],
        "deployments": [result("staging/api", "SUPERSEDED", superseded()["reason"])],
    }


def test_an_unproven_deployment_ends_the_release_before_its_next_stage(machine: Machine) -> None:
    found = resolution(**TWO_STAGES)
    idle = healthy(baked=True) | {"proven": False}
    run = machine.run(MANUAL, ResolveRelease=found, CheckDeployment=idle)
    assert run.states[-2:] == ["DecideNextStage", "Unproven"]
    assert deployed(run) == ["staging/api"], "the next stage does not start"
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "UNPROVEN",
        "release": found["release"],
        "deployments": [result("staging/api", "UNPROVEN", "every task is healthy")],
    }


def test_a_release_fails_where_one_deployment_is_superseded_and_another_bad(
    machine: Machine,
) -> None:
    run = machine.run(
        MANUAL,
        ResolveRelease=resolution(production=["production/api", "production/worker"]),
        CheckDeployment=by_service(None, api=[superseded()], worker=[BAD, WELL]),
    )
    assert (run.error, run.cause) == (
        "ReleaseFailed",
        "production/worker ROLLED_BACK: two tasks failed",
    )
