"""The ledger's items as DynamoDB sees them: their schema, their sizes and keys, and the list of services."""

from __future__ import annotations

from typing import Any

import pytest

from slipway import aws
from slipway.deployment.finish import QUARANTINE_REASON
from slipway.health.outcome import Outcome
from slipway.ledger.items import SCHEMA, Items, Update
from slipway.ledger.ledger import CLAIM, VERSIONS, Ledger
from slipway.ledger.records import (
    GOOD_KEPT,
    QUARANTINED_KEPT,
    UNPROVEN_KEPT,
    GoneBack,
    Quarantined,
    ReleaseRecord,
    ServiceRecord,
)
from slipway.release.plan import STAGE_NAME_LENGTH, parse_plan
from slipway.release.release import PlannedDeployment, ReleaseStage
from tests.support.asked import (
    EXPIRES_AT,
    RELEASE,
    manual_rollback,
    part_of,
    release_record,
    rollback_recorded,
)
from tests.support.builders import (
    ACCOUNT,
    ANOTHER_IMAGE,
    DIGEST,
    FAMILY,
    NEW,
    NOW,
    OLD,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    good,
    quarantined,
    release,
    update,
)
from tests.support.ledgers import (
    ITEM_BYTES,
    PARTITION_KEY_BYTES,
    SORT_KEY_BYTES,
    Directly,
    bytes_of,
    every_item,
    recovery,
    write_units,
)

WELL = {"outcome": "SUCCEEDED", "reason": "every gate passed"}
BAD = {"outcome": "ROLLED_BACK", "reason": "a task failed"}
PART = part_of(deployment())
# Parameter Store's largest parameter, in which a plan has to fit.
PLAN_BYTES = 8192


def everything_is_written(ledger):
    """Each write that the ledger has, at least once."""
    ledger.record_release(release_record(deployment()))
    ledger.take_up(claim(), PART, EXPIRES_AT)
    rollback_recorded(ledger, manual_rollback(), "e-2")
    own = accepted(ledger, "e-1", good_target=good())
    ledger.renew(own, at(1))
    ledger.note(own, "RegisterTaskDefinition", at(2), task_definition=NEW)
    ledger.start_change(own, "UpdateService", at(3), unproven=NEW)
    ledger.end_change(own, "UpdateService", at(4), update=update().to_json())
    ledger.note_notified(own, "start", at(5))
    ledger.note_notified(claim("e-3"), "end", at(5))
    ledger.note_notified_of("event-1", "end", at(5), at(60))
    ledger.note_recovery(own, recovery(1), None)
    ledger.note_recovery(claim("e-4"), recovery(1), None)
    ledger.quarantine(own, DIGEST, quarantined())
    back = GoneBack(task_definition=OLD, at=at(6), deployment=own.deployment)
    ledger.finish(own, deployment(), BAD, good(), quarantined(), back)
    ledger.note_outcome(own, PART, Outcome.ROLLED_BACK)
    accepted(ledger, "e-5")
    ledger.free(claim("e-5"))
    ledger.finish_without_service(claim("e-6"), deployment(), {**WELL, "outcome": "SUPERSEDED"})


def read(ledger):
    """What the ledger answers of everything that was written."""
    return {
        "service": ledger.service(SERVICE),
        "claimed": ledger.claimed(),
        "release": ledger.release("event-1"),
        "rollback": ledger.rollback("rollback-1"),
        "notified": ledger.notified("event-1", "end"),
        "knows": ledger.knows(SERVICE, DIGEST),
        **{name: ledger.deployment(claim(name)) for name in ("e-1", "e-3", "e-4", "e-5", "e-6")},
    }


# --- the schema -----------------------------------------------------------------------------------


def test_every_item_carries_the_number_of_its_schema(ledger):
    everything_is_written(ledger)

    items = every_item()

    kinds = {(item["pk"].partition("#")[0], item["sk"].partition("#")[0]) for item in items}
    assert kinds == {
        (SERVICE, "state"),
        (SERVICE, "deployment"),
        ("services", SERVICE),
        ("release", "release"),
        ("release", "progress"),
        ("rollback", "rollback"),
        ("notified", "event-1"),
    }
    assert {item["sk"] for item in items if item["sk"].startswith("state")} == {
        "state#before",
        "state#claim",
        "state#newest#shop/api",
        "state#versions",
    }
    assert {item.get("schema") for item in items} == {SCHEMA}


def test_items_of_a_newer_schema_with_more_fields_are_read(ledger):
    everything_is_written(ledger)
    before = read(ledger)

    for item in every_item():
        newer = {**item, "schema": SCHEMA + 1, "unknown": {"more": [1, None]}}
        aws.table().put_item(Item={name: _with_more(value) for name, value in newer.items()})

    assert read(ledger) == before


def _with_more(value: Any) -> Any:
    """The same object with another field, and so each object within it that has the fields of a model."""
    if not isinstance(value, dict) or "sha256" in "".join(value):
        return value
    known = {name: _with_more(member) for name, member in value.items()}
    return {**known, "unknown": 5} if known.keys() & {"deployment", "image", "tag", "at"} else known


def test_a_newer_schema_is_written_to_by_an_older_version(ledger):
    """As a function of the former version does that outlives an upgrade."""
    own = accepted(ledger, "e-1")
    key = {"pk": SERVICE, "sk": CLAIM}
    item = aws.table().get_item(Key=key)["Item"]
    aws.table().put_item(Item={**item, "schema": SCHEMA + 1, "unknown": "x"})

    ledger.renew(own, at(60))

    renewed = aws.table().get_item(Key=key)["Item"]
    assert (renewed["schema"], renewed["unknown"]) == (SCHEMA, "x")


# --- sizes ----------------------------------------------------------------------------------------


def item(sk, pk=SERVICE):
    return aws.table().get_item(Key={"pk": pk, "sk": sk})["Item"]


def a_digest(number):
    return f"sha256:{number:064x}"


def much_learnt(service=SERVICE, reason="a task failed", goods=()):
    """The record of a service after more failures and good versions than are kept of them."""
    record = ServiceRecord(service=service)
    for number in range(QUARANTINED_KEPT + 1):
        why = Quarantined(at=at(number), reason=reason, deployment=claim("e" * 80).deployment)
        record = record.learning(a_digest(number), None, why)
    for found in goods:
        record = record.learning(found.digest, found, None)
    return record


def written(record):
    """The item of what is learnt, once it is in the table.

    It is written at once, because moto adds the new size of an attribute to its old one.
    """
    names = ("good", "quarantined", "gone_back", "writes")
    facts = {name: record.to_json()[name] for name in names}
    Items(aws.table()).update(Update.setting((record.service, VERSIONS), facts))
    return item(VERSIONS, record.service)


def test_a_claim_is_renewed_for_two_write_units_however_much_is_quarantined(ledger):
    own = accepted(ledger, "e-1")
    ledger.start_change(own, "UpdateService", NOW, unproven=NEW)
    ledger.end_change(own, "UpdateService", at(1))
    versions = written(much_learnt())

    ledger.renew(own, at(2))

    assert len(ledger.service(SERVICE).quarantined) == QUARANTINED_KEPT
    assert write_units(versions) > 10
    assert write_units(item(CLAIM)) <= 2


def test_a_renewal_writes_to_the_claim_alone(ledger):
    own = accepted(ledger, "e-1")
    ledger.quarantine(own, DIGEST, quarantined())
    before = every_item()

    ledger.renew(own, at(60))

    changed = [now for now, then in zip(every_item(), before, strict=True) if now != then]
    assert [found["sk"] for found in changed] == ["state#claim"]


LONGEST_ARN = f"arn:aws-us-gov:ecs:us-gov-east-1:{ACCOUNT}:task-definition/{'f' * 255}:"
LONGEST_NAME = f"{'c' * 255}/{'s' * 255}"
LONGEST_REPOSITORY = "r" * 256


def test_more_than_ten_versions_are_never_unproven(ledger):
    own = accepted(ledger, "e-1")
    for number in range(UNPROVEN_KEPT + 5):
        ledger.start_change(own, "UpdateService", at(number), unproven=f"{FAMILY}:{number}")

    kept = ledger.service(SERVICE).unproven

    assert kept == tuple(f"{FAMILY}:{number}" for number in range(5, UNPROVEN_KEPT + 5))


def test_a_claim_with_as_many_unproven_versions_as_are_kept_costs_few_write_units(ledger):
    own = accepted(ledger, "e-1", baseline=f"{LONGEST_ARN}0")
    for number in range(UNPROVEN_KEPT + 5):
        ledger.start_change(own, "UpdateService", NOW, unproven=f"{LONGEST_ARN}{1000 + number}")

    assert write_units(item(CLAIM)) <= 6


def test_all_that_a_service_has_learnt_fits_into_its_item(ledger):
    longest = "😀" * QUARANTINE_REASON
    goods = [
        good(f"{LONGEST_ARN}{number}", a_digest(1000 + number), tag="t" * 128)
        for number in range(GOOD_KEPT + 1)
    ]
    back = GoneBack(task_definition=LONGEST_ARN, at=NOW, deployment=claim("e" * 80).deployment)
    record = much_learnt(LONGEST_NAME, longest, goods).model_copy(update={"gone_back": back})

    size = bytes_of(written(record))

    assert ledger.service(LONGEST_NAME) == record
    assert (len(record.quarantined), len(record.good)) == (QUARANTINED_KEPT, GOOD_KEPT)
    assert size < ITEM_BYTES


def longest_plan():
    """A plan of as many services as fit into a parameter."""
    start, end = '{"routes":[{"tags":["*"],"stages":[{"name":"s","services":[', "]}]}]}"
    services = [f'{{"service":"c/{number}"}}' for number in range(PLAN_BYTES)]
    text = start
    for service in services:
        more = service if text == start else f",{service}"
        if len(text) + len(more) + len(end) > PLAN_BYTES:
            break
        text += more
    return parse_plan(text + end, "shop/api")


@pytest.mark.usefixtures("ledger")
def test_the_release_of_the_longest_plan_fits_into_its_item():
    [route] = longest_plan().routes
    services = tuple(
        PlannedDeployment(service=planned.service, policy=planned.policy())
        for planned in route.stages[0].services
    )
    record = ReleaseRecord(
        release=release(),
        stages=(ReleaseStage(name="s", services=services),),
        execution=RELEASE,
        expires_at=EXPIRES_AT,
    )

    ledger = Ledger(Directly())  # through a client, this takes seconds

    ledger.record_release(record)

    assert len(services) > 300
    assert ledger.release("event-1") == record
    assert bytes_of(item("release", "release#event-1")) < ITEM_BYTES


def test_the_longest_names_make_no_key_that_is_too_long(ledger):
    asked = deployment(
        service=LONGEST_NAME,
        stage="🚀" * STAGE_NAME_LENGTH,
        release=release(
            id="i" * 200,
            image=deployment().release.image.model_copy(update={"repository": LONGEST_REPOSITORY}),
        ),
    )
    ledger.record_release(release_record(asked))
    ledger.take_up(claim("e" * 80, service=LONGEST_NAME), part_of(asked), EXPIRES_AT)
    accepted(ledger, "e" * 80, **{name: getattr(asked, name) for name in ("service", "release")})

    for found in every_item():
        assert 0 < len(found["pk"].encode()) <= PARTITION_KEY_BYTES
        assert 0 < len(found["sk"].encode()) <= SORT_KEY_BYTES
    assert ledger.release("i" * 200).progress_of(part_of(asked))
    assert ledger.service(LONGEST_NAME).newest.keys() == {LONGEST_REPOSITORY}


# --- the list of services -------------------------------------------------------------------------


def listed():
    """The list of services by name, without what every item has."""
    of_dynamodb = {"pk", "sk", "schema"}
    return {
        found["sk"]: {name: value for name, value in found.items() if name not in of_dynamodb}
        for found in every_item()
        if found["pk"] == "services"
    }


def test_the_list_of_services_says_who_has_claimed_a_service(ledger):
    for service in ("production/api", "staging/api"):
        accepted(ledger, "e-1", service=service)

    assert listed() == {
        "production/api": {"claimed_by": claim().deployment},
        "staging/api": {"claimed_by": claim().deployment},
    }


def test_the_list_of_services_names_the_one_that_has_taken_over(ledger):
    accepted(ledger, "e-1")
    newer = release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE)

    accepted(ledger, "e-2", release=newer)

    assert listed()[SERVICE] == {"claimed_by": claim("e-2").deployment}


ENDS = {
    "a success": (WELL, good(NEW, DIGEST), None, good(NEW, DIGEST)),
    "a rollback": (BAD, good(), quarantined(), good()),
}


@pytest.mark.parametrize(("ending", "found", "bad", "runs"), ENDS.values(), ids=ENDS)
def test_the_list_of_services_says_what_runs_on_a_service_after_a_deployment(
    ledger, ending, found, bad, runs
):
    own = accepted(ledger, "e-1")

    ledger.finish(own, deployment(), ending, found, bad)

    assert listed()[SERVICE] == {"runs": runs.to_json()}


def test_the_list_of_services_says_what_runs_while_the_next_deployment_is_under_way(ledger):
    ledger.finish(accepted(ledger, "e-1"), deployment(), WELL, good(NEW, DIGEST), None)

    accepted(ledger, "e-2")

    runs = good(NEW, DIGEST).to_json()
    assert listed()[SERVICE] == {"runs": runs, "claimed_by": claim("e-2").deployment}


def test_a_deployment_that_proves_nothing_leaves_what_runs_in_the_list_of_services(ledger):
    ledger.finish(accepted(ledger, "e-1"), deployment(), WELL, good(NEW, DIGEST), None)
    own = accepted(ledger, "e-2")

    ledger.finish(own, deployment(), {**BAD, "outcome": "FAILED"}, None, None)

    assert listed()[SERVICE] == {"runs": good(NEW, DIGEST).to_json()}


LEAVES = {
    "free": lambda ledger, own: ledger.free(own),
    "finish": lambda ledger, own: ledger.finish(own, deployment(), BAD, None, None),
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
def test_a_service_that_a_deployment_leaves_is_not_in_the_list_as_claimed(ledger, leave):
    own = accepted(ledger, "e-1")

    leave(ledger, own)

    assert listed()[SERVICE] == {}
    assert ledger.claimed() == ([], [])


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
def test_an_execution_that_has_lost_its_service_does_not_change_the_list(ledger, leave):
    lost = accepted(ledger, "e-1")
    accepted(ledger, "e-2", release=release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE))
    before = listed()

    leave(ledger, lost)

    assert listed() == before
