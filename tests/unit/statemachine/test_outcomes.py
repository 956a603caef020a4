"""What the state machines say of outcomes and causes is what functions/slipway/health knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from slipway.errors import Refused
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from tests.support import definitions

DEPLOYMENT = dict(definitions.states(definitions.unfilled("deployment")))
RELEASE = dict(definitions.states(definitions.unfilled("release")))
ROLLBACK = dict(definitions.states(definitions.unfilled("rollback")))
MACHINES = {"deployment": DEPLOYMENT, "release": RELEASE, "rollback": ROLLBACK}
# Where BeginDeployment and FinishDeployment decide: the state machine only passes it on.
DECIDED = {Outcome.NO_CHANGE, Outcome.REJECTED}


def named(text: str) -> set[str]:
    """The names in quotes."""
    return set(re.findall(r"'(\w+)'", text))


def assigned(value: Any, name: str) -> Iterator[str]:
    """What a variable or a payload's field of this name is set to, wherever."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            yield from assigned(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from assigned(inner, name)


def constants(text: str) -> set[str]:
    """The values that an assignment can have, as far as it names them itself."""
    if not text.startswith("{%"):
        return {text}
    return set(re.findall(r"[?:] *'(\w+)'", text))


def test_the_execution_succeeds_for_the_outcomes_that_succeed() -> None:
    always, manually = DEPLOYMENT["EndDeployment"]["Choices"]
    of_deployments = {outcome for outcome in Outcome if outcome is not Outcome.IGNORED}

    assert named(always["Condition"]) == {o for o in of_deployments if o.facts.succeeds}
    assert always["Next"] == manually["Next"] == "EndedWell"
    assert "manual_rollback" in manually["Condition"]
    assert named(manually["Condition"]) == {
        o for o in of_deployments if o.facts_of_manual_rollback.succeeds and not o.facts.succeeds
    }


def test_a_release_fails_where_a_deployment_did_not_succeed() -> None:
    good = named(RELEASE["DeployStage"]["Assign"]["bad"])

    assert good == {o for o in Outcome if o.facts.succeeds and o is not Outcome.IGNORED}


def test_the_next_stage_starts_after_exactly_the_outcomes_that_go_on() -> None:
    good = named(RELEASE["DeployStage"]["Assign"]["bad"])
    stopping = {
        outcome
        for condition in ("superseded", "unproven")
        for outcome in named(RELEASE["DeployStage"]["Assign"][condition])
    }

    assert good - stopping == {o for o in Outcome if o.facts.goes_on}


def test_people_are_notified_of_quiet_outcomes_only_if_notify_no_change_is_set() -> None:
    [rule] = DEPLOYMENT["DecideNotify"]["Choices"]
    quiet = named(rule["Condition"])
    ignored = set(assigned(RELEASE["NotifyIgnored"], "outcome"))

    assert "NotifyNoChange" in rule["Condition"]
    assert quiet | ignored == {o for o in Outcome if o.facts.quiet}


def test_every_outcome_is_assigned_somewhere_and_no_other_word_is() -> None:
    found = {
        outcome
        for machine in MACHINES.values()
        for text in assigned(list(machine.values()), "outcome")
        for outcome in constants(text)
    }

    assert found | DECIDED == set(Outcome)


def test_a_rollback_that_fails_before_its_deployment_fails_with_an_outcome() -> None:
    found = {
        outcome
        for text in assigned(list(ROLLBACK.values()), "error")
        for outcome in constants(text)
        if outcome == text
    }

    assert found == {Outcome.FAILED}


def test_the_input_that_nobody_may_give_is_called_a_wrong_configuration() -> None:
    refused, *_ = DEPLOYMENT["BeginDeployment"]["Catch"]

    assert refused["ErrorEquals"] == [Refused.__name__]
    assert (refused["Assign"]["outcome"], refused["Assign"]["cause"]) == (
        Outcome.FAILED,
        Cause.CONFIGURATION,
    )


def test_every_cause_that_a_state_machine_names_is_a_known_cause() -> None:
    found = {
        cause
        for machine in MACHINES.values()
        for text in assigned(list(machine.values()), "cause")
        for cause in constants(text)
    }

    assert found == {
        Cause.CONFIGURATION,
        Cause.ERROR,
        Cause.NEWER_RELEASE,
        Cause.PERSON,
        Cause.UNREADABLE,
    }


# Where what is known so far stays: the deployment fails for what it has failed for first, and a manual
# rollback for what a person asked for.
KEPT = {"RollBack", "CheckRollBack", "JudgeRollBack"}
# Of a release and of a rollback: only Notify needs a cause, and here the deployment has notified people, or
# its recovery does.
WITHOUT_NOTICE = "Failed"


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_that_sets_a_reason_sets_its_cause(machine: str) -> None:
    for name, state in MACHINES[machine].items():
        for rule in (state, *state.get("Choices", []), *state.get("Catch", [])):
            given = rule.get("Assign", {})
            if "reason" not in given or name in {"Notify", "NotifyStart"}:
                continue
            kept = name in KEPT and "$reason" in given["reason"]
            of_a_deployment = rule.get("Next") == WITHOUT_NOTICE
            assert "cause" in given or kept or of_a_deployment, name
