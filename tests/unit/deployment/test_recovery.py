"""Which executions that died are recovered, and that nothing is recovered twice."""

from __future__ import annotations

import json

import pytest
from botocore.stub import ANY

from slipway import aws
from slipway.deployment.recovery import ATTEMPTS, NotRecovered, Recoverer
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import TAKEN_UP, Unreadable
from slipway.ledger.records import Recovery
from slipway.release.named import NamedRollback
from tests.support.asked import (
    execution_described,
    manual_rollback,
    part_of,
    recorded,
    recovery_recorded,
    rollback_recorded,
    taken_up,
)
from tests.support.builders import (
    DEPLOYMENTS,
    NOW,
    OLD,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    execution,
    release,
)

MILLISECONDS = at(0.123)
CRASHED = {"status": "FAILED", "error": "States.Runtime", "cause": "no such variable"}
NOTHING_CHANGED = "it can't have changed anything: "
NAMED = {"recover": claim().deployment, "service": SERVICE}
"""The input of the recovery of e-1."""


def died(stepfunctions, start, name="e-1", **changes):
    """Step Functions describes an execution of the deployment state machine."""
    known = {"status": "ABORTED", "start": start} | changes
    execution_described(stepfunctions, execution(name), **known)


def recovery_died(stepfunctions, name, **changes):
    """Step Functions describes the recovery of this name."""
    died(stepfunctions, NAMED, name, **changes)


def unknown(stepfunctions):
    """Step Functions describes none."""
    stepfunctions.refuses("describe_execution", "ExecutionDoesNotExist")


class Started:
    """What executions were started with."""

    def __init__(self, stepfunctions):
        self.given = []
        stepfunctions.client.meta.events.register("before-parameter-build", self._keep)

    def _keep(self, params, model, **_):
        if model.name == "StartExecution":
            self.given.append(dict(params))

    @property
    def names(self) -> list[str]:
        """Their names, in order; each one has been started to recover e-1."""
        for params in self.given:
            assert params["stateMachineArn"] == DEPLOYMENTS
            assert json.loads(params["input"]) == NAMED
        return [params["name"] for params in self.given]


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
    return Recoverer(DEPLOYMENTS, ledger, stepfunctions.client).recover(execution(name))


def announced(stepfunctions, ledger, name="e-1", redrives=0):
    """Step Functions has announced that the execution has ended, after so many redrives."""
    recoverer = Recoverer(DEPLOYMENTS, ledger, stepfunctions.client)
    return recoverer.recover_ended(execution(name), redrives)


def recovery(ledger) -> Recovery | None:
    """What the ledger has of the newest recovery of e-1."""
    found = ledger.deployment(claim())
    return found.recovery if found else None


def ends(ledger, outcome="FAILED", notified=True):
    own = accepted(ledger, "e-1")
    ending = {"outcome": outcome, "reason": "because", "evidence": []}
    ledger.finish(own, deployment(), ending, None, None)
    if notified:
        ledger.note_notified(own, "end", NOW)


# --- what is started --------------------------------------------------------------------------------


def test_a_dead_deployment_is_recovered_by_an_execution_that_the_ledger_knows(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    died(stepfunctions, start)
    starts(stepfunctions)

    said = recovered(stepfunctions, ledger)

    [name] = started.names
    assert name.startswith("recover-production-api-")
    assert recovery(ledger) == Recovery(
        attempt=1,
        execution=execution(name),
        why="its execution was stopped",
        start=part_of(deployment()),
    )
    assert said == f"execution {name} recovers it"


def test_a_deployment_that_had_not_taken_its_release_up_is_recovered(
    stepfunctions, ledger, started
):
    died(stepfunctions, recorded(ledger, deployment()))
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert [execution(name) for name in started.names] == [recovery(ledger).execution]


def test_the_id_of_a_recovered_deployment_has_the_milliseconds_of_its_start(
    stepfunctions, ledger, started
):
    died(stepfunctions, recorded(ledger, deployment()), startDate=MILLISECONDS)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    own = "2026-11-22T03:00:00.123Z#e-1"
    assert json.loads(started.given[0]["input"]) == {"recover": own, "service": SERVICE}
    assert ledger.deployment(claim(deployment=own)).recovery.attempt == 1


def test_a_manual_rollback_is_recovered_as_well(stepfunctions, ledger, started):
    died(stepfunctions, rollback_recorded(ledger, manual_rollback()))
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert len(started.names) == 1
    assert recovery(ledger).start == NamedRollback(rollback="rollback-1")


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
def test_how_the_execution_ended_is_recorded_with_the_recovery(
    stepfunctions, ledger, started, how, why
):
    died(stepfunctions, taken_up(ledger, deployment()), **how)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert recovery(ledger).why == why


def test_nobody_can_foresee_the_name_of_a_recovery(stepfunctions, ledger, started):
    """Whoever could would start an execution of that name, which Step Functions allows only once."""
    start = taken_up(ledger, deployment())
    for _ in range(2):
        died(stepfunctions, start)
        starts(stepfunctions)
        recovered(stepfunctions, ledger)
        forgotten(claim())

    first, second = started.names
    assert first != second


def forgotten(own):
    """As if the same execution died anew, with the same ledger."""
    aws.table().update_item(
        Key={"pk": SERVICE, "sk": f"deployment#{own.deployment}"},
        UpdateExpression="REMOVE recovery",
    )


# --- once, and no more ------------------------------------------------------------------------------


def test_a_second_call_for_the_same_execution_starts_no_second_recovery(
    stepfunctions, ledger, started
):
    """EventBridge delivers an event at least once, and the sweep finds the same execution."""
    start = taken_up(ledger, deployment())
    died(stepfunctions, start)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)
    [name] = started.names
    before = recovery(ledger)
    died(stepfunctions, start)
    recovery_died(stepfunctions, name, status="RUNNING")

    assert recovered(stepfunctions, ledger) == "it is running"
    assert (started.names, recovery(ledger)) == ([name], before)


def test_of_two_calls_at_once_one_starts_a_recovery(stepfunctions, ledger, started, monkeypatch):
    start = taken_up(ledger, deployment())
    note_recovery = ledger.note_recovery

    def late(*arguments):
        monkeypatch.undo()
        recovery_recorded(ledger, start, "recover-0")
        return note_recovery(*arguments)

    monkeypatch.setattr(ledger, "note_recovery", late)
    died(stepfunctions, start)

    assert recovered(stepfunctions, ledger) == "another call has begun its recovery"
    assert (started.names, recovery(ledger).execution) == ([], execution("recover-0"))


def test_a_recovery_that_is_recorded_and_was_never_started_is_started(
    stepfunctions, ledger, started
):
    """The call that recorded it died."""
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    before = recovery(ledger)
    died(stepfunctions, start)
    unknown(stepfunctions)
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger) == "execution recover-0 recovers it"
    assert (started.names, recovery(ledger)) == (["recover-0"], before)


def test_a_recovery_whose_start_was_refused_is_started_by_the_next_call(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment())
    died(stepfunctions, start)
    stepfunctions.refuses("start_execution", "ThrottlingException")
    with pytest.raises(AwsUnavailable):
        recovered(stepfunctions, ledger)
    died(stepfunctions, start)
    unknown(stepfunctions)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert [execution(name) for name in started.names] == [recovery(ledger).execution] * 2
    assert recovery(ledger).attempt == 1


def test_a_recovery_that_step_functions_shows_only_after_its_start_is_not_started_again(
    stepfunctions, ledger, started
):
    """DescribeExecution did not show it yet, and StartExecution knows its name."""
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    died(stepfunctions, start)
    unknown(stepfunctions)
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")
    recovery_died(stepfunctions, "recover-0", status="RUNNING")

    assert recovered(stepfunctions, ledger) == "it is running"
    assert recovery(ledger).execution == execution("recover-0")


TAKEN = {"x": 1}, {}, [], None, "text", NAMED | {"recover": "another"}, NAMED | {"more": 1}


@pytest.mark.parametrize("taken_by", TAKEN, ids=json.dumps)
@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "ABORTED"])
def test_an_execution_that_somebody_else_has_started_under_its_name_keeps_no_recovery_from_starting(
    stepfunctions, ledger, started, taken_by, status
):
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0", why="its execution ran out of time")
    died(stepfunctions, start)
    died(stepfunctions, taken_by, "recover-0", status=status)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    [name] = started.names
    assert name != "recover-0"
    assert recovery(ledger) == Recovery(
        attempt=1,
        execution=execution(name),
        why="its execution ran out of time",
        start=part_of(deployment()),
    )


def test_a_recovery_whose_name_is_taken_in_the_moment_of_its_start_gets_another_name(
    stepfunctions, ledger, started, monkeypatch
):
    names = iter(["recover-0", "recover-1"])
    monkeypatch.setattr(Recoverer, "_new_execution", lambda *_: execution(next(names)))
    died(stepfunctions, taken_up(ledger, deployment()))
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")
    died(stepfunctions, {"x": 1}, "recover-0", status="RUNNING")
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger) == "execution recover-1 recovers it"
    assert started.names == ["recover-0", "recover-1"]
    assert (recovery(ledger).attempt, recovery(ledger).execution) == (1, execution("recover-1"))


def test_of_two_calls_that_find_its_name_taken_one_starts_the_recovery(
    stepfunctions, ledger, started, monkeypatch
):
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    note_recovery = ledger.note_recovery

    def late(*arguments):
        monkeypatch.undo()
        recovery_recorded(ledger, start, "recover-7")
        return note_recovery(*arguments)

    monkeypatch.setattr(ledger, "note_recovery", late)
    died(stepfunctions, start)
    died(stepfunctions, {"x": 1}, "recover-0", status="RUNNING")

    assert recovered(stepfunctions, ledger) == "another call has begun its recovery"
    assert (started.names, recovery(ledger).execution) == ([], execution("recover-7"))


# --- a description that is behind -------------------------------------------------------------------

LATER = "2026-11-22T03:00:00.001Z#e-1"
"""The id of the deployment of e-1, if its state is told another millisecond than DescribeExecution shows."""


def test_an_execution_that_has_ended_and_is_still_described_as_running_is_tried_again(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment())
    died(stepfunctions, start, status="RUNNING")

    with pytest.raises(AwsUnavailable) as raised:
        announced(stepfunctions, ledger)

    assert str(raised.value) == (
        f"execution {execution()} has ended, and Step Functions describes it as running still"
    )
    assert recovery(ledger) is None
    died(stepfunctions, start)
    starts(stepfunctions)
    announced(stepfunctions, ledger)
    assert len(started.names) == 1


def test_an_execution_that_a_person_has_redriven_since_its_end_is_left_alone(stepfunctions, ledger):
    died(stepfunctions, taken_up(ledger, deployment()), status="RUNNING", redriveCount=2)

    assert announced(stepfunctions, ledger, redrives=1) == "it is running"


def test_a_recovery_that_exists_and_is_not_described_yet_is_tried_again(
    stepfunctions, ledger, started
):
    """It has ended already, so that StartExecution does not return it as the one that runs."""
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    died(stepfunctions, start)
    unknown(stepfunctions)
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")
    unknown(stepfunctions)

    with pytest.raises(
        AwsUnavailable, match=f"execution {execution('recover-0')} is not there yet"
    ):
        recovered(stepfunctions, ledger)

    assert recovery(ledger).execution == execution("recover-0")


@pytest.mark.parametrize("outcome", ["FAILED", "ROLLED_BACK"])
def test_an_end_is_found_though_the_descriptions_start_is_not_the_one_that_the_states_were_told(
    stepfunctions, ledger, outcome
):
    own = claim(deployment=LATER)
    start = taken_up(ledger, deployment(), deployment=LATER)
    ledger.claim(own, deployment(), OLD, NOW)
    ending = {"outcome": outcome, "reason": "because", "evidence": []}
    ledger.finish(own, deployment(), ending, None, None)
    ledger.note_notified(own, "end", NOW)
    died(stepfunctions, start, status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_a_deployment_is_recovered_though_the_descriptions_start_is_not_the_one_that_the_states_were_told(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment(), deployment=LATER)
    ledger.claim(claim(deployment=LATER), deployment(), OLD, NOW)
    died(stepfunctions, start)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert json.loads(started.given[0]["input"]) == {"recover": LATER, "service": SERVICE}
    assert ledger.deployment(claim(deployment=LATER)).recovery.attempt == 1


def test_a_manual_rollback_is_recovered_though_the_descriptions_start_is_another_one(
    stepfunctions, ledger, started
):
    start = rollback_recorded(ledger, manual_rollback(), deployment=LATER)
    died(stepfunctions, start)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert json.loads(started.given[0]["input"]) == {"recover": LATER, "service": SERVICE}


def test_an_execution_that_was_refused_has_ended_though_the_descriptions_start_is_another_one(
    stepfunctions, ledger
):
    own = claim(deployment=LATER)
    ending = {"outcome": "FAILED", "reason": "the stage has not come", "evidence": []}
    ledger.finish_without_service(own, deployment(), ending)
    ledger.note_notified(own, "end", NOW)
    died(stepfunctions, recorded(ledger, deployment()), status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"
    assert recovery(ledger) is None


def test_a_recovery_that_never_began_is_followed_by_another_though_its_own_end_is_recorded(
    stepfunctions, ledger, started
):
    start = recorded(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    own = claim("recover-0")
    ending = {"outcome": "ROLLBACK_FAILED", "reason": "ECS did not answer", "evidence": []}
    ledger.finish_without_service(own, deployment(), ending)
    ledger.note_notified(own, "end", NOW)
    died(stepfunctions, NAMED, "recover-0", status="FAILED")
    starts(stepfunctions)
    recovered(stepfunctions, ledger, "recover-0")

    assert len(started.names) == 1
    assert recovery(ledger).attempt == 2


# --- what is not recovered --------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_an_execution_that_is_running_is_left_alone(stepfunctions, ledger, status):
    died(stepfunctions, recorded(ledger, deployment()), status=status)

    assert recovered(stepfunctions, ledger) == "it is running"


@pytest.mark.parametrize(
    "start",
    [
        {},
        {"service": "api"},
        {"service": 5},
        [],
        "text",
        None,
        5,
        deployment().to_json(),
        {"action": "rollback", "service": SERVICE},
        {"action": "recover", "attempt": -60, "start": deployment().to_json()},
        part_of(deployment()).to_json() | {"force": True},
        NAMED | {"attempt": -60},
    ],
    ids=json.dumps,
)
def test_an_execution_with_an_input_of_another_form_is_not_recovered(stepfunctions, ledger, start):
    recorded(ledger, deployment())
    died(stepfunctions, start)

    said = recovered(stepfunctions, ledger)

    assert said.startswith(f"{NOTHING_CHANGED}only Slipway starts the deployment state machine")
    assert recovery(ledger) is None


@pytest.mark.parametrize(
    "start",
    [part_of(deployment()).to_json(), {"rollback": "rollback-1"}, NAMED],
    ids=["release", "rollback", "recovery"],
)
def test_an_execution_that_names_what_the_ledger_does_not_have_is_not_recovered(
    stepfunctions, ledger, start
):
    died(stepfunctions, start)

    assert recovered(stepfunctions, ledger).startswith(f"{NOTHING_CHANGED}the ledger has no ")
    assert recovery(ledger) is None


def test_an_execution_is_not_recovered_whose_part_another_one_carries_out(stepfunctions, ledger):
    died(stepfunctions, taken_up(ledger, deployment(), "e-2"), "e-1")

    assert recovered(stepfunctions, ledger) == f"{NOTHING_CHANGED}{TAKEN_UP}"
    assert recovery(ledger) is None


def test_an_execution_is_not_recovered_whose_manual_rollback_another_one_carries_out(
    stepfunctions, ledger
):
    died(stepfunctions, rollback_recorded(ledger, manual_rollback(), "e-2"), "e-1")

    assert recovered(stepfunctions, ledger) == f"{NOTHING_CHANGED}{TAKEN_UP}"
    assert recovery(ledger) is None


def test_an_execution_that_was_refused_and_has_said_so_is_not_recovered(stepfunctions, ledger):
    """Its stage had not come. Finish has recorded that under its own id, and people know."""
    ending = {"outcome": "FAILED", "reason": "the stage has not come", "evidence": []}
    ledger.finish_without_service(claim(), deployment(), ending)
    ledger.note_notified(claim(), "end", NOW)
    died(stepfunctions, recorded(ledger, deployment()), status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"
    assert recovery(ledger) is None


@pytest.mark.parametrize("name", ["forged", "recover-1"])
def test_a_forged_recovery_of_a_deployment_under_way_is_left_alone(stepfunctions, ledger, name):
    taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    died(stepfunctions, NAMED, name)

    assert recovered(stepfunctions, ledger, name).startswith(NOTHING_CHANGED)
    assert recovery(ledger) is None


def test_a_forged_recovery_counts_as_no_attempt_of_the_real_one(stepfunctions, ledger):
    recovery_recorded(ledger, taken_up(ledger, deployment()), "recover-1")
    before = recovery(ledger)
    died(stepfunctions, NAMED, "forged", status="FAILED")
    recovery_died(stepfunctions, "recover-1", status="RUNNING")

    assert recovered(stepfunctions, ledger, "forged") == "it is running"
    assert recovery(ledger) == before


def followed(ledger):
    """The second recovery of a deployment is recorded."""
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-1")
    recovery_recorded(ledger, start, "recover-2", attempt=2)


def test_an_earlier_recovery_that_dies_late_is_left_to_the_one_that_has_followed_it(
    stepfunctions, ledger
):
    followed(ledger)
    died(stepfunctions, NAMED, "recover-1")
    recovery_died(stepfunctions, "recover-2", status="RUNNING")

    assert recovered(stepfunctions, ledger, "recover-1") == "it is running"
    assert recovery(ledger).execution == execution("recover-2")


def test_a_second_recovery_that_was_recorded_and_never_started_is_started(
    stepfunctions, ledger, started
):
    """The call that recorded it died, and Lambda tries the event of the first one again."""
    followed(ledger)
    died(stepfunctions, NAMED, "recover-1")
    unknown(stepfunctions)
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger, "recover-1") == "execution recover-2 recovers it"
    assert started.names == ["recover-2"]


def test_an_earlier_recovery_of_a_deployment_that_has_ended_is_left_alone(stepfunctions, ledger):
    followed(ledger)
    ends(ledger)
    died(stepfunctions, NAMED, "recover-1")

    assert recovered(stepfunctions, ledger, "recover-1") == "it has come to its end"


def test_an_execution_that_has_a_claim_and_names_nothing_is_for_a_person(stepfunctions, ledger):
    died(stepfunctions, {"release": "gone", "stage": "production", "service": SERVICE})
    recoverer = Recoverer(DEPLOYMENTS, ledger, stepfunctions.client)

    with pytest.raises(NotRecovered, match="has claimed a service, but can't be recovered"):
        recoverer.recover(execution(), claimed=True)


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED", "ROLLED_BACK", "SUPERSEDED"])
def test_an_end_that_people_were_notified_of_is_left_alone(stepfunctions, ledger, outcome):
    """Step Functions announces every deployment that was rolled back as failed."""
    ends(ledger, outcome)
    died(stepfunctions, taken_up(ledger, deployment()), status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_no_change_has_ended_though_nobody_was_notified(stepfunctions, ledger):
    ends(ledger, "NO_CHANGE", notified=False)
    died(stepfunctions, taken_up(ledger, deployment()))

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_an_ended_deployment_whose_service_another_one_has_claimed_is_not_recovered(
    stepfunctions, ledger
):
    ends(ledger)
    accepted(ledger, "e-2", release=release(id="event-2"))
    died(stepfunctions, taken_up(ledger, deployment()))

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def broken():
    aws.table().update_item(
        Key={"pk": SERVICE, "sk": "state#versions"},
        UpdateExpression="SET good = :text",
        ExpressionAttributeValues={":text": "the last one"},
    )


def test_a_deployment_that_never_began_has_ended_though_the_services_item_can_not_be_read(
    stepfunctions, ledger
):
    ledger.end(claim(), deployment(), {"outcome": "FAILED", "reason": "because", "evidence": []})
    ledger.note_notified(claim(), "end", NOW)
    broken()
    died(stepfunctions, recorded(ledger, deployment()), status="FAILED")

    assert recovered(stepfunctions, ledger) == "it has come to its end"


def test_a_deployment_that_claimed_the_service_is_not_given_up_though_its_item_can_not_be_read(
    stepfunctions, ledger
):
    ends(ledger, "ROLLED_BACK")
    broken()
    died(stepfunctions, taken_up(ledger, deployment()), status="FAILED")

    with pytest.raises(Unreadable, match=f"item {SERVICE} state#versions is not valid"):
        recovered(stepfunctions, ledger)


@pytest.mark.parametrize("died_before", [0, 1, 3])
def test_no_recovery_is_started_or_counted_while_the_services_item_can_not_be_read(
    stepfunctions, ledger, started, died_before
):
    start = taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    for attempt in range(1, died_before + 1):
        recovery_recorded(ledger, start, f"recover-{attempt}", attempt=attempt)
    before = recovery(ledger)
    broken()
    died(stepfunctions, start)
    if died_before:
        recovery_died(stepfunctions, f"recover-{died_before}")

    with pytest.raises(Unreadable, match=f"item {SERVICE} state#versions is not valid"):
        recovered(stepfunctions, ledger)

    assert (started.names, recovery(ledger)) == ([], before)


def test_a_deployment_that_never_claimed_the_service_is_recovered_though_its_item_can_not_be_read(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment())
    broken()
    died(stepfunctions, start)
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert len(started.names) == 1


# --- what has not quite ended -----------------------------------------------------------------------


def test_a_recovery_notifies_of_an_end_that_nobody_was_notified_of(stepfunctions, ledger, started):
    ends(ledger, notified=False)
    died(stepfunctions, taken_up(ledger, deployment()))
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


def test_a_start_that_people_were_notified_of_is_no_end(stepfunctions, ledger, started):
    ends(ledger, notified=False)
    ledger.note_notified(claim(), "start", NOW)
    died(stepfunctions, taken_up(ledger, deployment()))
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


def test_a_service_that_was_claimed_after_the_end_is_freed_by_a_recovery(
    stepfunctions, ledger, started
):
    """A try of BeginDeployment that was on its way when the execution was stopped."""
    ends(ledger)
    ledger.claim(claim(), deployment(), "arn", NOW)
    died(stepfunctions, taken_up(ledger, deployment()))
    starts(stepfunctions)

    assert recovered(stepfunctions, ledger).endswith("recovers it")


# --- recoveries that die ----------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
def test_a_recovery_that_died_is_recovered_with_what_it_had_to_recover(
    stepfunctions, ledger, started, attempt
):
    start = taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    recovery_recorded(ledger, start, "recover-0", attempt=attempt)
    died(stepfunctions, NAMED, "recover-0", startDate=at(500), status="TIMED_OUT")
    starts(stepfunctions)
    recovered(stepfunctions, ledger, "recover-0")

    [name] = started.names
    assert recovery(ledger) == Recovery(
        attempt=attempt + 1,
        execution=execution(name),
        why="its execution ran out of time",
        start=part_of(deployment()),
    )


def test_a_recovery_that_died_without_an_event_is_recovered(stepfunctions, ledger, started):
    """The sweep asks for the execution that has claimed the service, which is the first one."""
    start = taken_up(ledger, deployment())
    recovery_recorded(ledger, start, "recover-0")
    died(stepfunctions, start)
    recovery_died(stepfunctions, "recover-0", status="TIMED_OUT")
    starts(stepfunctions)
    recovered(stepfunctions, ledger)

    assert [execution(name) for name in started.names] == [recovery(ledger).execution]
    assert recovery(ledger).attempt == 2


def test_when_the_third_recovery_has_died_a_person_has_to_act(stepfunctions, ledger, started):
    start = taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    recovery_recorded(ledger, start, "recover-3", attempt=3)
    died(stepfunctions, NAMED, "recover-3")

    with pytest.raises(NotRecovered) as raised:
        recovered(stepfunctions, ledger, "recover-3")

    assert str(raised.value) == (
        f"3 executions that had to recover the deployment {claim().deployment} of service {SERVICE} "
        f"have died as well, the last one is {execution('recover-3')}: look at the service, and free "
        "it (docs/operations.md)"
    )
    assert started.names == []


def test_the_attempts_are_counted_though_each_call_is_for_the_first_execution(
    stepfunctions, ledger, started
):
    start = taken_up(ledger, deployment())
    last = None
    for attempt in range(1, ATTEMPTS + 1):
        died(stepfunctions, start)
        if last:
            recovery_died(stepfunctions, last)
        starts(stepfunctions)
        recovered(stepfunctions, ledger)
        last = started.names[-1]
        assert recovery(ledger).attempt == attempt
    died(stepfunctions, start)
    recovery_died(stepfunctions, last)

    with pytest.raises(NotRecovered):
        recovered(stepfunctions, ledger)

    assert len(set(started.names)) == ATTEMPTS


def test_a_third_recovery_that_did_its_work_before_it_died_is_left_alone(stepfunctions, ledger):
    ends(ledger)
    recovery_recorded(ledger, taken_up(ledger, deployment()), "recover-3", attempt=3)
    died(stepfunctions, NAMED, "recover-3")

    assert recovered(stepfunctions, ledger, "recover-3") == "it has come to its end"


# --- errors -----------------------------------------------------------------------------------------


def test_an_execution_that_step_functions_does_not_have_can_not_be_recovered(stepfunctions, ledger):
    """Step Functions forgets an execution 90 days after its end; only a person can see to its service."""
    accepted(ledger, "e-1")
    unknown(stepfunctions)

    with pytest.raises(NotRecovered) as raised:
        recovered(stepfunctions, ledger)

    assert str(raised.value) == (
        f"Step Functions has no execution {execution()}, or forgot it (docs/operations.md)"
    )
    assert recovery(ledger) is None


ERRORS = [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)]


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_an_execution_that_could_not_be_looked_up_is_named(stepfunctions, ledger, code, kind):
    stepfunctions.refuses("describe_execution", code)

    with pytest.raises(kind, match=f"states:DescribeExecution on execution {execution()}"):
        recovered(stepfunctions, ledger)


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_a_recovery_that_could_not_be_started_is_an_error(stepfunctions, ledger, code, kind):
    died(stepfunctions, taken_up(ledger, deployment()))
    stepfunctions.refuses("start_execution", code)

    with pytest.raises(kind, match=f"states:StartExecution on state machine {DEPLOYMENTS}"):
        recovered(stepfunctions, ledger)
