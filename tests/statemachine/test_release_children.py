"""What a release makes of deployments that come to no end of their own, or that were made before."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto.stepfunctions.parser.api import ExecutionDoesNotExist, ExecutionLimitExceeded
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from tests.support.machines import Machine, Machines
from tests.support.step_answers import MANUAL, PUSH, Failure, failed, go, healthy, resolution
from tests.support.waiting import wait_for

ONE = {"production": ["production/api"]}


class Gate:
    """An answer of BeginDeployment that is held back until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def __call__(self, event: Any) -> Any:
        self._open.wait(60)
        return go(event)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.release


def test_a_deployment_that_was_aborted_fails_the_release_by_that_name_and_its_recovery_notifies(
    machine: Machine, machines: Machines
) -> None:
    def abort(event: Any) -> Any:
        machines.deployment.client.stop_execution(executionArn=event["execution"], cause="enough")
        return go(event)

    run = machine.run(MANUAL, ResolveRelease=resolution(**ONE), BeginDeployment=abort)
    assert run.states[-3:] == ["ReportDeployment", "DecideNextStage", "Failed"]
    assert "Notify" not in run.calls
    assert run.error == "ReleaseFailed"
    assert str(run.cause).startswith("production/api ABORTED: ")
    assert "enough" in str(run.cause)


def test_a_deployment_that_timed_out_fails_the_release_by_that_name_and_its_recovery_notifies(
    machines: Machines, gate: Gate
) -> None:
    resource_name = machines.deployment_but(lambda definition: definition.update(TimeoutSeconds=1))
    run = machines.release_but(of=resource_name.arn).run(
        MANUAL, ResolveRelease=resolution(**ONE), BeginDeployment=gate
    )
    assert run.error == "ReleaseFailed"
    assert str(run.cause).startswith("production/api TIMED_OUT: ")
    assert "Notify" not in run.calls


def test_a_release_that_waited_too_long_for_a_deployment_stops_it_and_fails(
    machines: Machines, gate: Gate
) -> None:
    def impatient(definition: dict[str, Any]) -> None:
        stage = definition["States"]["DeployStage"]["ItemProcessor"]
        stage["States"]["DeployService"]["TimeoutSeconds"] = 1

    run = machines.release_but(impatient).run(
        MANUAL, ResolveRelease=resolution(**ONE), BeginDeployment=gate
    )
    assert (run.error, run.cause) == (
        "ReleaseFailed",
        "production/api States.Timeout: States.Timeout",
    )
    assert "Notify" not in run.calls, "its recovery notifies"
    newest = machines.deployment.executions()[0]
    assert machines.deployment.ended(newest).status == "ABORTED"


def test_a_deployment_that_can_not_be_started_fails_the_release_which_gives_the_reason(
    machines: Machines,
) -> None:
    gone = machines.deployment.arn + "-gone"
    run = machines.release_but(of=gone).run(MANUAL, ResolveRelease=resolution(**ONE))
    assert run.states[-4:] == ["ReportDeployment", "DecideNextStage", "Notify", "Failed"]
    assert run.called("Notify")["repository"] == "shop/api"
    assert run.error == "ReleaseFailed"
    assert str(run.cause).startswith("production/api StepFunctions.")
    assert gone in str(run.cause)
    assert gone in run.called("Notify")["reason"]


def test_starting_a_deployment_is_tried_again_where_that_may_help(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = StepFunctionsParserBackend.start_execution
    refusals = [ExecutionLimitExceeded("too many")] * 2

    def busy(self: Any, state_machine_arn: str, *args: Any, **more: Any) -> Any:
        if "deployment" in state_machine_arn and refusals:
            raise refusals.pop()
        return start(self, state_machine_arn, *args, **more)

    monkeypatch.setattr(StepFunctionsParserBackend, "start_execution", busy)
    run = machine.run(MANUAL, ResolveRelease=resolution(**ONE))
    assert run.output["outcome"] == "SUCCEEDED"
    assert [state for state, _ in run.pauses if state == "DeployService"] == ["DeployService"] * 2
    assert refusals == []


def test_a_repeated_delivery_joins_the_deployment_that_is_running(
    machine: Machine, machines: Machines, gate: Gate
) -> None:
    found = resolution(**ONE)
    machine.functions.play({"ResolveRelease": found, "BeginDeployment": gate})
    deliveries = [machine.start(PUSH), machine.start(PUSH)]
    for execution in deliveries:
        wait_for(
            lambda arn=execution: any(
                event["type"] == "TaskSubmitted" for event in machine.history(arn)
            ),
            "the deployment to be started",
        )
    gate.open()
    runs = [machine.ended(execution) for execution in deliveries]
    assert [run.output["outcome"] for run in runs] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(runs[-1].calls["BeginDeployment"]) == 1


def started_before(machines: Machines, found: Any, given: Any, **script: Any) -> str:
    """Run an execution under the name of the release's deployment; the name."""
    (planned,) = found["stages"][0]["deployments"]
    machine = machines.deployment
    machine.functions.play(script)
    arn = machine.client.start_execution(
        stateMachineArn=machine.arn, name=planned["name"], input=json.dumps(given)
    )["executionArn"]
    machine.ended(arn)
    return str(planned["name"])


def test_a_deployment_that_an_earlier_attempt_started_gives_its_end_to_the_release(
    machine: Machine, machines: Machines
) -> None:
    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    started_before(machines, found, planned["input"])
    run = machine.run(MANUAL, ResolveRelease=found)
    assert run.states[-5:] == [
        "DeployService",
        "ReadDeployment",
        "ReportDeployment",
        "DecideNextStage",
        "Released",
    ]
    (deployment,) = run.output["deployments"]
    assert (deployment["service"], deployment["stage"]) == ("production/api", "production")
    assert (deployment["outcome"], deployment["reason"]) == ("SUCCEEDED", "every task is healthy")
    assert run.calls.keys() == {"ResolveRelease"}


def test_a_deployment_that_an_earlier_attempt_started_and_that_was_rolled_back_fails_the_release(
    machine: Machine, machines: Machines
) -> None:
    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    back = [failed("two tasks failed"), healthy(baked=True)]
    started_before(machines, found, planned["input"], CheckDeployment=back)
    run = machine.run(MANUAL, ResolveRelease=found)
    assert (run.error, run.cause) == (
        "ReleaseFailed",
        "production/api ROLLED_BACK: two tasks failed",
    )
    assert "Notify" not in run.calls, "the deployment has notified"


@pytest.mark.parametrize("taken_by", [{"x": 1}, {}, [], None, "text", "the same and more"])
def test_a_deployment_whose_name_somebody_else_has_taken_fails_the_release_which_notifies(
    machine: Machine, machines: Machines, taken_by: Any
) -> None:
    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    given = {**planned["input"], "x": 1} if taken_by == "the same and more" else taken_by
    name = started_before(machines, found, given)
    run = machine.run(MANUAL, ResolveRelease=found)
    assert run.states[-4:] == ["ReportDeployment", "DecideNextStage", "Notify", "Failed"]
    assert f"somebody else has started an execution of the name {name}" in str(run.cause)
    assert run.called("Notify")["repository"] == "shop/api"


def test_a_deployment_that_somebody_else_has_started_before_its_time_fails_the_release_which_notifies(
    machine: Machine, machines: Machines
) -> None:
    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    early = Failure("Refused", "the stage has not come")
    started_before(machines, found, planned["input"], BeginDeployment=early)
    run = machine.run(MANUAL, ResolveRelease=found)
    assert (run.error, run.cause) == ("ReleaseFailed", f"production/api FAILED: {early.message}")
    assert "the stage has not come" in run.called("Notify")["reason"]


def test_a_deployment_that_an_earlier_attempt_started_and_that_was_stopped_is_left_to_its_recovery(
    machine: Machine, machines: Machines
) -> None:
    def abort(event: Any) -> Any:
        machines.deployment.client.stop_execution(executionArn=event["execution"])
        return go(event)

    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    name = started_before(machines, found, planned["input"], BeginDeployment=abort)
    run = machine.run(MANUAL, ResolveRelease=found)
    assert run.cause == f"production/api ABORTED: execution {name} was started before"
    assert "Notify" not in run.calls


def test_a_deployment_that_was_started_before_and_can_not_be_read_fails_the_release_which_notifies(
    machine: Machine, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = resolution(**ONE)
    (planned,) = found["stages"][0]["deployments"]
    name = started_before(machines, found, planned["input"])
    describe = StepFunctionsParserBackend.describe_execution

    def gone(self: Any, execution_arn: str) -> Any:
        if execution_arn.endswith(name):
            raise ExecutionDoesNotExist("no such execution")
        return describe(self, execution_arn)

    monkeypatch.setattr(StepFunctionsParserBackend, "describe_execution", gone)
    run = machine.run(MANUAL, ResolveRelease=found)
    assert run.error == "ReleaseFailed"
    assert str(run.cause).startswith("production/api Sfn.ExecutionDoesNotExistException: ")
    assert "no such execution" in run.called("Notify")["reason"]
