"""What an image reference says."""

from __future__ import annotations

import pytest

from slipway.image import short_digest, source
from tests.support.builders import DIGEST, URI, image


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
