"""Which executions that died are recovered, and that nothing is recovered twice."""

from __future__ import annotations

import json

import pytest
from botocore.stub import ANY

from slipway import aws
from slipway.deployment.beginning import Recovery
from slipway.deployment.recovery import NotRecovered, recover
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import Unreadable
from slipway.release.release import unique_name
from tests.support.builders import (
    DEPLOYMENTS,
    NOW,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    execution,
    release,
)

MILLISECONDS = at(0.123)
MANUAL_ROLLBACK = {"action": "rollback", "service": SERVICE}
CRASHED = {"status": "FAILED", "error": "States.Runtime", "cause": "no such variable"}


def died(stepfunctions, start=None, name="e-1", started_at=NOW, **changes):
    """Step Functions describes the execution."""
    given = deployment().to_json() if start is None else start
    answer = {
        "executionArn": execution(name),
        "stateMachineArn": DEPLOYMENTS,
        "startDate": started_at,
        "status": "ABORTED",
        "input": json.dumps(given),
    }
    stepfunctions.answers("describe_execution", answer | changes, executionArn=execution(name))


class Started:
    """What an execution was started with."""

    def __init__(self, stepfunctions):
        self.stub, self.given = stepfunctions, []
        stepfunctions.client.meta.events.register("before-parameter-build", self._keep)

    def _keep(self, params, model, **_):
        if model.name == "StartExecution":
            self.given.append(dict(params))

    @property
    def recovery(self) -> Recovery:
        [params] = self.given
        assert params["stateMachineArn"] == DEPLOYMENTS
        return Recovery(**json.loads(params["input"]))


@pytest.fixture
def started(stepfunctions):
    started = Started(stepfunctions)
    yield started
    stepfunctions.client.meta.events.unregister("before-parameter-build", started._keep)


def starts(stepfunctions):
    answer = {"executionArn": execution("recover-1"), "startDate": NOW}
    expected = {"stateMachineArn": DEPLOYMENTS, "name": ANY, "input": ANY}
    stepfunctions.answers("start_execution", answer, **expected)


def recovered(stepfunctions, ledger, name="e-1"):
    return recover(execution(name), DEPLOYMENTS, ledger, stepfunctions.client)


def ends(ledger, outcome="FAILED", notified=True, own=None):
    own = own or accepted(ledger, "e-1")
    ending = {"outcome": outcome, "reason": "because", "evidence": []}
    ledger.finish(own, deployment(), ending, None, None)
    if notified:
        ledger.note_notified(own, "end", NOW)


# --- what is started --------------------------------------------------------------------------------


def test_a_dead_deployment_is_recovered_by_an_execution_that_knows_all_of_it(
    stepfunctions, ledger, started
):
    accepted(ledger, "e-1")
    died(stepfunctions)
    starts(stepfunctions)

    said = recovered(stepfunctions, ledger)

    assert started.recovery == Recovery(
        action="recover",
        deployment=claim().deployment,
        execution=execution(),
        started_at=NOW,
        why="its execution was stopped",
        start=deployment().to_json(),
        attempt=1,
    )
    name = started.given[0]["name"]
    assert name.startswith("recover-production-api-")
    assert said == f"execution {name} recovers it"


def test_a_deployment_that_the_ledger_has_never_heard_of_is_recovered(
    stepfunctions, ledger, started
):
    died(stepfunctions)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert started.recovery.deployment == claim().deployment


def test_the_id_of_a_recovered_deployment_has_the_milliseconds_of_its_start(
    stepfunctions, ledger, started
):
    died(stepfunctions, started_at=MILLISECONDS)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert started.recovery.deployment == "2026-11-22T03:00:00.123Z#e-1"


def test_a_manual_rollback_is_recovered_as_well(stepfunctions, ledger, started):
    died(stepfunctions, MANUAL_ROLLBACK)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert started.recovery.start == MANUAL_ROLLBACK


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"status": "ABORTED"}, "its execution was stopped"),
        (
            {"status": "ABORTED", "cause": "Ada said so"},
            "its execution was stopped (Ada said so)",
        ),
        ({"status": "TIMED_OUT"}, "its execution ran out of time"),
        (CRASHED, "its execution failed (States.Runtime: no such variable)"),
        ({"status": "SUCCEEDED"}, "its execution ended without freeing the service"),
    ],
)
def test_how_the_execution_ended_is_in_the_recoverys_input(
    stepfunctions, ledger, started, how, why
):
    died(stepfunctions, **how)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert started.recovery.why == why


def test_two_recoveries_of_one_execution_have_the_same_name(stepfunctions, ledger, started):
    for _ in range(2):
        died(stepfunctions)
        starts(stepfunctions)
        recovered(stepfunctions, ledger)

    first, second = (params["name"] for params in started.given)
    assert first == second


def test_the_recoveries_of_two_executions_have_different_names(stepfunctions, ledger, started):
    for name in ("e-1", "e-2"):
        died(stepfunctions, name=name)
        starts(stepfunctions)
        recovered(stepfunctions, ledger, name)

    first, second = (params["name"] for params in started.given)
    assert first != second


OWN = unique_name(f"recover-{SERVICE}", execution("e-1"))
"""The name of the recovery of e-1."""


def recovery_of_e_1(stepfunctions, status):
    """Step Functions describes it."""
    given = Recovery(
        action="recover",
        deployment=claim().deployment,
        execution=execution("e-1"),
        started_at=NOW,
        why="its execution was stopped",
        start=deployment().to_json(),
        attempt=1,
    )
    died(stepfunctions, start=given.to_json(), name=OWN, status=status)


def test_a_deployment_that_is_being_recovered_is_not_recovered_again(stepfunctions, ledger):
    died(stepfunctions)
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")
    recovery_of_e_1(stepfunctions, "RUNNING")

    assert recovered(stepfunctions, ledger) == "it is running"


def test_a_recovery_that_died_without_an_event_is_recovered(stepfunctions, ledger, started):
    died(stepfunctions)
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")
    recovery_of_e_1(stepfunctions, "TIMED_OUT")
    starts(stepfunctions)

    recovered(stepfunctions, ledger)

    assert json.loads(started.given[-1]["input"])["attempt"] == 2


# --- what is not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_an_execution_that_is_running_is_left_alone(stepfunctions, ledger, status):
    died(stepfunctions, status=status)

    assert recovered(stepfunctions, ledger) == "it is running"


@pytest.mark.parametrize("start", [{}, {"service": "api"}, {"service": 5}, [], "text", None, 5])
def test_an_execution_that_names_no_service_is_not_recovered(stepfunctions, ledger, start):
    died(stepfunctions, input=json.dumps(start))

    said = recovered(stepfunctions, ledger)

    assert said == "it names no service: it can't have changed one"


@pytest.mark.parametrize("start", [{"action": "recover"}, {"action": "recover", "attempt": "x"}])
def test_a_recovery_that_could_not_be_read_has_changed_nothing(stepfunctions, ledger, start):
    died(stepfunctions, start)

    said = recovered(stepfunctions, ledger)

    assert said.startswith("it can't have changed anything: the input of a recovery is not valid")


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED", "ROLLED_BACK", "SUPERSEDED"])
def test_an_end_that_people_were_notified_of_is_left_alone(stepfunctions, ledger, outcome):
    """Step Functions announces every deployment that was rolled back as failed."""
    ends(ledger, outcome)
    died(stepfunctions, status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_no_change_has_ended_though_nobody_was_notified(stepfunctions, ledger):
    ends(ledger, "NO_CHANGE", notified=False)
    died(stepfunctions)

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_an_ended_deployment_whose_service_another_one_has_claimed_is_not_recovered(
    stepfunctions, ledger
):
    ends(ledger)
    accepted(ledger, "e-2", release=release(id="event-2"))
    died(stepfunctions)

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def broken():
    aws.table().update_item(
        Key={"pk": "service", "sk": SERVICE},
        UpdateExpression="SET good = :text",
        ExpressionAttributeValues={":text": "the last one"},
    )


def test_a_deployment_that_never_began_has_ended_though_the_services_item_can_not_be_read(
    stepfunctions, ledger
):
    ledger.end(claim(), deployment(), {"outcome": "FAILED", "reason": "because", "evidence": []})
    ledger.note_notified(claim(), "end", NOW)
    broken()
    died(stepfunctions, status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_a_deployment_that_claimed_the_service_is_not_given_up_though_its_item_can_not_be_read(
    stepfunctions, ledger
):
    ends(ledger, "ROLLED_BACK")
    broken()
    died(stepfunctions, status="FAILED")

    with pytest.raises(Unreadable, match=f"item service {SERVICE} is not valid"):
        recovered(stepfunctions, ledger)


# --- what has not quite ended -----------------------------------------------------------------------


def test_a_recovery_notifies_of_an_end_that_nobody_was_notified_of(stepfunctions, ledger, started):
    ends(ledger, notified=False)
    died(stepfunctions)
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


def test_a_start_that_people_were_notified_of_is_no_end(stepfunctions, ledger, started):
    ends(ledger, notified=False)
    ledger.note_notified(claim(), "start", NOW)
    died(stepfunctions)
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


def test_a_service_that_was_claimed_after_the_end_is_freed_by_a_recovery(
    stepfunctions, ledger, started
):
    """A try of BeginDeployment that was on its way when the execution was stopped."""
    ends(ledger)
    ledger.claim(claim(), deployment(), "arn", NOW)
    died(stepfunctions)
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


# --- recoveries that die ----------------------------------------------------------------------------


def recovery(attempt):
    return Recovery(
        action="recover",
        deployment=claim().deployment,
        execution=execution(),
        started_at=NOW,
        why="its execution was stopped",
        start=deployment().to_json(),
        attempt=attempt,
    )


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_recovery_that_died_is_recovered_with_what_it_had_to_recover(
    stepfunctions, ledger, started, attempt
):
    accepted(ledger, "e-1")
    dead = recovery(attempt)
    died(stepfunctions, dead.to_json(), "recover-1", at(500), status="TIMED_OUT")
    starts(stepfunctions)
    recovered(stepfunctions, ledger, "recover-1")

    why = {"why": "its execution ran out of time"}
    assert started.recovery == dead.model_copy(update={**why, "attempt": attempt + 1})


def test_when_the_third_recovery_has_died_a_person_has_to_act(stepfunctions, ledger):
    accepted(ledger, "e-1")
    died(stepfunctions, recovery(3).to_json(), "recover-3")

    with pytest.raises(NotRecovered) as raised:
        recovered(stepfunctions, ledger, "recover-3")

    assert str(raised.value) == (
        f"3 executions that had to recover the deployment {claim().deployment} of service {SERVICE} "
        f"have died as well, the last one is {execution('recover-3')}: look at the service, and free "
        "it in the ledger (docs/operations.md)"
    )


def test_a_third_recovery_that_did_its_work_before_it_died_is_left_alone(stepfunctions, ledger):
    ends(ledger)
    died(stepfunctions, recovery(3).to_json(), "recover-3")

    assert recovered(stepfunctions, ledger, "recover-3") == "it has come to its end"


# --- errors -----------------------------------------------------------------------------------------


ERRORS = [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)]


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_an_execution_that_could_not_be_looked_up_is_named(stepfunctions, ledger, code, kind):
    stepfunctions.refuses("describe_execution", code)

    with pytest.raises(kind, match=f"states:DescribeExecution on execution {execution()}"):
        recovered(stepfunctions, ledger)


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_a_recovery_that_could_not_be_started_is_an_error(stepfunctions, ledger, code, kind):
    died(stepfunctions)
    stepfunctions.refuses("start_execution", code)

    with pytest.raises(kind, match=f"states:StartExecution on state machine {DEPLOYMENTS}"):
        recovered(stepfunctions, ledger)
