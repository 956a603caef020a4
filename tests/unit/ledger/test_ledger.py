"""Who gets a service, who has to wait, and what is written of it; against moto's DynamoDB."""

from __future__ import annotations

from decimal import Decimal

import pytest

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable, Superseded, SupersededByPerson
from slipway.ledger.items import Items
from slipway.ledger.ledger import (
    CHANGE_SECONDS,
    CLOCKS_APART_SECONDS,
    LEASE_SECONDS,
    Busy,
    Ledger,
    Unreadable,
)
from slipway.ledger.records import DeploymentRecord, ServiceRecord, release_order
from tests.support.asked import EXPIRES_AT, part_of, release_record, rollback_recorded
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    execution,
    good,
    image,
    quarantined,
    release,
    update,
)
from tests.support.ledgers import recovery
from tests.support.stubs import stubbed

PART = part_of(deployment())
ANOTHER_DIGEST = "sha256:" + "ef" * 32
OLDER = release(id="event-0", released_at=at(-60), image=image(tag="v1", digest=ANOTHER_DIGEST))
NEWER = release(id="event-2", released_at=at(60), image=image(tag="v3", digest=ANOTHER_DIGEST))
ROLLBACK = {"id": "rollback-1", "released_at": at(60), "started_by": "manual rollback"}
SAME_TIME = release(id="event-2", image=image(tag="v3", digest=ANOTHER_DIGEST))
THEIRS = r"release shop/api:v3 \(efefefefefef\)"
SURELY_OVER = CHANGE_SECONDS + CLOCKS_APART_SECONDS
RECOVERY = claim().model_copy(update={"execution": execution("recovery")})
WELL = {"outcome": "SUCCEEDED", "reason": "every gate passed", "evidence": ["2 of 2 tasks run"]}
BAD = {"outcome": "ROLLED_BACK", "reason": "a task failed", "evidence": []}


@pytest.fixture
def own(ledger):
    """Our deployment has the service, and has changed nothing yet."""
    return accepted(ledger, "e-1")


@pytest.fixture
def lost(ledger, own):
    """A newer release has taken the service over from our deployment."""
    accepted(ledger, "e-2", release=NEWER)
    return own


@pytest.fixture
def dynamodb(request):
    """The table's client, which answers what the test says."""
    yield from stubbed(aws.table().meta.client, request)


def claimed_by(ledger, by, seconds=0, baseline=OLD, **of_deployment):
    ledger.claim(by, deployment(**of_deployment), baseline, at(seconds))


def current_claim(ledger):
    return ledger.service(SERVICE).claim


# --- taking a service -----------------------------------------------------------------------------


def test_a_service_that_nobody_has_claimed_is_claimed(ledger):
    claimed_by(ledger, claim(), 5)

    record = ledger.service(SERVICE)
    assert record.claim.model_dump() == {
        "deployment": claim().deployment,
        "execution": claim().execution,
        "lane": "shop/api",
        "deploys": f"shop/api@{DIGEST}",
        "claimed_at": at(5),
        "lease_until": at(5 + LEASE_SECONDS),
        "changing_until": None,
    }
    assert record.last_claimed.model_dump() == {
        "image": image().model_dump(),
        "started_by": "push",
        "by": None,
        "deployment": claim().deployment,
    }
    assert record.newest == {"shop/api": release_order(release())}
    assert record.baseline == OLD
    assert (record.good, record.quarantined) == ((), {})


@pytest.mark.parametrize("newer", [NEWER, SAME_TIME], ids=["by its time", "by its id"])
def test_a_newer_release_takes_over_at_once(ledger, own, newer):
    claimed_by(ledger, claim("e-2"), 1, release=newer)

    assert current_claim(ledger).execution == claim("e-2").execution
    assert ledger.service(SERVICE).newest == {"shop/api": release_order(newer)}


def test_an_older_release_does_not_take_over(ledger, own):
    before = ledger.service(SERVICE)

    with pytest.raises(Superseded) as raised:
        claimed_by(ledger, claim("e-0"), 1, release=OLDER)

    assert str(raised.value) == (
        "a newer release of repository shop/api was pushed or started later (2026-11-22T03:00:00.000000Z) "
        "than this one (2026-11-22T02:59:00.000000Z)"
    )
    assert ledger.service(SERVICE) == before


def test_a_release_of_the_same_moment_with_a_smaller_id_does_not_take_over(ledger):
    accepted(ledger, "e-2", release=SAME_TIME)

    with pytest.raises(Superseded):
        claimed_by(ledger, claim())


def test_an_older_release_does_not_claim_a_service_that_a_newer_one_had_claimed(ledger, own):
    ledger.finish(own, deployment(), WELL, None, None)

    with pytest.raises(
        Superseded, match="a newer release of repository shop/api was pushed or started later"
    ):
        claimed_by(ledger, claim("e-0"), release=OLDER)


def test_an_older_release_is_superseded_also_while_the_newer_one_changes_the_service(ledger, own):
    ledger.start_change(own, "UpdateService", NOW)

    with pytest.raises(Superseded):
        claimed_by(ledger, claim("e-0"), 1, release=OLDER)


@pytest.mark.parametrize("seconds", [1, CHANGE_SECONDS, SURELY_OVER])
def test_a_newer_release_has_to_wait_while_the_claimed_service_is_being_changed(
    ledger, own, seconds
):
    ledger.start_change(own, "UpdateService", NOW)
    before = ledger.service(SERVICE)

    with pytest.raises(Busy) as raised:
        claimed_by(ledger, claim("e-2"), seconds, release=NEWER)

    assert str(raised.value) == (
        "release shop/api:v2 (abababababab) is changing service production/api right now"
    )
    assert ledger.service(SERVICE) == before


def test_a_newer_release_takes_over_as_soon_as_the_change_is_done(ledger, own):
    ledger.start_change(own, "UpdateService", NOW)
    ledger.end_change(own, "UpdateService", at(1))

    claimed_by(ledger, claim("e-2"), 1, release=NEWER)

    assert current_claim(ledger).execution == claim("e-2").execution


def test_a_newer_release_takes_over_when_a_dead_executions_change_is_surely_over(ledger, own):
    ledger.start_change(own, "UpdateService", NOW)

    claimed_by(ledger, claim("e-2"), SURELY_OVER + 0.001, release=NEWER)

    assert current_claim(ledger).execution == claim("e-2").execution
    assert current_claim(ledger).changing_until is None


SAME_IMAGE = release(id="event-3", released_at=at(90), image=image(tag="main-1"))
"""Of the same image as our release, under another tag that was pushed later."""


def test_a_newer_release_of_the_same_image_does_not_take_over(ledger, own):
    before = ledger.service(SERVICE)

    with pytest.raises(Busy):
        claimed_by(ledger, claim("e-3"), 1, release=SAME_IMAGE)

    assert ledger.service(SERVICE) == before


@pytest.mark.parametrize(
    ("repository", "container"), [("mirror/api", None), ("mirror/api", "web"), ("shop/api", "web")]
)
def test_a_release_of_another_lane_does_not_take_over(ledger, own, repository, container):
    other = NEWER.image.model_copy(update={"repository": repository})
    newer = NEWER.model_copy(update={"image": other})
    before = ledger.service(SERVICE)

    with pytest.raises(Busy):
        claimed_by(ledger, claim("e-3"), 1, release=newer, policy={"container": container})

    assert ledger.service(SERVICE) == before


def test_a_release_of_the_same_image_takes_over_from_a_deployment_that_may_have_died(ledger, own):
    claimed_by(
        ledger, claim("e-3"), LEASE_SECONDS + CLOCKS_APART_SECONDS + 0.001, release=SAME_IMAGE
    )

    assert current_claim(ledger).execution == claim("e-3").execution


def test_an_older_release_claims_the_service_after_the_newest_one_if_both_have_the_same_image(
    ledger,
):
    newer = accepted(ledger, "e-3", release=SAME_IMAGE)
    ledger.finish(newer, deployment(), WELL, good(NEW, DIGEST), None)

    claimed_by(ledger, claim(), 100)

    assert current_claim(ledger).execution == claim().execution
    assert ledger.service(SERVICE).newest == {"shop/api": release_order(SAME_IMAGE)}


def test_an_older_release_of_the_same_image_does_not_claim_after_one_that_came_in_that_moment(
    ledger, monkeypatch
):
    newer = accepted(ledger, "e-3", release=SAME_IMAGE)
    ledger.finish(newer, deployment(), WELL, good(NEW, DIGEST), None)
    read = Ledger.service

    def then_claimed(self, service):
        monkeypatch.setattr(Ledger, "service", read)
        found = self.service(service)
        newest = NEWER.model_copy(update={"id": "event-4", "released_at": at(120)})
        ledger.free(accepted(ledger, "e-4", release=newest))
        return found

    monkeypatch.setattr(Ledger, "service", then_claimed)

    with pytest.raises(Busy):
        claimed_by(ledger, claim(), 100)
    with pytest.raises(Superseded, match="a newer release of repository shop/api"):
        claimed_by(ledger, claim(), 100)


def test_an_older_release_of_the_image_that_a_manual_rollback_has_abandoned_is_superseded(ledger):
    abandoning = release(id="back", released_at=at(90), started_by="manual rollback")
    claimed_by(ledger, claim("e-3"), release=abandoning, stage=None)

    with pytest.raises(SupersededByPerson, match="has rolled service production/api back manually"):
        claimed_by(ledger, claim(), 1)


LOWER = NEWER.model_copy(update={"version": "1.9.1"})
HIGHER = NEWER.model_copy(update={"version": "1.10.1"})
"""Pushed later than version 1.10.0."""


def versioned(**changes):
    return release(version="1.10.0", **changes)


def test_a_version_stays_with_the_service_that_has_accepted_it(ledger):
    claimed_by(ledger, claim(), release=versioned())

    assert ledger.service(SERVICE).versions == {"shop/api": "1.10.0"}


def test_a_higher_version_takes_over_at_once(ledger):
    claimed_by(ledger, claim(), release=versioned())

    claimed_by(ledger, claim("e-2"), 1, release=HIGHER)

    assert ledger.service(SERVICE).versions == {"shop/api": "1.10.1"}


def test_a_lower_version_that_was_pushed_later_does_not_take_over(ledger):
    claimed_by(ledger, claim(), release=versioned())
    before = ledger.service(SERVICE)

    with pytest.raises(Superseded) as raised:
        claimed_by(ledger, claim("e-2"), 1, release=LOWER)

    assert str(raised.value) == (
        "version 1.9.1 of repository shop/api is lower than 1.10.0, which service production/api has "
        "accepted; if you want it nevertheless, deploy it manually"
    )
    assert ledger.service(SERVICE) == before


def test_a_lower_version_does_not_take_over_from_one_that_came_in_the_moment_of_its_check(
    ledger, monkeypatch
):
    read = Ledger.service

    def then_claimed(self, service):
        monkeypatch.setattr(Ledger, "service", read)
        found = self.service(service)
        claimed_by(ledger, claim(), release=versioned())
        return found

    monkeypatch.setattr(Ledger, "service", then_claimed)

    with pytest.raises(Superseded, match=r"version 1\.9\.1 of repository shop/api is lower"):
        claimed_by(ledger, claim("e-2"), 1, release=LOWER)

    assert current_claim(ledger).execution == claim().execution


def test_a_person_may_deploy_a_lower_version_after_which_the_order_goes_on_from_there(ledger):
    claimed_by(ledger, claim(), release=versioned())
    by_hand = LOWER.model_copy(update={"started_by": "manual start", "by": "Ada"})
    later = release(id="event-3", released_at=at(90), version="1.9.2")

    claimed_by(ledger, claim("e-2"), 1, release=by_hand)
    claimed_by(ledger, claim("e-3"), 2, release=later)

    assert ledger.service(SERVICE).versions == {"shop/api": "1.9.2"}


def test_a_release_without_a_version_takes_over_and_leaves_the_accepted_version(ledger):
    claimed_by(ledger, claim(), release=versioned())

    claimed_by(ledger, claim("e-2"), 1, release=NEWER)

    assert ledger.service(SERVICE).versions == {"shop/api": "1.10.0"}


def test_another_execution_of_the_same_deployment_may_take_over(ledger, own):
    claimed_by(ledger, RECOVERY, 1)

    assert current_claim(ledger).deployment == own.deployment
    assert current_claim(ledger).execution == RECOVERY.execution


def test_the_same_execution_may_claim_again(ledger, own):
    before = ledger.service(SERVICE)

    claimed_by(ledger, own, 60)

    times = {"claimed_at": at(60), "lease_until": at(60 + LEASE_SECONDS)}
    assert ledger.service(SERVICE) == before.model_copy(
        update={"claim": before.claim.model_copy(update=times)}
    )


def test_a_belated_claim_does_not_remove_the_mark_of_the_same_execution(ledger, own):
    ledger.start_change(own, "UpdateService", NOW)

    with pytest.raises(Busy):
        claimed_by(ledger, own, 1)

    assert current_claim(ledger).changing_until == at(CHANGE_SECONDS)


def test_a_takeover_keeps_the_good_versions_and_the_quarantine(ledger, own):
    ledger.finish(own, deployment(), BAD, good(), quarantined())

    claimed_by(ledger, claim("e-2"), 1, OTHER, release=NEWER)

    record = ledger.service(SERVICE)
    assert record.good == (good(),)
    assert record.quarantined == {DIGEST: quarantined()}
    assert record.baseline == OTHER


# --- signs of life --------------------------------------------------------------------------------


def test_a_sign_of_life_prolongs_the_lease_and_nothing_else(ledger, own):
    before = current_claim(ledger)

    ledger.renew(own, at(100))

    prolonged = {"lease_until": at(100 + LEASE_SECONDS)}
    assert current_claim(ledger) == before.model_copy(update=prolonged)


def test_an_expired_lease_transfers_nothing(ledger, own):
    ledger.renew(own, at(2 * LEASE_SECONDS))

    assert current_claim(ledger).lease_until == at(3 * LEASE_SECONDS)


# --- a change -------------------------------------------------------------------------------------


def test_a_change_is_marked_on_the_service_and_in_the_history(ledger, own):
    ledger.start_change(own, "UpdateService", at(10), task_definition=NEW)

    assert current_claim(ledger).changing_until == at(10 + CHANGE_SECONDS)
    assert current_claim(ledger).lease_until == at(10 + LEASE_SECONDS)
    record = ledger.deployment(own)
    assert record.changing
    assert record.task_definition == NEW
    assert record.steps == {"BeginDeployment": NOW, "UpdateService": at(10)}


def test_the_end_of_a_change_removes_the_mark_and_the_history_keeps_the_change(ledger, own):
    ledger.start_change(own, "UpdateService", at(10))

    ledger.end_change(own, "UpdateService", at(12), update=update().to_json())

    assert current_claim(ledger).changing_until is None
    assert current_claim(ledger).lease_until == at(12 + LEASE_SECONDS)
    record = ledger.deployment(own)
    assert record.changing
    assert record.update == update()
    assert record.steps["UpdateService"] == at(12)


def test_a_version_put_on_a_service_is_unproven_until_its_deployment_ends(ledger, own):
    ledger.start_change(own, "UpdateService", NOW, unproven=NEW)
    ledger.end_change(own, "UpdateService", at(1))
    during = ledger.service(SERVICE)

    ledger.finish(own, deployment(), WELL, good(NEW, DIGEST), None)

    assert (during.unproven, during.before) == ((NEW,), OLD)
    assert (ledger.service(SERVICE).unproven, ledger.service(SERVICE).before) == ((), None)


def test_an_unproven_version_stays_unproven_whoever_claims_the_service(ledger, own):
    ledger.start_change(own, "UpdateService", NOW, unproven=NEW)
    ledger.end_change(own, "UpdateService", at(1))

    newer = accepted(ledger, "e-2", release=NEWER)
    ledger.start_change(newer, "UpdateService", at(61), unproven=OTHER)
    ledger.start_change(newer, "RollBack", at(62))

    assert ledger.service(SERVICE).unproven == (NEW, OTHER)


def test_the_version_before_an_unproven_one_is_kept_though_nobody_has_claimed_the_service(
    ledger, own
):
    ledger.start_change(own, "UpdateService", NOW, unproven=NEW)
    key = {"pk": SERVICE, "sk": "state#claim"}
    aws.table().update_item(Key=key, UpdateExpression="REMOVE claim")

    assert ledger.service(SERVICE).before == OLD


def test_a_digest_that_is_known_to_be_bad_is_quarantined_at_once(ledger, own):
    ledger.quarantine(own, DIGEST, quarantined())

    record = ledger.service(SERVICE)
    assert record.quarantined == {DIGEST: quarantined()}
    assert record.claim is not None


def test_a_change_that_is_tried_again_is_marked_anew(ledger, own):
    for seconds in (0, 20):
        ledger.start_change(own, "UpdateService", at(seconds))

    assert current_claim(ledger).changing_until == at(20 + CHANGE_SECONDS)


# --- fencing --------------------------------------------------------------------------------------

WRITES = {
    "renew": lambda ledger, by: ledger.renew(by, at(90)),
    "quarantine": lambda ledger, by: ledger.quarantine(by, OLD_DIGEST, quarantined()),
    "start_change": lambda ledger, by: ledger.start_change(by, "RollBack", at(90)),
    "end_change": lambda ledger, by: ledger.end_change(by, "RollBack", at(90)),
}
BY_WRITE = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@BY_WRITE
def test_a_write_of_an_execution_after_a_takeover_is_refused(ledger, lost, write):
    before = ledger.service(SERVICE), ledger.deployment(lost)

    with pytest.raises(Superseded, match=f"^{THEIRS} has claimed service production/api$"):
        write(ledger, lost)

    assert (ledger.service(SERVICE), ledger.deployment(lost)) == before


@BY_WRITE
@pytest.mark.parametrize("ended", [False, True], ids=["under way", "over"])
def test_a_write_after_a_manual_rollback_has_taken_over_is_refused_in_the_name_of_its_person(
    ledger, own, write, ended
):
    theirs = deployment(release=release(**ROLLBACK, by="me"), stage=None)
    ledger.claim(claim("e-2"), theirs, OLD, at(60))
    if ended:
        ledger.finish(claim("e-2"), theirs, BAD, None, None)

    with pytest.raises(
        SupersededByPerson, match=r"^me has rolled service production/api back manually$"
    ):
        write(ledger, own)


def test_a_manual_rollback_by_nobody_known_is_one_by_a_person(ledger, own):
    accepted(ledger, "e-2", release=release(**ROLLBACK))

    with pytest.raises(SupersededByPerson, match=r"^a person has rolled service production/api"):
        ledger.renew(own, at(90))


def test_a_release_that_takes_over_is_no_person_even_if_one_started_it(ledger, own):
    theirs = {"id": "m", "started_by": "manual start", "by": "jo", "image": NEWER.image}
    accepted(ledger, "e-2", release=release(**theirs))

    with pytest.raises(Superseded) as raised:
        ledger.renew(own, at(90))

    assert type(raised.value) is Superseded


def test_a_write_after_a_release_of_another_repository_has_taken_over_is_refused_in_its_name(
    ledger, own
):
    sidecar = image(repository="shop/sidecar", tag="v9")
    other = release(id="event-9", released_at=at(-60), image=sidecar)
    accepted(ledger, "e-2", release=other, now=at(LEASE_SECONDS + CLOCKS_APART_SECONDS + 1))

    with pytest.raises(Superseded, match=r"^release shop/sidecar:v9 .* has claimed service"):
        ledger.renew(own, at(90))


@pytest.mark.parametrize(
    ("by", "name"), [("me", "a manual rollback by me"), (None, "a manual rollback")]
)
def test_whoever_waits_for_the_change_of_a_manual_rollback_is_told_of_it(ledger, by, name):
    theirs = accepted(ledger, "e-1", release=release(**ROLLBACK, by=by))
    ledger.start_change(theirs, "RollBack", NOW)

    with pytest.raises(Busy, match=f"^{name} is changing service production/api right now$"):
        claimed_by(ledger, claim("e-2"), 1, release=release(id="event-3", released_at=at(120)))


@BY_WRITE
def test_a_write_of_an_execution_whose_deployment_another_execution_continues_is_refused(
    ledger, own, write
):
    claimed_by(ledger, RECOVERY)
    before = ledger.service(SERVICE), ledger.deployment(own)

    with pytest.raises(Superseded):
        write(ledger, own)

    assert (ledger.service(SERVICE), ledger.deployment(own)) == before


@BY_WRITE
def test_a_write_after_the_service_was_freed_is_refused(ledger, own, write):
    ledger.finish(own, deployment(), WELL, None, None)
    before = ledger.service(SERVICE), ledger.deployment(own)

    with pytest.raises(SupersededByPerson, match=r"^a person has freed service production/api$"):
        write(ledger, own)

    assert (ledger.service(SERVICE), ledger.deployment(own)) == before


@BY_WRITE
def test_a_write_for_a_service_that_was_never_claimed_is_refused(ledger, write):
    ledger.open(claim(), deployment(), OLD, None, None, NOW)

    with pytest.raises(Superseded):
        write(ledger, claim())

    assert ledger.service(SERVICE).claim is None
    assert ledger.deployment(claim()).steps == {"BeginDeployment": NOW}


# --- the history ----------------------------------------------------------------------------------


def test_a_deployment_that_has_written_nothing_has_no_record(ledger):
    assert ledger.deployment(claim()) is None


def test_a_history_begins_with_the_deployment_and_its_rollback_target(ledger):
    claimed_by(ledger, claim())

    ledger.open(claim(), deployment(), OLD, good(), NEW, at(1))

    assert ledger.deployment(claim()) == DeploymentRecord(
        deployment=deployment(),
        steps={"BeginDeployment": at(1)},
        rollback_target=OLD,
        task_definition=NEW,
        good_target=good(),
    )


def test_a_history_may_begin_without_a_rollback_target(ledger):
    ledger.open(claim(), deployment(), None, None, None, NOW)

    assert ledger.deployment(claim()) == DeploymentRecord(
        deployment=deployment(), steps={"BeginDeployment": NOW}
    )


def test_a_history_begins_once(ledger, own):
    ledger.note(own, "RegisterTaskDefinition", at(1), task_definition=NEW)
    before = ledger.deployment(own)

    ledger.open(own, deployment(), OTHER, good(), None, at(2))

    assert ledger.deployment(own) == before


def test_a_step_is_noted_with_what_it_found(ledger, own):
    ledger.note(own, "RegisterTaskDefinition", at(1), task_definition=NEW)
    ledger.note(own, "HEALTHY", at(60))

    record = ledger.deployment(own)
    assert record.steps == {
        "BeginDeployment": NOW,
        "RegisterTaskDefinition": at(1),
        "HEALTHY": at(60),
    }
    assert record.task_definition == NEW
    assert not record.changing


def test_a_step_of_a_history_that_has_not_begun_is_refused(ledger):
    with pytest.raises(AwsRefused):
        ledger.note(claim(), "HEALTHY", NOW)


def test_the_notifications_of_a_deployment_are_noted(ledger, own):
    ledger.note_notified(own, "start", at(1))
    ledger.note_notified(own, "end", at(90))

    assert ledger.deployment(own).notified == {"start": at(1), "end": at(90)}
    assert ledger.deployment(own).steps == {"BeginDeployment": NOW}


def test_the_notifications_of_a_deployment_without_a_history_are_noted_too(ledger):
    for kind in ("start", "end"):
        ledger.note_notified(claim(), kind, NOW)

    assert ledger.deployment(claim()) == DeploymentRecord(notified={"start": NOW, "end": NOW})


def test_a_notification_that_was_noted_before_the_history_began_stays_noted(ledger):
    """People were notified of the end, and a slow try of BeginDeployment outlives it."""
    ledger.note_notified(claim(), "end", NOW)
    ledger.claim(claim(), deployment(), OLD, at(1))

    ledger.open(claim(), deployment(), OLD, None, None, at(1))

    assert ledger.deployment(claim()).notified == {"end": NOW}
    assert ledger.deployment(claim()).steps == {"BeginDeployment": at(1)}


def test_a_deployment_that_has_ended_does_not_begin_any_more(ledger):
    ledger.finish_without_service(claim(), deployment(), {**BAD, "outcome": "FAILED"})
    ledger.note_notified(claim(), "end", NOW)
    before = ledger.deployment(claim())

    ledger.claim(claim(), deployment(), OLD, at(1))
    ledger.open(claim(), deployment(), OLD, None, None, at(1))

    assert ledger.deployment(claim()) == before


@pytest.mark.parametrize("writes", [0, 1])
def test_of_two_notifications_at_once_both_are_noted(ledger, monkeypatch, writes):
    """The start is noted before the first or the second write of the end's note, or after it."""
    update, left = Items.update, [None] * writes

    def overtaken(self, given):
        if left:
            left.pop()
        else:
            monkeypatch.undo()
            ledger.note_notified(claim(), "start", at(1))
        update(self, given)

    monkeypatch.setattr(Items, "update", overtaken)
    ledger.note_notified(claim(), "end", at(2))
    if Items.update is overtaken:
        ledger.note_notified(claim(), "start", at(1))

    assert ledger.deployment(claim()).notified == {"start": at(1), "end": at(2)}


def test_the_deployments_of_one_service_have_a_history_each(ledger, lost):
    ledger.note(lost, "HEALTHY", at(1))

    assert "HEALTHY" not in ledger.deployment(claim("e-2")).steps


# --- leaving a service ----------------------------------------------------------------------------


def test_the_end_is_written_and_the_service_is_free(ledger, own):
    ledger.start_change(own, "UpdateService", NOW)

    assert ledger.finish(own, deployment(), {**WELL, "expires_at": 1_800_000_000}, None, None)

    assert current_claim(ledger) is None
    record = ledger.deployment(own)
    assert (record.outcome, record.reason) == ("SUCCEEDED", "every gate passed")
    assert record.evidence == ("2 of 2 tasks run",)
    assert record.deployment == deployment()
    key = {"pk": SERVICE, "sk": f"deployment#{own.deployment}"}
    item = aws.table().get_item(Key=key)["Item"]
    assert item["expires_at"] == 1_800_000_000
    assert item["execution"] == own.execution


def test_the_end_of_a_deployment_of_an_unknown_image_quarantines_nothing(ledger, own):
    unknown = deployment(release=release(image=image(digest="")))
    assert ledger.finish(own, unknown, BAD, None, quarantined())

    assert ledger.deployment(own).outcome == "ROLLED_BACK"
    assert ledger.service(SERVICE).quarantined == {}


def test_the_good_and_the_quarantined_versions_stay_with_the_service(ledger, own):
    ledger.finish(own, deployment(), WELL, good(NEW, DIGEST), None)

    newer = deployment(release=NEWER.model_copy(update={"image": image(tag="v3")}))
    ledger.claim(claim("e-2"), newer, OLD, at(60))
    ledger.finish(claim("e-2"), newer, BAD, good(), quarantined())

    record = ledger.service(SERVICE)
    assert record.good == (good(), good(NEW, DIGEST))
    assert record.all_good == (good(),)  # the image of the other one has failed
    assert record.quarantined == {DIGEST: quarantined()}
    assert record.newest == {"shop/api": release_order(NEWER)}
    assert record.baseline == OLD


def test_a_deployment_ends_once(ledger, own):
    ledger.finish(own, deployment(), WELL, None, None)

    assert not ledger.finish(own, deployment(), BAD, None, quarantined())

    assert ledger.deployment(own).outcome == "SUCCEEDED"
    assert ledger.service(SERVICE).quarantined == {}


def test_an_execution_without_the_claim_writes_no_end_and_does_not_free_the_service(ledger, lost):
    before = ledger.service(SERVICE)

    assert not ledger.finish(lost, deployment(), BAD, None, quarantined())

    assert ledger.service(SERVICE) == before
    assert ledger.deployment(lost).outcome is None


def test_the_service_may_be_taken_over_in_the_very_moment_of_the_end(ledger, own, monkeypatch):
    real = Ledger.service

    def then_taken_over(self, service):
        monkeypatch.setattr(Ledger, "service", real)
        found = self.service(service)
        accepted(self, "e-2", release=NEWER)
        return found

    monkeypatch.setattr(Ledger, "service", then_taken_over)

    assert not ledger.finish(own, deployment(), BAD, None, quarantined())

    assert current_claim(ledger).execution == claim("e-2").execution
    assert ledger.service(SERVICE).quarantined == {}
    assert ledger.deployment(own).outcome is None


def test_the_end_of_a_deployment_without_its_service_is_written(ledger, lost):
    before = ledger.service(SERVICE)

    ledger.finish_without_service(lost, deployment(), {**WELL, "outcome": "SUPERSEDED"})

    assert ledger.deployment(lost).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE) == before


def test_the_end_of_a_deployment_that_never_began_is_written(ledger):
    ledger.finish_without_service(claim(), deployment(), {**WELL, "outcome": "REJECTED"})

    record = ledger.deployment(claim())
    assert (record.outcome, record.deployment) == ("REJECTED", deployment())
    assert ledger.claimed() == ([], [])


def test_an_end_that_is_written_stays(ledger, own):
    ledger.finish(own, deployment(), WELL, None, None)

    ledger.finish_without_service(own, deployment(), BAD)

    assert ledger.deployment(own).outcome == "SUCCEEDED"


def test_a_recovered_execution_does_not_end_the_deployment_that_its_recovery_continues(ledger, own):
    claimed_by(ledger, RECOVERY)

    ledger.finish_without_service(own, deployment(), {**WELL, "outcome": "SUPERSEDED"})

    assert ledger.deployment(own).outcome is None
    assert ledger.finish(RECOVERY, deployment(), BAD, None, None)
    assert ledger.deployment(own).outcome == "ROLLED_BACK"


@pytest.mark.parametrize("by", [claim(), RECOVERY], ids=["itself", "its recovery"])
def test_a_service_that_an_ended_deployment_has_claimed_is_freed_whichever_execution_claimed_it(
    ledger, own, by
):
    ledger.finish(own, deployment(), WELL, good(NEW, DIGEST), None)
    claimed_by(ledger, by, 1)

    ledger.free(own)

    assert current_claim(ledger) is None
    assert ledger.service(SERVICE).good == (good(NEW, DIGEST),)


def test_a_service_that_another_deployment_has_claimed_is_not_freed(ledger, lost):
    before = ledger.service(SERVICE)

    ledger.free(lost)

    assert ledger.service(SERVICE) == before


def test_freeing_a_service_that_nobody_has_claimed_changes_nothing(ledger):
    ledger.free(claim())

    assert ledger.service(SERVICE) == ServiceRecord(service=SERVICE)


# --- looking around -------------------------------------------------------------------------------


def test_the_services_that_are_claimed_are_found(ledger):
    services = ("production/api", "production/web", "staging/api")
    for service in services:
        accepted(ledger, "e-1", service=service)
    web = claim(service="production/web")
    ledger.finish(web, deployment(service=web.service), WELL, None, None)

    claimed, problems = ledger.claimed()

    assert problems == []
    assert [record.service for record in claimed] == ["production/api", "staging/api"]
    assert claimed == [ledger.service(record.service) for record in claimed]


def test_no_service_is_claimed_in_an_empty_ledger(ledger):
    assert ledger.claimed() == ([], [])


# --- items that someone else has written to -------------------------------------------------------


def written(path, value, service=SERVICE, item="state#claim"):
    """Someone sets an attribute of one of a service's items."""
    names = {f"#{index}": name for index, name in enumerate(path.split("."))}
    aws.table().update_item(
        Key={"pk": service, "sk": item},
        UpdateExpression=f"SET {'.'.join(names)} = :value",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":value": value},
    )


ODD = {
    "a text": "never",
    "a number": Decimal("1.5"),
    "a set": {"a", "b"},
    "bytes": b"\x00\xff",
    "nothing": None,
    "a list": [1, {"a": [None]}],
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_item_that_can_not_be_read_is_an_error_that_names_the_item_and_the_attribute(
    ledger, value
):
    accepted(ledger, "e-1")
    written("claim.lease_until", value)

    with pytest.raises(Unreadable) as raised:
        ledger.service(SERVICE)

    first, second, *_ = str(raised.value).splitlines()
    assert first == f"the ledger's item {SERVICE} state#claim is not valid:"
    assert second.startswith("  claim.lease_until: ")
    assert "docs/operations.md" in str(raised.value)


def test_a_deployments_item_that_can_not_be_read_is_named(ledger):
    own = accepted(ledger, "e-1")
    ledger.note(own, "UpdateService", NOW, task_definition={"arn": NEW})

    with pytest.raises(
        Unreadable, match=f"item {SERVICE} deployment#{own.deployment} is not valid:"
    ):
        ledger.deployment(own)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_attribute_of_another_version_is_ignored_whatever_it_is(ledger, value):
    accepted(ledger, "e-1")
    ledger.quarantine(claim(), DIGEST, quarantined())
    before = ledger.service(SERVICE)

    for path in ("another", "claim.another"):
        written(path, value)
    for item in ("state#versions", "state#newest#shop/api"):
        written("another", value, item=item)

    assert ledger.service(SERVICE) == before


def test_an_item_of_a_services_state_that_this_version_does_not_know_is_ignored(ledger):
    accepted(ledger, "e-1")
    before = ledger.service(SERVICE)

    written("another", "value", item="state#other")

    assert ledger.service(SERVICE) == before


@pytest.mark.parametrize(
    ("item", "path"), [("state#newest#shop/api", "newest"), ("state#versions", "good")]
)
def test_the_item_of_a_services_state_that_can_not_be_read_is_named(ledger, item, path):
    accepted(ledger, "e-1")
    written(path, 5, item=item)

    with pytest.raises(Unreadable, match=f"item {SERVICE} {item} is not valid:\n  {path}"):
        ledger.service(SERVICE)


@pytest.mark.parametrize(
    "order",
    ["", "garbage", "999-01-01T00:00:00.000000Z#e-1", "2026-02-30T00:00:00.000000Z#e-1"],
)
def test_an_order_of_releases_that_begins_with_no_time_can_not_be_read(ledger, order):
    accepted(ledger, "e-1")
    written("newest", order, item="state#newest#shop/api")

    with pytest.raises(Unreadable, match=r"state#newest#shop/api is not valid:\n  newest.shop/api"):
        ledger.service(SERVICE)


def test_an_item_that_can_not_be_read_hides_no_other_one(ledger):
    for service in ("production/api", "production/web", "staging/api"):
        accepted(ledger, "e-1", service=service)
    written("claim.lease_until", b"\xff", service="production/web")

    claimed, [problem] = ledger.claimed()

    assert [record.service for record in claimed] == ["production/api", "staging/api"]
    assert "item production/web state#claim is not valid" in problem


@pytest.mark.parametrize("name", ["not a service", "production", "production/api/x"])
def test_an_item_of_the_list_of_services_that_names_no_service_hides_no_other_one(ledger, name):
    accepted(ledger, "e-1")
    written("claimed_by", "x", service="services", item=name)

    claimed, [problem] = ledger.claimed()

    assert [record.service for record in claimed] == [SERVICE]
    assert f"item services {name} is not valid:\n  sk: " in problem


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["claimed_by", "runs"])
def test_a_claim_is_found_whatever_the_list_of_services_says_of_it(ledger, name, value):
    accepted(ledger, "e-1")
    written(name, value, service="services", item=SERVICE)

    claimed, problems = ledger.claimed()

    assert ([record.service for record in claimed], problems) == ([SERVICE], [])


@pytest.mark.parametrize("value", [{}, "", 0, False, {"until": "2099"}])
def test_a_freeze_of_the_whole_pipeline_that_can_not_be_read_is_not_taken_for_none(ledger, value):
    written("freeze", value, service="freeze", item="freeze")

    with pytest.raises(Unreadable, match=r"item freeze freeze is not valid"):
        ledger.freeze()


@pytest.mark.parametrize("how", ["open", "ended", "never begun"])
def test_a_digest_is_known_however_its_deployment_goes(ledger, how):
    if how == "never begun":
        ledger.finish_without_service(claim(), deployment(), BAD)
    else:
        accepted(ledger, "e-1")
    if how == "ended":
        ledger.finish(claim(), deployment(), WELL, None, None)

    assert ledger.knows(SERVICE, DIGEST)
    assert not ledger.knows(SERVICE, OLD_DIGEST)
    assert not ledger.knows("production/web", DIGEST)


# --- what DynamoDB says no with -------------------------------------------------------------------

CALLS = {
    "service": (lambda ledger: ledger.service(SERVICE), "query"),
    "deployment": (lambda ledger: ledger.deployment(claim()), "get_item"),
    "claimed": (lambda ledger: ledger.claimed(), "query"),
    "knows": (lambda ledger: ledger.knows(SERVICE, DIGEST), "query"),
    "release": (lambda ledger: ledger.release("event-1"), "query"),
    "rollback": (lambda ledger: ledger.rollback("rollback-1"), "get_item"),
    "notified": (lambda ledger: ledger.notified("event-1", "end"), "get_item"),
    "record_release": (
        lambda ledger: ledger.record_release(release_record(deployment())),
        "update_item",
    ),
    "record_rollback": (lambda ledger: rollback_recorded(ledger, deployment()), "update_item"),
    "take_up": (lambda ledger: ledger.take_up(claim(), PART, EXPIRES_AT), "update_item"),
    "note_outcome": (
        lambda ledger: ledger.note_outcome(claim(), PART, "SUCCEEDED"),
        "update_item",
    ),
    "note_recovery": (
        lambda ledger: ledger.note_recovery(claim(), recovery(1), None),
        "update_item",
    ),
    "claim": (lambda ledger: claimed_by(ledger, claim()), "transact_write_items"),
    "renew": (lambda ledger: ledger.renew(claim(), NOW), "update_item"),
    "open": (
        lambda ledger: ledger.open(claim(), deployment(), OLD, None, None, NOW),
        "update_item",
    ),
    "note": (lambda ledger: ledger.note(claim(), "HEALTHY", NOW), "update_item"),
    "note_notified": (lambda ledger: ledger.note_notified(claim(), "end", NOW), "update_item"),
    "quarantine": (lambda ledger: ledger.quarantine(claim(), DIGEST, quarantined()), "query"),
    "start_change": (
        lambda ledger: ledger.start_change(claim(), "RollBack", NOW),
        "transact_write_items",
    ),
    "end_change": (
        lambda ledger: ledger.end_change(claim(), "RollBack", NOW),
        "transact_write_items",
    ),
    "note_notified_of": (
        lambda ledger: ledger.note_notified_of("event-1", "end", NOW, at(60)),
        "update_item",
    ),
    "finish": (lambda ledger: ledger.finish(claim(), deployment(), WELL, None, None), "query"),
    "finish_without_service": (
        lambda ledger: ledger.finish_without_service(claim(), deployment(), WELL),
        "query",
    ),
    "end": (lambda ledger: ledger.end(claim(), deployment(), WELL), "update_item"),
    "free": (lambda ledger: ledger.free(claim()), "transact_write_items"),
}


@pytest.mark.parametrize(("call", "operation"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("code", "kind"),
    [("ThrottlingException", AwsUnavailable), ("AccessDeniedException", AwsRefused)],
)
def test_a_ledger_that_can_not_be_read_or_written_is_an_error(
    dynamodb, call, operation, code, kind
):
    dynamodb.refuses(operation, code)

    with pytest.raises(kind):
        call(Ledger(aws.table()))


IN_TRANSACTIONS = ["start_change", "end_change", "claim", "free"]


@pytest.mark.parametrize("call", [CALLS[name][0] for name in IN_TRANSACTIONS], ids=IN_TRANSACTIONS)
def test_two_writes_at_one_moment_do_not_mean_that_another_execution_has_the_service(
    dynamodb, call
):
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    dynamodb.refuses(
        "transact_write_items", "TransactionCanceledException", CancellationReasons=reasons
    )

    with pytest.raises(AwsUnavailable):
        call(Ledger(aws.table()))
