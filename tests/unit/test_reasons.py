"""The reasons and the evidence that are kept: without secrets, and no longer than there is room for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway import aws
from slipway.deployment.beginning import Case
from slipway.deployment.gates import blocked
from slipway.deployment.operate import Operator
from slipway.deployment.resolve_rollback import ManualRollback
from slipway.errors import AwsUnavailable, SlipwayError
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.health.verdict import CheckResult, Verdict, judge, superseded
from slipway.ledger.operations import Operations
from slipway.ledger.records import End, Recovery, RollbackRecord
from slipway.model import parse_written
from slipway.notices.progress import progress_line
from slipway.reasons import FACT, FACTS, REASON
from slipway.redaction import MASK, UNSEARCHED
from slipway.release.resolve import ManualStart
from tests.support.asked import part_of
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    SERVICE,
    alarm,
    at,
    claim,
    deployment,
    execution,
    exited,
    observation,
    service_deployment,
    stopped,
    target,
    task,
    watch,
)
from tests.support.examples import examples
from tests.support.finishing import HISTORY, ending, finished, ours_is_there, tried
from tests.support.ledgers import ITEM_BYTES, bytes_of, every_item
from tests.support.secrets import SECRET, leaking

STATE_BYTES = 256 * 1024
"""What Step Functions takes as the data of a state."""
FISH = "\U0001f41f"
THE_LEDGER_IS_SHARED = settings(
    max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PLACES = {
    "an alarm": lambda text: observation(alarm("ALARM").model_copy(update={"reason": text})),
    "two stopped tasks": lambda text: observation(stopped=(stopped(reason=text),) * 2),
    "a task that can never start": lambda text: observation(
        stopped=(stopped("TaskFailedToStart", f"CannotPullContainerError: access denied {text}"),)
    ),
    "a container": lambda text: observation(
        stopped=(stopped("EssentialContainerExited", "", exited(reason=text)),) * 2
    ),
    "ECS's own failure": lambda text: observation(
        service_deployment=service_deployment(state="FAILED", reason=text)
    ),
    "an event": lambda text: observation(events=(f"unable to go on {text}",)),
    "a service that is gone": lambda text: observation(exists=False, gone=text),
    "a target": lambda text: observation(running=(task(target("unhealthy", reason=text)),)),
    "alarms that can't be read": lambda text: observation(alarms_unreadable=text),
}


@pytest.fixture
def fresh(ledger):
    """Empties the ledger for an example, and returns it."""

    def emptied():
        table = aws.table()
        for item in every_item():
            table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
        return ledger

    return emptied


def written(value):
    """The value as Step Functions and DynamoDB get it."""
    return json.dumps(value, ensure_ascii=False, default=str)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=examples(10))
@given(text=leaking)
def test_no_answer_of_check_deployment_has_a_secret(place, text):
    observed, watching = PLACES[place](text), watch(alarms=("api-4xx",))

    for seconds in (30, 5000):
        result = judge(observed, watching, at(seconds))
        line = progress_line(result, watching, observed)

        answer = written(result.model_copy(update={"progress": line}).to_json())
        assert SECRET not in answer
        assert MASK in answer
    assert SECRET not in written(superseded(text, watching).to_json())


@settings(max_examples=examples(10))
@given(text=leaking)
def test_no_answer_of_begin_deployment_has_a_secret(text):
    blocking = deployment(policy={"alarms": ({"name": "e", "when_firing": "block"},)})
    case = Case(claim(), blocking, NOW, NOW)
    firing = alarm("ALARM", name="e").model_copy(update={"reason": text})

    for beginning in (
        blocked(case, {"e": firing}),
        case.wait_patiently(Cause.UNREADABLE, text),
        replace(case, now=at(5000)).wait_patiently(Cause.UNREADABLE, text),
        case.end_again(End.model_construct(outcome=Outcome.FAILED, reason=text, evidence=(text,))),
        case.roll_back(reason=text, cause=Cause.INTERRUPTED),
    ):
        assert SECRET not in written(beginning.to_json())
        assert MASK in written(beginning.to_json())


@THE_LEDGER_IS_SHARED
@given(text=leaking, outcome=st.sampled_from(["ROLLED_BACK", "ROLLBACK_FAILED", "FAILED"]))
def test_neither_finish_deployment_nor_the_ledger_has_a_secret(ecs, fresh, text, outcome):
    ledger = fresh()
    tried(ledger)
    cause = json.dumps({"errorType": "KeyError", "errorMessage": text})

    done = finished(
        ending(outcome, reason=cause, rollback_reason=text, evidence=(text,), restored=OLD),
        ledger,
        ecs,
    )

    for kept in (done.to_json(), every_item()):
        assert SECRET not in written(kept)
        assert MASK in written(kept)


def test_what_finish_deployment_adds_to_the_evidence_has_no_secret(ecs, ssm, ledger):
    tried(ledger)
    ours_is_there(ecs)
    ssm.refuses("get_parameter", "ValidationException", f"DB_PASSWORD={SECRET}")

    done = finished(ending("SUCCEEDED"), ledger, ecs, ssm=ssm)

    assert f"DB_PASSWORD={MASK}" in done.evidence[-1]
    assert SECRET not in written([done.to_json(), every_item()])


@THE_LEDGER_IS_SHARED
@given(text=leaking)
def test_what_people_write_has_no_secret_in_the_ledger(fresh, text):
    operator = Operator(Operations(aws.table()), fresh(), None, "slipway-Sweep", HISTORY)
    who = {"by": text, "why": text}

    for action in (
        {"action": "freeze"},
        {"action": "freeze", "service": SERVICE},
        {"action": "quarantine", "service": SERVICE, "digest": DIGEST},
    ):
        operator.operate({**action, **who}, action["action"], NOW)

    assert SECRET not in written(every_item())
    assert MASK in written(every_item())
    for start, model in (
        ({"repository": "shop/api", "tag": "v2"}, ManualStart),
        ({"service": SERVICE}, ManualRollback),
    ):
        assert SECRET not in parse_written(model, {**start, "by": text}, "the input").by


@settings(max_examples=examples(10))
@given(text=leaking)
def test_no_recovery_and_no_rollback_in_the_ledger_has_a_secret(text):
    named = part_of(deployment())
    recovery = Recovery(attempt=1, execution=execution(), why=text, start=named)
    rollback = RollbackRecord(
        deployment=deployment(), running=NEW, refusal=text, execution=execution(), expires_at=1
    )

    for kept in (recovery, rollback):
        assert SECRET not in written(kept.to_json())


@pytest.mark.parametrize("kind", [SlipwayError, *SlipwayError.__subclasses__()])
@settings(max_examples=examples(10))
@given(text=leaking)
def test_no_error_in_an_executions_history_has_a_secret(kind, text):
    assert SECRET not in str(kind(text))
    assert MASK in str(kind(text))


def test_a_secret_at_the_end_of_the_room_is_not_cut_in_two():
    before = "x" * (REASON - len("password=swor"))

    end = End(outcome="FAILED", reason=f"{before} password={SECRET}", evidence=())

    assert SECRET[:3] not in end.reason
    assert len(end.reason) == REASON


def test_the_evidence_of_two_verdicts_of_thousands_of_facts_fits():
    facts = tuple(f"{number} {FISH * 2000}" for number in range(5000))
    judged = CheckResult(
        verdict=Verdict.FAILED, reason=FISH * 30_000, evidence=facts, wait_seconds=1
    )
    asked = ending("ROLLBACK_FAILED", reason=judged.reason, evidence=judged.evidence * 2)

    end = End(outcome="ROLLBACK_FAILED", reason=asked.reason, evidence=asked.evidence)

    assert [judged.evidence[-1], len(judged.evidence)] == ["and 4961 more", FACTS]
    assert len(judged.evidence[0]) == FACT
    assert (end.evidence[:-1], end.evidence[-1]) == (judged.evidence[:-1], "and 41 more")
    assert len(written(judged.to_json()).encode()) < STATE_BYTES
    assert len(written(end.to_json()).encode()) < STATE_BYTES


def test_the_evidence_of_a_deployment_and_of_its_rollback_fits_into_every_item_and_answer(
    ecs, ledger
):
    """Of thousands of stopped tasks, each with a reason of its own, and of a hundred alarms."""
    alarms = [alarm("ALARM", name=f"a{n}") for n in range(100)]
    observed = observation(
        *(one.model_copy(update={"reason": FISH * 1023}) for one in alarms),
        service_deployment=service_deployment(reason=FISH * 5000, desired=9999),
        running=(task(status="PENDING"),) * 3000,
        stopped=tuple(stopped(reason=f"{n} {FISH * 1000}", task=f"s{n}") for n in range(3000)),
    )
    failed = judge(observed, watch(), at(30))
    tried(ledger)

    asked = ending(
        "ROLLBACK_FAILED",
        reason=failed.reason,
        rollback_reason=failed.reason,
        evidence=failed.evidence * 2,
    )
    done = finished(asked, ledger, ecs)

    assert done.evidence == failed.evidence * 2
    assert [fact for fact in failed.evidence if "more" in fact] == [
        "and 95 more",
        "and 2995 more",
        "and 2996 more",
    ]
    for answer in (failed, asked, done):
        assert len(written(answer.to_json()).encode()) < STATE_BYTES
    assert max(bytes_of(item) for item in every_item()) < ITEM_BYTES / 2


@given(st.lists(leaking | st.text(), max_size=3))
def test_evidence_that_is_read_again_stays_as_it_is(facts):
    once = End(outcome="FAILED", reason="", evidence=facts)

    assert End.model_validate(once.to_json()) == once


def test_what_can_not_be_searched_is_not_kept_either(monkeypatch):
    def broken(texts):
        raise RuntimeError("a pattern went wrong")

    monkeypatch.setattr("slipway.redaction.redacted", broken)

    end = End(outcome="FAILED", reason=f"password={SECRET}", evidence=("", "a fact"))

    assert (end.reason, end.evidence) == (UNSEARCHED, ("", UNSEARCHED))
    assert str(AwsUnavailable(f"password={SECRET}")) == UNSEARCHED
