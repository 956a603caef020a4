"""What the policies of services do to a release: nothing is deployed unless every service admits it."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.model import MESSAGE_BYTES
from slipway.release.resolve import resolve
from tests.support.builders import at
from tests.support.pushes import (
    EXECUTION,
    found,
    guarded,
    located,
    planned,
    push,
    route,
    unguarded,
)

MANUAL = {"repository": "shop/api", "tag": "v2"}
OURS, THEIRS = ["shop/web", "shop/api"], ["shop/web"]
STAGES = {"staging": ["staging/api"], "production": ["production/api", "staging/api"]}
NOT_ADMITTED = "service {} does not admit repository shop/api: add the repository to"


@pytest.fixture(params=["push", "manual start"])
def start(request, ssm, ecr):
    """An input that starts a release, with a plan of two stages whose second has both services."""
    if request.param == "manual start":
        located(ecr)
    planned(ssm, route("v*", **STAGES))
    found(ecr)
    if request.param == "push":
        located(ecr)
    return push() if request.param == "push" else MANUAL


def resolved(start, ssm, ecr, *, required=False):
    return resolve(start, EXECUTION, at(300), ssm.client, ecr.client, policies_required=required)


def policies(resolution):
    return [
        (stage.name, planned.service, planned.policy.bake_seconds)
        for stage in resolution.stages
        for planned in stage.services
    ]


def test_the_policy_of_a_service_is_read_once_and_applies_in_every_stage(start, ssm, ecr):
    guarded(ssm, "staging/api", repositories=OURS, bake_seconds=900)
    unguarded(ssm)

    assert policies(resolved(start, ssm, ecr)) == [
        ("staging", "staging/api", 900),
        ("production", "production/api", 300),
        ("production", "staging/api", 900),
    ]


def test_a_release_is_refused_before_its_first_stage_if_a_later_one_does_not_admit_it(
    start, ssm, ecr
):
    guarded(ssm, "staging/api", repositories=OURS)
    guarded(ssm, "production/api", repositories=THEIRS)

    with pytest.raises(InvalidInput) as raised:
        resolved(start, ssm, ecr)

    assert str(raised.value).startswith(NOT_ADMITTED.format("production/api"))


def test_every_service_that_does_not_admit_the_repository_is_named_once(start, ssm, ecr):
    guarded(ssm, "staging/api", repositories=THEIRS)
    guarded(ssm, "production/api", repositories=THEIRS)

    with pytest.raises(InvalidInput) as raised:
        resolved(start, ssm, ecr)

    first, second = str(raised.value).splitlines()
    assert first.startswith(NOT_ADMITTED.format("staging/api"))
    assert second.startswith(NOT_ADMITTED.format("production/api"))


@pytest.mark.parametrize("services", [20, 21, 60])
def test_as_many_services_that_do_not_admit_the_repository_are_named_as_people_can_read(
    ssm, ecr, services
):
    names = [f"{'c' * 60}/s{number}" for number in range(services)]
    planned(ssm, route("v*", production=names))
    found(ecr)
    located(ecr)
    for name in names:
        guarded(ssm, name, repositories=THEIRS)

    with pytest.raises(InvalidInput) as raised:
        resolved(push(), ssm, ecr)

    lines = str(raised.value).splitlines()
    assert [line.split()[1] for line in lines[:20]] == names[:20]
    assert lines[20:] == ([f"and {services - 20} more"] if services > 20 else [])
    assert len(str(raised.value).encode()) <= MESSAGE_BYTES


def test_fewer_services_are_named_if_their_names_are_long(ssm, ecr):
    names = [f"{'c' * 255}/{number:0255}" for number in range(10)]
    planned(ssm, route("v*", production=names))
    found(ecr)
    located(ecr)
    for name in names:
        guarded(ssm, name, repositories=THEIRS)

    with pytest.raises(InvalidInput) as raised:
        resolved(push(), ssm, ecr)

    *lines, last = str(raised.value).splitlines()
    assert [line.split()[1] for line in lines] == names[: len(lines)]
    assert last == f"and {10 - len(lines)} more"
    assert len(str(raised.value).encode()) <= MESSAGE_BYTES


def test_a_policy_that_is_invalid_refuses_the_release_and_says_where_it_is(start, ssm, ecr):
    guarded(ssm, "staging/api", text="{")

    with pytest.raises(InvalidInput, match="SSM parameter /slipway/services/staging/api"):
        resolved(start, ssm, ecr)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_policy_that_could_not_be_read_is_not_taken_for_missing(start, ssm, ecr, code, kind):
    ssm.refuses("get_parameter", code)

    with pytest.raises(kind, match=f"{code} from ssm:GetParameter on /slipway/services/staging"):
        resolved(start, ssm, ecr)


def test_where_policies_are_required_a_service_without_one_is_not_deployed_to(start, ssm, ecr):
    guarded(ssm, "staging/api", repositories=OURS)
    unguarded(ssm)

    with pytest.raises(InvalidInput, match=r"^service production/api has no policy"):
        resolved(start, ssm, ecr, required=True)


def test_where_policies_are_required_services_that_have_one_are_deployed_to(start, ssm, ecr):
    guarded(ssm, "staging/api", repositories=OURS)
    guarded(ssm, "production/api", repositories=OURS)

    assert len(policies(resolved(start, ssm, ecr, required=True))) == 3
