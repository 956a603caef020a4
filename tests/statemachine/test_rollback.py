"""A manual rollback from its start: it is resolved, and the deployment machine carries it out."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from moto.stepfunctions.parser.api import ExecutionDoesNotExist, ExecutionLimitExceeded
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from localaws.stepfunctions import child_execution
from slipway.notices.news import News
from tests.support.builders import NEW, OLD, SERVICE
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    GOOD,
    Failure,
    Rejection,
    end,
    failed,
    finding,
    manual_rollback,
    resolved_rollback,
    rolled_back,
    superseded,
)

BY_JO = {"service": SERVICE, "to": "v1", "by": "jo"}
NO_SERVICE = Failure("InvalidInput", "cluster production has no service api")
MANUAL = {"BeginDeployment": manual_rollback}
"""The script of a rollback whose deployment begins."""


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.rollback


def test_a_rollback_succeeds_when_its_deployment_has_rolled_back(machine: Machine) -> None:
    run = machine.run(BY_JO, **MANUAL)
    assert run.states == ["CheckInput", "ResolveRollback", "RollBackService"]
    assert run.status == "SUCCEEDED"
    assert run.output == {
        "outcome": "ROLLED_BACK",
        "reason": rolled_back()["reason"],
        "service": SERVICE,
        "task_definition": None,
        "rollback_target": OLD,
    }


def test_the_input_of_a_rollback_is_resolved_with_the_arn_and_time_of_its_execution(
    machine: Machine,
) -> None:
    run = machine.run(BY_JO, **MANUAL)
    given = run.called("ResolveRollback")
    assert given.keys() == {"start", "execution", "started_at"}
    assert (given["start"], given["execution"]) == (BY_JO, run.arn)


def test_the_deployment_is_started_with_the_name_and_input_that_were_resolved(
    machine: Machine, machines: Machines
) -> None:
    answers = []

    def resolve(event: Any) -> Any:
        answers.append(resolved_rollback(event))
        return answers[-1]

    run = machine.run(BY_JO, ResolveRollback=resolve, **MANUAL)
    (planned,) = answers
    begun = run.called("BeginDeployment")
    assert begun["start"] == planned["input"]
    assert begun["start"].keys() == {"rollback"}, "it only names what the ledger has"
    assert begun["execution"].rpartition(":")[2] == planned["name"]
    assert machines.deployment.executions()[0] == begun["execution"]


def test_only_the_deployment_notifies_of_a_rollback_that_it_carries_out(machine: Machine) -> None:
    run = machine.run(BY_JO, **MANUAL)
    notified = [News.model_validate(event) for event in run.calls["Notify"]]
    assert [news.kind for news in notified] == ["start", "end"]
    assert {news.execution for news in notified} == {run.called("BeginDeployment")["execution"]}
    assert {(news.started_by, news.by) for news in notified} == {("manual rollback", "jo")}


@pytest.mark.parametrize(
    ("outcome", "script"),
    [
        ("NO_CHANGE", {"BeginDeployment": end("NO_CHANGE", "it has shop-api:41 already")}),
        ("SUPERSEDED", MANUAL | {"CheckDeployment": superseded()}),
    ],
)
def test_a_rollback_that_had_nothing_to_do_or_left_the_service_to_another_change_succeeds(
    machine: Machine, outcome: str, script: dict[str, Any]
) -> None:
    run = machine.run(BY_JO, **script)
    assert (run.status, run.output["outcome"]) == ("SUCCEEDED", outcome)


@pytest.mark.parametrize(
    ("outcome", "why", "script"),
    [
        (
            "REJECTED",
            "there is no last good version",
            {"BeginDeployment": end("REJECTED", "there is no last good version")},
        ),
        (
            "ROLLBACK_FAILED",
            f"{rolled_back()['reason']}; rolling back failed: two tasks failed",
            MANUAL | {"CheckDeployment": failed("two tasks failed")},
        ),
        (
            "FAILED",
            "the ledger said so",
            MANUAL | {"FinishDeployment": finding("FAILED", "the ledger said so")},
        ),
    ],
)
def test_a_rollback_fails_with_the_outcome_and_reason_of_its_deployment_which_notifies(
    machine: Machine, outcome: str, why: str, script: dict[str, Any]
) -> None:
    run = machine.run(BY_JO, **script)
    assert run.states[-1] == "Failed"
    assert "Notify" not in run.states
    assert (run.status, run.error, run.cause) == ("FAILED", outcome, why)
    assert [event["outcome"] for event in run.calls["Notify"] if event["kind"] == "end"] == [
        outcome
    ]
    assert all(event["execution"] != run.arn for event in run.calls["Notify"])


def test_a_deployment_that_was_stopped_fails_the_rollback_by_that_name_and_its_recovery_notifies(
    machine: Machine, machines: Machines
) -> None:
    def abort(event: Any) -> Any:
        machines.deployment.client.stop_execution(executionArn=event["execution"], cause="enough")
        return manual_rollback(event)

    run = machine.run(BY_JO, BeginDeployment=abort)
    assert run.states[-1] == "Failed"
    assert run.error == "ABORTED"
    assert "enough" in str(run.cause)
    assert "Notify" not in run.calls


def test_a_deployment_that_fails_without_a_reason_fails_the_rollback_by_its_outcome(
    machine: Machine,
) -> None:
    run = machine.run(BY_JO, BeginDeployment=end("REJECTED", ""))
    assert run.error == "REJECTED"


@pytest.mark.parametrize(
    "cause", ["", '{"ExecutionArn": "arn:aws:states", "Input": "{', "no more than a text"]
)
def test_a_deployment_whose_description_was_cut_fails_the_rollback_and_notifies_itself(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    details = child_execution.TaskFailedEventDetails
    monkeypatch.setattr(
        child_execution, "TaskFailedEventDetails", lambda **d: details(**d | {"cause": cause})
    )
    run = machine.run(BY_JO, BeginDeployment=end("REJECTED", "there is no last good version"))
    assert (run.status, run.error) == ("FAILED", "States.TaskFailed")
    assert "Notify" not in run.states


def test_a_deployment_that_timed_out_fails_the_rollback_by_that_name_and_its_recovery_notifies(
    machines: Machines,
) -> None:
    over = threading.Event()

    def hang(event: Any) -> Any:
        over.wait(60)
        return manual_rollback(event)

    short = machines.deployment_but(lambda definition: definition.update(TimeoutSeconds=1))
    run = machines.rollback_but(of=short.arn).run(BY_JO, BeginDeployment=hang)
    over.set()
    assert run.error == "TIMED_OUT"
    assert "Notify" not in run.calls


def test_a_rollback_that_waited_too_long_for_its_deployment_stops_it_and_fails(
    machines: Machines,
) -> None:
    over = threading.Event()

    def hang(event: Any) -> Any:
        over.wait(60)
        return manual_rollback(event)

    def impatient(definition: dict[str, Any]) -> None:
        definition["States"]["RollBackService"]["TimeoutSeconds"] = 1

    run = machines.rollback_but(impatient).run(BY_JO, BeginDeployment=hang)
    over.set()
    assert (run.error, run.cause) == ("States.Timeout", "States.Timeout")
    assert "Notify" not in run.calls, "its recovery notifies"
    newest = machines.deployment.executions()[0]
    assert machines.deployment.ended(newest).status == "ABORTED"


def test_a_rollback_that_can_not_be_resolved_is_notified_and_fails_with_the_message(
    machine: Machine,
) -> None:
    run = machine.run(BY_JO, ResolveRollback=NO_SERVICE)
    assert run.states == ["CheckInput", "ResolveRollback", "Notify", "Failed"]
    assert (run.status, run.error, run.cause) == ("FAILED", "FAILED", NO_SERVICE.message)
    notified = run.called("Notify")
    assert notified == {
        "kind": "end",
        "outcome": "FAILED",
        "reason": notified["reason"],
        "cause": "CONFIGURATION",
        "execution": run.arn,
        "service": SERVICE,
        "started_by": "manual rollback",
        "by": "jo",
    }
    assert News.model_validate(notified).sentence == NO_SERVICE.message


def test_the_notice_of_a_rollback_that_nobody_has_signed_names_nobody(machine: Machine) -> None:
    run = machine.run({"service": SERVICE}, ResolveRollback=NO_SERVICE)
    assert run.called("Notify")["by"] is None


@pytest.mark.parametrize(
    "start",
    [{}, {"service": 5}, {"service": None, "by": ["jo"]}, {"services": []}, [], "api", 3, None],
)
def test_a_rollback_of_no_service_is_notified_without_a_service(
    machine: Machine, start: Any
) -> None:
    run = machine.run(start)
    assert (run.status, run.error) == ("FAILED", "FAILED")
    assert "a manual rollback is not valid" in str(run.cause)
    notified = News.model_validate(run.called("Notify"))
    assert (notified.service, notified.by) == (None, None)
    assert run.called("Notify")["cause"] == "CONFIGURATION"
    assert run.calls.keys() == {"ResolveRollback", "Notify"}


def test_a_misspelt_field_is_refused_instead_of_another_rollback_than_was_meant(
    machine: Machine,
) -> None:
    run = machine.run({"service": SERVICE, "too": "v1"})
    assert run.error == "FAILED"
    assert "too" in str(run.cause)
    assert run.calls.keys() == {"ResolveRollback", "Notify"}


def test_a_deployment_that_can_not_be_started_fails_the_rollback_which_notifies_of_it(
    machines: Machines,
) -> None:
    gone = machines.deployment.arn + "-gone"
    run = machines.rollback_but(of=gone).run(BY_JO)
    assert run.states[-2:] == ["Notify", "Failed"]
    assert run.error == "FAILED"
    assert gone in str(run.cause)
    notified = run.called("Notify")
    assert (notified["outcome"], notified["cause"]) == ("FAILED", "ERROR")
    assert (notified["service"], notified["by"]) == (SERVICE, "jo")
    assert gone in notified["reason"]


def started_before(machines: Machines, given: Any = None) -> Any:
    """An answer of ResolveRollback that comes when an execution of the deployment's name has ended.

    Args:
        given: the input of that execution; by default the deployment's own.
    """

    def answer(event: Any) -> Any:
        resolved = resolved_rollback(event)
        machine, named = machines.deployment, given or resolved["input"]
        arn = machine.client.start_execution(
            stateMachineArn=machine.arn, name=resolved["name"], input=json.dumps(named)
        )["executionArn"]
        machine.ended(arn)
        return resolved

    return answer


def test_a_deployment_that_an_earlier_attempt_started_gives_its_end_to_the_rollback(
    machine: Machine, machines: Machines
) -> None:
    run = machine.run(BY_JO, ResolveRollback=started_before(machines), **MANUAL)
    assert run.states == [
        "CheckInput",
        "ResolveRollback",
        "RollBackService",
        "ReadDeployment",
        "DecideNotify",
        "RolledBack",
    ]
    assert (run.status, run.output["outcome"]) == ("SUCCEEDED", "ROLLED_BACK")


def test_a_deployment_that_an_earlier_attempt_started_and_that_failed_fails_the_rollback(
    machine: Machine, machines: Machines
) -> None:
    bad = {**MANUAL, "CheckDeployment": failed("two tasks failed")}
    run = machine.run(BY_JO, ResolveRollback=started_before(machines), **bad)
    assert run.states[-2:] == ["DecideNotify", "Failed"], "the deployment has notified"
    assert run.error == "ROLLBACK_FAILED"
    assert "two tasks failed" in str(run.cause)


@pytest.mark.parametrize("taken_by", [{"x": 1}, [1], "text"])
def test_a_rollback_whose_name_somebody_else_has_taken_fails_and_notifies(
    machine: Machine, machines: Machines, taken_by: Any
) -> None:
    run = machine.run(BY_JO, ResolveRollback=started_before(machines, taken_by))
    assert run.states[-3:] == ["DecideNotify", "Notify", "Failed"]
    assert (run.error, "had been started before" in str(run.cause)) == ("FAILED", True)
    notified = run.calls["Notify"][-1]
    assert (notified["outcome"], notified["service"], notified["by"]) == ("FAILED", SERVICE, "jo")


def test_a_rollback_that_somebody_else_has_started_before_its_time_fails_and_notifies(
    machine: Machine, machines: Machines
) -> None:
    early = {"BeginDeployment": Failure("Refused", "there is none")}
    run = machine.run(BY_JO, ResolveRollback=started_before(machines), **early)
    assert run.states[-3:] == ["DecideNotify", "Notify", "Failed"]
    assert run.error == "FAILED"


def test_a_rollback_whose_deployment_was_started_before_and_can_not_be_read_fails_and_notifies(
    machine: Machine, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = StepFunctionsParserBackend.describe_execution
    started = started_before(machines)

    def answer(event: Any) -> Any:
        resolved = started(event)

        def gone(self: Any, execution_arn: str) -> Any:
            if execution_arn.endswith(resolved["name"]):
                raise ExecutionDoesNotExist("no such execution")
            return describe(self, execution_arn)

        monkeypatch.setattr(StepFunctionsParserBackend, "describe_execution", gone)
        return resolved

    run = machine.run(BY_JO, ResolveRollback=answer, **MANUAL)
    assert run.states[-3:] == ["ReadDeployment", "Notify", "Failed"]
    assert (run.error, "no such execution" in str(run.cause)) == ("FAILED", True)


def test_starting_the_deployment_is_tried_again_where_that_may_help(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = StepFunctionsParserBackend.start_execution
    refusals = [ExecutionLimitExceeded("too many")] * 2

    def busy(self: Any, state_machine_arn: str, *args: Any, **more: Any) -> Any:
        if "deployment" in state_machine_arn and refusals:
            raise refusals.pop()
        return start(self, state_machine_arn, *args, **more)

    monkeypatch.setattr(StepFunctionsParserBackend, "start_execution", busy)
    run = machine.run(BY_JO, **MANUAL)
    assert run.output["outcome"] == "ROLLED_BACK"
    assert [state for state, _ in run.pauses if state == "RollBackService"] == [
        "RollBackService"
    ] * 2
    assert refusals == []


TRANSIENT = [Failure("AwsUnavailable"), Rejection("TooManyRequestsException")]


def test_resolving_a_rollback_is_tried_again_after_a_transient_error(machine: Machine) -> None:
    run = machine.run(BY_JO, ResolveRollback=[*TRANSIENT, resolved_rollback], **MANUAL)
    assert run.output["outcome"] == "ROLLED_BACK"
    assert run.calls["ResolveRollback"] == [run.calls["ResolveRollback"][0]] * 3


@pytest.mark.parametrize("name", ["InvalidInput", "AwsRefused"])
def test_resolving_a_rollback_is_not_tried_again_after_an_error_that_will_not_pass(
    machine: Machine, name: str
) -> None:
    run = machine.run(BY_JO, ResolveRollback=[Failure(name)])
    assert run.error == "FAILED"
    expected = "CONFIGURATION" if name == "InvalidInput" else "ERROR"
    assert run.called("Notify")["cause"] == expected


def test_a_rollback_that_never_gets_resolved_is_notified(machine: Machine) -> None:
    attempts = 1 + machine.definition["States"]["ResolveRollback"]["Retry"][0]["MaxAttempts"]
    tries = [Failure("AwsUnavailable", "ECS is away")] * attempts
    run = machine.run(BY_JO, ResolveRollback=tries)
    assert (run.error, run.cause) == ("FAILED", "ECS is away")
    assert len(run.calls["Notify"]) == 1


def test_the_notice_of_a_failed_rollback_is_tried_again_after_a_transient_error(
    machine: Machine,
) -> None:
    tries = [*TRANSIENT, GOOD["Notify"]]
    run = machine.run(BY_JO, ResolveRollback=NO_SERVICE, Notify=tries)
    assert run.cause == NO_SERVICE.message


def test_a_rollback_that_nobody_can_be_notified_of_still_fails_with_the_message(
    machine: Machine,
) -> None:
    run = machine.run(
        BY_JO, ResolveRollback=NO_SERVICE, Notify=Failure("AwsRefused", "no such topic")
    )
    assert run.states[-2:] == ["Notify", "Failed"]
    assert run.error == "FAILED"
    assert NO_SERVICE.message in str(run.cause)
    assert "no such topic" not in str(run.cause)


def test_two_rollbacks_of_one_service_are_two_deployments(machine: Machine) -> None:
    runs = [machine.run(BY_JO, **MANUAL) for _ in range(2)]
    begun = {run.called("BeginDeployment")["execution"] for run in runs}
    assert len(begun) == 2


def test_the_version_that_the_service_ran_is_abandoned_by_the_deployment(machine: Machine) -> None:
    back = machine.run(BY_JO, **MANUAL).called("RollBack")
    assert (back["abandoned"], back["rollback_target"]) == ([NEW], OLD)
