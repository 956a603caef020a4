"""What a tag, a digest or a container's image stands for."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.image import Image
from slipway.release.registry import find_image, gone_image, image_of, tagged_images, uri_of
from tests.support.builders import ACCOUNT, DIGEST, OLD_DIGEST, REGION, URI, image
from tests.support.ecs_answers import image_detail
from tests.support.pushes import found, located

BY_TAG = {"imageTag": "v2"}
REPOSITORY = "shop/api"
NOBODY: Any = None
"""Instead of ECR, where it must not be asked."""
ERRORS = [
    ("AccessDeniedException", AwsRefused),
    ("ThrottlingException", AwsUnavailable),
]


def test_an_image_is_found_by_its_tag(ecr):
    found(ecr)

    assert find_image(REPOSITORY, BY_TAG, ecr.client)["imageDigest"] == DIGEST


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_an_image_that_does_not_exist_is_not_found(ecr, code):
    ecr.refuses("describe_images", code)

    assert find_image(REPOSITORY, BY_TAG, ecr.client) is None


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_an_image_that_could_not_be_looked_up_is_not_taken_for_missing(ecr, code, kind):
    ecr.refuses("describe_images", code)

    with pytest.raises(kind, match=f"{code} from ecr:DescribeImages on repository shop/api"):
        find_image(REPOSITORY, BY_TAG, ecr.client)


def test_a_repository_has_a_uri(ecr):
    located(ecr)

    assert uri_of(REPOSITORY, ecr.client) == URI


def test_a_repository_that_does_not_exist_is_named(ecr):
    ecr.refuses("describe_repositories", "RepositoryNotFoundException")

    with pytest.raises(InvalidInput, match="ECR has no repository shop/api in this account"):
        uri_of(REPOSITORY, ecr.client)


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_a_repository_that_could_not_be_looked_up_names_the_action(ecr, code, kind):
    ecr.refuses("describe_repositories", code)

    with pytest.raises(kind, match=f"{code} from ecr:DescribeRepositories on repository shop/api"):
        uri_of(REPOSITORY, ecr.client)


PAGES = {"repositoryName": REPOSITORY, "maxResults": 1000, "filter": {"tagStatus": "TAGGED"}}


def nothing() -> None:
    """Before a page."""


def test_every_tagged_image_is_found_however_many_pages_the_images_fill(ecr):
    ecr.answers("describe_images", image_detail(DIGEST) | {"nextToken": "more"}, **PAGES)
    ecr.answers("describe_images", image_detail(OLD_DIGEST), **PAGES, nextToken="more")

    digests = [image["imageDigest"] for image in tagged_images(REPOSITORY, ecr.client, nothing)]

    assert digests == [DIGEST, OLD_DIGEST]


def test_a_page_without_images_is_not_the_last_one_if_it_says_so(ecr):
    ecr.answers("describe_images", {"imageDetails": [], "nextToken": "more"}, **PAGES)
    ecr.answers("describe_images", image_detail(DIGEST), **PAGES, nextToken="more")

    assert len(list(tagged_images(REPOSITORY, ecr.client, nothing))) == 1


def test_a_page_is_asked_for_only_when_the_images_before_it_are_used_up(ecr):
    ecr.answers("describe_images", image_detail(DIGEST) | {"nextToken": "more"}, **PAGES)
    asked = []
    images = tagged_images(REPOSITORY, ecr.client, lambda: asked.append("a page"))
    next(images)

    assert asked == ["a page"]


def test_a_repository_that_does_not_exist_has_no_images(ecr):
    ecr.refuses("describe_images", "RepositoryNotFoundException")

    assert list(tagged_images(REPOSITORY, ecr.client, nothing)) == []


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_images_that_could_not_be_listed_are_not_taken_for_missing(ecr, code, kind):
    ecr.refuses("describe_images", code)

    with pytest.raises(kind, match=f"{code} from ecr:DescribeImages on repository shop/api"):
        list(tagged_images(REPOSITORY, ecr.client, nothing))


@pytest.mark.parametrize(
    ("reference", "tag"), [(f"{URI}@{DIGEST}", None), (f"{URI}:v2@{DIGEST}", "v2")]
)
def test_a_container_that_names_a_digest_needs_no_lookup(reference, tag):
    assert image_of(reference, NOBODY) == image(tag=tag)


@pytest.mark.parametrize(("suffix", "tag"), [(":v2", "v2"), ("", None)])
def test_a_container_that_names_a_tag_has_the_digest_that_the_tag_points_to(ecr, suffix, tag):
    found(ecr, by={"imageTag": tag or "latest"}, registry=ACCOUNT)

    assert image_of(URI + suffix, ecr.client) == image(tag=tag)


@pytest.mark.parametrize("code", ["ImageNotFoundException", "AccessDeniedException"])
def test_a_tag_that_ecr_does_not_describe_has_no_digest(ecr, code):
    ecr.refuses("describe_images", code)

    assert image_of(f"{URI}:v2", ecr.client) == image(digest="")


def test_a_tag_is_asked_for_again_where_ecr_did_not_answer(ecr):
    ecr.refuses("describe_images", "ThrottlingException")

    with pytest.raises(AwsUnavailable):
        image_of(f"{URI}:v2", ecr.client)


def test_a_registry_is_asked_by_whatever_host_name_the_container_has(ecr):
    found(ecr, registry=ACCOUNT)
    uri = f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/shop/api"

    assert image_of(f"{uri}:v2", ecr.client) == image(uri=uri)


def test_a_repository_of_another_account_is_not_taken_for_ours(ecr):
    found(ecr, registry="210987654321")
    uri = f"210987654321.dkr.ecr.{REGION}.amazonaws.com/shop/api"

    assert image_of(f"{uri}:v2", ecr.client) == image(uri=uri)


def test_a_repository_of_another_region_is_not_taken_for_ours(ecr):
    uri = f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/api"

    assert image_of(f"{uri}:v2", ecr.client) == image(uri=uri, digest="")


@pytest.mark.parametrize(
    ("reference", "elsewhere"),
    [
        ("nginx", Image(repository="nginx", uri="nginx", digest="")),
        ("nginx:1", Image(repository="nginx", uri="nginx", digest="", tag="1")),
        (
            "public.ecr.aws/envoy:1",
            Image(repository="envoy", uri="public.ecr.aws/envoy", digest="", tag="1"),
        ),
        (
            "localhost:5000/shop/api:v1",
            Image(repository="shop/api", uri="localhost:5000/shop/api", digest="", tag="v1"),
        ),
    ],
)
def test_an_image_from_elsewhere_is_known_by_its_name_only(reference, elsewhere):
    assert image_of(reference, NOBODY) == elsewhere


# --- what ECR no longer has -------------------------------------------------------------------------

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
DUAL_STACK = f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws"


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
@pytest.mark.parametrize("host", [HOST, DUAL_STACK])
def test_an_image_that_ecr_does_not_find_is_gone(ecr, host, code):
    ecr.refuses("describe_images", code)

    assert gone_image([f"{host}/shop/api@{DIGEST}"], ecr.client) == f"{host}/shop/api@{DIGEST}"


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        (f"@{DIGEST}", {"imageDigest": DIGEST}),
        (f":v1@{DIGEST}", {"imageDigest": DIGEST}),
        (":v1", {"imageTag": "v1"}),
        ("", {"imageTag": "latest"}),
    ],
)
def test_an_image_is_looked_up_by_what_the_task_definition_names(ecr, named, asked):
    ecr.answers(
        "describe_images",
        {"imageDetails": [{"imageDigest": DIGEST, "imageStatus": "ACTIVE"}]},
        repositoryName="shop/api",
        registryId=ACCOUNT,
        imageIds=[asked],
    )

    assert gone_image([f"{HOST}/shop/api{named}"], ecr.client) is None


@pytest.mark.parametrize(
    "details", [[], [{"imageStatus": "ARCHIVED"}], [{"imageStatus": "ACTIVATING"}]]
)
def test_an_archived_image_can_not_be_pulled(ecr, details):
    """Whether DescribeImages leaves it out, which it does by default, or names its status."""
    ecr.answers("describe_images", {"imageDetails": details})

    assert gone_image([f"{HOST}/shop/api:v1"], ecr.client) == f"{HOST}/shop/api:v1"


@pytest.mark.parametrize(
    "reference", ["public.ecr.aws/envoy:1", f"{HOST.replace(REGION, 'us-east-1')}/shop/api:v1"]
)
def test_an_image_elsewhere_counts_as_there_and_is_not_asked_for(ecr, reference):
    assert gone_image([reference], ecr.client) is None


def test_an_image_in_a_repository_that_may_not_be_read_counts_as_there(ecr):
    ecr.refuses("describe_images", "AccessDeniedException")
    ecr.refuses("describe_images", "ImageNotFoundException")

    assert gone_image([f"{HOST}/shop/a:1", f"{HOST}/shop/b:1"], ecr.client) == f"{HOST}/shop/b:1"


def test_all_images_count_as_there_while_ecr_does_not_answer(ecr_briefly):
    """A bad version must not wait for ECR, and the second answer would take as long as the first."""
    ecr_briefly.refuses("describe_images", "ServerException", status=500)

    assert gone_image([f"{HOST}/shop/a:1", f"{HOST}/shop/b:1"], ecr_briefly.client) is None
