"""Which tags name a version, and which of two versions is the lower one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from slipway.release.semver import is_lower, version_of


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("v0.0.0", "0.0.0"),
        ("v1.2.3-rc.1", "1.2.3-rc.1"),
        ("v1.2.3-rc1", "1.2.3-rc1"),
        ("v1.0.0-0", "1.0.0-0"),
        ("v1.0.0-alpha-a.b-c", "1.0.0-alpha-a.b-c"),
        ("v1.0.0--", "1.0.0--"),
        ("v1.0.0-01a", "1.0.0-01a"),
        # https://github.com/fluxcd/flux2/issues/1298
        ("2.0.330-63-gc1cfb6864", "2.0.330-63-gc1cfb6864"),
        # https://github.com/fluxcd/image-reflector-controller/issues/250
        ("2022.4.1", "2022.4.1"),
        ("v99999999999999999999.0.0", "99999999999999999999.0.0"),
    ],
)
def test_a_tag_names_a_version_with_or_without_a_leading_v(tag, version):
    assert version_of(tag) == version


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "v",
        "v1",
        "v1.2",
        "latest",
        "V1.2.3",
        "vv1.2.3",
        "release-1.2.3",
        "version-v1.0.0",
        "v1.2.3.4",
        "v01.2.3",
        "v1.02.3",
        "v1.2.03",
        "2022.04.1",
        "v1.2.3-",
        "v1.2.3-01",
        "v1.2.3-a..b",
        "v1.2.3-rc_1",
        "v1.2.3_build",
        "v1.2.3\n",
        "1.2.3 ",
        "v1.2.\u0663",
        # A commit of digits only: https://github.com/fluxcd/flux/issues/2729
        "12345678",
        # https://github.com/fluxcd/image-reflector-controller/issues/809
        "1.9.7.4460-a39b25852",
    ],
)
def test_a_tag_of_another_form_names_no_version(tag):
    assert version_of(tag) is None


ASCENDING = [
    "0.9.9",
    # The example of https://semver.org/#spec-item-11
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    # As text, rc10 comes before rc9: https://github.com/argoproj-labs/argocd-image-updater/issues/626
    "1.2.0-1",
    "1.2.0-9",
    "1.2.0-10",
    "1.2.0--1",
    "1.2.0-RC.1",
    "1.2.0-rc.9",
    "1.2.0-rc.10",
    "1.2.0-rc10",
    "1.2.0-rc9",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "10.0.0",
]


def test_versions_are_ordered_by_precedence():
    for lower, higher in pairwise(ASCENDING):
        assert is_lower(lower, higher), (lower, higher)
        assert not is_lower(higher, lower), (lower, higher)


def test_a_version_is_not_lower_than_itself():
    assert not any(is_lower(version, version) for version in ASCENDING)
