"""What an image reference says."""

from __future__ import annotations

import pytest

from slipway.image import ecr_repository, short_digest, source
from tests.support.builders import ACCOUNT, DIGEST, REGION, URI, image


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (f"{URI}:v1", URI),
        (f"{URI}@{DIGEST}", URI),
        (f"{URI}:v1@{DIGEST}", URI),
        (URI, URI),
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("localhost:5000/shop/api", "localhost:5000/shop/api"),
        ("localhost:5000/shop/api:v1", "localhost:5000/shop/api"),
    ],
)
def test_the_source_is_the_reference_without_tag_and_digest(reference, expected):
    assert source(reference) == expected


def test_a_task_definition_names_the_image_by_digest():
    assert image().reference == f"{URI}@{DIGEST}"


@pytest.mark.parametrize(
    ("tag", "text"), [("v2", "shop/api:v2 (abababababab)"), (None, "shop/api (abababababab)")]
)
def test_people_read_repository_tag_and_the_first_digits_of_the_digest(tag, text):
    assert str(image(tag=tag)) == text


def test_a_short_digest_has_twelve_digits_and_no_prefix():
    assert short_digest("sha256:0123456789abcdef") == "0123456789ab"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("dkr-ecr-fips.us-gov-west-1.on.aws", "us-gov-west-1"),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
        ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu", "eusc-de-east-1"),
        ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ],
)
def test_a_repository_of_ecr_is_known_by_every_host_name_of_its_registry(host, region):
    assert ecr_repository(f"{ACCOUNT}.{host}/shop/api") == (ACCOUNT, region, "shop/api")


@pytest.mark.parametrize(
    "uri",
    [
        "nginx",
        "docker.io/library/nginx",
        "public.ecr.aws/shop/api",
        "localhost:5000/shop/api",
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com.example.org/shop/api",
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws-com/shop/api",
        f"1{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/api",
    ],
)
def test_another_registry_is_not_taken_for_ecrs(uri):
    assert ecr_repository(uri) is None


DUAL_STACK = f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/shop/api"


@pytest.mark.parametrize("version", [":v1", f"@{DIGEST}", ""])
def test_an_image_is_of_its_repository_by_the_dual_stack_name_too(version):
    assert image().is_version_of(DUAL_STACK + version)
    assert image(uri=DUAL_STACK).is_version_of(URI + version)


@pytest.mark.parametrize(
    "reference",
    [
        f"{ACCOUNT}.dkr-ecr.eu-central-1.on.aws/shop/api:v1",
        f"210987654321.dkr-ecr.{REGION}.on.aws/shop/api:v1",
        f"{DUAL_STACK}-beta:v1",
        "shop/api:v1",
    ],
)
def test_an_image_of_another_account_region_or_repository_is_another(reference):
    assert not image().is_version_of(reference)


def test_an_image_from_elsewhere_is_of_its_own_repository_only():
    elsewhere = image(uri="nginx")

    assert elsewhere.is_version_of("nginx:1")
    assert not elsewhere.is_version_of("caddy:1")


def test_a_container_keeps_the_host_name_by_which_it_names_the_registry():
    assert image().reference_instead_of(f"{DUAL_STACK}:v1") == f"{DUAL_STACK}@{DIGEST}"


def test_a_container_with_an_image_from_elsewhere_gets_the_host_name_that_ecr_gives():
    assert image().reference_instead_of("nginx:1") == f"{URI}@{DIGEST}"
