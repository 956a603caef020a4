"""A manual rollback: whom it takes over from, what its target is, and when there is nothing."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.deployment.begin import begin
from slipway.deployment.beginning import Decision, Start, World
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.health.cause import Cause
from slipway.image import Image
from slipway.release.plan import Policy
from tests.support import pushes
from tests.support.builders import (
    DIGEST,
    FAMILY,
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
    quarantined,
    release,
)
from tests.support.ecs_answers import (
    alarms_read,
    before,
    container,
    defined,
    described,
    ecs_deployment,
)
from tests.support.pushes import found, guarded, route, unguarded

BAD = f"{URI}@{DIGEST}"
GOOD = f"{URI}@{OLD_DIGEST}"
ANOTHER_DIGEST = "sha256:" + "ef" * 32
ON_NEW = ecs_deployment()
EARLIER = release(image=image(digest=ANOTHER_DIGEST), released_at=at(-60))
SIDECAR = container(name="proxy", image="public.ecr.aws/envoy@" + ANOTHER_DIGEST)


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm):
    return World(ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client)


def begun(world, to=None, by=None, name="back-1"):
    start = {"action": "rollback", "service": SERVICE, "to": to, "by": by}
    asked = {field: value for field, value in start.items() if value is not None}
    return begin(Start(start=asked, execution=execution(name), started_at=NOW), at(1), world)


def runs(ecs, *containers, on=NEW, **service):
    """What the service has, and its task definition."""
    described(ecs, ecs_deployment(taskDefinition=on), **service)
    defined(ecs, *(containers or [container(image=BAD)]), asked=on, taskDefinitionArn=on)


def planned(ssm, *routes):
    """The repository has a plan, and the service has no policy."""
    pushes.planned(ssm, *routes)
    unguarded(ssm)


def unplanned(ssm):
    ssm.refuses("get_parameter", "ParameterNotFound")


def still_runs(ecs, on=NEW):
    """Read once more, when the service is claimed."""
    described(ecs, ecs_deployment(taskDefinition=on))


def goes_back_to(ecs, arn, image=GOOD):
    defined(ecs, container(image=image), asked=arn, taskDefinitionArn=arn)


def may_roll_back(ecs, ssm, ledger):
    """It runs the last good one, and there is a good one before that."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)


def rejected(beginning):
    assert (beginning.decision, beginning.outcome) == (Decision.END, "REJECTED")
    assert beginning.cause is Cause.NO_TARGET
    return beginning.reason


# --- what it goes back to ---------------------------------------------------------------------------


def test_the_default_target_is_the_last_good_version_before_what_runs_now(world, ecs, ssm, ledger):
    may_roll_back(ecs, ssm, ledger)

    beginning = begun(world)

    assert (beginning.decision, beginning.manual_rollback, beginning.updated) == (
        Decision.GO,
        True,
        True,
    )
    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert (beginning.rollback_target_images, beginning.image) == ({"api": GOOD}, None)
    assert beginning.gates == ("shop-api:41 has passed every gate on this service before",)


def test_the_last_good_version_itself_is_the_target_where_another_version_runs(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OTHER)

    assert begun(world).rollback_target == OTHER


def test_the_abandoned_image_is_quarantined_before_the_service_is_changed(world, ecs, ssm, ledger):
    """Whoever takes over from it must not go back there."""
    may_roll_back(ecs, ssm, ledger)

    begun(world)

    record = ledger.service(SERVICE)
    assert record.last_good == good(OLD)
    assert record.quarantined[DIGEST].reason == "a manual rollback has abandoned it"


def test_the_default_target_is_never_the_same_image_with_other_settings(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, DIGEST))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).rollback_target == OLD


def test_another_task_definition_of_the_same_image_quarantines_nothing(world, ecs, ssm, ledger):
    ended(ledger, found=good(OTHER, DIGEST))
    runs(ecs)
    planned(ssm)
    goes_back_to(ecs, OTHER)
    still_runs(ecs)
    goes_back_to(ecs, OTHER)

    assert begun(world, to=OTHER).decision is Decision.GO
    assert ledger.service(SERVICE).quarantined == {}


def test_an_image_whose_digest_is_not_known_is_abandoned_without_a_quarantine(world, ecs, ledger):
    ended(ledger, found=good(OLD))
    runs(ecs, container(image="nginx:1"))
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO
    assert ledger.service(SERVICE).quarantined == {}


def test_a_manual_rollback_is_superseded_where_a_newer_release_comes_before_it_has_begun(
    world, ecs, ssm, ledger, monkeypatch
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    quarantine = ledger.quarantine

    def late(*arguments):
        accepted(ledger, "e-9", release=release(id="event-9", released_at=at(60)))
        quarantine(*arguments)

    monkeypatch.setattr(ledger, "quarantine", late)
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE).claim.execution == execution("e-9")


def test_a_second_try_abandons_the_version_that_the_first_one_meant_to_abandon(
    world, ecs, ssm, ledger
):
    """It had claimed the service, and died before it wrote down what it goes back to."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    ledger.claim(claim("back-1"), deployment(release=release(id="back-1")), NEW, NOW)
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).rollback_target == OLD


def test_a_service_that_is_being_rolled_back_is_not_rolled_back_once_more(world, ecs, ssm, ledger):
    """A deployment is putting the last good one back at this moment: one version is enough."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "RollBack", NOW)
    ledger.end_change(theirs, "RollBack", NOW)
    runs(ecs)
    planned(ssm)

    assert begun(world).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_deployment_without_a_change_loses_its_claim_while_a_foreign_service_deployment_runs(
    world, ecs, ssm, ledger
):
    """The service deployment is someone else's: ECS may replace tasks at any time."""
    ended(ledger, found=good(NEW, DIGEST))
    accepted(ledger, "e-0", release=EARLIER)
    described(ecs, ecs_deployment(taskDefinition=NEW, rolloutState="IN_PROGRESS"))
    defined(ecs, container(image=BAD), asked=NEW, taskDefinitionArn=NEW)
    planned(ssm)

    assert begun(world).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_version_that_a_person_has_put_on_the_service_is_rolled_back_as_ever(
    world, ecs, ssm, ledger
):
    """Something unproven was left, and a person has freed the service and put a good one there."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "UpdateService", at(-60), unproven=OTHER)
    key = {"pk": "service", "sk": SERVICE}
    aws.table().update_item(Key=key, UpdateExpression="REMOVE claim")
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).rollback_target == OLD


def test_a_deployment_without_a_change_loses_its_claim_to_a_manual_rollback(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(NEW, DIGEST))
    accepted(ledger, "e-0", release=EARLIER)
    runs(ecs, on=NEW)
    planned(ssm)

    assert begun(world).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_manual_rollback_with_nothing_to_do_waits_while_a_deployment_changes_the_service(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(NEW, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "UpdateService", NOW)
    runs(ecs, on=NEW)
    planned(ssm)

    assert begun(world).decision is Decision.WAIT


def test_a_good_version_whose_image_was_quarantined_manually_is_passed_over(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    aws.table().update_item(
        Key={"pk": "service", "sk": SERVICE},
        UpdateExpression="SET quarantined.#digest = :why",
        ExpressionAttributeNames={"#digest": ANOTHER_DIGEST},
        ExpressionAttributeValues={":why": quarantined().to_json()},
    )
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).rollback_target == OLD


@pytest.mark.parametrize("known", [(), (good(NEW, DIGEST),)], ids=["none", "only what runs"])
def test_a_manual_rollback_without_an_earlier_good_version_is_rejected_and_says_what_to_do(
    world, ecs, ssm, ledger, known
):
    for one in known:
        ended(ledger, found=one)
    runs(ecs)
    planned(ssm)

    assert rejected(begun(world)) == (
        "there is no last good version of service production/api before shop-api:42: no other one has "
        'passed every gate here; name what to go back to as "to" (a digest, a tag or a task definition)'
    )
    assert ledger.service(SERVICE).claim is None


def test_a_digest_stands_for_the_good_task_definition_that_has_it(world, ecs, ssm, ecr, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    runs(ecs)
    planned(ssm)
    found(ecr, OLD_DIGEST, by={"imageDigest": OLD_DIGEST})
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world, to=OLD_DIGEST).rollback_target == OLD


def test_a_tag_stands_for_the_image_that_it_points_to(world, ecs, ssm, ecr, ledger):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v0"))
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    found(ecr, ANOTHER_DIGEST, by={"imageTag": "v1"})
    still_runs(ecs)
    goes_back_to(ecs, OTHER)

    assert begun(world, to="v1").rollback_target == OTHER


@pytest.mark.parametrize("to", ["v1", OLD_DIGEST])
def test_a_good_version_is_a_target_though_ecr_has_it_no_longer(world, ecs, ssm, ecr, ledger, to):
    """ECS may have the image still, and has the task definition."""
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world, to=to).rollback_target == OLD


@pytest.mark.parametrize(
    ("to", "by", "tag"),
    [("v1", {"imageTag": "v1"}, "v1"), (OLD_DIGEST, {"imageDigest": OLD_DIGEST}, None)],
)
def test_an_image_without_a_known_task_definition_is_to_be_registered(
    world, ecs, ssm, ecr, ledger, to, by, tag
):
    runs(ecs)
    planned(ssm)
    found(ecr, OLD_DIGEST, by=by)
    still_runs(ecs)

    beginning = begun(world, to=to)

    assert beginning.decision is Decision.GO
    assert (beginning.rollback_target, beginning.rollback_target_images) == (None, {})
    assert beginning.image == image(digest=OLD_DIGEST, tag=tag)
    assert beginning.gates == ()
    assert ledger.deployment(beginning.claim).rollback_target is None


@pytest.mark.parametrize("to", ["v0", ANOTHER_DIGEST])
def test_an_image_that_nobody_knows_is_rejected(world, ecs, ssm, ecr, ledger, to):
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")

    assert rejected(begun(world, to=to)) == f"repository shop/api holds no image {to}"


@pytest.mark.parametrize("to", [OLD, "shop-api:41"])
def test_a_task_definition_that_is_known_to_be_good_is_a_target(world, ecs, ssm, ledger, to):
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    defined(ecs, asked=to)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    beginning = begun(world, to=to)

    assert beginning.rollback_target == OLD
    assert ledger.deployment(beginning.claim).good_target == good(OLD, tag="v1")


def test_a_task_definition_that_was_never_good_is_a_target(world, ecs, ssm, ledger):
    runs(ecs)
    planned(ssm)
    defined(ecs, SIDECAR, container(image=GOOD), asked=OLD)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    beginning = begun(world, to=OLD)

    assert beginning.rollback_target == OLD
    assert ledger.deployment(beginning.claim).good_target == good(OLD, OLD_DIGEST, at=at(-3600))
    assert beginning.gates == ()


@pytest.mark.parametrize(
    "containers", [[SIDECAR], [container(image="nginx:1")]], ids=["a sidecar", "another image"]
)
def test_a_task_definition_without_an_image_of_the_repository_has_no_digest(
    world, ecs, ssm, ledger, containers
):
    runs(ecs)
    planned(ssm)
    ecs.answers(
        "describe_task_definition",
        {"taskDefinition": {"taskDefinitionArn": OLD, "containerDefinitions": containers}},
    )
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    beginning = begun(world, to=OLD)

    assert ledger.deployment(beginning.claim).good_target == good(OLD, "", at=at(1))


def test_a_task_definition_that_does_not_exist_is_rejected(world, ecs, ssm):
    runs(ecs)
    planned(ssm)
    ecs.refuses("describe_task_definition", "ClientException", "Unable to describe")

    assert rejected(begun(world, to=f"{FAMILY}:9")) == f"there is no task definition {FAMILY}:9"


def test_a_task_definition_that_may_not_be_read_is_not_taken_for_missing(world, ecs, ssm):
    runs(ecs)
    planned(ssm)
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    with pytest.raises(
        AwsRefused, match="ecs:DescribeTaskDefinition on task definition shop-api:9"
    ):
        begun(world, to="shop-api:9")


# --- nothing to change ------------------------------------------------------------------------------


def test_a_task_definition_that_runs_already_is_no_change(world, ecs, ssm, ledger):
    runs(ecs)
    planned(ssm)
    defined(ecs, container(image=BAD), taskDefinitionArn=NEW)

    beginning = begun(world, to="shop-api:42")

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert beginning.reason == "service production/api has shop-api:42 already"
    assert ledger.service(SERVICE).claim is None


def test_an_image_that_runs_already_is_no_change(world, ecs, ssm, ecr, ledger):
    runs(ecs, SIDECAR, container(image=BAD))
    unplanned(ssm)
    planned(ssm)
    found(ecr, DIGEST, by={"imageTag": "v2"})

    beginning = begun(world, to="v2")

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert beginning.reason == "service production/api runs shop/api:v2 (abababababab) already"
    assert ledger.service(SERVICE).claim is None


# --- the image that it leaves, and its policy -------------------------------------------------------


def test_a_manual_rollback_is_a_deployment_of_the_abandoned_image_by_whoever_started_it(
    world, ecs, ssm
):
    runs(ecs)
    planned(ssm)

    deployed = begun(world, by="Ada").deployment

    assert deployed.release == release(
        id="back-1", image=image(tag=None), started_by="manual rollback", by="Ada"
    )
    assert (deployed.service, deployed.stage) == (SERVICE, None)


def test_the_policy_of_a_manual_rollback_is_that_of_the_plan(world, ecs, ssm):
    with_policy = route("v*", production=[SERVICE])
    with_policy["stages"][0]["services"][0]["bake_seconds"] = 7
    runs(ecs)
    planned(ssm, with_policy)

    assert begun(world).deployment.policy == Policy(bake_seconds=7)


def test_the_gates_of_the_services_policy_add_to_those_of_the_plan(world, ecs, ssm):
    runs(ecs)
    pushes.planned(ssm)
    # It does not admit the repository, but a rollback only puts back what was good on the service.
    guarded(ssm, SERVICE, repositories=["shop/web"], bake_seconds=900)

    assert begun(world).deployment.policy == Policy(bake_seconds=900)


@pytest.mark.parametrize(
    "policy",
    [
        lambda ssm: guarded(ssm, SERVICE, text="{"),
        lambda ssm: guarded(ssm, SERVICE, repositories=["shop/api"], container="other"),
        lambda ssm: ssm.refuses("get_parameter", "AccessDeniedException"),
    ],
    ids=["not JSON", "contradicts the plan", "denied"],
)
def test_a_policy_that_does_not_fit_does_not_prevent_a_rollback(world, ecs, ssm, policy):
    with_container = route("v*", production=[SERVICE])
    with_container["stages"][0]["services"][0]["container"] = "app"
    runs(ecs)
    pushes.planned(ssm, with_container)
    policy(ssm)

    assert begun(world).deployment.policy == Policy(container="app")


def test_the_abandoned_image_is_of_the_container_whose_repository_plans_for_the_service(
    world, ecs, ssm
):
    runs(ecs, SIDECAR, container(image=BAD))
    unplanned(ssm)
    planned(ssm)

    assert begun(world).deployment.release.image == image(tag=None)


@pytest.mark.parametrize(
    "plan",
    [
        unplanned,
        lambda ssm: pushes.planned(ssm, route("v*", production=["production/other"])),
        lambda ssm: pushes.planned(ssm, text="{"),
        lambda ssm: ssm.refuses("get_parameter", "AccessDeniedException"),
    ],
    ids=["no plan", "the plan does not name the service", "not JSON", "denied"],
)
def test_a_manual_rollback_without_a_readable_plan_has_the_default_policy(world, ecs, ssm, plan):
    runs(ecs)
    plan(ssm)
    unguarded(ssm)

    deployed = begun(world).deployment

    assert (deployed.policy, deployed.release.image) == (Policy(), image(tag=None))


def test_a_manual_rollback_is_tried_again_while_ssm_does_not_answer(world, ecs, ssm):
    runs(ecs)
    ssm.refuses("get_parameter", "ThrottlingException")

    with pytest.raises(AwsUnavailable):
        begun(world)


def test_a_sidecar_that_slipway_may_not_look_up_does_not_stop_a_manual_rollback(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD))
    runs(ecs, container(name="logs", image=f"{URI}-logs:v1"), container(image=BAD))
    ecr.refuses("describe_images", "AccessDeniedException")
    unplanned(ssm)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    assert begun(world).rollback_target == OLD


# --- whom it takes over from ------------------------------------------------------------------------


def test_a_manual_rollback_claims_the_service_and_has_a_history_from_then_on(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    service, record = ledger.service(SERVICE), ledger.deployment(claim("back-1"))
    assert beginning.claim == claim("back-1")
    assert (service.claim.execution, service.newest_at) == (execution("back-1"), NOW)
    assert (record.deployment, record.good_target) == (beginning.deployment, good(OLD))
    assert (record.rollback_target, record.task_definition) == (OLD, NEW)


def test_a_manual_rollback_takes_over_from_a_deployment_under_way_and_abandons_its_version(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    accepted(ledger, "e-0", baseline=OLD, release=release(released_at=at(-60)))
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert ledger.service(SERVICE).claim.execution == execution("back-1")
    assert ledger.service(SERVICE).baseline == OLD


def test_a_manual_rollback_waits_while_a_deployment_changes_the_service(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    own = accepted(ledger, "e-0", release=release(released_at=at(-60)))
    ledger.start_change(own, "UpdateService", NOW)
    runs(ecs)
    planned(ssm)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 2)
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_release_that_was_started_later_is_not_rolled_back(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    accepted(ledger, "e-2", release=release(id="event-2", released_at=at(60)))
    runs(ecs)
    planned(ssm)

    assert begun(world).outcome == "SUPERSEDED"


def test_a_service_that_changed_while_it_was_claimed_is_checked_again(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm)
    still_runs(ecs, on=OTHER)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 1)
    assert beginning.reason == "the service was changed a moment ago"
    assert ledger.service(SERVICE).claim.execution == execution("back-1")


def test_a_first_rollback_keeps_the_version_that_completed_before_as_the_baseline(
    world, ecs, ssm, ecr, ledger
):
    described(ecs, ecs_deployment(rolloutState="IN_PROGRESS"), before())
    defined(ecs, container(image=BAD), taskDefinitionArn=NEW)
    planned(ssm)
    found(ecr, OLD_DIGEST, by={"imageTag": "v1"})
    still_runs(ecs)

    assert begun(world, to="v1").decision is Decision.GO
    assert ledger.service(SERVICE).baseline == OLD


def test_the_baseline_of_a_deployment_that_has_ended_is_no_baseline_of_a_rollback(
    world, ecs, ssm, ledger
):
    own = accepted(ledger, "e-0", baseline=OTHER, release=release(released_at=at(-60)))
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    ledger.finish(own, None, ending, good(OLD), None)
    runs(ecs)
    planned(ssm)
    still_runs(ecs)
    goes_back_to(ecs, OLD)
    begun(world)

    assert ledger.service(SERVICE).baseline == NEW


# --- what does not stop it, and what does -----------------------------------------------------------


def test_neither_a_freeze_nor_a_blocking_alarm_stops_a_manual_rollback(
    world, ecs, ssm, cloudwatch, ledger
):
    """The freeze of the pipeline is not even asked for."""
    guarded = route("v*", production=[SERVICE])
    guarded["stages"][0]["services"][0] |= {
        "alarms": [{"name": "errors", "when_firing": "block"}, "latency", "gone"],
        "freeze": [{"from": "2026-11-21T00:00:00Z", "until": "2026-11-23T00:00:00Z"}],
    }
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm, guarded)
    still_runs(ecs)
    goes_back_to(ecs, OLD)
    alarms_read(cloudwatch, errors="ALARM", latency="OK")

    beginning = begun(world)

    assert (beginning.decision, beginning.alarms_firing) == (Decision.GO, ("errors",))


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_alarms_that_cannot_be_read_do_not_stop_a_manual_rollback(
    world, ecs, ssm, cloudwatch, ledger, code
):
    guarded = route("v*", production=[SERVICE])
    guarded["stages"][0]["services"][0]["alarms"] = ["errors"]
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm, guarded)
    still_runs(ecs)
    goes_back_to(ecs, OLD)
    cloudwatch.refuses("describe_alarms", code)

    beginning = begun(world)

    assert (beginning.decision, beginning.alarms_firing) == (Decision.GO, ())


def test_a_service_of_another_kind_is_refused(world, ecs):
    described(ecs, deploymentController={"type": "CODE_DEPLOY"})

    with pytest.raises(InvalidInput, match="is deployed by CODE_DEPLOY"):
        begun(world)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"service": "api"}, "service"),
        ({"to": ""}, "to"),
        ({"by": ""}, "by"),
        ({"from": "v2"}, "from"),
    ],
)
def test_an_invalid_input_of_a_manual_rollback_names_its_wrong_field(world, wrong, field):
    start = {"action": "rollback", "service": SERVICE} | wrong

    with pytest.raises(InvalidInput, match=rf"^the manual rollback is not valid:\n  {field}: "):
        begin(Start(start=start, execution=execution(), started_at=NOW), NOW, world)


def test_an_image_of_an_unknown_place_is_abandoned_by_its_name(world, ecs, ssm):
    runs(ecs, container(image="nginx:1"))
    unplanned(ssm)
    unguarded(ssm)

    left = begun(world).deployment.release.image

    assert left == Image(repository="nginx", uri="nginx", digest="", tag="1")
