"""What a manual rollback goes back to, what it abandons, and when there is nothing to go back to."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from slipway import aws
from slipway.deployment.begin import begin
from slipway.deployment.beginning import Start, World
from slipway.deployment.resolve_rollback import GOOD_NAMED, resolve_rollback
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.health.cause import Cause
from slipway.image import Image
from slipway.ledger.items import Items
from slipway.ledger.ledger import learn
from slipway.ledger.records import GoneBack, RollbackRecord
from slipway.release.named import NamedRollback
from slipway.release.plan import Policy
from slipway.release.release import started_id
from tests.support import pushes
from tests.support.asked import EXPIRES_AT, ROLLBACK, freed, quarantined_by_ada
from tests.support.builders import (
    ACCOUNT,
    DIGEST,
    FAMILY,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    REGION,
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
    REVISED,
    container,
    defined,
    described,
    ecs_deployment,
    revision_read,
)
from tests.support.pushes import found, guarded, route, unguarded

HISTORY = timedelta(days=400)
WITHOUT_IMAGE = f"shop-api:41 can't start: ECR no longer has its image api@{OLD_DIGEST}"
NOT_SEARCHED = (
    "repository shop/api holds no image v7; shop/admin was not searched, because no valid plan deploys it to "
    "the service or the service's policy does not list it"
)
BAD = f"{URI}@{DIGEST}"
GOOD = f"{URI}@{OLD_DIGEST}"
ANOTHER_DIGEST = "sha256:" + "ef" * 32
ADMIN_DIGEST = "sha256:" + "0a" * 32
ADMIN_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/admin"
API = container(image=BAD)
"""What the service runs of shop/api; ADMIN is what it runs of shop/admin."""
API_BEFORE = container(image=GOOD)
ADMIN = container(name="admin", image=f"{ADMIN_URI}@{ADMIN_DIGEST}")
ADMIN_BEFORE = container(name="admin", image=f"{ADMIN_URI}@{OLD_DIGEST}")
ADMIN_IMAGE = Image(repository="shop/admin", uri=ADMIN_URI, digest=ADMIN_DIGEST)
SIDECAR = container(name="proxy", image="public.ecr.aws/envoy@" + ANOTHER_DIGEST)
PAYMENTS = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/payments-admin:1"
EARLIER = release(image=image(digest=ANOTHER_DIGEST), released_at=at(-60))
ID = started_id(ROLLBACK, NOW)


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm, stepfunctions):
    return World(
        ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client, stepfunctions.client
    )


def answered(world, to=None, by=None):
    """The answer to the execution of the rollback state machine."""
    start = {"service": SERVICE, "to": to, "by": by}
    given = {field: value for field, value in start.items() if value is not None}
    return resolve_rollback(given, ROLLBACK, NOW, HISTORY, world)


def resolved(world, to=None, by=None) -> RollbackRecord:
    """What the ledger has of it then."""
    return world.ledger.rollback(answered(world, to, by).input.rollback)


def runs(ecs, *containers, on=NEW, **service):
    """What the service has, and its task definition."""
    described(ecs, ecs_deployment(taskDefinition=on), **service)
    defined(ecs, *(containers or [container(image=BAD)]), asked=on, taskDefinitionArn=on)


def goes_back_to(ecs, arn, *containers):
    """Expect DescribeTaskDefinition of a good version; by default it has an image that does not run."""
    defined(ecs, *containers, asked=arn, taskDefinitionArn=arn)


def is_gone(ecs):
    """A good version that ECS no longer has."""
    ecs.refuses("describe_task_definition", "ClientException", "Unable to describe")


def planned(ssm, *routes):
    """The plan of repository shop/api names the service, which has no policy."""
    pushes.planned(ssm, *routes)
    unguarded(ssm)


def without_plan(ssm):
    """A repository has no plan."""
    ssm.refuses("get_parameter", "ParameterNotFound")


def unplanned(ssm):
    """No plan names the service, which has no policy."""
    without_plan(ssm)
    unguarded(ssm)


def admin_planned(ssm, service=SERVICE, text=None):
    """The plan of repository shop/admin names this service, or is this text."""
    plan = json.dumps({"routes": [route("v*", production=[service])]})
    name = "/slipway/repositories/shop/admin"
    answer = {"Parameter": {"Name": name, "Value": text or plan, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=name, WithDecryption=False)


def rejected(record, cause=Cause.NO_TARGET):
    """The reason for which the recorded rollback has no target."""
    assert (record.good, record.image, record.cause) == (None, None, cause)
    return record.refusal


def in_quarantine(ledger, digest, why="a manual rollback has abandoned it"):
    """A person has quarantined this digest, or has rolled back from it."""
    record = ledger.service(SERVICE)
    Items(aws.table()).update_all(learn(record, record.learning(digest, None, quarantined(why))))


def has_gone_back(ledger, to=OLD):
    """A deployment has rolled itself back."""
    own = accepted(ledger, "e-9", release=release(id="event-9", released_at=at(-30)))
    ending = {"outcome": "ROLLED_BACK", "reason": "a task failed", "evidence": []}
    back = GoneBack(task_definition=to, at=at(-20), deployment=own.deployment)
    assert ledger.finish(own, deployment(), ending, None, quarantined(), back)


# --- the record and the answer ----------------------------------------------------------------------


def test_a_manual_rollback_is_recorded_with_its_target_before_anything_is_changed(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    answer = answered(world, by="Ada")

    assert answer.input.to_json() == {"rollback": ID}
    assert ledger.rollback(ID) == RollbackRecord(
        deployment=deployment(
            release=release(id=ID, image=image(tag=None), started_by="manual rollback", by="Ada"),
            stage=None,
            policy=Policy().model_dump(),
        ),
        running=NEW,
        good=good(OLD),
        images={"api": GOOD},
        execution=ROLLBACK,
        expires_at=EXPIRES_AT,
    )
    assert ledger.service(SERVICE).claim is None


def test_the_execution_of_a_manual_rollback_is_named_after_its_service(world, ecs, ssm, ledger):
    runs(ecs)
    planned(ssm)

    assert answered(world).name.startswith("production-api-rollback-")


def test_a_second_attempt_of_the_step_keeps_the_target_that_the_first_one_recorded(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)
    first = answered(world)
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    runs(ecs)
    goes_back_to(ecs, OTHER)
    planned(ssm)

    assert answered(world) == first
    assert ledger.rollback(ID).good == good(OLD)


def test_the_same_name_of_an_execution_months_later_is_another_manual_rollback(
    world, ecs, ssm, ledger
):
    """Step Functions allows a name again after 90 days."""
    runs(ecs)
    planned(ssm)
    first = answered(world)
    runs(ecs)
    planned(ssm)
    later = resolve_rollback({"service": SERVICE}, ROLLBACK, NOW + HISTORY, HISTORY, world)

    assert later.input != first.input
    assert later.name != first.name


# --- the default target -----------------------------------------------------------------------------


def test_the_default_target_is_the_last_good_version_before_what_runs_now(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    record = resolved(world)

    assert (record.good, record.image, record.refusal, record.cause) == (good(OLD), None, "", None)


def test_the_last_good_version_itself_is_the_target_where_another_version_runs(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    runs(ecs)
    goes_back_to(ecs, OTHER)
    planned(ssm)

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST)


def test_the_default_target_is_never_the_same_image_with_other_settings(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, DIGEST))
    runs(ecs)
    goes_back_to(ecs, OTHER, container(image=BAD))
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert resolved(world).good == good(OLD)


def test_a_good_version_is_the_default_target_though_the_running_images_digest_is_not_known(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD, digest=""))
    runs(ecs, container(image="nginx:1"))
    goes_back_to(ecs, OLD)
    unguarded(ssm)

    assert resolved(world).good == good(OLD, digest="")


def test_the_default_target_is_the_last_good_version_while_a_deployment_is_under_way(
    world, ecs, ssm, ledger
):
    """Even if the service runs it: a deployment may be putting it back at this moment."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "RollBack", NOW)
    runs(ecs)
    goes_back_to(ecs, NEW, container(image=BAD))
    planned(ssm)

    assert resolved(world).good == good(NEW, DIGEST)


def test_the_default_target_is_the_last_good_version_where_the_service_runs_an_unproven_one(
    world, ecs, ssm, ledger
):
    """It has no claim: a deployment had ended before a late step of it put that version there."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "UpdateService", at(-60), unproven=NEW)
    ledger.free(theirs)
    runs(ecs)
    goes_back_to(ecs, OTHER)
    planned(ssm)

    assert resolved(world).good == good(OTHER, DIGEST)


def test_a_first_deployment_under_way_has_no_version_to_go_back_to(world, ecs, ssm, ledger):
    accepted(ledger, "e-0", release=EARLIER)
    runs(ecs)
    planned(ssm)

    assert rejected(resolved(world))


def test_a_version_that_a_person_has_put_on_the_service_is_rolled_back_as_ever(
    world, ecs, ssm, ledger
):
    """Something unproven was left, and a person has freed the service and put a good one there."""
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    theirs = accepted(ledger, "e-0", release=EARLIER)
    ledger.start_change(theirs, "UpdateService", at(-60), unproven=OTHER)
    freed()
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert resolved(world).good == good(OLD)


def test_a_good_version_whose_image_was_quarantined_manually_is_passed_over(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    in_quarantine(ledger, ANOTHER_DIGEST)
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert resolved(world).good == good(OLD)


def test_a_quarantined_version_is_the_target_if_a_person_names_it(world, ecs, ssm, ecr, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v6"))
    in_quarantine(ledger, ANOTHER_DIGEST)
    runs(ecs)
    goes_back_to(ecs, OTHER)
    planned(ssm)
    found(ecr, ANOTHER_DIGEST, by={"imageTag": "v6"}, registry=ACCOUNT)

    assert resolved(world, to="v6").good == good(OTHER, ANOTHER_DIGEST, tag="v6")


def test_a_refusal_says_which_versions_passed_and_are_quarantined_since_when_and_why(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD, tag="v2"))
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v6"))
    ended(ledger, found=good(NEW, DIGEST, tag="v1"))
    in_quarantine(ledger, OLD_DIGEST)
    in_quarantine(ledger, ANOTHER_DIGEST, "jo: it leaks memory")
    runs(ecs)
    planned(ssm)

    assert rejected(resolved(world)) == (
        "there is no last good version of service production/api before shop-api:42: others have passed "
        "every gate here, but are quarantined: "
        "v6 (shop-api:43) since 2026-11-22T02:59:00+00:00 (jo: it leaks memory), "
        "v2 (shop-api:41) since 2026-11-22T02:59:00+00:00 (a manual rollback has abandoned it); "
        "to go back to one of them all the same, or to any other version, "
        'name it as "to" (a digest, a tag or a task definition)'
    )


def test_a_refusal_does_not_offer_the_image_that_runs_in_another_task_definition(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER, DIGEST, tag="v2"))
    in_quarantine(ledger, DIGEST)
    runs(ecs)
    planned(ssm)

    assert "no earlier one has passed every gate here" in rejected(resolved(world))


def test_a_plain_rollback_from_a_quarantined_version_goes_to_an_earlier_one_and_not_forward(
    world, ecs, ssm, ledger
):
    """A person has gone back to it, and quarantines it then."""
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, at=at(-9000)))
    ended(ledger, found=good(NEW, DIGEST, at=at(-5000)))
    ended(ledger, found=good(OLD, at=at(-7000)))
    quarantined_by_ada(OLD_DIGEST)
    runs(ecs, API_BEFORE, on=OLD)
    planned(ssm)
    goes_back_to(ecs, OTHER, container(image=f"{URI}@{ANOTHER_DIGEST}"))

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST, at=at(-9000))


def test_a_refusal_names_the_newest_quarantined_versions_only(world, ecs, ssm, ledger):
    for n in range(GOOD_NAMED + 1):
        ended(ledger, found=good(f"{FAMILY}:{n}", f"sha256:{n}{'0' * 63}", tag=f"v{n}"))
        in_quarantine(ledger, f"sha256:{n}{'0' * 63}", "x" * 500)
    runs(ecs)
    planned(ssm)

    refusal = rejected(resolved(world))

    assert "v3 (shop-api:3)" in refusal
    assert "v0 (shop-api:0)" not in refusal
    assert "x" * 150 not in refusal


@pytest.mark.parametrize("known", [(), (good(NEW, DIGEST),)], ids=["none", "only what runs"])
def test_a_manual_rollback_without_an_earlier_good_version_is_rejected_and_says_what_to_do(
    world, ecs, ssm, ledger, known
):
    for one in known:
        ended(ledger, found=one)
    runs(ecs)
    planned(ssm)

    assert rejected(resolved(world)) == (
        "there is no last good version of service production/api before shop-api:42: no earlier one has "
        'passed every gate here; name what to go back to as "to" (a digest, a tag or a task definition)'
    )


# --- a service that has gone back already -----------------------------------------------------------


def gone_back_to_old(ledger, *others):
    """Slipway has rolled a deployment back to OLD, and the ledger has these good versions as well."""
    for other in (*others, good(OLD)):
        ended(ledger, found=other)
    has_gone_back(ledger)


def runs_old(ecs, ssm):
    runs(ecs, container(image=GOOD), on=OLD)
    planned(ssm)


def test_a_plain_rollback_right_after_an_automatic_one_is_rejected_and_names_the_good_versions(
    world, ecs, ssm, ledger
):
    gone_back_to_old(
        ledger,
        *(good(f"{FAMILY}:{n}", f"sha256:{n}{'0' * 62}", tag=f"v{n}") for n in (30, 31)),
        good(f"{FAMILY}:32", f"sha256:32{'0' * 62}"),
        good(f"{FAMILY}:33", f"sha256:33{'0' * 62}", tag="v33"),
    )
    runs_old(ecs, ssm)

    assert rejected(resolved(world), Cause.GONE_BACK) == (
        "service production/api has gone back to shop-api:41 already, at 2026-11-22T02:59:40+00:00, "
        'without a person; to go back further, name the version as "to": v33, shop-api:32, v31'
    )


def test_a_plain_rollback_right_after_an_automatic_one_names_no_version_that_can_not_be_the_target(
    world, ecs, ssm, ledger
):
    """Neither a quarantined one, nor the running image with other settings."""
    gone_back_to_old(
        ledger,
        good(f"{FAMILY}:30", at=at(-7200), tag="v30"),
        good(f"{FAMILY}:31", ADMIN_DIGEST, tag="v31"),
        good(f"{FAMILY}:32", ANOTHER_DIGEST, tag="v32"),
    )
    in_quarantine(ledger, ADMIN_DIGEST)
    runs_old(ecs, ssm)

    assert [known.tag for known in ledger.service(SERVICE).good] == [None, "v32", "v31", "v30"]
    assert rejected(resolved(world), Cause.GONE_BACK).endswith('name the version as "to": v32')


def test_a_named_version_is_gone_back_to_right_after_an_automatic_rollback(world, ecs, ssm, ledger):
    gone_back_to_old(ledger, good(OTHER, ANOTHER_DIGEST))
    runs_old(ecs, ssm)
    defined(ecs, asked="shop-api:43", taskDefinitionArn=OTHER)

    assert resolved(world, to="shop-api:43").good == good(OTHER, ANOTHER_DIGEST)


def test_a_plain_rollback_goes_on_where_the_service_runs_something_else_since_it_went_back(
    world, ecs, ssm, ledger
):
    gone_back_to_old(ledger, good(OTHER, ANOTHER_DIGEST))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert resolved(world).good == good(OLD)


def test_a_plain_rollback_goes_on_where_a_deployment_is_under_way_since_the_service_went_back(
    world, ecs, ssm, ledger
):
    gone_back_to_old(ledger, good(OTHER, ANOTHER_DIGEST))
    accepted(ledger, "e-0", release=release(id="event-0"))
    runs_old(ecs, ssm)
    goes_back_to(ecs, OLD)

    assert resolved(world).good == good(OLD)


def test_a_plain_rollback_goes_on_where_a_deployment_has_succeeded_since_the_service_went_back(
    world, ecs, ssm, ledger
):
    gone_back_to_old(ledger, good(OTHER, ANOTHER_DIGEST))
    own = accepted(ledger, "e-10", release=release(id="event-10", released_at=at(-10)))
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    ledger.finish(own, deployment(), ending, good(OLD), None)
    runs_old(ecs, ssm)
    goes_back_to(ecs, OTHER, container(image=f"{URI}@{ANOTHER_DIGEST}"))

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST)


def test_a_service_that_has_gone_back_to_its_only_good_version_has_no_target(
    world, ecs, ssm, ledger
):
    gone_back_to_old(ledger)
    runs_old(ecs, ssm)

    assert rejected(resolved(world))


# --- a digest or a tag ------------------------------------------------------------------------------


def test_a_digest_stands_for_the_good_task_definition_that_has_it(world, ecs, ssm, ecr, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)
    found(ecr, OLD_DIGEST, by={"imageDigest": OLD_DIGEST}, registry=ACCOUNT)

    assert resolved(world, to=OLD_DIGEST).good == good(OLD)


def test_a_tag_stands_for_the_image_that_it_points_to(world, ecs, ssm, ecr, ledger):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v0"))
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    goes_back_to(ecs, OTHER)
    planned(ssm)
    found(ecr, ANOTHER_DIGEST, by={"imageTag": "v1"}, registry=ACCOUNT)

    assert resolved(world, to="v1").good == good(OTHER, ANOTHER_DIGEST, tag="v0")


def test_a_good_version_is_known_by_its_tag_though_ecr_has_the_tag_no_longer(
    world, ecs, ssm, ecr, ledger
):
    """Its task definition has the digest, which may still be there."""
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")

    assert resolved(world, to="v1").good == good(OLD, tag="v1")


@pytest.mark.parametrize("to", ["v1", OLD_DIGEST])
def test_a_good_version_whose_image_is_gone_is_rejected_with_the_reason(
    world, ecs, ssm, ecr, ledger, gone, to
):
    gone.add(GOOD)
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")

    assert rejected(resolved(world, to=to)) == (
        f"repository shop/api holds no image {to}; {WITHOUT_IMAGE}"
    )


def test_a_named_task_definition_whose_image_is_gone_is_rejected_with_the_reason(
    world, ecs, ssm, ledger, gone
):
    gone.add(GOOD)
    ended(ledger, found=good(OLD))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert rejected(resolved(world, to=OLD)) == WITHOUT_IMAGE


@pytest.mark.parametrize("to", [OLD, "shop-api:41"])
def test_a_good_task_definition_that_was_deleted_is_a_target_if_the_ledger_has_a_copy(
    world, ecs, ssm, ledger, to
):
    ended(ledger, found=good(OLD))
    content = {"family": "shop-api", "tags": [], "containerDefinitions": [container()]}
    key = {"pk": f"definitions#{SERVICE}", "sk": OLD}
    aws.table().put_item(Item={**key, "content": json.dumps(content)})
    runs(ecs)
    planned(ssm)
    for _ in range(2):
        ecs.refuses("describe_task_definition", "ClientException", "Unable to describe")

    assert resolved(world, to=to).good == good(OLD)


def test_the_newest_good_version_that_can_start_is_chosen_and_what_is_passed_over_is_said(
    world, ecs, ssm, ledger, gone
):
    gone.add(GOOD)
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, at=at(-7200)))
    ended(ledger, found=good(OLD))
    runs(ecs)
    goes_back_to(ecs, OLD)
    goes_back_to(ecs, OTHER, container(image=f"{URI}@{ANOTHER_DIGEST}"))
    planned(ssm)

    record = resolved(world)

    assert record.good.task_definition == OTHER
    assert record.passed_over == (WITHOUT_IMAGE,)


def test_without_a_good_version_that_can_start_the_rejection_says_why(
    world, ecs, ssm, ledger, gone
):
    gone.add(GOOD)
    ended(ledger, found=good(OLD))
    runs(ecs)
    goes_back_to(ecs, OLD)
    planned(ssm)

    assert rejected(resolved(world)) == (
        f"there is no last good version of service production/api before shop-api:42: {WITHOUT_IMAGE}; "
        'name what to go back to as "to" (a digest, a tag or a task definition)'
    )


@pytest.mark.parametrize(
    ("to", "by", "tag"),
    [("v1", {"imageTag": "v1"}, "v1"), (OLD_DIGEST, {"imageDigest": OLD_DIGEST}, None)],
)
def test_an_image_without_a_known_task_definition_is_to_be_registered(
    world, ecs, ssm, ecr, ledger, to, by, tag
):
    runs(ecs)
    planned(ssm)
    found(ecr, OLD_DIGEST, by=by, registry=ACCOUNT)

    record = resolved(world, to=to)

    assert (record.good, record.image) == (None, image(digest=OLD_DIGEST, tag=tag))


@pytest.mark.parametrize("to", ["v0", ANOTHER_DIGEST])
def test_an_image_that_nobody_knows_is_rejected(world, ecs, ssm, ecr, ledger, to):
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")

    assert rejected(resolved(world, to=to)) == (f"repository shop/api holds no image {to}")


def test_an_artifact_that_is_no_image_is_rejected(world, ecs, ssm, ecr, ledger):
    runs(ecs)
    planned(ssm)
    kind = "application/vnd.buildkit.cacheconfig.v0"
    found(ecr, OLD_DIGEST, by={"imageTag": "v1"}, registry=ACCOUNT, artifactMediaType=kind)

    assert rejected(resolved(world, to="v1")) == "repository shop/api holds no image v1"


def test_a_repository_that_may_not_be_read_is_not_taken_for_empty(world, ecs, ssm, ecr):
    runs(ecs)
    planned(ssm)
    ecr.refuses("describe_images", "AccessDeniedException")

    with pytest.raises(AwsRefused, match="ecr:DescribeImages on repository shop/api"):
        resolved(world, to="v1")


# --- a named image whose good versions have other images in quarantine -------------------------------


def two(api, admin):
    """The images of a version, by container."""
    return {"api": f"{URI}@{api}", "admin": f"{ADMIN_URI}@{admin}"}


def with_admin(arn, api, admin, moment):
    """A good version that was released with its image of shop/admin."""
    return good(arn, admin, at=at(moment), images=two(api, admin))


def runs_the_bad_api(ecs, ssm, ecr, ledger, *known):
    """It was released after these good versions; the person who has quarantined it names ADMIN_DIGEST."""
    for each in (*known, with_admin(NEW, DIGEST, ANOTHER_DIGEST, -1000)):
        ended(ledger, found=each, digest=each.digest)
    quarantined_by_ada(DIGEST, moment=at(-60))
    runs(ecs, API, container(name="admin", image=f"{ADMIN_URI}@{ANOTHER_DIGEST}"))
    pushes.planned(ssm)
    admin_planned(ssm)
    unguarded(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")
    ecr.answers("describe_images", {"imageDetails": [{"imageDigest": ADMIN_DIGEST}]})


def test_a_named_image_stands_for_a_version_without_another_quarantined_image(
    world, ecs, ssm, ecr, ledger
):
    older = with_admin(OTHER, OLD_DIGEST, ADMIN_DIGEST, -3000)
    newer = with_admin(OLD, DIGEST, ADMIN_DIGEST, -2000)
    runs_the_bad_api(ecs, ssm, ecr, ledger, older, newer)
    goes_back_to(ecs, OLD, API, ADMIN)
    goes_back_to(ecs, OTHER, API_BEFORE, ADMIN)

    record = resolved(world, to=ADMIN_DIGEST)

    assert (record.good, record.deployment.release.target) == (older, ADMIN_DIGEST)


def test_an_image_that_only_comes_with_another_quarantined_one_is_refused_with_two_ways_out(
    world, ecs, ssm, ecr, ledger
):
    newer = with_admin(OLD, DIGEST, ADMIN_DIGEST, -2000)
    runs_the_bad_api(ecs, ssm, ecr, ledger, newer)
    goes_back_to(ecs, OLD, API, ADMIN)

    with pytest.raises(InvalidInput) as refused:
        resolved(world, to=ADMIN_DIGEST)

    assert str(refused.value) == (
        f"the good version with {ADMIN_DIGEST}, shop-api:41, has another image that is quarantined: {DIGEST} "
        "since 2026-11-22T02:59:00+00:00 by a person (Ada: it leaks); to bring that image back as "
        'well, name the task definition ("to": "shop-api:41"); otherwise lift the quarantine with Operate '
        '("action": "release_from_quarantine") and start the rollback again'
    )
    assert ledger.rollback(ID) is None


def test_an_image_that_a_deployment_has_quarantined_does_not_come_back_with_another_one_either(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, tag="v1", images=two(OLD_DIGEST, ADMIN_DIGEST)))
    in_quarantine(ledger, ADMIN_DIGEST)
    runs(ecs)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")
    goes_back_to(ecs, OLD, API_BEFORE, ADMIN)

    with pytest.raises(
        InvalidInput, match=r"by deployment \S+#e-0 \(a manual rollback has abandoned"
    ):
        resolved(world, to="v1")


def test_a_named_task_definition_is_the_target_whatever_images_of_it_are_quarantined(
    world, ecs, ssm, ledger
):
    known = good(OLD, images=two(OLD_DIGEST, ADMIN_DIGEST))
    ended(ledger, found=known)
    quarantined_by_ada(OLD_DIGEST)
    quarantined_by_ada(ADMIN_DIGEST)
    runs(ecs)
    planned(ssm)
    goes_back_to(ecs, OLD, API_BEFORE, ADMIN)

    record = resolved(world, to=OLD)

    assert (record.good, record.deployment.release.target) == (known, OLD)


# --- a service with images of several repositories --------------------------------------------------


def runs_both(ecs, ssm, admin_plans_for=SERVICE):
    """Images of shop/api and shop/admin, and one of a place that is not in ECR. Each plan is read once."""
    runs(ecs, container(image=BAD), SIDECAR, ADMIN)
    pushes.planned(ssm)
    admin_planned(ssm, admin_plans_for)
    unguarded(ssm)


def looked_up(ecr, repository, digest=None):
    """Expect DescribeImages of tag v7; ECR has it or not."""
    if digest is None:
        ecr.refuses("describe_images", "ImageNotFoundException")
        return
    answer = {"imageDetails": [{"repositoryName": repository, "imageDigest": digest}]}
    asked = {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageIds": [{"imageTag": "v7"}],
    }
    ecr.answers("describe_images", answer, **asked)


def test_a_tag_that_two_repositories_have_is_rejected_with_both_digests(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, tag="v7"))
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    looked_up(ecr, "shop/admin", ANOTHER_DIGEST)

    assert rejected(resolved(world, to="v7")) == (
        f"v7 is the tag of several images: {OLD_DIGEST} of shop/api and {ANOTHER_DIGEST} of shop/admin; "
        "name the digest of one"
    )


def test_a_tag_of_a_repository_whose_plan_is_invalid_counts_but_is_no_target(
    world, ecs, ssm, ecr, ledger
):
    """The plan may name the service, so that the tag may mean that image."""
    runs(ecs, container(image=BAD), ADMIN)
    pushes.planned(ssm)
    admin_planned(ssm, text="no plan")
    unguarded(ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    looked_up(ecr, "shop/admin", ANOTHER_DIGEST)

    reason = rejected(resolved(world, to="v7"))

    assert reason.startswith("v7 is the tag of several images: ")
    assert reason.endswith("; name the digest of one")


def test_a_tag_is_looked_up_once_in_the_only_repository_of_a_service_though_its_plan_is_invalid(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs)
    pushes.planned(ssm, text="{")
    unguarded(ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)

    assert resolved(world, to="v7").image == image(digest=OLD_DIGEST, tag="v7")


def test_an_image_that_two_repositories_have_is_rejected_if_no_good_version_places_it(
    world, ecs, ssm, ecr, ledger
):
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    looked_up(ecr, "shop/admin", OLD_DIGEST)

    assert rejected(resolved(world, to="v7")) == (
        "repositories shop/api and shop/admin hold the same image v7; name a task definition of the service, "
        "or start a release of the image from one of them"
    )


def test_an_image_that_two_repositories_have_stands_for_the_good_version_that_has_it(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, tag="v7"))
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    looked_up(ecr, "shop/admin", OLD_DIGEST)
    goes_back_to(ecs, OLD)

    assert resolved(world, to="v7").good == good(OLD, tag="v7")


def test_an_image_stands_for_the_newest_good_version_that_has_it_in_some_container(
    world, ecs, ssm, ecr, ledger
):
    """The newest one was released with the image of the other repository."""
    api = f"{image().uri}@{OLD_DIGEST}"
    ended(ledger, found=good(OTHER, images={"api": api}))
    newest = good(
        OLD, ANOTHER_DIGEST, images={"api": api, "admin": f"{ADMIN_URI}@{ANOTHER_DIGEST}"}
    )
    ended(ledger, found=newest)
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    looked_up(ecr, "shop/admin")
    goes_back_to(ecs, OLD)

    assert resolved(world, to="v7").good == newest


def test_an_image_is_taken_though_another_repository_can_not_be_read_and_that_is_said(
    world, ecs, ssm, ecr, ledger
):
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)
    ecr.refuses("describe_images", "AccessDeniedException")

    record = resolved(world, to="v7")

    assert record.image == image(digest=OLD_DIGEST, tag="v7")
    [said] = record.passed_over
    assert said.startswith("v7 may be in another repository, too: ")
    assert "shop/admin" in said


def test_a_tag_of_two_good_versions_is_rejected_though_the_services_policy_can_not_be_read(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v7"))
    ended(ledger, found=good(OLD, tag="v7"))
    runs(ecs, container(image=BAD), SIDECAR, ADMIN)
    pushes.planned(ssm)
    admin_planned(ssm)
    guarded(ssm, SERVICE, "no policy")

    assert rejected(resolved(world, to="v7")).startswith("v7 is the tag of several good versions")


def test_a_tag_of_two_good_versions_that_no_repository_has_is_rejected_with_their_names(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, tag="v7"))
    ended(ledger, found=good(OLD, tag="v7"))
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api")
    looked_up(ecr, "shop/admin")

    assert rejected(resolved(world, to="v7")) == (
        f"v7 is the tag of several good versions: v7 (shop-api:41) and v7 ({OTHER.rpartition('/')[2]}); "
        "name the task definition of one"
    )


def test_a_tag_is_looked_up_in_each_repository_whose_plan_names_the_service(
    world, ecs, ssm, ecr, ledger
):
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api")
    looked_up(ecr, "shop/admin", OLD_DIGEST)

    assert resolved(world, to="v7").image == Image(
        repository="shop/admin", uri=ADMIN_URI, digest=OLD_DIGEST, tag="v7"
    )


def test_a_tag_is_not_looked_up_in_a_repository_whose_plan_does_not_name_the_service(
    world, ecs, ssm, ecr, ledger
):
    runs_both(ecs, ssm, admin_plans_for="production/other")
    looked_up(ecr, "shop/api")

    assert rejected(resolved(world, to="v7")) == NOT_SEARCHED


def test_a_tag_that_no_repository_of_the_service_has_is_rejected_with_the_names_of_all(
    world, ecs, ssm, ecr, ledger
):
    runs_both(ecs, ssm)
    looked_up(ecr, "shop/api")
    looked_up(ecr, "shop/admin")

    assert rejected(resolved(world, to="v7")) == (
        "repository shop/api or shop/admin holds no image v7"
    )


def test_a_repository_that_two_containers_run_is_asked_once_and_so_is_its_plan(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs, container(image=BAD), container(name="worker", image=BAD))
    planned(ssm)
    looked_up(ecr, "shop/api")

    assert rejected(resolved(world, to="v7")) == "repository shop/api holds no image v7"


def test_a_tag_is_looked_up_in_the_repository_that_runs_though_no_plan_names_the_service(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs)
    unplanned(ssm)
    looked_up(ecr, "shop/api", OLD_DIGEST)

    assert resolved(world, to="v7").image == image(digest=OLD_DIGEST, tag="v7")


# --- a task definition ------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [OLD, "shop-api:41"])
def test_a_task_definition_that_is_known_to_be_good_is_a_target(world, ecs, ssm, ledger, to):
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    planned(ssm)
    defined(ecs, asked=to)

    assert resolved(world, to=to).good == good(OLD, tag="v1")


def test_a_task_definition_of_the_services_family_that_was_never_good_is_a_target(
    world, ecs, ssm, ledger
):
    runs(ecs)
    planned(ssm)
    defined(ecs, SIDECAR, container(image=GOOD), asked=OLD)

    assert resolved(world, to=OLD).good == good(OLD, OLD_DIGEST, at=at(-3600))


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

    assert resolved(world, to=OLD).good == good(OLD, "", at=NOW)


@pytest.mark.parametrize("to", ["payments-admin:1", PAYMENTS])
def test_a_task_definition_of_another_services_family_is_rejected(world, ecs, ssm, ledger, to):
    """It has a role and secrets that were not meant for this service."""
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm)
    defined(ecs, asked=to, family="payments-admin", taskDefinitionArn=PAYMENTS)

    assert rejected(resolved(world, to=to)) == (
        "task definition payments-admin:1 is none of service production/api, whose family is shop-api; "
        "name one of that family, a tag or a digest"
    )


@pytest.mark.parametrize("family", ["shop-api-admin", "shop", "shop-API"])
def test_a_family_is_another_one_though_its_name_resembles_the_services(
    world, ecs, ssm, ledger, family
):
    runs(ecs)
    planned(ssm)
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:1"
    defined(ecs, asked=f"{family}:1", family=family, taskDefinitionArn=arn)

    assert rejected(resolved(world, to=f"{family}:1"))


def test_a_good_version_of_another_family_is_a_target(world, ecs, ssm, ledger):
    """The service has changed its family since, and the ledger knows that this one was the service's."""
    ended(ledger, found=good(PAYMENTS))
    runs(ecs)
    planned(ssm)
    defined(ecs, asked="payments-admin:1", taskDefinitionArn=PAYMENTS)

    assert resolved(world, to="payments-admin:1").good == good(PAYMENTS)


def test_a_version_of_a_family_that_was_good_here_is_a_target_though_it_was_never_good_itself(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(PAYMENTS))
    runs(ecs)
    planned(ssm)
    second = PAYMENTS.removesuffix("1") + "2"
    defined(ecs, asked="payments-admin:2", taskDefinitionArn=second)

    assert resolved(world, to="payments-admin:2").good == good(second, OLD_DIGEST)


def test_a_version_that_was_good_on_another_service_only_is_rejected(world, ecs, ssm, ledger):
    own = accepted(ledger, "e-0", service="production/payments")
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    ledger.finish(own, deployment(), ending, good(PAYMENTS), None)
    runs(ecs)
    planned(ssm)
    defined(ecs, asked="payments-admin:1", taskDefinitionArn=PAYMENTS)

    assert rejected(resolved(world, to="payments-admin:1"))


def test_a_task_definition_that_does_not_exist_is_rejected(world, ecs, ssm):
    runs(ecs)
    planned(ssm)
    ecs.refuses("describe_task_definition", "ClientException", "Unable to describe")

    assert rejected(resolved(world, to=f"{FAMILY}:9")) == (
        f"there is no task definition {FAMILY}:9"
    )


def test_a_task_definition_that_may_not_be_read_is_not_taken_for_missing(world, ecs, ssm):
    runs(ecs)
    planned(ssm)
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    with pytest.raises(
        AwsRefused, match="ecs:DescribeTaskDefinition on task definition shop-api:9"
    ):
        resolved(world, to="shop-api:9")


# --- the image that it abandons, and its policy -----------------------------------------------------


def test_a_manual_rollback_is_a_deployment_of_the_abandoned_image_by_whoever_started_it(
    world, ecs, ssm
):
    runs(ecs)
    planned(ssm)

    deployed = resolved(world, by="Ada").deployment

    assert deployed.release == release(
        id=ID, image=image(tag=None), started_by="manual rollback", by="Ada"
    )
    assert (deployed.service, deployed.stage) == (SERVICE, None)


@pytest.mark.parametrize("how", ["good", "under way"])
def test_the_abandoned_image_has_the_tag_with_which_it_was_released(how, world, ecs, ssm, ledger):
    if how == "good":
        ended(ledger, found=good(NEW, DIGEST, tag="v2"))
        ended(ledger, found=good(OLD, tag="v1"))
    else:
        accepted(ledger, "e-1")
    runs(ecs)
    planned(ssm)
    if how == "good":
        goes_back_to(ecs, OLD)

    assert resolved(world).deployment.release.image == image(tag="v2")


def test_the_policy_of_a_manual_rollback_is_that_of_the_plan(world, ecs, ssm):
    with_policy = route("v*", production=[SERVICE])
    with_policy["stages"][0]["services"][0]["bake_seconds"] = 7
    runs(ecs)
    planned(ssm, with_policy)

    assert resolved(world).deployment.policy == Policy(bake_seconds=7)


def test_the_gates_of_the_services_policy_add_to_those_of_the_plan(world, ecs, ssm):
    runs(ecs)
    pushes.planned(ssm)
    # It does not admit the repository, but a rollback only puts back what was good on the service.
    guarded(ssm, SERVICE, repositories=["shop/web"], bake_seconds=900)

    assert resolved(world).deployment.policy == Policy(bake_seconds=900)


@pytest.mark.parametrize(
    "policy",
    [
        lambda ssm: guarded(ssm, SERVICE, text="{"),
        lambda ssm: guarded(ssm, SERVICE, repositories=["shop/api"], container="other"),
        lambda ssm: ssm.refuses("get_parameter", "AccessDeniedException"),
    ],
    ids=["not JSON", "contradicts the plan", "denied"],
)
def test_a_policy_that_can_not_be_applied_does_not_stop_a_manual_rollback(policy, world, ecs, ssm):
    with_container = route("v*", production=[SERVICE])
    with_container["stages"][0]["services"][0]["container"] = "api"
    runs(ecs)
    pushes.planned(ssm, with_container)
    policy(ssm)

    assert resolved(world).deployment.policy == Policy(container="api")


def test_the_abandoned_image_is_of_the_container_whose_repository_plans_for_the_service(
    world, ecs, ssm
):
    runs(ecs, SIDECAR, container(image=BAD))
    planned(ssm)

    assert resolved(world).deployment.release.image == image(tag=None)


@pytest.mark.parametrize(
    "plan",
    [
        without_plan,
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

    deployed = resolved(world).deployment

    assert (deployed.policy, deployed.release.image) == (Policy(), image(tag=None))


def test_a_manual_rollback_is_tried_again_while_ssm_does_not_answer(world, ecs, ssm, ledger):
    runs(ecs)
    ssm.refuses("get_parameter", "ThrottlingException")

    with pytest.raises(AwsUnavailable):
        answered(world)

    assert ledger.rollback(ID) is None


def test_a_sidecar_that_slipway_may_not_look_up_does_not_stop_a_manual_rollback(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD))
    runs(ecs, container(name="logs", image=f"{URI}-logs:v1"), container(image=BAD))
    goes_back_to(ecs, OLD)
    ecr.refuses("describe_images", "AccessDeniedException")
    without_plan(ssm)
    planned(ssm)

    assert resolved(world).good == good(OLD)


def test_an_image_of_an_unknown_place_is_abandoned_by_its_name(world, ecs, ssm):
    runs(ecs, container(image="nginx:1"))
    unguarded(ssm)

    left = resolved(world).deployment.release.image

    assert left == Image(repository="nginx", uri="nginx", digest="", tag="1")


# --- what is refused --------------------------------------------------------------------------------


def test_a_service_of_another_kind_is_refused(world, ecs, ledger):
    described(ecs, deploymentController={"type": "CODE_DEPLOY"})

    with pytest.raises(InvalidInput, match="is deployed by CODE_DEPLOY"):
        answered(world)

    assert ledger.rollback(ID) is None


def test_a_service_with_a_gateway_connector_is_refused(world, ecs, ledger):
    described(ecs, **REVISED)
    revision_read(ecs, gatewayConnectors=[{"portName": "http"}])

    with pytest.raises(InvalidInput, match="has a gateway connector"):
        answered(world)

    assert ledger.rollback(ID) is None


def test_a_service_that_does_not_exist_is_named(world, ecs):
    ecs.answers("describe_services", {"services": []})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        answered(world)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"service": "api"}, "service"),
        ({"service": None}, "service"),
        ({"to": ""}, "to"),
        ({"to": "v" * 2049}, "to"),
        ({"by": ""}, "by"),
        ({"by": "A" * 257}, "by"),
        ({"from": "v2"}, "from"),
        ({"action": "rollback"}, "action"),
        ({"image": image().to_json()}, "image"),
        ({"task_definition": OLD}, "task_definition"),
    ],
    ids=str,
)
def test_an_invalid_input_of_a_manual_rollback_names_its_wrong_field(world, ledger, wrong, field):
    start = {"service": SERVICE} | wrong

    with pytest.raises(
        InvalidInput,
        match=rf'^a manual rollback \(\{{"service": \.\.\., .*\}}\) is not valid:\n  {field}: ',
    ):
        resolve_rollback(start, ROLLBACK, NOW, HISTORY, world)

    assert ledger.rollback(ID) is None


def test_an_empty_input_of_a_manual_rollback_names_the_missing_service(world):
    with pytest.raises(InvalidInput, match="is not valid:\n  service: it is missing"):
        resolve_rollback({}, ROLLBACK, NOW, HISTORY, world)


# --- several repositories in one service ------------------------------------------------------------


def test_an_image_of_a_second_repository_abandons_its_own_image_by_its_own_plan(
    world, ecs, ssm, ecr, ledger
):
    api = route("v*", production=[SERVICE])
    api["stages"][0]["services"][0]["container"] = "api"
    runs(ecs, container(image=BAD), ADMIN)
    pushes.planned(ssm, api)
    admin_planned(ssm)
    unguarded(ssm)
    looked_up(ecr, "shop/api")
    looked_up(ecr, "shop/admin", OLD_DIGEST)

    record = resolved(world, to="v7")

    assert record.deployment.release.image.repository == "shop/admin"
    assert record.deployment.policy.container is None
    ledger.take_up(claim("back-1"), NamedRollback(rollback=ID), EXPIRES_AT)
    runs(ecs, container(image=BAD), ADMIN)
    described(ecs, ecs_deployment(taskDefinition=NEW))
    begin(
        Start(start={"rollback": ID}, execution=execution("back-1"), started_at=NOW), at(1), world
    )
    assert set(ledger.service(SERVICE).quarantined) == {ADMIN_DIGEST}


def test_a_version_of_a_second_repository_goes_back_to_the_good_one_before(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, DIGEST))
    ended(ledger, found=good(NEW, ADMIN_DIGEST), digest=ADMIN_DIGEST)
    runs(ecs, container(image=BAD), ADMIN)
    goes_back_to(ecs, OLD, container(image=BAD), ADMIN_BEFORE)
    pushes.planned(ssm)
    admin_planned(ssm)
    unguarded(ssm)

    record = resolved(world)

    assert record.good == good(OLD, DIGEST)
    assert record.deployment.release.image == ADMIN_IMAGE.model_copy(update={"tag": "v2"})


@pytest.mark.parametrize("to", ["sha256:abc", "v" * 129, "-v1", "a b", "é"])
def test_what_ecr_has_no_word_for_is_rejected_without_asking_it(to, world, ecs, ssm):
    runs(ecs)
    planned(ssm)

    assert resolved(world, to=to).refusal == f"{to} is neither a digest nor a tag of ECR"


def test_an_image_that_ecr_refuses_to_look_up_does_not_hide_a_good_version(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, tag="v1"))
    runs(ecs)
    goes_back_to(ecs, OLD)
    unplanned(ssm)
    ecr.refuses("describe_images", "AccessDeniedException")

    assert resolved(world, to="v1").good == good(OLD, tag="v1")


# --- several repositories: what is abandoned ---------------------------------------------------------


def runs_two(ecs, ssm):
    runs(ecs, API, ADMIN)
    pushes.planned(ssm)
    admin_planned(ssm)
    unguarded(ssm)


def released(ledger, seconds, digest, name, manual=False):
    """A release has put this image on the service at this time."""
    asked = release(
        id=name,
        image=image(digest=digest),
        released_at=at(seconds),
        started_by="manual rollback" if manual else "push",
    )
    own = accepted(ledger, name, release=asked)
    ledger.start_change(own, "UpdateService", at(seconds))
    ledger.finish(
        own, deployment(release=asked), {"outcome": "SUCCEEDED", "reason": ""}, None, None
    )


@pytest.mark.parametrize(
    ("before", "left"),
    [((API_BEFORE, ADMIN), image(tag=None)), ((API, ADMIN_BEFORE), ADMIN_IMAGE)],
    ids=["shop/api", "shop/admin"],
)
def test_the_image_that_the_target_does_not_have_is_abandoned_and_no_other_one(
    world, ecs, ssm, ledger, before, left
):
    runs_two(ecs, ssm)
    defined(ecs, *before, asked="shop-api:41")

    record = resolved(world, to="shop-api:41")

    assert record.deployment.release.image == left
    assert (record.leaves, record.also) == (True, ())


def test_a_task_definition_that_was_never_good_has_the_digest_of_the_repository_that_goes_back(
    world, ecs, ssm, ledger
):
    runs_two(ecs, ssm)
    defined(ecs, API, ADMIN_BEFORE, asked="shop-api:41")

    assert resolved(world, to="shop-api:41").good.digest == OLD_DIGEST


def test_nothing_is_abandoned_where_only_settings_differ(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD, DIGEST))
    runs_two(ecs, ssm)
    defined(ecs, API, ADMIN, asked="shop-api:41")

    record = resolved(world, to="shop-api:41")

    assert (record.leaves, record.deployment.release.image) == (False, image(tag=None))


def test_an_image_that_stays_in_another_container_is_not_abandoned(world, ecs, ssm, ledger):
    runs(ecs, API, container(name="worker", image=BAD))
    planned(ssm)
    defined(ecs, API_BEFORE, container(name="worker", image=BAD), asked="shop-api:41")

    assert not resolved(world, to="shop-api:41").leaves


@pytest.mark.parametrize(
    ("last", "left"), [(DIGEST, DIGEST), (ADMIN_DIGEST, ADMIN_DIGEST)], ids=["api", "admin"]
)
def test_of_several_images_that_leave_the_one_that_was_released_last_is_abandoned(
    world, ecs, ssm, ledger, last, left
):
    first = ({DIGEST, ADMIN_DIGEST} - {last}).pop()
    released(ledger, -50, first, "e-50")
    released(ledger, -40, last, "e-40")
    released(ledger, -30, first, "e-30", manual=True)  # which has abandoned it
    released(ledger, -20, ANOTHER_DIGEST, "e-20")
    runs_two(ecs, ssm)
    defined(ecs, API_BEFORE, ADMIN_BEFORE, asked="shop-api:41")

    record = resolved(world, to="shop-api:41")

    assert record.deployment.release.image.digest == left
    [also] = record.also
    assert also.startswith("shop/a")
    assert "leaves the service, too; it is not quarantined, because" in also


def test_of_several_images_whose_releases_nobody_knows_the_first_one_is_abandoned(
    world, ecs, ssm, ledger
):
    spoil_history()
    runs_two(ecs, ssm)
    defined(ecs, API_BEFORE, ADMIN_BEFORE, asked="shop-api:41")

    assert resolved(world, to="shop-api:41").deployment.release.image == image(tag=None)


def spoil_history():
    """Somebody has written an item to the history that can't be read."""
    aws.table().put_item(Item={"pk": SERVICE, "sk": "deployment#x", "steps": "none"})


def test_a_sidecar_that_no_release_deploys_is_not_abandoned(world, ecs, ssm, ledger):
    runs(ecs, SIDECAR, API)
    planned(ssm)
    defined(
        ecs,
        container(name="proxy", image="public.ecr.aws/envoy@" + ADMIN_DIGEST),
        API,
        asked="shop-api:41",
    )

    record = resolved(world, to="shop-api:41")

    assert (record.leaves, record.deployment.release.image) == (False, image(tag=None))


@pytest.mark.parametrize("last", [API, ADMIN], ids=["the first", "the second"])
def test_a_rollback_that_no_image_leaves_is_named_after_the_repository_that_has_the_service(
    world, ecs, ssm, ledger, last
):
    """Otherwise it would supersede releases of a repository that has nothing to do with it."""
    repository = last["image"].partition("/")[2].partition("@")[0]
    accepted(ledger, "e-0", release=release(image=image(repository=repository)))
    runs(ecs, API, ADMIN)
    pushes.planned(ssm, route("v*", production=[SERVICE]))
    admin_planned(ssm)
    unguarded(ssm)
    defined(ecs, API, ADMIN, asked="shop-api:41")

    record = resolved(world, to="shop-api:41")

    assert (record.leaves, record.deployment.release.image.repository) == (False, repository)


def test_an_image_that_a_release_deployed_is_abandoned_though_its_plan_is_gone(
    world, ecs, ssm, ledger
):
    released(ledger, -50, DIGEST, "e-50")
    runs(ecs, SIDECAR, API)
    unplanned(ssm)
    defined(ecs, SIDECAR, API_BEFORE, asked="shop-api:41")

    record = resolved(world, to="shop-api:41")

    assert (record.leaves, record.deployment.release.image) == (True, image(tag="v2"))


def test_the_plan_of_the_abandoned_image_guards_the_rollback(world, ecs, ssm, ledger):
    api = route("v*", production=[SERVICE])
    api["stages"][0]["services"][0]["bake_seconds"] = 7
    runs(ecs, API, ADMIN)
    pushes.planned(ssm, api)
    admin_planned(ssm)
    unguarded(ssm)
    defined(ecs, API, ADMIN_BEFORE, asked="shop-api:41")

    assert resolved(world, to="shop-api:41").deployment.policy == Policy()


# --- how far back ------------------------------------------------------------------------------------


def test_a_rollback_of_a_service_that_went_back_does_not_go_forward_again(world, ecs, ssm, ledger):
    """A person has named OLD, and passed over a version that was good later."""
    ended(ledger, found=good(f"{FAMILY}:40", ANOTHER_DIGEST, at=at(-9000)))
    ended(ledger, found=good(NEW, DIGEST, at=at(-5000)))
    ended(ledger, found=good(OLD, at=at(-7000)))
    runs(ecs, container(image=GOOD), on=OLD)
    planned(ssm)
    goes_back_to(ecs, f"{FAMILY}:40", container(image=f"{URI}@{ANOTHER_DIGEST}"))

    assert resolved(world).good.task_definition == f"{FAMILY}:40"


def test_a_good_version_that_ecs_no_longer_has_is_passed_over(world, ecs, ssm, ledger):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm)
    is_gone(ecs)
    goes_back_to(ecs, OTHER)

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST)


def test_a_good_version_with_a_quarantined_image_of_another_repository_is_passed_over(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    ended(ledger, found=good(OLD))
    in_quarantine(ledger, ADMIN_DIGEST)
    runs(ecs, API, ADMIN_BEFORE)
    pushes.planned(ssm)
    admin_planned(ssm)
    unguarded(ssm)
    goes_back_to(ecs, OLD, API_BEFORE, ADMIN)
    goes_back_to(ecs, OTHER, API_BEFORE, ADMIN_BEFORE)

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST)


def test_a_deployment_under_way_goes_back_to_the_last_good_version_that_ecs_still_has(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST))
    ended(ledger, found=good(OLD))
    accepted(ledger, "e-0", release=EARLIER)
    runs(ecs)
    planned(ssm)
    is_gone(ecs)
    goes_back_to(ecs, OTHER)

    assert resolved(world).good == good(OTHER, ANOTHER_DIGEST)


def test_an_image_is_put_into_the_running_task_definition_if_its_own_is_gone(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD))
    runs(ecs)
    planned(ssm)
    found(ecr, OLD_DIGEST, by={"imageTag": "v1"}, registry=ACCOUNT)
    is_gone(ecs)

    assert resolved(world, to="v1").image == image(digest=OLD_DIGEST, tag="v1")


# --- one build in two containers ----------------------------------------------------------------------

LAST, NEXT = OLD_DIGEST, DIGEST
"""Two builds of shop/api, from which containers web and worker are deployed by a route each."""


def containers(web, worker):
    return [
        container(name="web", image=f"{URI}@{web}"),
        container(name="worker", image=f"{URI}@{worker}"),
    ]


def build(arn, web, worker, tag, seconds):
    """A good version of both containers; its tag says which of them it was released for."""
    images = {each["name"]: each["image"] for each in containers(web, worker)}
    released = images[tag.partition("-")[0]].partition("@")[2]
    return good(arn, released, tag=tag, at=at(seconds), images=images)


def builds_are_good(ledger, *builds):
    for each in builds:
        ended(ledger, found=each, digest=each.digest)


def runs_builds(ecs, ssm, web, worker):
    """The last one of the good versions."""
    runs(ecs, *containers(web, worker))
    routes = [route(f"{name}-*", production=[SERVICE]) for name in ("web", "worker")]
    for each, name in zip(routes, ("web", "worker"), strict=True):
        each["stages"][0]["services"][0]["container"] = name
    planned(ssm, *routes)


@pytest.mark.parametrize("known", ["only the two versions", "an older version, too"])
def test_a_plain_rollback_goes_back_in_the_container_that_was_deployed_last_if_the_other_has_the_build(
    world, ecs, ssm, ledger, known
):
    oldest = build(OTHER, LAST, LAST, "web-1", -3000)
    before, now = build(OLD, LAST, NEXT, "worker-2", -2000), build(NEW, NEXT, NEXT, "web-2", -1000)
    builds_are_good(ledger, *([oldest] if "older" in known else []), before, now)
    runs_builds(ecs, ssm, NEXT, NEXT)
    goes_back_to(ecs, OLD, *containers(LAST, NEXT))

    record = resolved(world)

    assert record.good == before
    assert record.deployment.release.image == image(tag="web-2")
    assert (record.deployment.policy.container, record.leaves, record.also) == ("web", False, ())


def test_a_build_leaves_the_lane_of_the_container_that_changes_whichever_tag_it_has(
    world, ecs, ssm, ledger
):
    """Container worker goes back, and the build was released for web last."""
    builds_are_good(ledger, build(NEW, NEXT, NEXT, "web-2", -1000))
    runs_builds(ecs, ssm, NEXT, NEXT)
    goes_back_to(ecs, OLD, *containers(NEXT, LAST))

    record = resolved(world, to=OLD)

    assert (record.deployment.policy.container, record.leaves) == ("worker", False)


def test_a_service_that_has_gone_back_is_offered_the_version_with_the_same_builds_elsewhere(
    world, ecs, ssm, ledger
):
    builds_are_good(
        ledger,
        build(OTHER, ANOTHER_DIGEST, LAST, "web-2", -3000),
        build(OLD, LAST, ANOTHER_DIGEST, "worker-2", -2000),
    )
    has_gone_back(ledger)
    runs(ecs, *containers(LAST, ANOTHER_DIGEST), on=OLD)
    planned(ssm)

    assert rejected(resolved(world), Cause.GONE_BACK).endswith('name the version as "to": web-2')


def last_builds_found(ecr, tag):
    found(ecr, LAST, {"imageTag": tag} if tag else {"imageDigest": LAST}, registry=ACCOUNT)


@pytest.mark.parametrize("tag", ["web-1", "hotfix", None])
def test_a_named_build_is_put_back_in_the_container_that_has_another_one(
    world, ecs, ssm, ecr, ledger, tag
):
    """The running version is the newest one with the build, but has it in the other container only."""
    both_last, now = build(OLD, LAST, LAST, "web-1", -3000), build(NEW, NEXT, LAST, "web-2", -2000)
    builds_are_good(ledger, both_last, now)
    runs_builds(ecs, ssm, NEXT, LAST)
    last_builds_found(ecr, tag)
    goes_back_to(ecs, OLD, *containers(LAST, LAST))

    assert resolved(world, to=tag or LAST).good == both_last


def test_a_named_build_changes_nothing_if_the_container_of_its_tag_runs_it(
    world, ecs, ssm, ecr, ledger
):
    both_last, now = build(OLD, LAST, LAST, "web-1", -3000), build(NEW, NEXT, LAST, "web-2", -2000)
    builds_are_good(ledger, both_last, now)
    runs_builds(ecs, ssm, NEXT, LAST)
    last_builds_found(ecr, "worker-1")
    goes_back_to(ecs, NEW, *containers(NEXT, LAST))

    assert resolved(world, to="worker-1").good == now


def test_a_named_build_that_no_good_version_has_in_its_container_is_put_there(
    world, ecs, ssm, ecr, ledger
):
    builds_are_good(ledger, build(NEW, NEXT, LAST, "web-2", -2000))
    runs_builds(ecs, ssm, NEXT, LAST)
    last_builds_found(ecr, "web-1")

    record = resolved(world, to="web-1")

    assert (record.good, record.image) == (None, image(digest=LAST, tag="web-1"))
    assert record.images == {each["name"]: each["image"] for each in containers(LAST, LAST)}


def test_a_named_build_that_comes_only_with_a_quarantined_one_does_not_stand_for_what_runs(
    world, ecs, ssm, ecr, ledger
):
    builds_are_good(
        ledger,
        build(OLD, LAST, ANOTHER_DIGEST, "web-1", -3000),
        build(NEW, NEXT, LAST, "web-2", -2000),
    )
    quarantined_by_ada(ANOTHER_DIGEST)
    runs_builds(ecs, ssm, NEXT, LAST)
    last_builds_found(ecr, None)
    goes_back_to(ecs, OLD, *containers(LAST, ANOTHER_DIGEST))

    with pytest.raises(
        InvalidInput, match=f"has another image that is quarantined: {ANOTHER_DIGEST}"
    ):
        resolved(world, to=LAST)


def test_the_same_image_in_a_container_of_another_name_is_only_another_setting(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER, ANOTHER_DIGEST, at=at(-7200)))
    ended(ledger, found=good(OLD, DIGEST))
    runs(ecs)
    planned(ssm)
    goes_back_to(ecs, OLD, container(name="app", image=BAD))
    goes_back_to(ecs, OTHER, container(image=f"{URI}@{ANOTHER_DIGEST}"))

    assert resolved(world).good.task_definition == OTHER


# --- what the service's policy admits ----------------------------------------------------------------


def test_no_image_of_a_repository_that_the_service_does_not_admit_is_a_target(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs, API, ADMIN)
    pushes.planned(ssm)
    admin_planned(ssm)
    guarded(ssm, SERVICE, repositories=["shop/api"])
    looked_up(ecr, "shop/api")

    assert rejected(resolved(world, to="v7")) == NOT_SEARCHED


def test_a_plan_of_a_repository_that_the_service_does_not_admit_guards_nothing(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OLD))
    api = route("v*", production=[SERVICE])
    api["stages"][0]["services"][0]["bake_seconds"] = 7
    runs(ecs, ADMIN, API)
    admin_planned(ssm)
    pushes.planned(ssm, api)
    guarded(ssm, SERVICE, repositories=["shop/api"])
    goes_back_to(ecs, OLD, ADMIN, API_BEFORE)

    record = resolved(world)

    assert record.deployment.release.image == image(tag=None)
    assert record.deployment.policy == Policy(bake_seconds=7)


def test_a_service_that_admits_none_of_its_repositories_has_only_good_versions_as_targets(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs)
    pushes.planned(ssm)
    guarded(ssm, SERVICE, repositories=["shop/web"])

    assert rejected(resolved(world, to="v7")) == (
        "service production/api admits none of the repositories whose images it runs (SSM parameter "
        "/slipway/services/production/api), and no good version of the service is v7; name a task "
        "definition of the service"
    )


def test_an_image_of_a_service_whose_policy_can_not_be_read_is_no_target(
    world, ecs, ssm, ecr, ledger
):
    runs(ecs)
    pushes.planned(ssm)
    guarded(ssm, SERVICE, text="{")

    assert rejected(resolved(world, to="v7")).startswith(
        "the policy of service production/api can't be read (SSM parameter "
    )


def test_a_good_version_is_a_target_though_the_services_policy_can_not_be_read(
    world, ecs, ssm, ecr, ledger
):
    ended(ledger, found=good(OLD, tag="v7"))
    runs(ecs)
    pushes.planned(ssm)
    guarded(ssm, SERVICE, text="{")
    goes_back_to(ecs, OLD)

    assert resolved(world, to="v7").good == good(OLD, tag="v7")


def test_an_image_of_an_admitted_repository_without_a_plan_replaces_its_own_image_only(
    world, ecs, ssm, ecr, ledger
):
    """The service's policy names another container, which is for releases by a plan."""
    runs(ecs, API, ADMIN)
    without_plan(ssm)
    without_plan(ssm)
    guarded(ssm, SERVICE, repositories=["shop/api"], container="admin")
    looked_up(ecr, "shop/api", OLD_DIGEST)

    record = resolved(world, to="v7")

    assert record.image == image(digest=OLD_DIGEST, tag="v7")
    assert record.deployment.policy.container is None
    assert record.deployment.release.image == image(tag=None)


# --- another registry's repository of the same name --------------------------------------------------


@pytest.mark.parametrize(
    "registry",
    [
        "public.ecr.aws",
        f"999999999999.dkr.ecr.{REGION}.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com",
    ],
)
def test_a_plan_is_not_for_another_registrys_repository_of_the_same_name(
    world, ecs, ssm, ecr, registry
):
    """No plan is read for it."""
    runs(ecs, container(image=f"{registry}/shop/api@{DIGEST}"))
    unguarded(ssm)

    record = resolved(world)

    assert record.deployment.policy == Policy()
    assert record.deployment.release.image.uri == f"{registry}/shop/api"


def test_a_policy_does_not_admit_another_registrys_repository_of_the_same_name(
    world, ecs, ssm, ecr
):
    runs(ecs, container(image=f"999999999999.dkr.ecr.{REGION}.amazonaws.com/shop/api@{DIGEST}"))
    guarded(ssm, SERVICE, repositories=["shop/api"])

    assert "admits none of the repositories" in rejected(resolved(world, to="v7"))
