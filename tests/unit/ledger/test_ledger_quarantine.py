"""What is good and quarantined on a service, also if a person writes to it in between."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.errors import AwsUnavailable, Superseded
from slipway.ledger.ledger import WRITES_TRIED, Ledger
from slipway.ledger.records import GoneBack
from tests.support.builders import (
    ANOTHER_IMAGE,
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    good,
    quarantined,
    release,
)
from tests.support.ledgers import lift_quarantine

WELL = {"outcome": "SUCCEEDED", "reason": "every gate passed"}
BAD = {"outcome": "ROLLED_BACK", "reason": "a task failed"}
THIRD_DIGEST = "sha256:" + "ef" * 32


@pytest.fixture
def own(ledger):
    """Our deployment has the service."""
    return accepted(ledger, "e-1")


@pytest.fixture
def meanwhile(monkeypatch):
    """Has something done after the ledger has read a service, and before it writes, this many times."""

    def done(what, times=1):
        real, left = Ledger.service, [what] * times

        def read(self, service):
            found = real(self, service)
            if left:
                left.pop()()
            return found

        monkeypatch.setattr(Ledger, "service", read)

    return done


def state(ledger):
    return ledger.service(SERVICE)


def lift(digest):
    return lambda: lift_quarantine(aws.table(), SERVICE, digest)


ENDS = {
    "a success": (WELL, good(NEW, DIGEST), None, {OLD_DIGEST}),
    "a rollback": (BAD, good(OLD, "sha256:0"), quarantined(), {OLD_DIGEST, DIGEST}),
}


@pytest.mark.parametrize(("ending", "found", "bad", "left"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_deployment_does_not_undo_that_a_person_lifts_a_quarantine_meanwhile(
    ledger, own, meanwhile, ending, found, bad, left
):
    for digest in (OLD_DIGEST, THIRD_DIGEST):
        ledger.quarantine(own, digest, quarantined())
    meanwhile(lift(THIRD_DIGEST))

    assert ledger.finish(own, deployment(), ending, found, bad)

    record = state(ledger)
    assert record.claim is None
    assert record.quarantined.keys() == left
    assert record.good == (found,)
    assert ledger.deployment(own).outcome == ending["outcome"]


def test_a_quarantine_that_a_person_lifts_while_another_one_is_written_stays_lifted(
    ledger, own, meanwhile
):
    ledger.quarantine(own, OLD_DIGEST, quarantined())
    meanwhile(lift(OLD_DIGEST))

    ledger.quarantine(own, DIGEST, quarantined())

    assert state(ledger).quarantined.keys() == {DIGEST}


def test_the_first_write_of_a_person_is_seen_by_a_deployment_that_has_found_nothing(
    ledger, own, meanwhile
):
    meanwhile(lift(THIRD_DIGEST))  # this creates the item

    assert ledger.finish(own, deployment(), BAD, None, quarantined())

    assert state(ledger).writes == 2
    assert state(ledger).quarantined.keys() == {DIGEST}


def test_a_deployment_that_has_learnt_nothing_ends_whatever_a_person_writes_meanwhile(
    ledger, own, meanwhile
):
    ledger.quarantine(own, OLD_DIGEST, quarantined())
    meanwhile(lift(OLD_DIGEST), times=WRITES_TRIED)

    assert ledger.finish(own, deployment(), {**BAD, "outcome": "FAILED"}, None, None)

    assert (state(ledger).claim, state(ledger).quarantined) == (None, {})


WRITES = {
    "finish": lambda ledger: ledger.finish(claim(), deployment(), BAD, None, quarantined()),
    "quarantine": lambda ledger: ledger.quarantine(claim(), DIGEST, quarantined()),
}
BY_WRITE = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@pytest.mark.usefixtures("own")
@BY_WRITE
def test_a_write_succeeds_after_the_last_but_one_change_in_between(ledger, meanwhile, write):
    meanwhile(lift(OLD_DIGEST), times=WRITES_TRIED - 1)

    write(ledger)

    assert state(ledger).quarantined.keys() == {DIGEST}


@BY_WRITE
def test_a_write_that_another_one_precedes_each_time_is_worth_another_try(
    ledger, own, meanwhile, write
):
    meanwhile(lift(OLD_DIGEST), times=WRITES_TRIED)

    with pytest.raises(AwsUnavailable, match="quarantined images of service production/api change"):
        write(ledger)

    assert state(ledger).claim.execution == own.execution
    assert state(ledger).quarantined == {}
    assert ledger.deployment(own).outcome is None


@pytest.mark.usefixtures("own")
def test_a_quarantine_is_not_written_for_an_execution_that_loses_the_service_meanwhile(
    ledger, meanwhile
):
    newer = release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE)
    meanwhile(lambda: accepted(Ledger(aws.table()), "e-2", release=newer))

    with pytest.raises(Superseded):
        ledger.quarantine(claim(), DIGEST, quarantined())

    assert state(ledger).quarantined == {}
    assert state(ledger).claim.execution == claim("e-2").execution


def test_a_service_that_went_back_by_itself_is_known_until_a_version_is_good(ledger, own):
    back = GoneBack(task_definition=OLD, at=NOW, deployment=own.deployment)
    ledger.finish(own, deployment(), BAD, None, quarantined(), back)
    after_rollback = state(ledger)
    failed = accepted(
        ledger, "e-2", release=release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE)
    )
    ledger.finish(failed, deployment(), {**BAD, "outcome": "FAILED"}, None, None)
    after_failure = state(ledger)

    newest = accepted(ledger, "e-3", release=release(id="event-3", released_at=at(120)))
    ledger.finish(newest, deployment(), WELL, good(NEW, DIGEST), None)

    assert after_rollback.gone_back == after_failure.gone_back == back
    assert state(ledger).gone_back is None


def test_an_end_that_was_recorded_without_the_claim_is_not_recorded_again(ledger):
    own = accepted(ledger, "e-1")
    ledger.end(own, deployment(), {"outcome": "FAILED", "reason": "first"})

    assert not ledger.finish(own, deployment(), {"outcome": "SUCCEEDED"}, None, None)

    assert ledger.deployment(own).reason == "first"
    assert ledger.service(SERVICE).claim is not None
