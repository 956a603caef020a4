"""What the ledger remembers, as values: what is good, what is quarantined, and what comes before what."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.ledger import records
from slipway.ledger.records import (
    GOOD_KEPT,
    QUARANTINED_KEPT,
    UNPROVEN_KEPT,
    DeploymentRecord,
    GoneBack,
    Quarantined,
    ServiceRecord,
    deployment_id,
    release_order,
    timestamp,
)
from tests.support.builders import (
    DIGEST,
    FAMILY,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    at,
    deployment,
    execution,
    good,
    image,
    quarantined,
    release,
)

ELSEWHERE = timezone(timedelta(hours=5, minutes=30))
OFFSETS = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
# All that can be turned into UTC, however it is written.
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001


def record(**facts):
    return ServiceRecord(service=SERVICE, **facts)


def bad(seconds: float, reason="it failed"):
    return Quarantined(at=at(seconds), reason=reason, deployment="d")


# --- services -------------------------------------------------------------------------------------


def test_a_service_without_an_item_has_an_empty_record():
    known = ServiceRecord(service=SERVICE)

    assert known == record()
    assert (known.claim, known.last_claimed, known.last_good, known.baseline) == (None,) * 4
    assert (known.newest, known.newest_at("shop/api"), known.writes) == ({}, None, 0)


def test_unknown_attributes_of_a_services_item_are_ignored():
    item = {"pk": SERVICE, "sk": "state#claim", "baseline": OLD, "note": "manually"}

    assert ServiceRecord.model_validate(item | {"service": SERVICE}) == record(baseline=OLD)


def test_the_time_of_the_newest_release_of_a_repository_is_a_part_of_its_order():
    known = record(
        newest={
            "shop/api": release_order(release(released_at=at(0.25))),
            "shop/web": release_order(release(released_at=at(60), id="#2026")),
        }
    )

    assert known.newest_at("shop/api") == at(0.25)
    assert known.newest_at("shop/web") == at(60)
    assert known.newest_at("shop/a") is None


def test_the_newest_release_of_a_repository_is_that_of_any_container_unless_one_is_named():
    known = record(
        newest={
            "shop/api#web": release_order(release(released_at=at(1))),
            "shop/api#worker": release_order(release(released_at=at(60))),
            "shop/api-next": release_order(release(released_at=at(90))),
        }
    )

    assert known.newest_at("shop/api") == at(60)
    assert known.newest_at("shop/api", "web") == at(1)
    assert known.newest_at("shop/api", "proxy") is None


def test_the_last_good_version_is_the_newest_good_one_that_is_not_quarantined():
    known = record(
        good=(good(NEW, DIGEST), good(OLD, OLD_DIGEST)), quarantined={DIGEST: quarantined()}
    )

    assert known.last_good.task_definition == OLD


def test_a_service_whose_good_versions_are_all_quarantined_has_no_last_good_version():
    assert record(good=(good(OLD, DIGEST),), quarantined={DIGEST: quarantined()}).last_good is None


# --- unproven versions ----------------------------------------------------------------------------

ARNS = [f"{FAMILY}:{revision}" for revision in range(UNPROVEN_KEPT + 3)]


def unproven_after(arns, known=()):
    after = record(unproven=known)
    for arn in arns:
        after = record(unproven=after.with_unproven(arn))
    return after.unproven


def test_a_version_is_unproven_after_those_that_were_put_on_the_service_before_it():
    assert unproven_after([NEW, OTHER]) == (NEW, OTHER)


def test_a_version_that_is_put_on_the_service_again_is_the_newest_unproven_one():
    assert unproven_after([NEW, OTHER, NEW]) == (OTHER, NEW)


def test_the_oldest_unproven_versions_are_dropped():
    assert unproven_after(ARNS) == tuple(ARNS[-UNPROVEN_KEPT:])


def test_a_list_of_unproven_versions_that_is_too_long_is_cut():
    assert unproven_after([NEW], tuple(ARNS)) == (*ARNS[-UNPROVEN_KEPT + 1 :], NEW)


@given(st.lists(st.sampled_from(ARNS), max_size=40))
def test_at_most_ten_unproven_versions_are_kept_each_once_and_the_newest_last(arns):
    kept = unproven_after(arns)

    assert len(kept) == min(UNPROVEN_KEPT, len(set(arns)))
    assert len(set(kept)) == len(kept)
    assert kept[-1:] == tuple(arns[-1:])


# --- what a deployment has shown ------------------------------------------------------------------


def test_a_deployment_with_neither_a_good_nor_a_bad_version_leaves_the_record_unchanged():
    known = record(good=(good(),), quarantined={DIGEST: bad(0)})

    assert known.learning(DIGEST, None, None) == known


def test_a_good_version_becomes_the_last_good_and_older_ones_stay_behind_it():
    known = record(good=(good(OLD),))

    assert known.learning(DIGEST, good(NEW, DIGEST), None).good == (good(NEW, DIGEST), good(OLD))


def test_a_version_that_is_good_once_more_is_kept_once_and_with_its_new_time():
    known = record(good=(good(NEW, DIGEST), good(OLD)))

    after = known.learning("", good(OLD, at=at(0)), None)

    assert after.good == (good(OLD, at=at(0)), good(NEW, DIGEST))


def test_a_version_that_is_registered_anew_is_kept_once_and_under_its_new_name():
    known = record(good=(both(OLD, DIGEST, "p1"),))

    after = known.learning("", both(NEW, DIGEST, "p1"), None)

    assert after.good == (both(NEW, DIGEST, "p1"),)


def test_a_version_with_another_image_beside_the_same_one_does_not_take_the_place_of_the_good_one():
    known = record(good=(both(OLD, DIGEST, "p1"),))

    after = known.learning("", both(NEW, DIGEST, "p2"), None)

    assert after.good == (both(NEW, DIGEST, "p2"), both(OLD, DIGEST, "p1"))


def test_the_same_good_version_again_leaves_the_record_unchanged():
    known = record(good=(good(),))

    assert known.learning(OLD_DIGEST, good(), None) == known


def test_the_oldest_good_versions_are_forgotten():
    known = record()
    for revision in range(GOOD_KEPT + 2):
        known = known.learning("", good(f"{FAMILY}:{revision}", f"sha256:{revision}"), None)

    kept = [found.task_definition for found in known.good]

    assert kept == [f"{FAMILY}:{revision}" for revision in range(GOOD_KEPT + 1, 1, -1)]


def test_a_version_whose_digest_is_quarantined_stays_known_but_does_not_count_as_good():
    known = record(good=(good(NEW, DIGEST), good(OTHER, OLD_DIGEST), good(OLD, DIGEST)))

    after = known.learning(DIGEST, None, bad(0))

    assert after.good == known.good
    assert (after.all_good, after.last_good) == (
        (good(OTHER, OLD_DIGEST),),
        good(OTHER, OLD_DIGEST),
    )
    assert after.quarantined == {DIGEST: bad(0)}


def test_versions_in_quarantine_do_not_push_out_one_that_may_be_gone_back_to():
    known = record(good=(good(OLD),))
    for n in range(GOOD_KEPT + 2):
        known = known.learning("", good(f"{FAMILY}:{n}", f"d{n}", tag=f"v{n}"), None)
        known = known.learning(f"d{n}", None, bad(n))

    assert known.all_good == (good(OLD),)
    in_quarantine = [found.tag for found in known.good if found.digest in known.quarantined]
    assert in_quarantine == [f"v{n}" for n in range(GOOD_KEPT + 1, 1, -1)]


def test_a_version_does_not_count_as_good_again_because_its_quarantine_is_forgotten():
    known = record(good=(good(OLD, "d0"),), quarantined={"d0": bad(0)})
    for n in range(1, QUARANTINED_KEPT + 1):
        known = known.learning(f"d{n}", None, bad(n))

    assert "d0" not in known.quarantined
    assert known.good == ()


PROXY = image().uri.replace("api", "proxy")


def both(task_definition, api, proxy, **changes):
    """A good version with an image of shop/api, which was released with it, and one of shop/proxy."""
    images = {"api": f"{image().uri}@{api}", "proxy": f"{PROXY}@{proxy}"}
    return good(task_definition, api, images=images, **changes)


def test_a_version_does_not_count_as_good_if_any_of_its_images_is_quarantined():
    known = record(good=(both(NEW, DIGEST, "p2"), both(OLD, DIGEST, "p1")))

    after = known.learning("p2", None, bad(0))

    assert after.all_good == (both(OLD, DIGEST, "p1"),)
    assert after.quarantines_of(both(NEW, DIGEST, "p2")) == {"p2": bad(0)}
    assert after.good == known.good


def test_a_person_comes_back_to_each_good_version_after_a_rollback_forward_and_the_end_of_a_quarantine():
    """The plain rollback abandons api v3, the one to v3 abandons api v1, whose quarantine is lifted then."""
    v1 = both(OTHER, "a1", "p1")
    proxy2 = both(OLD, "a1", "p2").model_copy(
        update={"digest": "p2"}
    )  # released with the proxy's image
    v3 = both(NEW, "a3", "p2")
    known = record(good=(v3, proxy2, v1))

    known = known.learning("a3", None, bad(0), abandoned=NEW).learning("a3", proxy2, None)
    known = known.learning("a1", None, bad(1), abandoned=OLD).learning("a1", v3, None)
    known = known.model_copy(update={"quarantined": {}})

    assert known.all_good == (v3, proxy2, v1)


def test_all_images_of_a_version_that_passes_leave_the_quarantine_but_not_a_persons():
    by_person = Quarantined(at=at(5), reason="it leaks")
    known = record(quarantined={"a2": bad(0), "p2": by_person, "p3": bad(2)})

    assert known.learning("a2", both(NEW, "a2", "p2"), None).quarantined == {
        "p2": by_person,
        "p3": bad(2),
    }


def test_a_version_is_forgotten_with_the_quarantine_of_any_of_its_images():
    known = record(good=(both(OLD, DIGEST, "d0"),), quarantined={"d0": bad(0)})
    for n in range(1, QUARANTINED_KEPT + 1):
        known = known.learning(f"d{n}", None, bad(n))

    assert known.good == ()


def test_a_version_has_the_tag_of_its_image_of_the_repository_that_is_asked_for():
    api = both(OLD, "a1", "p1", tag="v1")
    proxy = both(NEW, "a1", "p2", tag="p-2").model_copy(update={"digest": "p2"})
    known = record(good=(proxy, api))
    of_api, of_proxy = image(), image(repository="shop/proxy", uri=PROXY)

    assert (known.tag_in(api, of_api), known.tag_in(proxy, of_api)) == ("v1", "v1")
    assert (known.tag_in(api, of_proxy), known.tag_in(proxy, of_proxy)) == (None, "p-2")


def builds(task_definition, web, worker, tag):
    """A good version with two builds of shop/api; its tag says for which container it was released."""
    images = {"web": f"{image().uri}@{web}", "worker": f"{image().uri}@{worker}"}
    return good(task_definition, {"web": web, "worker": worker}[tag[:-2]], tag=tag, images=images)


def test_a_version_has_the_tag_of_its_image_in_the_container_that_is_asked_for():
    web, worker = builds(OLD, "b1", "b0", "web-1"), builds(NEW, "b1", "b2", "worker-2")
    known = record(good=(worker, web))

    assert known.tag_in(worker, image(), "worker") == "worker-2"
    assert known.tag_in(worker, image(), "web") == "web-1"


def test_a_version_does_not_have_the_tag_with_which_its_image_was_released_for_another_container():
    known = record(good=(builds(OLD, "b0", "b1", "worker-1"),))
    web = builds(NEW, "b1", "b2", "worker-2")

    assert known.tag_in(web, image(), "web") is None


def test_a_version_whose_images_are_not_known_has_the_tag_that_was_released():
    assert record().tag_in(good(tag="v1"), image(repository="shop/proxy", uri=PROXY)) == "v1"


def test_a_digest_that_passes_leaves_the_quarantine_and_other_digests_stay_in_it():
    known = record(quarantined={DIGEST: bad(0), OLD_DIGEST: bad(1)})

    after = known.learning(DIGEST, good(NEW, DIGEST), None)

    assert after.quarantined == {OLD_DIGEST: bad(1)}
    assert after.last_good == good(NEW, DIGEST)


def test_a_rollback_records_the_good_version_and_the_quarantine_at_once():
    after = record(good=(good(OLD),)).learning(DIGEST, good(OTHER), bad(0))

    assert after.last_good == good(OTHER)
    assert after.quarantined.keys() == {DIGEST}


def test_a_digest_that_fails_once_more_is_quarantined_for_its_last_failure():
    known = record(quarantined={DIGEST: bad(0, "the first")})

    after = known.learning(DIGEST, None, bad(60, "the second"))

    assert after.quarantined == {DIGEST: bad(60, "the second")}


def test_a_failure_without_a_digest_quarantines_nothing():
    known = record(good=(good(digest=""),))

    assert known.learning("", None, bad(0)) == known


@pytest.mark.parametrize("again", [False, True])
def test_the_oldest_quarantined_digests_are_forgotten(again):
    known = record(quarantined={f"d{n}": bad(n) for n in range(QUARANTINED_KEPT)})

    kept = known.learning("d50" if again else "new", None, bad(QUARANTINED_KEPT)).quarantined

    assert len(kept) == QUARANTINED_KEPT
    assert {f"d{n}" for n in range(1, QUARANTINED_KEPT)} <= kept.keys()
    assert ("d0" in kept) is again


def by_ada(moment):
    return Quarantined(at=at(moment), reason="Ada: it leaks")


def test_what_a_person_has_quarantined_is_not_forgotten_for_what_has_failed_since():
    known = record(quarantined={"hers": by_ada(-1)} | {f"d{n}": bad(n) for n in range(99)})

    kept = known.learning("new", None, bad(100)).quarantined

    assert (len(kept), "hers" in kept, "d0" in kept) == (QUARANTINED_KEPT, True, False)


@pytest.mark.parametrize(
    ("decided", "stays"), [(None, True), (-1, True), (0, False), (1, False)], ids=str
)
def test_a_persons_quarantine_stays_though_the_image_is_good_unless_a_person_decided_for_it_since(
    decided, stays
):
    known = record(quarantined={DIGEST: by_ada(0)})
    decided_at = None if decided is None else at(decided)

    after = known.learning(DIGEST, good(NEW, DIGEST), None, decided_for=lambda _: decided_at)

    assert (DIGEST in after.quarantined) is stays


def test_a_person_may_quarantine_an_image_once_more_for_another_reason():
    known = record(quarantined={DIGEST: by_ada(0)})

    assert known.learning(DIGEST, None, by_ada(9)).quarantined == {DIGEST: by_ada(9)}


def test_a_task_definition_that_a_person_goes_back_from_is_not_good_any_more():
    known = record(good=(good(NEW, DIGEST), good(OLD)))

    assert known.learning(DIGEST, None, None, abandoned=NEW).good == (good(OLD),)


def test_a_task_definition_that_is_gone_back_from_is_not_good_though_an_image_that_stays_is_quarantined():
    """It would be good again once the rollback lifts that quarantine."""
    known = record(
        good=(both(NEW, DIGEST, "p1"), both(OLD, DIGEST, "p1")), quarantined={"p1": by_ada(0)}
    )

    after = known.learning(DIGEST, None, None, abandoned=NEW)

    assert after.good == (both(OLD, DIGEST, "p1"),)


@pytest.mark.parametrize("before", [{}, {"a2": by_ada(0)}], ids=["by the rollback", "by a person"])
def test_a_task_definition_that_is_gone_back_from_stays_known_if_the_image_that_leaves_is_quarantined(
    before,
):
    """It is good again when somebody lifts that quarantine."""
    known = record(good=(both(NEW, "a2", "p1"), both(OLD, "a1", "p1")), quarantined=before)

    after = known.learning("a2", None, bad(1), abandoned=NEW)

    assert (after.good, after.all_good) == (known.good, (both(OLD, "a1", "p1"),))


BACK = GoneBack(task_definition=OLD, at=NOW, deployment="d")


def test_a_rollback_of_its_own_is_remembered_with_what_it_went_back_to():
    after = record(good=(good(OLD),)).learning(DIGEST, good(OLD), bad(0), BACK)

    assert after.gone_back == BACK


def test_a_rollback_is_remembered_until_another_version_is_good():
    known = record(gone_back=BACK)

    assert known.learning(DIGEST, None, bad(0)).gone_back == BACK
    assert known.learning(DIGEST, good(NEW, DIGEST), None).gone_back is None


def test_what_a_deployment_has_shown_changes_nothing_else_of_the_record():
    known = record(
        baseline=OLD,
        unproven=(NEW,),
        newest={"shop/api": release_order(release())},
    )

    after = known.learning(DIGEST, good(NEW, DIGEST), None)

    assert after == known.model_copy(update={"good": (good(NEW, DIGEST),)})


DIGESTS = st.sampled_from(["a", "b", "c"])
ENDS = st.tuples(
    DIGESTS,
    st.none() | st.builds(good, st.sampled_from([OLD, NEW, OTHER]), DIGESTS),
    st.none() | st.integers(0, 9).map(bad),
)


@given(st.lists(ENDS, max_size=12))
def test_no_digest_that_failed_counts_as_good_before_it_has_passed_again(ends):
    known, failed = record(), set()
    with patch.object(records, "QUARANTINED_KEPT", 2), patch.object(records, "GOOD_KEPT", 2):
        for digest, found, why in ends:
            known = known.learning(digest, found, why)

            failed = (failed - ({found.digest} if found else set())) | ({digest} if why else set())
            assert not {counts.digest for counts in known.all_good} & failed


# --- deployments ----------------------------------------------------------------------------------


def test_a_deployment_that_was_only_notified_has_only_its_notices_on_record():
    known = DeploymentRecord.model_validate(
        {"pk": SERVICE, "sk": "d", "notified": {"end": timestamp(NOW)}}
    )

    assert known == DeploymentRecord(notified={"end": NOW})


def test_a_deployment_is_read_as_it_was_written():
    written = DeploymentRecord(
        deployment=deployment(), steps={"HEALTHY": at(60)}, good_target=good(), outcome="SUCCEEDED"
    )

    assert DeploymentRecord.model_validate({**written.to_json(), "expires_at": 1}) == written


@pytest.mark.parametrize(
    ("steps", "started_by", "tried"),
    [
        ({"BeginDeployment": NOW}, "push", False),
        ({"BeginDeployment": NOW, "RegisterTaskDefinition": NOW}, "push", False),
        ({"BeginDeployment": NOW, "UpdateService": NOW}, "push", True),
        ({"BeginDeployment": NOW, "UpdateService": NOW}, "manual start", True),
        ({"BeginDeployment": NOW}, "manual rollback", True),
    ],
)
def test_an_image_was_tried_where_it_was_put_on_the_service_or_manually_rolled_back(
    steps, started_by, tried
):
    asked = deployment(release=release(started_by=started_by))

    assert DeploymentRecord(deployment=asked, steps=steps).was_tried is tried


@pytest.mark.parametrize(("steps", "tried"), [({}, False), ({"UpdateService": NOW}, True)])
def test_the_steps_alone_say_whether_an_image_of_an_unknown_deployment_was_tried(steps, tried):
    assert DeploymentRecord(steps=steps).was_tried is tried


# --- ids and order --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started_at", "moment"),
    [
        (NOW, "2026-11-22T03:00:00.000Z"),
        (NOW.astimezone(ELSEWHERE), "2026-11-22T03:00:00.000Z"),
        (at(0.123), "2026-11-22T03:00:00.123Z"),
        (at(0.123456), "2026-11-22T03:00:00.123Z"),
    ],
)
def test_the_id_of_a_deployment_is_the_start_in_milliseconds_and_the_name_of_its_execution(
    started_at, moment
):
    assert deployment_id(started_at, execution("e-1")) == f"{moment}#e-1"


def test_a_moment_is_written_in_utc():
    assert timestamp(at(0.5).astimezone(ELSEWHERE)) == "2026-11-22T03:00:00.500000Z"


@given(MOMENTS, MOMENTS)
def test_written_moments_sort_as_moments_do(one, other):
    assert len(timestamp(one)) == len(timestamp(other))
    assert (timestamp(one) < timestamp(other)) == (one < other)


RELEASES_OF_ALL_TIMES = st.builds(
    lambda moment, name: release(released_at=moment, id=name),
    MOMENTS | st.integers(0, 2).map(at),
    st.text("#-09AZaz", min_size=1, max_size=4),
)


@given(RELEASES_OF_ALL_TIMES, RELEASES_OF_ALL_TIMES)
def test_releases_are_ordered_by_their_time_and_then_by_their_id(one, other):
    by_time_and_id = (one.released_at, one.id) < (other.released_at, other.id)

    assert (release_order(one) < release_order(other)) == by_time_and_id


@given(RELEASES_OF_ALL_TIMES)
def test_the_order_of_a_release_begins_with_its_time(one):
    assert record(newest={"shop/api": release_order(one)}).newest_at("shop/api") == one.released_at
