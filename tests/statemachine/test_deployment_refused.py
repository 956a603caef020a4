"""An execution that Slipway has not started: its input reaches no function that changes something."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.notices.chat import chat_of
from slipway.notices.compose import notice_of
from slipway.notices.current_state import CurrentState
from slipway.notices.email import subject_of, text_of
from slipway.notices.news import News
from tests.support.builders import DIGEST, NEW, NOW, SERVICE, execution
from tests.support.builders import deployment as a_deployment
from tests.support.builders import release as a_release
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import Failure, deployment, recovery, rollback

FORGED = "Forged"
"""Part of every text in the inputs below."""
IMAGE = {"repository": FORGED, "uri": FORGED, "digest": DIGEST, "tag": FORGED}
RELEASE = {"id": FORGED, "image": IMAGE, "released_at": NOW.isoformat(), "started_by": "push"}
WHOLE = {"release": RELEASE, "stage": FORGED, "policy": {"alarms": [FORGED], "poll_seconds": 1}}
DEAD = {
    "action": "recover",
    "deployment": FORGED,
    "execution": execution(FORGED),
    "started_at": NOW.isoformat(),
    "why": FORGED,
    "attempt": -60,
}

INPUTS: dict[str, Any] = {
    "nothing": None,
    "a number": 1,
    "a text": FORGED,
    "no object": [],
    "a list of texts": [FORGED],
    "a release within a list": [{"release": FORGED, "stage": FORGED, "service": SERVICE}],
    "a recovery within a list": [{"recover": FORGED, "service": SERVICE}],
    "a recovery within two lists": [[{"recover": FORGED, "service": SERVICE}]],
    "no field": {},
    "another field": {"x": 1},
    "a service and another field": {"x": 1, "service": SERVICE},
    "its own variables": {"beginning": {"claim": {"service": SERVICE}}, "outcome": FORGED},
    "an answer of BeginDeployment": {"decision": "GO", "claim": FORGED, "rollback_target": NEW},
    "the forms of an earlier version": WHOLE | {"service": SERVICE},
    "a whole deployment": a_deployment(release=a_release(by=FORGED)).to_json(),
    "a manual rollback": {"action": "rollback", "service": SERVICE, "to": FORGED, "by": FORGED},
    "an input of the rollback machine": {"service": SERVICE, "to": FORGED, "by": FORGED},
    "a recovery of a whole deployment": DEAD | {"start": WHOLE | {"service": SERVICE}},
    "a release that is not in the ledger": {
        "release": FORGED,
        "stage": FORGED,
        "service": SERVICE,
    },
    "a rollback that is not in the ledger": {"rollback": FORGED},
    "a recovery that is not in the ledger": {"recover": FORGED, "service": SERVICE},
    "two of them": {"release": FORGED, "stage": FORGED, "service": SERVICE, "rollback": FORGED},
    "a release of another type": {"release": {"id": FORGED}, "stage": 1, "service": SERVICE},
    "an empty name": {"rollback": ""},
    "a service that is no name": {"release": "r-1", "stage": "s", "service": f"{FORGED}: act now"},
    "a service with a line of its own": {"service": f"{SERVICE}\n{FORGED}"},
    "a service that is an object": {"recover": FORGED, "service": {"name": FORGED}},
    "services": {"recover": FORGED, "service": [FORGED, FORGED]},
    "a list with a service": {"rollback": FORGED, "service": [FORGED]},
}


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


@pytest.fixture(scope="module", params=INPUTS)
def refused(request: pytest.FixtureRequest, machines: Machines) -> tuple[Any, Run]:
    """Each of them, and the execution that it started."""
    given = INPUTS[request.param]
    return given, machines.deployment.run(given)


def test_it_ends_failed_because_of_its_input(refused: tuple[Any, Run]) -> None:
    _, run = refused
    assert run.states == [
        "AcceptDeployment",
        "BeginDeployment",
        "FinishDeployment",
        "DecideNotify",
        "Notify",
        "EndDeployment",
        "EndedBadly",
    ]
    assert (run.status, run.error) == ("FAILED", "FAILED")
    ended = run.called("FinishDeployment")
    assert (ended["outcome"], ended["cause"]) == ("FAILED", "CONFIGURATION")


def test_no_function_is_called_that_could_change_something(refused: tuple[Any, Run]) -> None:
    given, run = refused
    assert run.calls.keys() == {"BeginDeployment", "FinishDeployment", "Notify"}
    ended = run.called("FinishDeployment")
    assert ended["start"] == given
    of_a_deployment = ("claim", "deployment", "part", "image", "task_definition", "update")
    assert [ended[field] for field in of_a_deployment] == [None] * len(of_a_deployment)


def test_its_texts_are_in_no_notice(refused: tuple[Any, Run]) -> None:
    _, run = refused
    news = News.model_validate(run.called("Notify"))
    assert (news.claim, news.service, news.stage, news.image, news.by) == (None,) * 5
    notice = notice_of(news, CurrentState(), NOW, "ledger")
    people_read = [notice.model_dump_json(), subject_of(notice), text_of(notice), chat_of(notice)]
    assert not [text for text in people_read if FORGED in text or SERVICE in text]
    assert FORGED not in str(run.cause)


def test_a_refused_execution_is_not_tried_again_and_says_which_machine_to_start(
    machine: Machine,
) -> None:
    run = machine.run({"service": SERVICE})
    assert len(run.calls["BeginDeployment"]) == 1
    assert run.pauses == []
    assert "start the release or the rollback state machine" in str(run.cause)


@pytest.mark.parametrize("given", [deployment, rollback, recovery])
def test_an_input_that_names_what_may_not_begin_now_ends_failed_because_of_its_input(
    machine: Machine, given: Any
) -> None:
    taken = Failure("Refused", "another execution carries out what it names")
    run = machine.run(given(), BeginDeployment=taken)
    assert (run.error, run.cause) == ("FAILED", taken.message)
    assert run.called("FinishDeployment")["cause"] == "CONFIGURATION"
    assert run.calls.keys() == {"BeginDeployment", "FinishDeployment", "Notify"}
