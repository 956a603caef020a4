"""A function that is tried again, whose service another execution has taken, or without its ledger."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from slipway import aws
from slipway.errors import AwsUnavailable, Superseded
from tests.support.builders import SERVICE, accepted, at, claim, image, release
from tests.support.ecs_answers import before, described
from tests.support.handlers import ENDED, INPUTS, invoked, observed, rolls_back
from tests.support.pushes import unkept
from tests.support.stubs import stubbed

NEWER = release(
    id="event-2", released_at=at(60), image=image(tag="v3", digest="sha256:" + "ef" * 32)
)


@pytest.fixture
def ours(ledger):
    """Our deployment has the service, and has changed nothing yet."""
    accepted(ledger, "e-1")
    return ledger


@pytest.fixture
def theirs(ours):
    """A newer one has taken it over."""
    accepted(ours, "e-2", release=NEWER)
    return ours


@pytest.fixture
def dynamodb(request):
    """The ledger's client, which answers what the test says."""
    aws.table.cache_clear()
    yield from stubbed(aws.table().meta.client, request)
    aws.table.cache_clear()


def no_answer(dynamodb, operation):
    dynamodb.refuses(operation, "InternalServerError", status=500)


def test_an_update_that_aws_does_not_answer_keeps_its_mark(ours, ecs_once):
    described(ecs_once, before(status="PRIMARY"))
    ecs_once.refuses("update_service", "ServerException", status=500)

    with pytest.raises(AwsUnavailable):
        invoked("update_service", INPUTS["update_service"])

    assert ours.service(SERVICE).claim.changing_until is not None
    assert ours.deployment(claim()).update is None


def test_update_service_does_not_change_a_service_that_another_execution_has_claimed(theirs):
    with pytest.raises(
        Superseded, match=r"release shop/api:v3 \(efefefefefef\) has claimed service"
    ):
        invoked("update_service", INPUTS["update_service"])


def test_update_service_does_not_change_the_service_without_the_ledger(dynamodb):
    dynamodb.answers("query", {"Items": []})
    no_answer(dynamodb, "transact_write_items")

    with pytest.raises(AwsUnavailable):
        invoked("update_service", INPUTS["update_service"])


def test_check_deployment_is_superseded_without_a_check_where_another_execution_has_claimed_the_service(
    theirs, ecs
):
    verdict = invoked("check_deployment", INPUTS["check_deployment"])

    assert verdict["verdict"] == "SUPERSEDED"
    assert verdict["cause"] == "NEWER_RELEASE"
    assert verdict["reason"].startswith("release shop/api:v3 (efefefefefef) has claimed service")


def test_check_deployment_is_superseded_by_the_person_of_a_manual_rollback(ours, ecs):
    accepted(ours, "e-2", release=release(id="r", started_by="manual rollback", by="me"))

    verdict = invoked("check_deployment", INPUTS["check_deployment"])

    assert (verdict["verdict"], verdict["cause"]) == ("SUPERSEDED", "PERSON")
    assert verdict["reason"] == "me has rolled service production/api back manually"


def test_check_deployment_judges_also_where_the_ledger_does_not_answer(dynamodb, ecs):
    no_answer(dynamodb, "update_item")
    observed(ecs)
    no_answer(dynamodb, "update_item")

    assert invoked("check_deployment", INPUTS["check_deployment"])["verdict"] == "HEALTHY"


def test_roll_back_does_not_change_a_service_that_another_execution_has_claimed(theirs, ecs_once):
    with pytest.raises(Superseded):
        invoked("roll_back", INPUTS["roll_back"])


def test_roll_back_looks_again_while_it_is_not_known_whether_the_update_was_done(ours, ecs_once):
    described(ecs_once, before(status="PRIMARY"))
    now = {"entered_at": datetime.now(UTC).isoformat(), "updated": False, "update": None}

    with pytest.raises(AwsUnavailable, match="was lost"):
        invoked("roll_back", INPUTS["roll_back"] | now | {"answer_lost": True})


def test_roll_back_knows_after_a_while_that_the_update_was_not_done(ours, ecs_once):
    described(ecs_once, before(status="PRIMARY"))
    lost = {"updated": False, "update": None, "answer_lost": True}

    assert invoked("roll_back", INPUTS["roll_back"] | lost)["action"] == "NOTHING_CHANGED"


@pytest.mark.parametrize("refusal", [("InternalServerError", 500), ("AccessDenied", 400)])
def test_roll_back_rolls_back_also_where_the_ledger_does_not_answer(dynamodb, ecs_once, refusal):
    code, status = refusal
    dynamodb.refuses("query", code, status=status)
    dynamodb.refuses("transact_write_items", code, status=status)
    rolls_back(ecs_once)

    assert invoked("roll_back", INPUTS["roll_back"])["action"] == "UPDATED"


def test_a_roll_back_that_is_done_counts_also_where_the_ledger_can_not_be_written(
    dynamodb, ecs_once
):
    no_answer(dynamodb, "query")
    dynamodb.answers("transact_write_items", {})
    rolls_back(ecs_once)
    no_answer(dynamodb, "transact_write_items")

    assert invoked("roll_back", INPUTS["roll_back"])["action"] == "UPDATED"


def test_an_end_is_written_once_and_a_second_try_answers_the_same(ours, ecs, ssm):
    described(ecs)
    unkept(ssm)
    first = invoked("finish_deployment", ENDED)

    again = invoked("finish_deployment", ENDED | {"outcome": "FAILED", "reason": "another"})

    assert again == first


def test_an_end_that_can_not_be_written_is_an_error(dynamodb, ecs):
    no_answer(dynamodb, "get_item")

    with pytest.raises(AwsUnavailable):
        invoked("finish_deployment", ENDED)
