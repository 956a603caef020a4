"""The inputs of the deployment state machine, and how a stage's deployments are named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import Refused
from slipway.ledger.records import ReleaseRecord
from slipway.release.named import NamedRecovery, NamedRelease, NamedRollback, parse_named
from slipway.release.release import Resolution, Resolved, execution_name
from tests.support.asked import release_record
from tests.support.builders import SERVICE, deployment, image, release

RELEASE = {"release": "event-1", "stage": "production", "service": SERVICE}
ROLLBACK = {"rollback": "rollback-1"}
RECOVERY = {"recover": "2026-11-22T03:00:00.000Z#e-1", "service": SERVICE}


@pytest.mark.parametrize(
    ("start", "kind"),
    [(RELEASE, NamedRelease), (ROLLBACK, NamedRollback), (RECOVERY, NamedRecovery)],
    ids=["release", "rollback", "recovery"],
)
def test_an_input_names_a_part_of_a_release_a_rollback_or_a_recovery(start, kind):
    named = parse_named(start)

    assert type(named) is kind
    assert named.to_json() == start


FORGED = {
    "nothing": {},
    "no object": None,
    "a list": [RELEASE],
    "a text": "event-1",
    "a number": 5,
    "a whole deployment": deployment().to_json(),
    "a release with an image": RELEASE | {"release": release().to_json()},
    "a release with a policy": RELEASE | {"policy": {"bake_seconds": 0}},
    "a release by force": RELEASE | {"force": True},
    "a release without a stage": {"release": "event-1", "service": SERVICE},
    "a release without an id": RELEASE | {"release": ""},
    "a release whose id is a number": RELEASE | {"release": 5},
    "a service without a cluster": RELEASE | {"service": "api"},
    "a service of two lines": RELEASE | {"service": f"{SERVICE}\nclick here"},
    "two things": RELEASE | ROLLBACK,
    "a rollback of a service": ROLLBACK | {"service": SERVICE},
    "a rollback to a version": ROLLBACK | {"to": "v1"},
    "a rollback without an id": {"rollback": ""},
    "a former rollback": {"action": "rollback", "service": SERVICE},
    "a former recovery": {"action": "recover", "attempt": -60, "service": SERVICE},
    "a recovery of nothing": RECOVERY | {"recover": ""},
    "a recovery without a service": {"recover": RECOVERY["recover"]},
    "a recovery with an attempt": RECOVERY | {"attempt": 1},
    "half a character": {"rollback": "\ud83d"},
}


@pytest.mark.parametrize("start", FORGED.values(), ids=FORGED)
def test_any_other_input_is_refused(start):
    with pytest.raises(Refused, match="only Slipway starts the deployment state machine"):
        parse_named(start)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["release", "stage", "service", "rollback", "recover"]),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON)
def test_a_refusal_does_not_repeat_what_was_given(start):
    with pytest.raises(Refused) as raised:
        parse_named({"forged": start})

    with pytest.raises(Refused) as other:
        parse_named("another")
    assert str(raised.value) == str(other.value)


@given(JSON)
def test_an_input_is_refused_or_names_exactly_what_it_says(start):
    try:
        named = parse_named(start)
    except Refused:
        return
    assert named.to_json() == start


# DynamoDB takes a partition key of 2,048 bytes and a sort key of 1,024 bytes, both with their prefixes.
@pytest.mark.parametrize("length", [2_000, 100_000])
@pytest.mark.parametrize(
    ("start", "field"),
    [(RELEASE, "release"), (ROLLBACK, "rollback"), (RECOVERY, "recover")],
    ids=["release", "rollback", "recovery"],
)
def test_an_id_that_is_too_long_for_a_key_of_the_ledger_is_refused(start, field, length):
    with pytest.raises(Refused):
        parse_named(start | {field: "ä" * length})


# --- what ResolveRelease answers ------------------------------------------------------------------

RECORD: ReleaseRecord = release_record(
    deployment(stage="staging", service="staging/api"),
    deployment(stage="staging", service="staging/web"),
    deployment(),
)


def test_a_resolution_names_each_deployment_of_each_stage_in_the_order_of_the_plan():
    resolution = Resolution.of(Resolved(release=RECORD.release, stages=RECORD.stages))

    assert [
        (stage.name, [each.input.to_json() for each in stage.deployments])
        for stage in resolution.stages
    ] == [
        (
            "staging",
            [
                RELEASE | {"stage": "staging", "service": f"staging/{name}"}
                for name in ("api", "web")
            ],
        ),
        ("production", [RELEASE]),
    ]
    assert resolution.release == RECORD.release


def test_the_name_of_a_deployment_is_that_of_its_release_stage_and_service():
    resolution = Resolution.of(Resolved(release=RECORD.release, stages=RECORD.stages))

    production = resolution.stages[-1].deployments[0]
    assert production.name == execution_name(RECORD.release, "production", SERVICE)
    names = [each.name for stage in resolution.stages for each in stage.deployments]
    assert len(set(names)) == 3


def test_a_deployment_is_given_nothing_but_names():
    resolution = Resolution.of(Resolved(release=RECORD.release, stages=RECORD.stages))

    inputs = json.dumps(
        [each.input.to_json() for stage in resolution.stages for each in stage.deployments]
    )
    assert image().digest not in inputs
    assert "bake_seconds" not in inputs


def test_a_push_that_is_ignored_has_no_stages():
    resolution = Resolution.of(Resolved(ignored="not a successful push"))

    assert resolution == Resolution(ignored="not a successful push")


def test_what_a_resolution_names_is_in_the_record_of_its_release():
    resolution = Resolution.of(Resolved(release=RECORD.release, stages=RECORD.stages))

    for stage in resolution.stages:
        for each in stage.deployments:
            named = parse_named(each.input.to_json())
            found = RECORD.deployment(named.stage, named.service)
            assert (found.stage, found.service) == (stage.name, named.service)
