"""Every outcome and every cause knows all that follows from it."""

from __future__ import annotations

import re

import pytest

from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from tests.support.paths import REPO

DOCS = (REPO / "docs" / "outcomes.md").read_text()


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_has_a_meaning_and_a_symbol_for_deployments_manual_rollbacks_and_releases(
    outcome: Outcome,
) -> None:
    for release in (False, True):
        for manual_rollback in (False, True):
            facts = outcome.of(manual_rollback=manual_rollback, release=release)
            assert facts.meaning
            assert facts.symbol


def test_no_two_outcomes_have_the_same_symbol() -> None:
    assert len({outcome.facts.symbol for outcome in Outcome}) == len(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_that_calls_people_is_no_success_and_is_always_notified(
    outcome: Outcome,
) -> None:
    for facts in (outcome.facts, outcome.facts_of_manual_rollback):
        assert not (facts.calls_people and (facts.succeeds or facts.quiet))
        assert not facts.goes_on or facts.succeeds
        assert not (facts.proves_image and facts.quarantines)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_docs_have_every_outcome_with_its_meaning(outcome: Outcome) -> None:
    [row] = [
        line
        for line in DOCS.splitlines()
        if line.startswith(f"| {outcome} ") and outcome.facts.meaning in line
    ]
    assert outcome.facts.symbol in row


@pytest.mark.parametrize("cause", Cause)
def test_the_docs_have_every_cause_with_its_meaning(cause: Cause) -> None:
    assert f"| {cause} | {cause.meaning} |" in DOCS


def test_an_outcome_and_a_cause_are_their_names_in_json() -> None:
    assert Outcome("ROLLED_BACK") is Outcome.ROLLED_BACK
    assert f"{Outcome.LEDGER_NOT_WRITTEN}" == "LedgerNotWritten"
    assert Cause("ALARM") is Cause.ALARM


def test_the_emails_of_bad_ends_in_the_docs_are_of_every_outcome_that_fails() -> None:
    page = (REPO / "docs" / "notifications.md").read_text()
    [listed] = re.findall(r'\\"outcome\\": \[(.*?)\]', page)

    failing = {outcome for outcome in Outcome if not outcome.facts.succeeds}
    assert set(re.findall(r'\\"(\w+)\\"', listed)) == {*failing, "ALARM"}
