"""Whatever JSON starts a state machine and however its functions answer, it comes to a declared end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from localaws.stepfunctions.jsonata import evaluate
from slipway.deployment.beginning import Decision
from slipway.ecs.rollback import RollBackAction
from slipway.health.outcome import Outcome
from slipway.notices.news import News
from tests.support import definitions, step_answers
from tests.support.builders import NEW, NOW, OTHER, SERVICE, execution
from tests.support.definitions import MACHINES
from tests.support.machines import Machine, Machines
from tests.support.step_answers import (
    BEFORE,
    MANUAL,
    PUSH,
    Failure,
    Rejection,
    deciding,
    deployment,
    end,
    failed,
    finished,
    healthy,
    ignored,
    manual_rollback,
    notified,
    pending,
    recovery,
    registration,
    resolution,
    resolved_rollback,
    rollback,
    rolled_back,
    superseded,
    update,
)

# --- inputs -------------------------------------------------------------------------------------------

READ = (
    *("release", "stage", "service", "rollback", "recover", "action", "start", "by", "to"),
    *("id", "repository", "tag", "detail", "detail-type", "repository-name", "image-tag", "image"),
)
"""The names of fields that a definition, or an earlier version of one, reads."""
TEXTS = st.sampled_from([SERVICE, "r-1", "", "{% $x %}", '{"errorMessage": 5}']) | st.text()
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(READ) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)
NAMING = st.sampled_from([deployment, rollback, recovery]).map(lambda make: make())
STARTS: dict[str, Any] = {
    "deployment": ANY_JSON | NAMING,
    "release": ANY_JSON | st.sampled_from([MANUAL, PUSH]),
    "rollback": ANY_JSON
    | st.sampled_from([{"service": SERVICE}, {"service": SERVICE, "by": "jo"}]),
}


# --- answers --------------------------------------------------------------------------------------------

ERRORS = (
    *("AwsUnavailable", "AwsRefused", "InvalidInput", "Refused", "Unreadable"),
    *("Superseded", "SupersededByPerson", "KeyError", "Runtime.ExitError", "Sandbox.Timedout"),
)
FAILURES = st.builds(Failure, st.sampled_from(ERRORS), TEXTS) | st.just(
    Rejection("TooManyRequestsException")
)


@dataclass
class InTurn:
    """Answers in turn, and the last one for every further call."""

    answers: list[Any]
    asked: int = field(default=0)

    def __call__(self, event: Any) -> Any:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return answer(event) if callable(answer) else answer


def after_parsing(parsed: Callable[[Any], Any], answers: list[Any]) -> Callable[[Any], Any]:
    """The answers of a first step whose input is valid; otherwise, the Failure of ``parsed``."""
    in_turn = InTurn(answers)

    def answer(event: Any) -> Any:
        found = parsed(event)
        return found if isinstance(found, Failure) else in_turn(event)

    return answer


def of_an_object(event: Any) -> Any:
    """What ResolveRelease answers to a start that is no object."""
    return None if isinstance(event["start"], dict) else Failure("InvalidInput", "no object")


def turns(now_and_then: Any, last: Any) -> Any:
    """A list of answers of which only the last one is for good."""
    return st.builds(lambda some, final: [*some, final], st.lists(now_and_then, max_size=2), last)


ENDS = st.builds(
    end, st.sampled_from(["NO_CHANGE", "REJECTED", "SUPERSEDED", "FAILED", "SUCCEEDED"]), TEXTS
)
DIED = {"reason": "its execution was stopped", "task_definition": NEW, "updated": True, **BEFORE}
BEGINNINGS = turns(
    st.just(deciding(Decision.WAIT, wait_seconds=2, reason="it is being changed")),
    st.sampled_from(
        [
            step_answers.go,
            deciding(Decision.GO, unproven=(OTHER,), **BEFORE),
            manual_rollback,
            deciding(Decision.GO, manual_rollback=True, updated=True, task_definition=NEW),
            deciding(Decision.ROLL_BACK, **DIED),
        ]
    )
    | ENDS
    | FAILURES,
)
CHECKS = turns(
    st.sampled_from([pending(), healthy()]),
    st.sampled_from([healthy(baked=True), failed(), superseded()]) | FAILURES,
)
RESOLUTIONS = (
    st.builds(ignored, TEXTS.filter(bool))
    | st.just(lambda _: resolution(production=["production/api", "production/worker"]))
    | st.just(lambda _: resolution(staging=["staging/api"], production=["production/api"]))
    | FAILURES
)
SCRIPTS = st.fixed_dictionaries(
    {
        "ResolveRelease": RESOLUTIONS.map(lambda each: after_parsing(of_an_object, [each])),
        "ResolveRollback": (st.just(resolved_rollback) | FAILURES).map(
            lambda each: after_parsing(resolved_rollback, [each])
        ),
        "BeginDeployment": BEGINNINGS.map(lambda each: after_parsing(step_answers.go, each)),
        "RegisterTaskDefinition": st.just(registration()) | FAILURES,
        "UpdateService": st.just(update()) | FAILURES,
        "CheckDeployment": CHECKS.map(InTurn),
        "RollBack": st.sampled_from([rolled_back(action) for action in RollBackAction]) | FAILURES,
        "FinishDeployment": st.just(finished) | FAILURES,
        "Notify": st.just(notified) | FAILURES,
    }
)

# --- the machines as a whole ------------------------------------------------------------------------------

GOOD_ENDS = {
    "deployment": {"SUCCEEDED", "NO_CHANGE", "SUPERSEDED", "ROLLED_BACK"},
    "release": {"SUCCEEDED", "SUPERSEDED", "IGNORED"},
    "rollback": {"SUCCEEDED", "NO_CHANGE", "SUPERSEDED", "ROLLED_BACK"},
}
BAD_ENDS = {
    "deployment": {str(outcome) for outcome in Outcome},
    "release": {"ReleaseFailed"},
    "rollback": {str(outcome) for outcome in Outcome},
}
OWN_FAULTS = ("States.Runtime", "QueryEvaluationError")


def try_twice(definition: dict[str, Any]) -> None:
    """Retry once at most: most of the time would pass with retries, which other tests are about."""
    for _, state in definitions.states(definition):
        for retrier in state.get("Retry", []):
            retrier["MaxAttempts"] = min(retrier["MaxAttempts"], 1)


@pytest.fixture(scope="module")
def impatient(machines: Machines) -> dict[str, Machine]:
    """The state machines with fewer retries."""
    child = machines.deployment_but(try_twice)
    return {
        "deployment": child,
        "release": machines.release_but(try_twice, child.arn),
        "rollback": machines.rollback_but(try_twice, child.arn),
    }


@pytest.mark.parametrize("name", MACHINES)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # to shrink an example would take minutes
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_execution_comes_to_a_declared_end_and_notifies_with_valid_news(
    impatient: dict[str, Machine], name: str, data: st.DataObject
) -> None:
    machine = impatient[name]
    run = machine.run(data.draw(STARTS[name]), **data.draw(SCRIPTS))

    if run.status == "SUCCEEDED":
        assert run.output["outcome"] in GOOD_ENDS[name]
    else:
        assert run.status == "FAILED"
        assert run.error in BAD_ENDS[name], run.cause
    for event in run.calls.get("Notify", []):
        News.model_validate(event)
    assert "EvaluationFailed" not in [event["type"] for event in machine.history(run.arn)]
    said = [str(run.cause), str(run.output), *map(str, run.calls.get("Notify", []))]
    assert not [text for text in said if any(fault in text for fault in OWN_FAULTS)]


# --- the expressions alone: many more inputs ----------------------------------------------------------------

CONTEXT = {"Execution": {"Id": execution(), "Name": "e-1", "StartTime": NOW}}
REFUSED = {"Error": "Refused", "Cause": '{"errorType": "Refused", "errorMessage": "not so"}'}
WRONG = {"Error": "InvalidInput", "Cause": '{"errorType": "InvalidInput", "errorMessage": "no"}'}
NO_CAUSE = {"Error": "States.Timeout"}


def evaluated(template: Any, variables: dict[str, Any]) -> Any:
    """A field of a state with the values of its expressions, as Step Functions evaluates it."""
    if isinstance(template, dict):
        return {name: evaluated(part, variables) for name, part in template.items()}
    if isinstance(template, list):
        return [evaluated(part, variables) for part in template]
    if isinstance(template, str) and template.startswith("{%"):
        return evaluate(template.removeprefix("{%").removesuffix("%}").strip(), variables)
    return template


def notified_of(name: str, first: str, start: Any, error: dict[str, str]) -> News:
    """What Notify is given if the first Task of a state machine fails with this error."""
    states = MACHINES[name]["States"]
    variables: dict[str, Any] = {"states": {"input": start, "context": CONTEXT}}
    if accepting := states.get("AcceptDeployment"):
        variables |= evaluated(accepting["Assign"], variables)
    evaluated(states[first]["Arguments"], variables)
    variables["states"]["errorOutput"] = error
    [catch] = [
        catch
        for catch in states[first]["Catch"]
        if set(catch["ErrorEquals"]) & {error["Error"], "States.ALL"}
    ][:1]
    variables |= evaluated(catch["Assign"], variables)
    if "FinishDeployment" in states:
        ended = {"Payload": finished(_payload(states["FinishDeployment"], variables))}
        variables["states"]["result"] = ended
        variables |= evaluated(states["FinishDeployment"]["Assign"], variables)
    return News.model_validate(_payload(states["Notify"], variables))


def _payload(state: dict[str, Any], variables: dict[str, Any]) -> Any:
    return evaluated(state["Arguments"], variables)["Payload"]


many = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@many
@given(ANY_JSON, st.sampled_from([REFUSED, WRONG, NO_CAUSE]))
@example([{"recover": "r-1"}], WRONG)
@example({"service": f"{SERVICE}\n"}, REFUSED)
def test_the_notice_of_a_deployment_that_was_refused_has_nothing_of_its_input(
    start: Any, error: dict[str, str]
) -> None:
    news = notified_of("deployment", "BeginDeployment", start, error)
    known = news.model_dump(exclude_defaults=True)
    assert known.keys() <= {"kind", "outcome", "reason", "cause", "execution"}
    recovers = isinstance(start, dict) and isinstance(start.get("recover"), str)
    alerts = recovers and error is not REFUSED
    assert news.outcome == ("ROLLBACK_FAILED" if alerts else "FAILED")
    assert error is not REFUSED or news.cause == "CONFIGURATION"


@many
@given(ANY_JSON, st.sampled_from([WRONG, NO_CAUSE]))
def test_the_notice_of_a_release_that_can_not_be_resolved_is_valid_whatever_its_input(
    start: Any, error: dict[str, str]
) -> None:
    news = notified_of("release", "ResolveRelease", start, error)
    assert (news.outcome, news.claim, news.image) == ("FAILED", None, None)
    assert news.release, "the ledger remembers by it that people were notified"


@many
@given(ANY_JSON, st.sampled_from([WRONG, NO_CAUSE]))
def test_the_notice_of_a_rollback_that_can_not_be_resolved_is_valid_whatever_its_input(
    start: Any, error: dict[str, str]
) -> None:
    news = notified_of("rollback", "ResolveRollback", start, error)
    assert (news.outcome, news.started_by) == ("FAILED", "manual rollback")
    assert (news.claim, news.image, news.release) == (None, None, None)
