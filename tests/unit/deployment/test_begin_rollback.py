"""A manual rollback whose target is recorded: whom it takes over from, and what it abandons."""

from __future__ import annotations

import pytest

from slipway.deployment.begin import begin
from slipway.deployment.beginning import Decision, Start, World
from slipway.errors import AwsUnavailable, InvalidInput
from slipway.health.cause import Cause
from slipway.release.plan import Policy
from tests.support.asked import manual_rollback, rollback_recorded
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    URI,
    accepted,
    at,
    claim,
    deployment,
    ended,
    execution,
    good,
    image,
    release,
)
from tests.support.ecs_answers import (
    REVISED,
    alarms_read,
    before,
    container,
    defined,
    described,
    ecs_deployment,
    revision_read,
)
from tests.support.pushes import planned, route, unguarded

BAD = f"{URI}@{DIGEST}"
GOOD = f"{URI}@{OLD_DIGEST}"
ANOTHER_DIGEST = "sha256:" + "ef" * 32
ON_NEW = ecs_deployment()
EARLIER = release(image=image(digest=ANOTHER_DIGEST), released_at=at(-60))
LATER = release(id="event-2", image=image(digest=ANOTHER_DIGEST), released_at=at(60))
TO_OLD = {"good": good(OLD), "images": {"api": GOOD}}
TO_NEW = {"good": good(NEW, DIGEST)}
"""What the service runs already."""
BOTH_OLD = {"images": {"api": GOOD, "admin": f"{URI}-admin@{ANOTHER_DIGEST}"}}
TO_V1 = {"image": image(digest=OLD_DIGEST, tag="v1"), "images": {"api": GOOD}}
"""An image that no known task definition has."""


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm, stepfunctions):
    return World(
        ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client, stepfunctions.client
    )


def begun(world, target=TO_OLD, asked=None, **facts):
    """The decision on a rollback from NEW that execution back-1 has taken up."""
    known = {"running": NEW} | target | facts
    start = rollback_recorded(world.ledger, asked or manual_rollback(), "back-1", **known)
    return begin(Start(start=start, execution=execution("back-1"), started_at=NOW), at(1), world)


def runs(ecs, *containers, on=NEW, **service):
    """What the service has, and its task definition."""
    described(ecs, ecs_deployment(taskDefinition=on), **service)
    defined(ecs, *(containers or [container(image=BAD)]), asked=on, taskDefinitionArn=on)


def still_runs(ecs, on=NEW):
    """Read once more, when the service is claimed."""
    described(ecs, ecs_deployment(taskDefinition=on))


def may_roll_back(ecs):
    """From NEW to OLD."""
    runs(ecs)
    still_runs(ecs)


# --- how it begins ----------------------------------------------------------------------------------


def test_a_manual_rollback_goes_from_what_the_service_runs_to_the_recorded_version(
    world, ecs, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    may_roll_back(ecs)

    beginning = begun(world)

    assert (beginning.decision, beginning.manual_rollback, beginning.updated) == (
        Decision.GO,
        True,
        True,
    )
    assert (beginning.cause, beginning.part) == (Cause.PERSON, None)
    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert (beginning.rollback_target_images, beginning.image) == ({"api": GOOD}, None)
    assert beginning.gates == ("shop-api:41 has passed every gate on this service before",)


def test_a_manual_rollback_goes_to_the_recorded_version_though_another_one_is_the_last_good_now(
    world, ecs, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    may_roll_back(ecs)

    assert begun(world).rollback_target == OLD


def test_a_manual_rollback_knows_the_tag_of_its_target_and_of_what_it_leaves_after_a_change(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD, tag="v1"))
    ended(ledger, found=good(NEW, DIGEST, tag="v2"))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)

    beginning = begun(world, TO_OLD | {"good": good(OLD, tag="v1")}, running=OTHER)

    assert beginning.rollback_target_tag == "v1"
    assert beginning.deployment.release.image == image(tag="v2")


def test_a_manual_rollback_is_the_recorded_deployment(world, ecs):
    asked = manual_rollback(policy={"bake_seconds": 7})
    may_roll_back(ecs)

    assert begun(world, asked=asked).deployment == asked


def test_a_recorded_image_without_a_known_task_definition_is_to_be_registered(world, ecs, ledger):
    runs(ecs)
    still_runs(ecs)

    beginning = begun(world, TO_V1)

    assert beginning.decision is Decision.GO
    assert (beginning.rollback_target, beginning.rollback_target_images) == (None, {"api": GOOD})
    assert beginning.image == image(digest=OLD_DIGEST, tag="v1")
    assert beginning.rollback_target_tag == "v1"
    assert beginning.gates == ()
    assert ledger.deployment(beginning.claim).rollback_target is None


@pytest.mark.parametrize("cause", [Cause.NO_TARGET, Cause.GONE_BACK])
def test_a_manual_rollback_that_was_recorded_without_a_target_is_rejected_and_claims_nothing(
    world, ledger, cause
):
    """Neither ECS nor SSM is asked."""
    beginning = begun(world, {"refusal": "there is none", "cause": cause})

    assert (beginning.decision, beginning.outcome) == (Decision.END, "REJECTED")
    assert (beginning.cause, beginning.reason) == (cause, "there is none")
    assert beginning.deployment == manual_rollback()
    assert ledger.service(SERVICE).claim is None


def test_a_target_that_was_never_good_has_passed_no_gates(world, ecs, ledger):
    may_roll_back(ecs)

    beginning = begun(world, {"good": good(OLD, at=at(-7200))})

    assert beginning.gates == ()
    assert ledger.deployment(beginning.claim).good_target == good(OLD, at=at(-7200))


# --- what it abandons -------------------------------------------------------------------------------


def test_the_abandoned_image_is_quarantined_before_the_service_is_changed(world, ecs, ledger):
    """Whoever takes over from it must not go back there."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    may_roll_back(ecs)

    begun(world)

    record = ledger.service(SERVICE)
    assert record.last_good == good(OLD)
    assert record.quarantined[DIGEST].reason == "a manual rollback has abandoned it"
    assert record.quarantined[DIGEST].deployment == claim("back-1").deployment


def test_an_image_is_abandoned_for_one_that_no_known_task_definition_has(world, ecs, ledger):
    runs(ecs)
    still_runs(ecs)

    begun(world, TO_V1)

    assert set(ledger.service(SERVICE).quarantined) == {DIGEST}


@pytest.mark.parametrize(
    "target",
    [{"good": good(OTHER, DIGEST)}, {"image": image(tag="v1")}],
    ids=["a task definition", "an image"],
)
def test_another_task_definition_of_the_same_image_quarantines_nothing(world, ecs, ledger, target):
    """The service may run the image by its tag, so that even the same image is a change."""
    runs(ecs, container(image=f"{URI}:v2"))
    still_runs(ecs)

    assert begun(world, target, leaves=False).decision is Decision.GO
    assert ledger.service(SERVICE).quarantined == {}


def test_a_task_definition_that_is_abandoned_is_not_good_any_more_though_its_image_stays(
    world, ecs, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, OLD_DIGEST, at=at(-60)))
    may_roll_back(ecs)

    begun(world, leaves=False)

    assert ledger.service(SERVICE).good == (good(OLD),)


def test_what_else_leaves_the_service_is_evidence_of_the_start(world, ecs):
    may_roll_back(ecs)

    assert begun(world, also=("it leaves, too",)).evidence == ("it leaves, too",)


def test_an_image_whose_digest_is_not_known_is_abandoned_without_a_quarantine(world, ecs, ledger):
    unknown = release(
        id="rollback-1",
        image=image(repository="nginx", uri="nginx", digest="", tag="1"),
        started_by="manual rollback",
    )
    runs(ecs, container(image="nginx:1"))
    still_runs(ecs)

    assert begun(world, asked=manual_rollback(release=unknown)).decision is Decision.GO
    assert ledger.service(SERVICE).quarantined == {}


def test_a_manual_rollback_abandons_what_the_service_runs_when_it_begins(world, ecs, ssm, ledger):
    """A deployment has put another version there since the target was chosen."""
    with_policy = route("v*", production=[SERVICE])
    with_policy["stages"][0]["services"][0]["bake_seconds"] = 7
    runs(ecs, container(image=f"{URI}@{ANOTHER_DIGEST}"), on=OTHER)
    planned(ssm, with_policy)
    unguarded(ssm)
    still_runs(ecs, on=OTHER)

    beginning = begun(world)

    asked = manual_rollback()
    abandoned = asked.release.model_copy(update={"image": image(digest=ANOTHER_DIGEST, tag=None)})
    assert beginning.deployment == asked.model_copy(
        update={"release": abandoned, "policy": Policy(bake_seconds=7)}
    )
    assert (beginning.task_definition, beginning.rollback_target) == (OTHER, OLD)
    assert set(ledger.service(SERVICE).quarantined) == {ANOTHER_DIGEST}
    record = ledger.deployment(claim("back-1"))
    assert (record.deployment, record.task_definition) == (beginning.deployment, OTHER)


def test_an_image_that_was_asked_for_abandons_what_the_service_runs_when_it_begins(
    world, ecs, ssm, ledger
):
    runs(ecs, container(image=f"{URI}@{ANOTHER_DIGEST}"), on=OTHER)
    planned(ssm)
    unguarded(ssm)
    still_runs(ecs, on=OTHER)

    beginning = begun(world, TO_V1)

    assert beginning.deployment.release.image == image(digest=ANOTHER_DIGEST, tag=None)
    assert set(ledger.service(SERVICE).quarantined) == {ANOTHER_DIGEST}


def test_an_image_that_the_recorded_version_has_too_is_not_abandoned_after_a_change(
    world, ecs, ssm, ledger
):
    runs(ecs, container(image=GOOD), container(name="proxy", image="envoy:1"), on=OTHER)
    planned(ssm)
    unguarded(ssm)
    still_runs(ecs, on=OTHER)

    assert begun(world).decision is Decision.GO
    assert ledger.service(SERVICE).quarantined == {}


def test_an_image_that_was_asked_for_comes_beside_what_the_service_runs_by_then(world, ecs, ssm):
    runs(ecs, container(image=BAD), container(name="proxy", image="envoy:1"), on=OTHER)
    planned(ssm)
    unguarded(ssm)
    still_runs(ecs, on=OTHER)

    beginning = begun(world, TO_V1)

    assert dict(beginning.rollback_target_images) == {"api": GOOD, "proxy": "envoy:1"}


def test_a_service_that_has_come_to_the_recorded_version_since_is_not_changed(
    world, ecs, ssm, ledger
):
    """The deployment that was under way has rolled itself back."""
    runs(ecs, container(image=GOOD), on=OLD)
    planned(ssm)
    unguarded(ssm)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert ledger.service(SERVICE).quarantined == {}


def test_a_manual_rollback_is_tried_again_while_ssm_does_not_answer(world, ecs, ssm, ledger):
    runs(ecs, on=OTHER)
    ssm.refuses("get_parameter", "ThrottlingException")

    with pytest.raises(AwsUnavailable):
        begun(world)

    assert ledger.service(SERVICE).claim is None


def test_a_plan_is_not_read_again_where_the_service_still_runs_what_is_recorded(world, ecs):
    """The policy in force is the recorded one: a plan that was changed since does not count."""
    may_roll_back(ecs)

    assert begun(world).deployment == manual_rollback()


# --- nothing to change ------------------------------------------------------------------------------


def test_a_task_definition_that_runs_already_is_no_change(world, ecs, ledger):
    runs(ecs)

    beginning = begun(world, TO_NEW)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert beginning.reason == "service production/api has shop-api:42 already"
    assert ledger.service(SERVICE).claim is None


def test_an_image_that_runs_already_is_no_change(world, ecs, ledger):
    proxy = container(name="proxy", image="public.ecr.aws/envoy@" + ANOTHER_DIGEST)
    runs(ecs, proxy, container(image=BAD))

    beginning = begun(world, {"image": image(tag="v2")})

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert beginning.reason == "service production/api runs shop/api:v2 (abababababab) already"
    assert ledger.service(SERVICE).claim is None


def test_a_service_that_is_being_rolled_back_is_not_rolled_back_once_more(world, ecs, ledger):
    """A deployment is putting the last good one back at this moment: one version is enough."""
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "RollBack", NOW)
    ledger.end_change(theirs, "RollBack", NOW)
    runs(ecs)

    assert begun(world, TO_NEW).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_deployment_without_a_change_loses_its_claim_while_a_foreign_service_deployment_runs(
    world, ecs, ledger
):
    """The service deployment is someone else's: ECS may replace tasks at any time."""
    accepted(ledger, "e-0", release=EARLIER)
    described(ecs, ecs_deployment(taskDefinition=NEW, rolloutState="IN_PROGRESS"))
    defined(ecs, container(image=BAD), asked=NEW, taskDefinitionArn=NEW)

    assert begun(world, TO_NEW).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_deployment_without_a_change_loses_its_claim_to_a_manual_rollback(world, ecs, ledger):
    accepted(ledger, "e-0", release=EARLIER)
    runs(ecs)

    assert begun(world, TO_NEW).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_deployment_that_never_opened_its_history_loses_its_claim_to_a_manual_rollback(
    world, ecs, ledger
):
    ledger.claim(claim("e-0"), manual_rollback(release=EARLIER), OLD, NOW)
    runs(ecs)

    assert begun(world, TO_NEW).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_manual_rollback_with_nothing_to_do_waits_while_a_deployment_changes_the_service(
    world, ecs, ledger
):
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "UpdateService", NOW)
    runs(ecs)

    assert begun(world, TO_NEW).decision is Decision.WAIT
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


# --- whom it takes over from ------------------------------------------------------------------------


def test_a_manual_rollback_claims_the_service_and_has_a_history_from_then_on(world, ecs, ledger):
    may_roll_back(ecs)

    beginning = begun(world)

    service, record = ledger.service(SERVICE), ledger.deployment(claim("back-1"))
    assert beginning.claim == claim("back-1")
    assert service.claim.execution == execution("back-1")
    assert service.newest_at("shop/api") == NOW
    assert (record.deployment, record.good_target) == (beginning.deployment, good(OLD))
    assert (record.rollback_target, record.task_definition) == (OLD, NEW)


def test_a_manual_rollback_takes_over_from_a_deployment_under_way_and_abandons_its_version(
    world, ecs, ledger
):
    accepted(ledger, "e-0", baseline=OLD, release=EARLIER)
    may_roll_back(ecs)

    beginning = begun(world)

    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert ledger.service(SERVICE).claim.execution == execution("back-1")
    assert ledger.service(SERVICE).baseline == OLD


def test_a_manual_rollback_waits_while_a_deployment_changes_the_service(world, ecs, ledger):
    own = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(own, "UpdateService", NOW)
    runs(ecs)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 2)
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_release_with_a_later_time_is_rolled_back_and_stays_the_newest_one(world, ecs, ledger):
    """A rollback is older than a release only if clocks differ: a person sees what runs."""
    accepted(ledger, "e-2", release=LATER)
    may_roll_back(ecs)

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.GO, OLD)
    assert ledger.service(SERVICE).claim.execution == execution("back-1")
    assert ledger.service(SERVICE).newest_at("shop/api") == at(60)


def test_a_manual_rollback_waits_while_a_release_with_a_later_time_changes_the_service(
    world, ecs, ledger
):
    own = accepted(ledger, "e-2", release=LATER)
    ledger.start_change(own, "UpdateService", NOW)
    runs(ecs)

    assert begun(world).decision is Decision.WAIT
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_manual_rollback_is_superseded_where_a_newer_release_comes_before_it_has_begun(
    world, ecs, ledger, monkeypatch
):
    quarantine = ledger.quarantine

    def late(*arguments):
        accepted(ledger, "e-9", release=release(id="event-9", released_at=at(60)))
        quarantine(*arguments)

    monkeypatch.setattr(ledger, "quarantine", late)
    may_roll_back(ecs)

    beginning = begun(world)

    assert (beginning.outcome, beginning.cause) == ("SUPERSEDED", Cause.NEWER_RELEASE)
    assert ledger.service(SERVICE).claim.execution == execution("e-9")
    assert ledger.service(SERVICE).quarantined == {}


def test_a_manual_rollback_is_superseded_by_the_person_of_the_next_one(
    world, ecs, ledger, monkeypatch
):
    quarantine = ledger.quarantine

    def late(*arguments):
        accepted(ledger, "e-9", release=release(id="r", started_by="manual rollback", by="jo"))
        quarantine(*arguments)

    monkeypatch.setattr(ledger, "quarantine", late)
    may_roll_back(ecs)

    beginning = begun(world)

    assert (beginning.outcome, beginning.cause) == ("SUPERSEDED", Cause.PERSON)
    assert beginning.reason == f"jo has rolled service {SERVICE} back manually"


def test_a_second_try_goes_on_from_the_claim_that_the_first_one_made(world, ecs, ledger):
    """It had claimed the service, and died before it wrote down what it goes back to."""
    ledger.claim(claim("back-1"), manual_rollback(), NEW, NOW)
    may_roll_back(ecs)

    assert begun(world).rollback_target == OLD
    assert ledger.deployment(claim("back-1")).rollback_target == OLD


def test_a_second_try_decides_the_same_as_the_first_one_whose_answer_was_lost(world, ecs, ledger):
    ended(ledger, found=good(OLD))
    may_roll_back(ecs)
    may_roll_back(ecs)

    first, second = begun(world), begun(world)

    assert second == first
    assert list(ledger.service(SERVICE).quarantined) == [DIGEST]


def test_a_service_that_changed_while_it_was_claimed_is_checked_again(world, ecs, ledger):
    runs(ecs)
    still_runs(ecs, on=OTHER)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 1)
    assert beginning.reason == "the service was changed a moment ago"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_first_rollback_keeps_the_version_that_completed_before_as_the_baseline(
    world, ecs, ledger
):
    described(ecs, ecs_deployment(rolloutState="IN_PROGRESS"), before())
    defined(ecs, container(image=BAD), taskDefinitionArn=NEW)
    still_runs(ecs)

    assert begun(world, TO_V1).decision is Decision.GO
    assert ledger.service(SERVICE).baseline == OLD


def test_the_baseline_of_a_deployment_that_has_ended_is_no_baseline_of_a_rollback(
    world, ecs, ledger
):
    own = accepted(ledger, "e-0", baseline=OTHER, release=EARLIER)
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    ledger.finish(own, deployment(), ending, good(OLD), None)
    may_roll_back(ecs)
    begun(world)

    assert ledger.service(SERVICE).baseline == NEW


# --- what does not stop it, and what does -----------------------------------------------------------

GUARDED = manual_rollback(
    policy={
        "alarms": ({"name": "errors", "when_firing": "block"}, "latency", "gone"),
        "freeze": ({"from": "2026-11-21T00:00:00Z", "until": "2026-11-23T00:00:00Z"},),
    }
)


def test_neither_a_freeze_nor_a_blocking_alarm_stops_a_manual_rollback(world, ecs, cloudwatch):
    """The freeze of the pipeline is not even asked for."""
    may_roll_back(ecs)
    alarms_read(cloudwatch, errors="ALARM", latency="OK")

    beginning = begun(world, asked=GUARDED)

    assert (beginning.decision, beginning.alarms_firing) == (Decision.GO, ("errors",))


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_alarms_that_cannot_be_read_do_not_stop_a_manual_rollback(world, ecs, cloudwatch, code):
    may_roll_back(ecs)
    cloudwatch.refuses("describe_alarms", code)

    beginning = begun(world, asked=GUARDED)

    assert (beginning.decision, beginning.alarms_firing) == (Decision.GO, ())


@pytest.mark.parametrize(
    ("target", "tag", "version"),
    [(TO_OLD, "v1.9.0", "1.9.0"), (TO_V1, "v1.8.0", "1.8.0"), (TO_OLD, None, "2.0.0")],
)
def test_a_push_after_a_rollback_is_compared_with_the_version_that_was_gone_back_to(
    world, ecs, ledger, target, tag, version
):
    kind, value = next(iter(target.items()))
    accepted(ledger, "e-0", release=release(version="2.0.0", released_at=at(-60)))
    runs(ecs)
    still_runs(ecs)

    begun(world, target | {kind: value.model_copy(update={"tag": tag})})

    assert ledger.service(SERVICE).versions == {"shop/api": version}


def test_a_push_is_compared_with_what_was_gone_back_to_though_its_plan_names_a_container_by_now(
    world, ecs, ledger
):
    accepted(ledger, "e-0", release=release(version="2.0.0", released_at=at(-60)))
    runs(ecs)
    still_runs(ecs)

    gone_back = TO_OLD | {"good": good(OLD, tag="v1.9.0")}
    begun(world, gone_back, manual_rollback(policy={"container": "api"}))

    assert ledger.service(SERVICE).versions_of("shop/api#api", at(2)) == ("1.9.0",)


def test_a_push_is_not_compared_with_the_version_of_another_containers_image(world, ecs, ledger):
    """The good version was released for container worker, of the same repository."""
    web = {"container": "api"}
    own = release(version="2.0.0", released_at=at(-60))
    accepted(ledger, "e-0", release=own, policy=web)
    runs(ecs)
    still_runs(ecs)
    images = {"api": GOOD, "worker": f"{URI}@{ANOTHER_DIGEST}"}

    target = {"good": good(OLD, ANOTHER_DIGEST, tag="9.0.0"), "images": images}
    beginning = begun(world, target, manual_rollback(policy=web))

    assert ledger.service(SERVICE).versions == {"shop/api#api": "2.0.0"}
    assert beginning.rollback_target_tag is None


def test_a_push_is_not_compared_with_the_version_of_another_repositorys_image(world, ecs, ledger):
    """The good version was released with an image of shop/admin."""
    accepted(ledger, "e-0", release=release(version="2.0.0", released_at=at(-60)))
    runs(ecs)
    still_runs(ecs)

    begun(world, {"good": good(OLD, ANOTHER_DIGEST, tag="v1.4.0")} | BOTH_OLD)

    assert ledger.service(SERVICE).versions == {"shop/api": "2.0.0"}


def test_the_target_does_not_have_the_tag_of_another_repositorys_image(world, ecs):
    """The notice would read as if shop/api went back to v1.4.0."""
    runs(ecs)
    still_runs(ecs)

    beginning = begun(world, {"good": good(OLD, ANOTHER_DIGEST, tag="v1.4.0")} | BOTH_OLD)

    assert beginning.rollback_target_tag is None


def test_a_service_of_another_kind_is_refused(world, ecs):
    """It has become one since the rollback was recorded."""
    described(ecs, deploymentController={"type": "CODE_DEPLOY"})

    with pytest.raises(InvalidInput, match="is deployed by CODE_DEPLOY"):
        begun(world)


def test_a_service_with_a_gateway_connector_is_refused(world, ecs):
    described(ecs, **REVISED)
    revision_read(ecs, gatewayConnectors=[{"portName": "http"}])

    with pytest.raises(InvalidInput, match="has a gateway connector"):
        begun(world)
