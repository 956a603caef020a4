"""What becomes of a release that is started manually, and how its deployments are named."""

from __future__ import annotations

import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import AwsRefused, InvalidInput
from slipway.release.release import execution_name, started_id, unique_name
from slipway.release.resolve import resolve
from tests.support.builders import DIGEST, OLD_DIGEST, SERVICE, at, image, release
from tests.support.pushes import EXECUTION, PARAMETER, found, located, planned, route, unguarded

BY_TAG = {"repository": "shop/api", "tag": "v2"}
BY_DIGEST = {"repository": "shop/api", "digest": DIGEST}


def resolved(start, ssm, ecr):
    return resolve(start, EXECUTION, at(300), ssm.client, ecr.client, policies_required=False)


def test_a_start_by_tag_deploys_what_the_tag_points_to(ssm, ecr):
    located(ecr)
    planned(ssm)
    unguarded(ssm)
    found(ecr)

    release = resolved(BY_TAG, ssm, ecr).release

    assert (release.image.digest, release.image.tag) == (DIGEST, "v2")
    assert release.id == started_id(EXECUTION, at(300))
    assert release.started_by == "manual start"


def test_a_start_by_digest_takes_the_route_of_one_of_its_tags(ssm, ecr):
    located(ecr)
    planned(ssm, route("v*"), route("main-*", canary=["canary/api"]))
    unguarded(ssm)
    found(ecr, by={"imageDigest": DIGEST}, imageTags=["zzz", "main-1"])

    resolution = resolved(BY_DIGEST, ssm, ecr)

    assert resolution.release.image.tag == "main-1"
    assert [
        (stage.name, [planned.service for planned in stage.services]) for stage in resolution.stages
    ] == [("canary", ["canary/api"])]


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "Shop/api",
        "shop//api",
        "/shop",
        "shop/api:v2",
        "shop/*",
        "a" * 257,
        "shop api",
        "shop\n",
    ],
)
def test_a_repository_that_ecr_can_not_have_is_refused_without_asking_aws(ssm, ecr, repository):
    with pytest.raises(InvalidInput, match="is not valid:\n  repository: ") as raised:
        resolved({"repository": repository, "tag": "v2"}, ssm, ecr)

    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "tag", ["", ".v2", "-v2", "a" * 129, "v 2", "v2\n", "é", "😀" * 60_000, "password=hunter2"]
)
def test_a_tag_that_ecr_can_not_have_is_refused_without_asking_aws(ssm, ecr, tag):
    with pytest.raises(InvalidInput, match="is not valid:\n  tag: ") as raised:
        resolved({"repository": "shop/api", "tag": tag}, ssm, ecr)

    assert len(str(raised.value)) < 400
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("tag", ["_", "V2.0-rc.1_x", "a" * 128])
def test_a_tag_may_be_any_that_ecr_can_have(ssm, ecr, tag):
    located(ecr)
    planned(ssm, route("*"))
    unguarded(ssm)
    found(ecr, by={"imageTag": tag})

    assert resolved({"repository": "shop/api", "tag": tag}, ssm, ecr).release.image.tag == tag


def test_a_manual_release_is_as_new_as_its_start_however_old_its_image_is(ssm, ecr):
    located(ecr)
    planned(ssm)
    unguarded(ssm)
    found(ecr, imagePushedAt=at(-86_400))

    assert resolved(BY_TAG, ssm, ecr).release.released_at == at(300)


@pytest.mark.parametrize(
    ("wish", "by", "force"),
    [
        ({}, None, False),
        ({"by": "Ada", "force": True}, "Ada", True),
        ({"force": False}, None, False),
    ],
)
def test_a_release_carries_who_started_it_and_whether_by_force(ssm, ecr, wish, by, force):
    located(ecr)
    planned(ssm)
    unguarded(ssm)
    found(ecr)

    resolution = resolved(BY_TAG | wish, ssm, ecr)

    assert (resolution.release.by, resolution.release.force) == (by, force)


@pytest.mark.parametrize(("tag", "version"), [("v1.2.3", "1.2.3"), ("v2", None)])
def test_a_manual_start_deploys_any_tag_on_a_route_of_versions(ssm, ecr, tag, version):
    located(ecr)
    planned(ssm, route("v*") | {"semver": True})
    unguarded(ssm)
    found(ecr, by={"imageTag": tag})

    assert resolved(BY_TAG | {"tag": tag}, ssm, ecr).release.version == version


WRONG = {
    "neither tag nor digest": ({"repository": "r"}, "name the image by tag or by digest"),
    "both tag and digest": (BY_TAG | BY_DIGEST, "name the image by tag or by digest"),
    "no repository": ({"tag": "v2"}, "repository: it is missing"),
    "empty repository": (BY_TAG | {"repository": ""}, "repository: "),
    "empty tag": (BY_TAG | {"tag": ""}, "tag: "),
    "short digest": (BY_DIGEST | {"digest": "sha256:ab"}, "digest: "),
    "digest in capitals": (BY_DIGEST | {"digest": DIGEST.upper()}, "digest: "),
    "unknown field": (BY_TAG | {"stage": "production"}, "stage: there is no such name"),
    "nothing": ({}, "repository: it is missing"),
    "force that is no boolean": (
        BY_TAG | {"force": "yes"},
        "force: it has to be true or false",
    ),
    "nobody": (BY_TAG | {"by": ""}, "by: "),
    "too long a name": (BY_TAG | {"by": "a" * 257}, "by: "),
    "a number": (BY_TAG | {"tag": 5}, "tag: it has to be text"),
}


@pytest.mark.parametrize(("start", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_start_says_what_is_wrong_and_what_is_allowed(start, why, ssm, ecr):
    with pytest.raises(InvalidInput) as raised:
        resolved(start, ssm, ecr)

    assert why in str(raised.value)
    assert '{"repository": ..., "tag" or "digest": ...}' in str(raised.value)


def test_a_repository_that_does_not_exist_is_named(ssm, ecr):
    ecr.refuses("describe_repositories", "RepositoryNotFoundException")

    with pytest.raises(InvalidInput, match="ECR has no repository shop/api in this account"):
        resolved(BY_TAG, ssm, ecr)


def test_a_repository_that_may_not_be_read_names_the_action(ssm, ecr):
    ecr.refuses("describe_repositories", "AccessDeniedException")

    with pytest.raises(AwsRefused, match="ecr:DescribeRepositories on repository shop/api"):
        resolved(BY_TAG, ssm, ecr)


def test_a_manual_start_without_a_plan_is_an_error_that_says_where_to_put_the_plan(ssm, ecr):
    located(ecr)
    ssm.refuses("get_parameter", "ParameterNotFound")

    with pytest.raises(InvalidInput, match=f"shop/api has no plan: put one at {PARAMETER}"):
        resolved(BY_TAG, ssm, ecr)


@pytest.mark.parametrize(("start", "named"), [(BY_TAG, "tag v2"), (BY_DIGEST, f"digest {DIGEST}")])
def test_an_image_that_does_not_exist_is_named(ssm, ecr, start, named):
    located(ecr)
    planned(ssm)
    ecr.refuses("describe_images", "ImageNotFoundException")

    with pytest.raises(InvalidInput, match=f"shop/api holds no image with {named}"):
        resolved(start, ssm, ecr)


@pytest.mark.parametrize(
    ("tags", "named"),
    [({"imageTags": ["b", "a"]}, "a or b"), ({}, "an image without a tag")],
)
def test_an_image_that_no_route_takes_is_an_error_that_names_its_tags(ssm, ecr, tags, named):
    located(ecr)
    planned(ssm)
    found(ecr, by={"imageDigest": DIGEST}, **tags)

    with pytest.raises(InvalidInput, match=f"no route of .* matches {named}: see {PARAMETER}"):
        resolved(BY_DIGEST, ssm, ecr)


@pytest.mark.parametrize(
    ("start", "by"), [(BY_TAG, {"imageTag": "v2"}), (BY_DIGEST, {"imageDigest": DIGEST})]
)
def test_an_artifact_that_is_no_image_is_an_error_that_names_its_type(ssm, ecr, start, by):
    located(ecr)
    planned(ssm)
    found(ecr, by=by, artifactMediaType="application/vnd.cncf.helm.config.v1+json")

    named = next(iter(by.values()))
    with pytest.raises(
        InvalidInput,
        match=rf"{named} of repository shop/api is an artifact of type .*helm.*; name an image",
    ):
        resolved(start, ssm, ecr)


@pytest.mark.parametrize("tag", ["", "a b", "-v1", "v1+2", "a" * 129])
def test_a_tag_that_ecr_can_not_have_is_refused_before_ecr_is_asked(ssm, ecr, tag):
    with pytest.raises(InvalidInput, match="tag: "):
        resolved({"repository": "shop/api", "tag": tag}, ssm, ecr)


NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


def named(of=None, stage="production", service=SERVICE):
    """The name of the execution of a deployment."""
    return execution_name(of or release(), stage, service)


@given(
    st.text(max_size=100),
    st.from_regex(r"\A[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}\Z"),
    st.none() | st.text(min_size=1, max_size=128),
)
def test_an_execution_name_is_such_as_step_functions_takes(event, service, tag):
    of = release(id=event, image=image(tag=tag))

    assert NAME.fullmatch(execution_name(of, "production", service))


def test_an_execution_name_contains_service_and_tag():
    assert named().startswith("production-api-v2-")


def test_an_image_without_a_tag_is_named_by_its_digest():
    untagged = release(image=image(tag=None))

    assert named(of=untagged).startswith("production-api-digest-")


def test_a_repeated_delivery_of_an_event_gives_the_same_name():
    again = release(released_at=at(60), started_by="sweep")

    assert named(of=again) == named()


@pytest.mark.parametrize(
    "other",
    [
        {"of": release(id="event-2")},
        {"of": release(image=image(digest=OLD_DIGEST))},
        {"stage": "staging"},
        {"service": "production/apx"},
        {"service": "production-api/x"},
    ],
    ids=["event", "digest", "stage", "service", "cluster"],
)
def test_another_event_digest_stage_or_service_gives_another_execution_name(other):
    assert named(**other) != named()


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_unique_name_is_such_as_step_functions_takes(readable, key):
    assert NAME.fullmatch(unique_name(readable, key))


def test_a_unique_name_differs_with_its_key_only():
    assert unique_name("recover", "a") == unique_name("recover", "a")
    assert unique_name("recover", "a") != unique_name("recover", "b")


# --- the ids of what a person has started ---------------------------------------------------------


def test_the_id_of_a_manual_start_is_the_same_in_every_attempt():
    assert started_id(EXECUTION, at(0.123)) == started_id(EXECUTION, at(0.123))


def test_the_id_of_a_manual_start_has_no_more_than_milliseconds_of_its_time():
    """The context object of Step Functions has milliseconds; DescribeExecution may have more."""
    assert started_id(EXECUTION, at(0.123)) == started_id(EXECUTION, at(0.123_4))


@pytest.mark.parametrize("later", [0.001, 90 * 86_400])
def test_the_name_of_an_execution_that_is_used_again_gives_another_id(later):
    assert started_id(EXECUTION, at(later)) != started_id(EXECUTION, at(0))


def test_the_executions_of_two_state_machines_with_one_name_have_ids_of_their_own():
    rollback = EXECUTION.replace("slipway-release", "slipway-rollback")

    assert started_id(rollback, at(0)) != started_id(EXECUTION, at(0))


def test_the_id_of_a_manual_start_begins_with_the_name_of_its_execution():
    assert started_id(EXECUTION, at(0)).startswith("started-1-")


@given(st.from_regex(r"\A[^:\n]{1,80}\Z"), st.datetimes(timezones=st.just(UTC)))
def test_the_id_of_a_manual_start_fits_into_a_key_of_the_ledger(name, started_at):
    assert NAME.fullmatch(started_id(f"{EXECUTION.rpartition(':')[0]}:{name}", started_at))
