"""What people are told when a deployment ends; how it ended does not depend on that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.message import Ending, compose
from slipway.service import RollBackAction
from tests.statemachine.answers import (
    Failure,
    deployment,
    failed,
    healthy,
    pending,
    rolled_back,
    superseded,
)
from tests.statemachine.machines import Machine, Machines, Run
from tests.unit.builders import NEW, OLD, OLD_DIGEST, SERVICE, URI, image

BAD = failed("two tasks failed")
DENIED = Failure("AwsRefused", "denied")

# Every end that people are told of: its outcome, and the script.
ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "baked": ("SUCCEEDED", {}),
    "superseded": ("SUPERSEDED", {"CheckDeployment": superseded()}),
    "begin refused": ("FAILED", {"BeginDeployment": DENIED}),
    "register refused": ("FAILED", {"RegisterTaskDefinition": DENIED}),
    "update refused": (
        "FAILED",
        {"UpdateService": DENIED, "RollBack": rolled_back(RollBackAction.NOTHING_CHANGED)},
    ),
    "superseded before the way back": (
        "SUPERSEDED",
        {"CheckDeployment": BAD, "RollBack": rolled_back(RollBackAction.SUPERSEDED)},
    ),
    "superseded on the way back": ("SUPERSEDED", {"CheckDeployment": [BAD, superseded()]}),
    "rolled back": ("ROLLED_BACK", {"CheckDeployment": [BAD, pending(), healthy()]}),
    "way back failed": ("ROLLBACK_FAILED", {"CheckDeployment": [BAD, failed()]}),
    "way back refused": ("ROLLBACK_FAILED", {"CheckDeployment": BAD, "RollBack": DENIED}),
    "way back unseen": ("ROLLBACK_FAILED", {"CheckDeployment": [BAD, DENIED]}),
}


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


@pytest.fixture(scope="module", params=ENDS)
def end(request: pytest.FixtureRequest, machines: Machines) -> tuple[str, str, Run]:
    """Each of them: its name, its outcome, and an execution that came to it."""
    outcome, script = ENDS[request.param]
    return request.param, outcome, machines.deployment.run(deployment(), **script)


def test_every_end_is_told_once_with_all_that_is_known(end: tuple[str, str, Run]) -> None:
    name, outcome, run = end
    told = run.called("Notify")
    assert told.keys() == Ending.model_fields.keys() - {"repository", "tag"}
    assert told["reason"]
    assert (told["rollback_reason"] is not None) == (outcome == "ROLLBACK_FAILED")
    begun = name != "begin refused"
    registered = begun and name != "register refused"
    known = {
        "outcome": outcome,
        "execution": run.arn,
        "service": SERVICE,
        "stage": "production",
        "image": image().to_json(),
        "task_definition": NEW if registered else None,
        "previous": OLD if begun else None,
        "previous_images": {"api": f"{URI}@{OLD_DIGEST}"} if begun else {},
    }
    assert {field: told[field] for field in known} == known


def test_the_execution_ends_with_the_reason_as_people_read_it(end: tuple[str, str, Run]) -> None:
    _, outcome, run = end
    sentence = Ending.model_validate(run.called("Notify")).sentence
    if outcome in ("SUCCEEDED", "SUPERSEDED"):
        assert (run.status, run.output["outcome"]) == ("SUCCEEDED", outcome)
        assert run.output["reason"] == sentence
    else:
        assert (run.status, run.error, run.cause) == ("FAILED", outcome, sentence)


def test_that_telling_fails_does_not_change_how_it_ended(
    machine: Machine, end: tuple[str, str, Run]
) -> None:
    name, _, told = end
    _, script = ENDS[name]
    untold = machine.run(deployment(), **script, Notify=Failure("AwsRefused", "no such topic"))
    assert (untold.status, untold.error, untold.states) == (told.status, told.error, told.states)
    assert (untold.output or {}).get("outcome") == (told.output or {}).get("outcome")
    reason = untold.cause or untold.output["reason"]
    # Nobody made a sentence of Lambda's error, but it is there; and Notify's own is not.
    why = json.loads(reason)["errorMessage"] if reason.startswith("{") else reason
    assert why in (told.cause or told.output["reason"])


def test_a_wrong_input_is_told_without_what_is_not_known(machine: Machine) -> None:
    wrong = Failure("InvalidInput", "service: Field required")
    run = machine.run({"stage": "production"}, BeginDeployment=wrong)
    told = run.called("Notify")
    assert (told["service"], told["stage"], told["image"]) == (None, "production", None)
    assert "service: Field required" in compose(Ending.model_validate(told)).text
