"""What a person may change with the function Operate, and the audit item of each action."""

from __future__ import annotations

from datetime import timedelta

import pytest

from slipway import aws
from slipway.deployment.operate import Operator
from slipway.errors import AwsUnavailable, InvalidInput
from slipway.ledger.items import NoLonger
from slipway.ledger.operations import Operations
from slipway.ledger.records import Freeze, Quarantined
from tests.support.builders import (
    ANOTHER_IMAGE,
    DIGEST,
    NOW,
    OLD,
    OLD_DIGEST,
    SERVICE,
    accepted,
    at,
    claim,
    ended,
    execution,
    good,
    quarantined,
    release,
)
from tests.support.stubs import stubbed

HISTORY = timedelta(days=400)
WHO = {"by": "Ada", "why": "because"}


@pytest.fixture
def functions(request):
    yield from stubbed(aws.functions(), request)


@pytest.fixture
def operator(ledger, functions):
    return Operator(Operations(aws.table()), ledger, functions.client, "slipway-Sweep", HISTORY)


def operated(operator, action, now=NOW, **facts):
    return operator.operate({"action": action, **WHO, **facts}, "request-1", now)["done"]


def audited():
    """The only audit item, without what every item has."""
    items = aws.table().scan()["Items"]
    [item] = [item for item in items if item["pk"] == "audit"]
    return {n: v for n, v in item.items() if n not in ("pk", "sk", "schema", "at", "expires_at")}


def nothing_is_audited():
    assert [item for item in aws.table().scan()["Items"] if item["pk"] == "audit"] == []


# --- freezes ----------------------------------------------------------------------------------------


def test_a_freeze_of_a_service_is_recorded_with_who_and_why(operator, ledger):
    done = operated(operator, "freeze", service=SERVICE)

    assert done == "service production/api is frozen until a person unfreezes it"
    assert ledger.service(SERVICE).freeze == Freeze(at=NOW, by="Ada", why="because")
    assert ledger.freeze() is None
    assert audited() == {
        "id": "request-1",
        "action": "freeze",
        "service": SERVICE,
        "digest": None,
        "until": None,
        **WHO,
    }


def test_an_audit_item_is_kept_as_long_as_the_history(operator):
    operated(operator, "freeze")

    [item] = [item for item in aws.table().scan()["Items"] if item["pk"] == "audit"]
    assert item["sk"] == "2026-11-22T03:00:00.000000Z#request-1"
    assert item["expires_at"] == int((NOW + HISTORY).timestamp())


def test_a_freeze_of_the_whole_pipeline_is_no_services(operator, ledger):
    done = operated(operator, "freeze", until="2026-11-23T00:00:00Z")

    assert done == "the whole pipeline is frozen until 2026-11-23T00:00:00+00:00"
    assert ledger.freeze().until.isoformat() == "2026-11-23T00:00:00+00:00"
    assert ledger.service(SERVICE).freeze is None


@pytest.mark.parametrize("service", [None, SERVICE])
def test_an_unfrozen_pipeline_or_service_is_not_frozen(service, operator, ledger):
    operated(operator, "freeze", service=service)
    aws.table().delete_item(Key={"pk": "audit", "sk": "2026-11-22T03:00:00.000000Z#request-1"})

    operated(operator, "unfreeze", service=service)

    assert (ledger.freeze(), ledger.service(SERVICE).freeze) == (None, None)
    assert audited()["action"] == "unfreeze"


@pytest.mark.parametrize(
    ("service", "whose"), [(None, "the whole pipeline"), (SERVICE, f"service {SERVICE}")]
)
def test_what_is_not_frozen_can_not_be_unfrozen(service, whose, operator):
    with pytest.raises(InvalidInput, match=f"Operate has set no freeze of {whose}"):
        operated(operator, "unfreeze", service=service)

    nothing_is_audited()


def test_a_freeze_that_has_ended_is_refused(operator):
    with pytest.raises(InvalidInput, match="would have ended at 2026-11-22T03:00:00"):
        operated(operator, "freeze", until="2026-11-22T03:00:00Z")

    nothing_is_audited()


# --- quarantine -------------------------------------------------------------------------------------


def test_a_quarantined_image_does_not_count_as_good_any_more(operator, ledger):
    ended(ledger, found=good(OLD))

    done = operated(operator, "quarantine", service=SERVICE, digest=OLD_DIGEST)

    assert done == f"image {OLD_DIGEST} is quarantined on service {SERVICE}"
    record = ledger.service(SERVICE)
    assert record.quarantined == {OLD_DIGEST: Quarantined(at=NOW, reason="Ada: because")}
    assert (record.good, record.all_good) == ((good(OLD),), ())
    assert audited()["digest"] == OLD_DIGEST


def test_an_image_is_released_from_quarantine_and_others_stay(operator, ledger):
    ended(ledger, "ROLLED_BACK", bad=quarantined(), digest=DIGEST)
    ended(ledger, "ROLLED_BACK", good("x:43"), bad=quarantined(), digest=OLD_DIGEST)

    operated(operator, "release_from_quarantine", service=SERVICE, digest=DIGEST)

    assert list(ledger.service(SERVICE).quarantined) == [OLD_DIGEST]
    assert audited()["action"] == "release_from_quarantine"


def test_an_image_that_is_not_quarantined_can_not_be_released(operator):
    with pytest.raises(InvalidInput, match=f"{DIGEST} is not quarantined on service {SERVICE}"):
        operated(operator, "release_from_quarantine", service=SERVICE, digest=DIGEST)

    nothing_is_audited()


def test_a_quarantine_that_a_deployment_sets_at_the_same_time_stays(operator, ledger, monkeypatch):
    read = Operations.__init__.__globals__["Ledger"].service
    another = ended(ledger, "ROLLED_BACK", bad=quarantined(), digest=DIGEST)

    def late(self, service):
        record = read(self, service)
        monkeypatch.undo()
        operated(operator, "quarantine", service=SERVICE, digest=OLD_DIGEST)
        return record

    monkeypatch.setattr("slipway.ledger.operations.Ledger.service", late)
    operator.operate(
        {"action": "release_from_quarantine", "service": SERVICE, "digest": DIGEST, **WHO},
        "request-2",
        NOW,
    )

    assert another.service == SERVICE
    assert list(ledger.service(SERVICE).quarantined) == [OLD_DIGEST]


def test_an_item_that_changes_all_the_time_is_left_for_later(operator, ledger, monkeypatch):
    def never(*_):
        raise NoLonger

    monkeypatch.setattr("slipway.ledger.items.Items.update_all", never)

    with pytest.raises(AwsUnavailable, match="change all the time"):
        operated(operator, "quarantine", service=SERVICE, digest=DIGEST)


# --- claims -----------------------------------------------------------------------------------------


def test_a_service_is_freed_of_the_deployment_that_has_claimed_it(operator, ledger):
    own = accepted(ledger, "e-1")
    ledger.start_change(own, "UpdateService", NOW, unproven=OLD)

    done = operated(operator, "free", service=SERVICE)

    assert done == f"service {SERVICE} is free of deployment {own.deployment}"
    record = ledger.service(SERVICE)
    assert (record.claim, record.unproven) == (None, ())
    assert ledger.claimed() == ([], [])
    assert audited()["action"] == "free"


def test_a_service_that_nobody_has_claimed_can_not_be_freed(operator):
    with pytest.raises(InvalidInput, match=f"no deployment has claimed service {SERVICE}"):
        operated(operator, "free", service=SERVICE)

    nothing_is_audited()


def test_a_service_that_another_deployment_claims_just_now_is_not_freed(
    operator, ledger, monkeypatch
):
    accepted(ledger, "e-1")
    read = type(ledger).service

    def late(self, service):
        record = read(self, service)
        monkeypatch.undo()
        accepted(ledger, "e-2", release=release(image=ANOTHER_IMAGE))
        return record

    monkeypatch.setattr("slipway.ledger.operations.Ledger.service", late)

    with pytest.raises(InvalidInput, match="has claimed service production/api just now"):
        operated(operator, "free", service=SERVICE)

    assert ledger.service(SERVICE).claim.execution == execution("e-2")
    nothing_is_audited()


# --- sweep, and what is under way -------------------------------------------------------------------


def test_a_sweep_begins_without_waiting_for_its_end(operator, functions):
    functions.answers(
        "invoke", {"StatusCode": 202}, FunctionName="slipway-Sweep", InvocationType="Event"
    )

    assert operated(operator, "sweep").startswith("a sweep begins")

    assert audited()["action"] == "sweep"


def test_what_is_under_way_is_told_without_an_audit_item(operator, ledger):
    accepted(ledger, "e-1")

    answer = operator.operate({"action": "running"}, "request-1", at(1))

    assert answer["deployments"] == [
        {
            "service": SERVICE,
            "deployment": claim().deployment,
            "claimant": "release shop/api:v2 (abababababab)",
            "execution": execution(),
        }
    ]
    assert answer["done"] == "1 deployment is under way"
    nothing_is_audited()


def test_nothing_under_way_is_told_in_a_sentence(operator):
    answer = operator.operate({"action": "running"}, "request-1", NOW)

    assert answer == {"done": "no deployment is under way", "deployments": [], "problems": []}


# --- wrong inputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "action"),
        ([], "as a whole"),
        ("free", "as a whole"),
        ({"action": "destroy"}, "action"),
        ({"action": "free", "service": SERVICE, "by": "Ada"}, "why"),
        ({"action": "free", "service": SERVICE, "why": "because"}, "by"),
        ({"action": "free", "service": SERVICE, "by": "", "why": "because"}, "by"),
        ({"action": "free", "service": SERVICE, "by": " \u3000", "why": "because"}, "by"),
        ({"action": "free", "service": SERVICE, "by": "Ada", "why": "\n"}, "why"),
        ({"action": "free", "service": "api", **WHO}, "service"),
        ({"action": "free", "service": SERVICE, "servce": SERVICE, **WHO}, "servce"),
        ({"action": "quarantine", "service": SERVICE, "digest": "v2", **WHO}, "digest"),
        ({"action": "freeze", "until": 5, **WHO}, "until"),
        ({"action": "sweep", "by": "Ada", "why": "x" * 257}, "why"),
        ({"action": "sweep", "by": "\u00ad", "why": "because"}, "by"),
        ({"action": "sweep", "by": " ", "why": "because"}, "by"),
        ({"action": "sweep", "by": "Ada", "why": "\u200b \x1b[1m"}, "why"),
        ({"action": "sweep", "by": "Ada", "why": "x" + "\t" * 100}, "why"),
    ],
)
def test_a_wrong_action_changes_nothing_and_its_error_names_the_field(given, said, operator):
    with pytest.raises(InvalidInput, match=rf"the input of Operate is not valid:\n  .*{said}"):
        operator.operate(given, "request-1", NOW)

    assert aws.table().scan()["Items"] == []
