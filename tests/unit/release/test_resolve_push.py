"""What becomes of a push."""

from __future__ import annotations

import re

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.ledger.records import release_order
from slipway.release.resolve import resolve
from tests.support.builders import DIGEST, NOW, OLD_DIGEST, URI, at, policy
from tests.support.pushes import (
    EXECUTION,
    PARAMETER,
    found,
    located,
    planned,
    push,
    route,
    unguarded,
)


def resolved(event, ssm, ecr, started_at=None):
    return resolve(
        event, EXECUTION, started_at or at(300), ssm.client, ecr.client, policies_required=False
    )


def test_a_push_is_a_release_of_what_the_tag_points_to(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    release = resolved(push(), ssm, ecr).release

    assert (release.image.reference, release.image.tag) == (f"{URI}@{DIGEST}", "v2")
    assert release.started_by == "push"


def released(event, ssm, ecr, digest=DIGEST):
    """The id of the release of an event."""
    planned(ssm)
    unguarded(ssm)
    found(ecr, digest, by={"imageTag": event["detail"]["image-tag"]})
    located(ecr)
    return resolved(event, ssm, ecr).release.id


def test_every_delivery_of_an_event_is_the_same_release_which_is_named_after_the_event(ssm, ecr):
    first, second = (released(push(), ssm, ecr) for _ in range(2))

    assert first == second
    assert first.startswith(f"{push()['id']}-")


def test_an_event_with_the_id_of_another_one_is_another_release(ssm, ecr):
    """So nobody who sends an event with that id before can have the other one ignored."""
    others = [
        push(image_tag="v3"),
        push() | {"time": "2026-11-22T03:00:01Z"},
        push() | {"id": "another"},
    ]
    ids = [released(event, ssm, ecr) for event in (push(), *others)]
    ids.append(released(push(image_digest=OLD_DIGEST), ssm, ecr, OLD_DIGEST))

    assert len(set(ids)) == 5


def test_a_release_by_a_push_names_no_person_and_is_not_forced(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    release = resolved(push(), ssm, ecr).release

    assert (release.by, release.force) == (None, False)


def test_a_release_by_an_event_of_the_sweep_is_started_by_the_sweep(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    swept = push() | {"source": "slipway.sweep"}

    assert resolved(swept, ssm, ecr).release.started_by == "sweep"


EVENT = "2026-11-22T03:00:00Z"
RETAGGED = at(-0.000_001)
"""The time of an older image that got another tag in this second, where its execution started long after."""


@pytest.mark.parametrize(
    ("in_event", "in_ecr", "released_at"),
    [
        (EVENT, at(0), at(0)),
        (EVENT, at(0.25), at(0.25)),
        (EVENT, at(0.999), at(0.999)),
        (EVENT, at(1), RETAGGED),
        (EVENT, at(-0.001), RETAGGED),
        (EVENT, at(-86_400), RETAGGED),
        (EVENT, None, RETAGGED),
        ("2026-11-22T03:00:00.400Z", at(-1), at(0.4)),
        ("2026-11-22T03:00:00.400Z", at(0.25), at(0.25)),
        ("2026-11-22T04:00:00+01:00", at(0.25), at(0.25)),
    ],
    ids=[
        "the same",
        "in its second",
        "at the end of its second",
        "a second later",
        "just before",
        "an old image with another tag",
        "not in ECR",
        "an old image with another tag, with milliseconds",
        "an event with milliseconds",
        "an event with an offset",
    ],
)
def test_the_time_of_a_release_is_that_of_its_push_as_exactly_as_it_is_known(
    ssm, ecr, in_event, in_ecr, released_at
):
    planned(ssm)
    unguarded(ssm)
    found(ecr, **({"imagePushedAt": in_ecr} if in_ecr else {}))
    located(ecr)

    assert resolved(push() | {"time": in_event}, ssm, ecr).release.released_at == released_at


def order_of(ssm, ecr, in_ecr, started=1.0):
    """Where the release of an event of this second, whose image was pushed at this time, comes."""
    planned(ssm)
    unguarded(ssm)
    found(ecr, imagePushedAt=at(in_ecr))
    located(ecr)
    return release_order(resolved(push() | {"time": EVENT}, ssm, ecr, at(started)).release)


@pytest.mark.parametrize("started", [-20, 0, 0.3, 5, 86_400])
def test_a_push_comes_after_every_old_image_with_another_tag_in_its_second(ssm, ecr, started):
    """AWS's clocks may differ, so that an execution may have started before its event."""
    retagged = order_of(ssm, ecr, -86_400, started)

    assert retagged < order_of(ssm, ecr, 0, started=-20)
    assert retagged < order_of(ssm, ecr, 0.999)


@pytest.mark.parametrize("started", [-20, 0, 0.3, 5, 86_400])
def test_an_old_image_with_another_tag_comes_after_every_push_of_the_second_before(
    ssm, ecr, started
):
    planned(ssm)
    unguarded(ssm)
    found(ecr, imagePushedAt=at(-0.001))
    located(ecr)
    before = resolved(push() | {"time": "2026-11-22T02:59:59Z"}, ssm, ecr).release

    assert release_order(before) < order_of(ssm, ecr, -86_400, started)


def test_old_images_with_another_tag_in_one_second_are_in_the_order_of_their_executions(ssm, ecr):
    """The second one's event came later, which is all that is known."""
    starts = [0.1, 0.11, 0.5, 1.4, 9.9]
    orders = [order_of(ssm, ecr, -86_400 + start, start) for start in reversed(starts)]

    assert orders == sorted(orders, reverse=True)
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize("ahead", [61, 3600, 10 * 365 * 86_400])
def test_an_event_of_the_future_is_refused_without_asking_aws(ssm, ecr, ahead):
    event = push() | {"time": at(ahead).isoformat()}

    with pytest.raises(InvalidInput, match=r"the time of the event, 20.* is in the future"):
        resolved(event, ssm, ecr, NOW)


@pytest.mark.parametrize(
    "time",
    ["1999-12-31T23:59:59Z", "0999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00", -62_135_596_800],
)
def test_an_event_before_there_was_a_registry_is_refused_without_asking_aws(ssm, ecr, time):
    with pytest.raises(InvalidInput, match=r"the time of the event, .* is before 2000"):
        resolved(push() | {"time": time}, ssm, ecr)


def test_an_event_whose_time_is_not_in_the_calendar_of_utc_is_refused(ssm, ecr):
    with pytest.raises(InvalidInput, match=r"the time of the event, 9999.* is in the future"):
        resolved(push() | {"time": "9999-12-31T23:59:59-23:00"}, ssm, ecr)


def test_an_event_may_be_a_minute_ahead_of_the_clock(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr, imagePushedAt=at(60))
    located(ecr)

    release = resolved(push() | {"time": at(60).isoformat()}, ssm, ecr, NOW).release

    assert release.released_at == at(60)


@pytest.mark.parametrize("source", ["aws.ecs", "", "me", "AWS.ECR"])
def test_an_event_of_another_source_is_refused_without_asking_aws(ssm, ecr, source):
    with pytest.raises(InvalidInput, match=f"an event of source {source} is no push"):
        resolved(push() | {"source": source}, ssm, ecr)


@pytest.mark.parametrize("where", [{"account": "999999999999"}, {"region": "us-east-1"}])
def test_a_push_elsewhere_is_ignored_without_asking_aws(ssm, ecr, where):
    [other] = where.values()

    assert other in resolved(push() | where, ssm, ecr).ignored


@pytest.mark.parametrize("field", ["id", "source", "account", "region", "time", "detail"])
def test_an_event_without_what_every_event_has_is_refused(ssm, ecr, field):
    event = {name: value for name, value in push().items() if name != field}

    with pytest.raises(InvalidInput, match=f"the event is not valid:\n  {field}: it is missing"):
        resolved(event, ssm, ecr)


def test_the_stages_are_in_the_plans_order_with_every_service_and_its_policy(ssm, ecr):
    planned(
        ssm, route("v*", staging=["staging/api"], production=["production/api", "production/w"])
    )
    unguarded(ssm, services=3)
    found(ecr)
    located(ecr)

    stages = resolved(push(), ssm, ecr).stages

    assert [(s.name, [planned.service for planned in s.services]) for s in stages] == [
        ("staging", ["staging/api"]),
        ("production", ["production/api", "production/w"]),
    ]
    assert stages[0].services[0].policy == policy(timeout_seconds=1800)


def test_an_event_without_a_digest_is_a_release_of_what_the_tag_points_to(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    assert resolved(push(image_digest=None), ssm, ecr).release.image.digest == DIGEST


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (push(result="FAILURE"), "not a successful push"),
        (push(action_type="DELETE"), "not a successful push"),
        (push() | {"detail": {}}, "not a successful push"),
        (push(repository_name=None), "a push without a repository or a tag"),
        (push(image_tag=None), "a push without a repository or a tag"),
        (push(image_tag=""), "a push without a repository or a tag"),
        (push(image_tag="sha256-ab.sig"), "tag sha256-ab.sig is a signature or an attestation"),
    ],
)
def test_an_event_without_a_push_that_can_be_released_is_ignored_without_asking_aws(
    event, why, ssm, ecr
):
    resolution = resolved(event, ssm, ecr)

    assert (resolution.ignored, resolution.release, resolution.stages) == (why, None, ())


def test_a_push_to_a_repository_without_a_plan_is_ignored(ssm, ecr):
    ssm.refuses("get_parameter", "ParameterNotFound")

    assert resolved(push(), ssm, ecr).ignored == f"repository shop/api has no plan at {PARAMETER}"


def test_a_tag_that_no_route_matches_is_ignored(ssm, ecr):
    planned(ssm)

    ignored = resolved(push(image_tag="main-1"), ssm, ecr).ignored

    assert ignored == "no route of repository shop/api matches tag main-1"


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_a_tag_that_is_gone_meanwhile_is_ignored(ssm, ecr, code):
    planned(ssm)
    ecr.refuses("describe_images", code)

    assert resolved(push(), ssm, ecr).ignored == "tag v2 is no longer in repository shop/api"


def test_a_tag_that_has_moved_on_is_ignored_in_favour_of_its_other_event(ssm, ecr):
    planned(ssm)
    found(ecr, OLD_DIGEST)

    ignored = resolved(push(), ssm, ecr).ignored

    assert ignored == f"tag v2 has moved on to {OLD_DIGEST}, which has an event of its own"


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.buildkit.cacheconfig.v0",
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.cncf.notary.signature",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.amazon.soci.index.v1+json",
        "application/vnd.oci.empty.v1+json",
    ],
)
def test_an_artifact_that_is_no_image_is_ignored_and_its_type_is_named(ssm, ecr, kind):
    planned(ssm)
    found(ecr, artifactMediaType=kind)

    ignored = resolved(push(), ssm, ecr).ignored

    assert ignored == f"tag v2 is on an artifact of type {kind}, which is no image"


@pytest.mark.parametrize(
    "described",
    [
        {"artifactMediaType": "application/vnd.docker.container.image.v1+json"},
        {"artifactMediaType": "application/vnd.oci.image.config.v1+json"},
        {"imageManifestMediaType": "application/vnd.oci.image.index.v1+json"},
        {"imageManifestMediaType": "application/vnd.docker.distribution.manifest.list.v2+json"},
        {"artifactMediaType": ""},
    ],
)
def test_an_image_of_one_platform_and_an_index_of_several_are_released(ssm, ecr, described):
    planned(ssm)
    unguarded(ssm)
    found(ecr, **described)
    located(ecr)

    assert resolved(push(), ssm, ecr).release.image.digest == DIGEST


def test_a_wrong_plan_is_not_ignored(ssm, ecr):
    planned(ssm, text="{")

    with pytest.raises(InvalidInput, match=f"repository shop/api .*{PARAMETER}.* is not JSON"):
        resolved(push(), ssm, ecr)


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_plan_that_could_not_be_read_is_not_taken_for_missing(ssm, ecr, code, error):
    ssm.refuses("get_parameter", code)

    with pytest.raises(error, match=f"{code} from ssm:GetParameter on {PARAMETER}"):
        resolved(push(), ssm, ecr)


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", AwsRefused), ("ServerException", AwsUnavailable)]
)
def test_an_image_that_could_not_be_looked_up_is_not_taken_for_gone(ssm, ecr, code, error):
    planned(ssm)
    ecr.refuses("describe_images", code, status=500 if error is AwsUnavailable else 400)

    with pytest.raises(error, match=f"{code} from ecr:DescribeImages on repository shop/api"):
        resolved(push(), ssm, ecr)


def test_a_plan_is_read_anew_for_every_push(ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    planned(ssm, route("other"))
    found(ecr)
    located(ecr)

    assert resolved(push(), ssm, ecr).release
    assert resolved(push(), ssm, ecr).ignored


@pytest.mark.parametrize(
    "event",
    [
        {name: value for name, value in push().items() if name != "id"},
        {name: value for name, value in push().items() if name != "time"},
        push() | {"time": "2026-11-22T03:00:00"},
        push() | {"detail": "text"},
        push(image_tag=5),
    ],
    ids=["no id", "no time", "time without an offset", "detail is text", "tag is a number"],
)
def test_an_event_of_another_form_than_ecrs_is_an_error(ssm, ecr, event):
    """As ``sam local invoke`` or a manual start may give one."""
    with pytest.raises(InvalidInput):
        resolved(event, ssm, ecr)


@pytest.mark.parametrize("id_", ["", "x" * 201, "an id", "a\n", "ä", None, 5])
def test_an_event_whose_id_is_none_of_eventbridge_is_refused(ssm, ecr, id_):
    with pytest.raises(InvalidInput, match="the event is not valid:\n  id: "):
        resolved(push() | {"id": id_}, ssm, ecr)


@pytest.mark.parametrize("id_", ["x" * 200, "sweep-0123", "a/b#c~"])
def test_the_id_of_a_release_can_be_a_key_of_the_ledger_whatever_the_events_is(ssm, ecr, id_):
    assert re.fullmatch("[A-Za-z0-9_-]{1,80}", released(push() | {"id": id_}, ssm, ecr))


# --- a route in the order of SemVer -----------------------------------------------------------------


def test_a_push_on_a_route_of_versions_carries_its_version(ssm, ecr):
    planned(ssm, route("v*") | {"semver": True})
    unguarded(ssm)
    found(ecr, by={"imageTag": "v1.2.3"})
    located(ecr)

    assert resolved(push(**{"image-tag": "v1.2.3"}), ssm, ecr).release.version == "1.2.3"


def test_a_push_on_another_route_carries_no_version(ssm, ecr):
    planned(ssm, route("v*"))
    unguarded(ssm)
    found(ecr, by={"imageTag": "v1.2.3"})
    located(ecr)

    assert resolved(push(**{"image-tag": "v1.2.3"}), ssm, ecr).release.version is None


@pytest.mark.parametrize("tag", ["v2", "v2.1", "v-latest", "v02.1.0", "v1.2.3_build"])
def test_a_tag_that_is_no_version_is_ignored_on_a_route_of_versions(ssm, ecr, tag):
    planned(ssm, route("v*") | {"semver": True})

    assert resolved(push(**{"image-tag": tag}), ssm, ecr).ignored == (
        f"tag {tag} is no version of SemVer 2.0, such as v1.2.3 or 1.2.3-rc.1, and its route takes only "
        f'versions ("semver" in {PARAMETER})'
    )
