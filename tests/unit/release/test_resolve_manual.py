"""What becomes of a release that is started manually, and how its deployments are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import AwsRefused, InvalidInput
from slipway.release.release import execution_name, unique_name
from slipway.release.resolve import resolve
from tests.support.builders import DIGEST, OLD_DIGEST, at, deployment, image, release
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
    assert (release.id, release.started_by) == ("started-1", "manual start")


def test_a_start_by_digest_takes_the_route_of_one_of_its_tags(ssm, ecr):
    located(ecr)
    planned(ssm, route("v*"), route("main-*", canary=["canary/api"]))
    unguarded(ssm)
    found(ecr, by={"imageDigest": DIGEST}, imageTags=["zzz", "main-1"])

    resolution = resolved(BY_DIGEST, ssm, ecr)

    assert resolution.release.image.tag == "main-1"
    assert [stage.name for stage in resolution.stages] == ["canary"]


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

    release = resolution.stages[0].deployments[0].input.release
    assert release == resolution.release
    assert (release.by, release.force) == (by, force)


WRONG = {
    "neither tag nor digest": ({"repository": "r"}, "name the image by tag or by digest"),
    "both tag and digest": (BY_TAG | BY_DIGEST, "name the image by tag or by digest"),
    "no repository": ({"tag": "v2"}, "repository: Field required"),
    "empty repository": (BY_TAG | {"repository": ""}, "repository: "),
    "empty tag": (BY_TAG | {"tag": ""}, "tag: "),
    "short digest": (BY_DIGEST | {"digest": "sha256:ab"}, "digest: "),
    "digest in capitals": (BY_DIGEST | {"digest": DIGEST.upper()}, "digest: "),
    "unknown field": (BY_TAG | {"stage": "production"}, "stage: Extra inputs"),
    "nothing": ({}, "repository: Field required"),
    "force that is no boolean": (
        BY_TAG | {"force": "yes"},
        "force: Input should be a valid boolean",
    ),
    "nobody": (BY_TAG | {"by": ""}, "by: "),
    "too long a name": (BY_TAG | {"by": "a" * 257}, "by: "),
    "a number": (BY_TAG | {"tag": 5}, "tag: Input should be a valid string"),
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


NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


@given(
    st.text(max_size=100),
    st.from_regex(r"\A[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}\Z"),
    st.none() | st.text(min_size=1, max_size=128),
)
def test_an_execution_name_is_such_as_step_functions_takes(event, service, tag):
    named = deployment(service=service, release=release(id=event, image=image(tag=tag)))

    assert NAME.fullmatch(execution_name(named))


def test_an_execution_name_contains_service_and_tag():
    assert execution_name(deployment()).startswith("production-api-v2-")


def test_an_image_without_a_tag_is_named_by_its_digest():
    untagged = deployment(release=release(image=image(tag=None)))

    assert execution_name(untagged).startswith("production-api-digest-")


def test_a_repeated_delivery_of_an_event_gives_the_same_name():
    assert execution_name(deployment()) == execution_name(deployment(policy={"poll_seconds": 60}))


@pytest.mark.parametrize(
    "other",
    [
        deployment(release=release(id="event-2")),
        deployment(release=release(image=image(digest=OLD_DIGEST))),
        deployment(stage="staging"),
        deployment(service="production/apx"),
        deployment(service="production-api/x"),
    ],
    ids=["event", "digest", "stage", "service", "cluster"],
)
def test_another_event_digest_stage_or_service_gives_another_execution_name(other):
    assert execution_name(other) != execution_name(deployment())


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_unique_name_is_such_as_step_functions_takes(readable, key):
    assert NAME.fullmatch(unique_name(readable, key))


def test_a_unique_name_differs_with_its_key_only():
    assert unique_name("recover", "a") == unique_name("recover", "a")
    assert unique_name("recover", "a") != unique_name("recover", "b")
