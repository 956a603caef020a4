"""Which release, manual rollback or recovery may claim a service, by what the service has accepted before."""

from __future__ import annotations

import pytest

from slipway.errors import Superseded, SupersededByPerson
from slipway.ledger.ledger import CHANGE_SECONDS, CLOCKS_APART_SECONDS, LEASE_SECONDS, Busy
from slipway.ledger.records import release_order
from tests.support.builders import (
    NOW,
    OLD,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    execution,
    image,
    release,
)

WELL = {"outcome": "SUCCEEDED", "reason": "every gate passed"}
BY_RECOVERY = claim().model_copy(update={"execution": execution("recovery")})
DEAD = LEASE_SECONDS + CLOCKS_APART_SECONDS + 1
"""So long after its last sign of life, an execution may have died."""
SURELY_OVER = CHANGE_SECONDS + CLOCKS_APART_SECONDS + 1


def of(repository, seconds, **changes):
    """A release of an image of its own of a repository, this many seconds after NOW."""
    digest = f"sha256:{round(seconds * 1000) % 2**256:064x}"
    made = image(repository=repository, digest=digest)
    defaults = {"id": f"event-{seconds}", "image": made}
    return release(released_at=at(seconds), **defaults | changes)


def rollback(seconds, repository="shop/api", **changes):
    """A manual rollback that abandons an image of this repository, this many seconds after NOW."""
    started = {"id": f"rollback-{seconds}", "started_by": "manual rollback", **changes}
    return deployment(release=of(repository, seconds, **started), stage=None)


def state(ledger):
    return ledger.service(SERVICE)


# --- several repositories -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["dead", "over"])
def test_a_release_is_older_only_than_those_of_its_own_repository(ledger, how):
    ours = accepted(ledger, "e-1", release=of("shop/api", 60))
    if how == "over":
        ledger.finish(ours, deployment(), WELL, None, None)

    accepted(ledger, "e-2", release=of("shop/sidecar", 0), now=at(DEAD))

    assert state(ledger).claim.deployment == claim("e-2").deployment
    assert state(ledger).newest == {
        "shop/api": release_order(of("shop/api", 60)),
        "shop/sidecar": release_order(of("shop/sidecar", 0)),
    }
    with pytest.raises(Superseded):
        accepted(ledger, "e-3", release=of("shop/api", 30))


def test_a_repository_whose_name_begins_with_that_of_another_one_has_an_order_of_its_own(ledger):
    accepted(ledger, "e-1", release=of("shop/api-next", 60))

    accepted(ledger, "e-2", release=of("shop/api", 0), now=at(DEAD))

    assert state(ledger).newest.keys() == {"shop/api", "shop/api-next"}


def test_a_release_that_is_refused_does_not_change_the_order_of_its_repository(ledger):
    ours = accepted(ledger, "e-1")
    ledger.start_change(ours, "UpdateService", NOW)

    with pytest.raises(Busy):
        accepted(ledger, "e-2", release=of("shop/sidecar", 60))

    assert state(ledger).newest == {"shop/api": release_order(release())}
    assert state(ledger).last_claimed.deployment == ours.deployment


def test_another_repositorys_release_waits_while_the_service_is_being_changed(ledger):
    ours = accepted(ledger, "e-1")
    ledger.start_change(ours, "UpdateService", NOW)

    with pytest.raises(Busy, match=r"^release shop/api:v2 .* is changing service"):
        accepted(ledger, "e-2", release=of("shop/sidecar", -60))


# --- manual rollbacks -----------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-60, 0, 60])
def test_a_manual_rollback_claims_a_service_whatever_it_has_accepted(ledger, seconds):
    accepted(ledger, "e-1")

    ledger.claim(claim("e-2"), rollback(seconds), OLD, at(1))

    assert state(ledger).claim.deployment == claim("e-2").deployment
    assert state(ledger).last_claimed_by(claim("e-2").deployment)


@pytest.mark.parametrize(("seconds", "newest"), [(-60, release()), (60, rollback(60).release)])
def test_an_older_manual_rollback_does_not_turn_the_order_back(ledger, seconds, newest):
    accepted(ledger, "e-1")

    ledger.claim(claim("e-2"), rollback(seconds), OLD, at(1))

    assert state(ledger).newest == {"shop/api": release_order(newest)}
    with pytest.raises(Superseded):
        accepted(ledger, "e-3", release=of("shop/api", -30))


def test_a_release_that_was_pushed_before_a_manual_rollback_is_refused_in_the_name_of_its_person(
    ledger,
):
    accepted(ledger, "e-1", release=rollback(60, by="me").release)

    with pytest.raises(SupersededByPerson) as raised:
        accepted(ledger, "e-2", release=of("shop/api", 0))

    assert str(raised.value) == (
        "me has rolled service production/api back manually (2026-11-22T03:01:00.000000Z), after this "
        "release was pushed or started (2026-11-22T03:00:00.000000Z)"
    )


def test_a_release_that_was_pushed_before_a_newer_release_is_refused_after_an_older_manual_rollback(
    ledger,
):
    accepted(ledger, "e-1", release=of("shop/api", 60))
    accepted(ledger, "e-2", release=rollback(30).release)

    with pytest.raises(Superseded, match=r"^a newer release of repository shop/api"):
        accepted(ledger, "e-3", release=of("shop/api", 45))


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_manual_rollback_waits_while_the_service_is_being_changed(ledger, seconds):
    ours = accepted(ledger, "e-1")
    ledger.start_change(ours, "UpdateService", NOW)
    before = state(ledger)

    with pytest.raises(Busy):
        ledger.claim(claim("e-2"), rollback(seconds), OLD, at(1))
    assert state(ledger) == before

    ledger.claim(claim("e-2"), rollback(seconds), OLD, at(SURELY_OVER))
    assert state(ledger).claim.deployment == claim("e-2").deployment


def test_the_claim_of_an_older_manual_rollback_is_in_the_list_of_services(ledger):
    accepted(ledger, "e-1")
    ours = accepted(ledger, "e-2", release=rollback(-60).release)

    [record], _ = ledger.claimed()

    assert record.claim.deployment == ours.deployment


# --- the last claim -------------------------------------------------------------------------------


def test_the_last_claim_of_a_service_is_known_when_nobody_has_the_service_any_more(ledger):
    ours = accepted(ledger, "e-1")

    ledger.finish(ours, deployment(), WELL, None, None)

    assert state(ledger).claim is None
    assert state(ledger).last_claimed_by(ours.deployment)


@pytest.mark.parametrize("how", ["under way", "freed"])
def test_a_recovery_claims_a_service_after_its_own_deployment(ledger, how):
    ours = accepted(ledger, "e-1")
    if how == "freed":
        ledger.free(ours)

    ledger.claim(BY_RECOVERY, deployment(), OLD, at(1), recovering=True)

    assert state(ledger).claim.execution == BY_RECOVERY.execution
    assert state(ledger).last_claimed.deployment == ours.deployment


@pytest.mark.parametrize("how", ["under way", "over"])
@pytest.mark.parametrize(
    "other",
    [of("shop/api", 60), of("shop/sidecar", -60), rollback(-60).release],
    ids=["newer release", "other repository", "older manual rollback"],
)
def test_a_recovery_does_not_claim_a_service_after_another_deployment(ledger, other, how):
    accepted(ledger, "e-1")
    theirs = accepted(ledger, "e-2", release=other, now=at(DEAD))
    if how == "over":
        ledger.finish(theirs, deployment(release=other), WELL, None, None)
    before = state(ledger)

    with pytest.raises(Superseded, match=r"has (claimed|rolled) service production/api"):
        ledger.claim(BY_RECOVERY, deployment(), OLD, at(1), recovering=True)

    assert state(ledger) == before


def test_a_recovery_does_not_claim_a_service_that_its_deployment_never_had(ledger):
    with pytest.raises(Superseded):
        ledger.claim(BY_RECOVERY, deployment(), OLD, at(1), recovering=True)

    assert state(ledger).claim is None


def test_a_recovery_waits_for_the_change_of_its_own_dead_execution(ledger):
    ours = accepted(ledger, "e-1")
    ledger.start_change(ours, "UpdateService", NOW)

    with pytest.raises(Busy):
        ledger.claim(BY_RECOVERY, deployment(), OLD, at(1), recovering=True)

    ledger.claim(BY_RECOVERY, deployment(), OLD, at(SURELY_OVER), recovering=True)
    assert state(ledger).claim.execution == BY_RECOVERY.execution


def test_a_manual_rollback_that_is_older_than_the_release_before_it_is_recovered_too(ledger):
    accepted(ledger, "e-0", release=of("shop/api", 60))
    accepted(ledger, "e-1", release=rollback(0).release)

    ledger.claim(BY_RECOVERY, rollback(0), OLD, at(1), recovering=True)

    assert state(ledger).claim.execution == BY_RECOVERY.execution
    assert state(ledger).newest == {"shop/api": release_order(of("shop/api", 60))}


def test_the_refusal_of_an_older_release_names_no_release_of_another_repository(ledger):
    accepted(ledger, "e-1", release=of("shop/api", 60))
    accepted(ledger, "e-2", release=of("shop/sidecar", 0), now=at(DEAD))

    with pytest.raises(Superseded) as raised:
        accepted(ledger, "e-3", release=of("shop/api", 30))

    assert "shop/sidecar" not in str(raised.value)
