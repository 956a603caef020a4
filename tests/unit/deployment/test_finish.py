"""How a deployment ends: its outcome, what is good and what is quarantined from then on."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.errors import AwsUnavailable
from slipway.health.cause import Cause
from slipway.ledger.ledger import Unreadable
from slipway.ledger.records import End
from tests.support.asked import (
    part_of,
    quarantined_by_ada,
    recorded,
    recovery_recorded,
    taken_up,
)
from tests.support.builders import (
    ANOTHER_IMAGE,
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    OURS,
    SERVICE,
    THEIRS,
    accepted,
    at,
    claim,
    deployment,
    ended,
    execution,
    good,
    image,
    quarantined,
    release,
)
from tests.support.builders import update as an_update
from tests.support.ecs_answers import before, container, defined, described, ecs_deployment
from tests.support.finishing import HISTORY, ending, finished, ours_is_there, tried

OUTCOMES = [
    "SUCCEEDED",
    "NO_CHANGE",
    "SUPERSEDED",
    "REJECTED",
    "ROLLED_BACK",
    "ROLLBACK_FAILED",
    "FAILED",
]
CRASH = '{"errorType": "KeyError", "errorMessage": "\'id\'", "stackTrace": ["line 1"]}'


def good_now(ledger):
    return [g.task_definition for g in ledger.service(SERVICE).all_good]


# --- an item that can't be read ---------------------------------------------------------------------


def broken(path="good"):
    """Someone has put a text where the service's item has something else."""
    aws.table().update_item(
        Key={"pk": SERVICE, "sk": "state#versions"},
        UpdateExpression=f"SET {path} = :text",
        ExpressionAttributeValues={":text": "the last one"},
    )


@pytest.mark.parametrize("outcome", ["FAILED", "SUPERSEDED", "ROLLBACK_FAILED"])
def test_a_deployment_that_claimed_the_service_waits_until_its_item_can_be_read(
    outcome, ecs, ledger
):
    tried(ledger)
    broken()

    done = finished(ending(outcome), ledger, ecs)

    assert done.left_to_recovery
    assert ledger.deployment(claim()).outcome is None


@pytest.mark.parametrize("outcome", ["FAILED", "REJECTED", "SUPERSEDED"])
def test_the_end_of_a_deployment_that_never_began_is_written_though_the_item_can_not_be_read(
    outcome, ecs, ledger
):
    broken()

    done = finished(ending(outcome, restored=None), ledger, ecs)

    [*_, problem] = done.evidence
    assert (done.outcome, done.reason) == (outcome, "because")
    assert problem.startswith(f"the ledger's item {SERVICE} state#versions is not valid:\n  good: ")
    assert ledger.deployment(claim()).end == End(**done.model_dump(include=set(End.model_fields)))


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "ROLLED_BACK"])
def test_nothing_is_found_good_while_the_services_item_can_not_be_read(outcome, ecs, ledger):
    tried(ledger)
    broken()

    with pytest.raises(Unreadable, match=f"item {SERVICE} state#versions is not valid"):
        finished(ending(outcome, restored=OLD), ledger, ecs)

    assert ledger.deployment(claim()).outcome is None


# --- every end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_outcome_is_written_and_the_service_is_free(outcome, ecs, ledger):
    accepted(ledger, "e-1")
    if outcome == "SUCCEEDED":
        ours_is_there(ecs)

    done = finished(ending(outcome), ledger, ecs)

    record = ledger.deployment(claim())
    assert (done.outcome, done.reason, done.evidence) == (outcome, "because", ("a fact",))
    assert (done.cause, done.alarms_fired) == (Cause.ALARM, ("api-5xx",))
    assert done.claim == claim()
    assert (record.cause, record.alarms_fired) == (Cause.ALARM, ("api-5xx",))
    assert (record.outcome, record.reason, record.evidence) == (outcome, "because", ("a fact",))
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_is_forgotten_when_its_history_has_passed(ecs, ledger):
    accepted(ledger, "e-1")
    finished(ending("FAILED"), ledger, ecs)

    key = {"pk": SERVICE, "sk": f"deployment#{claim().deployment}"}
    item = aws.table().get_item(Key=key)["Item"]
    assert item["expires_at"] == int((at(60) + HISTORY).timestamp())
    assert item["ended_at"] == "2026-11-22T03:01:00.000000Z"


@pytest.mark.parametrize("outcome", ["REJECTED", "SUPERSEDED", "FAILED"])
def test_a_deployment_that_never_had_its_claim_is_recorded_all_the_same(outcome, ecs, ledger):
    """The sweep has to know that it has been heard of."""
    accepted(ledger, "e-2", release=release(id="event-2", image=ANOTHER_IMAGE))

    done = finished(ending(outcome), ledger, ecs)

    assert (done.outcome, done.reason) == (outcome, "because")
    assert ledger.deployment(claim()).outcome == outcome
    assert ledger.knows(SERVICE, DIGEST)
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_second_try_answers_as_the_first_and_makes_no_call(ecs, ledger):
    accepted(ledger, "e-1")
    ours_is_there(ecs)
    first = finished(ending("SUCCEEDED"), ledger, ecs)

    assert finished(ending("SUCCEEDED"), ledger, ecs, 99) == first
    assert [g.at for g in ledger.service(SERVICE).good] == [at(60)]


def test_an_end_that_another_try_has_written_at_the_same_time_stays(ecs, ledger, monkeypatch):
    accepted(ledger, "e-1")
    first = {}

    def late(*arguments):
        monkeypatch.undo()
        first["done"] = finished(ending("FAILED", reason="first"), ledger, ecs)
        return ledger.finish(*arguments)

    monkeypatch.setattr(ledger, "finish", late)

    done = finished(ending("FAILED", reason="second"), ledger, ecs)

    assert done == first["done"]
    assert done.reason == "first"


def test_a_recovery_ends_the_deployment_that_it_recovers(ecs, ledger):
    accepted(ledger, "e-1")
    recovery = claim(execution=execution("recover-1"))
    ledger.claim(recovery, deployment(), OLD, NOW)
    given = ending("FAILED", claim=recovery, execution=recovery.execution, started_at=at(50))

    assert finished(given, ledger, ecs).claim == recovery
    assert ledger.deployment(claim()).outcome == "FAILED"
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_that_another_execution_goes_on_with_is_left_to_that_execution(ecs, ledger):
    accepted(ledger, "e-1")
    recovery = claim(execution=execution("recover-1"))
    ledger.claim(recovery, deployment(), OLD, NOW)

    done = finished(ending("FAILED"), ledger, ecs)

    assert (done.outcome, done.reason, done.evidence) == ("FAILED", "because", ("a fact",))
    assert ledger.deployment(claim()).outcome is None
    assert ledger.service(SERVICE).claim.execution == recovery.execution


@pytest.mark.parametrize(
    "start",
    [
        None,
        5,
        {"service": SERVICE},
        {"release": {"image": "evil"}, "service": SERVICE},
        {"release": "none", "stage": "production", "service": SERVICE},
        {"rollback": "none"},
        {"recover": claim().deployment, "service": SERVICE},
    ],
)
def test_the_end_of_an_execution_that_names_nothing_in_the_ledger_is_not_recorded(
    start, ecs, ledger
):
    given = ending("FAILED", claim=None, deployment=None, part=None, start=start)

    done = finished(given, ledger, ecs)

    assert (done.outcome, done.reason, done.claim) == ("FAILED", "because", None)
    assert done.deployment is None
    assert aws.table().scan()["Items"] == []


def never_began(ledger, outcome="FAILED"):
    """The end of an execution whose BeginDeployment has never answered."""
    start = recorded(ledger, deployment())
    return ending(outcome, claim=None, deployment=None, part=None, update=None, start=start)


def test_a_deployment_that_never_began_is_recorded_as_what_its_input_names(ecs, ledger):
    done = finished(never_began(ledger), ledger, ecs)

    assert (done.claim, done.deployment) == (claim(), deployment())
    record = ledger.deployment(claim())
    assert (record.outcome, record.deployment) == ("FAILED", deployment())


def test_the_outcome_is_recorded_in_the_release_that_the_deployment_is_a_part_of(ecs, ledger):
    taken_up(ledger, deployment())
    accepted(ledger, "e-1")
    ours_is_there(ecs)

    finished(ending("SUCCEEDED"), ledger, ecs)

    progress = ledger.release("event-1").progress_of(part_of(deployment()))
    assert (progress.deployment, progress.outcome) == (claim().deployment, "SUCCEEDED")


def test_the_end_of_an_execution_that_did_not_take_up_its_part_says_nothing_of_the_release(
    ecs, ledger
):
    taken_up(ledger, deployment(), "e-2")

    finished(never_began(ledger), ledger, ecs)

    progress = ledger.release("event-1").progress_of(part_of(deployment()))
    assert (progress.execution, progress.outcome) == (execution("e-2"), None)


def test_a_rollback_leaves_a_word_that_the_service_has_gone_back(ecs, ledger):
    tried(ledger)

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    gone_back = ledger.service(SERVICE).gone_back
    assert (gone_back.task_definition, gone_back.at) == (OLD, at(60))


@pytest.mark.parametrize("ends", ["SUCCEEDED", "manual ROLLED_BACK"])
def test_a_service_has_not_gone_back_any_more_once_something_else_is_good(ends, ecs, ledger):
    tried(ledger)
    finished(ending("ROLLED_BACK", restored=OTHER), ledger, ecs)
    manual = ends.startswith("manual")
    later = release(
        id="event-2",
        released_at=at(90),
        started_by="manual rollback" if manual else "push",
        image=ANOTHER_IMAGE,
    )
    asked = deployment(release=later)
    accepted(ledger, "e-2", good_target=good(OLD), release=later)
    if not manual:
        ours_is_there(ecs)
    given = {"claim": claim("e-2"), "execution": execution("e-2"), "deployment": asked}

    finished(ending(ends.removeprefix("manual "), restored=OLD, **given), ledger, ecs)

    assert ledger.service(SERVICE).gone_back is None


def recovery_never_began(ledger, **changes):
    """The end of a recovery of e-1 whose BeginDeployment has never answered."""
    start = taken_up(ledger, deployment())
    named = recovery_recorded(ledger, start, "recover-1")
    given = {"execution": execution("recover-1"), "started_at": at(50), "start": named, **changes}
    return never_began(ledger, "ROLLBACK_FAILED").model_copy(update=given)


@pytest.mark.parametrize("claimed_by", ["the dead execution", "the recovery", "nobody", "another"])
def test_a_recovery_that_could_not_begin_leaves_the_deployment_to_the_next_one(
    claimed_by, ecs, ledger
):
    given = recovery_never_began(ledger)
    own = tried(ledger)
    ledger.end_change(own, "UpdateService", NOW)
    if claimed_by == "the recovery":
        own = claim(execution=execution("recover-1"))
        ledger.claim(own, deployment(), OLD, NOW)
    if claimed_by == "nobody":
        ledger.free(own)
    if claimed_by == "another":
        later = release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE)
        accepted(ledger, "e-2", release=later)
    before = ledger.service(SERVICE), aws.table().scan()["Items"]

    done = finished(given, ledger, ecs)

    assert (done.left_to_recovery, done.claim.deployment) == (True, claim().deployment)
    assert (ledger.service(SERVICE), aws.table().scan()["Items"]) == before


def test_a_recovery_that_could_not_begin_waits_until_the_services_item_can_be_read(ecs, ledger):
    given = recovery_never_began(ledger)
    tried(ledger)
    broken()

    done = finished(given, ledger, ecs)

    assert done.left_to_recovery
    assert ledger.deployment(claim()).outcome is None


@pytest.mark.parametrize("item", ["readable", "unreadable"])
def test_a_recovery_of_a_deployment_that_never_claimed_the_service_ends_it_under_its_own_id(
    item, ecs, ledger
):
    given = recovery_never_began(ledger)
    if item == "unreadable":
        broken()

    done = finished(given, ledger, ecs)

    assert (done.outcome, done.claim.deployment) == ("FAILED", claim().deployment)
    assert not done.left_to_recovery
    assert ledger.deployment(claim()).outcome == "FAILED"
    progress = ledger.release("event-1").progress_of(part_of(deployment()))
    assert progress.outcome == "FAILED"
    [history] = [item for item in aws.table().scan()["Items"] if "deployment#" in item["sk"]]
    assert history["sk"] == f"deployment#{claim().deployment}"


def test_a_recovery_that_could_not_begin_returns_the_end_that_is_recorded(ecs, ledger):
    given = recovery_never_began(ledger)
    own = tried(ledger)
    finished(ending("ROLLED_BACK", reason="first", claim=own, restored=OLD), ledger, ecs)

    done = finished(given, ledger, ecs)

    assert (done.outcome, done.reason, done.left_to_recovery) == ("ROLLED_BACK", "first", False)


def test_a_recovery_that_nobody_has_recorded_has_changed_nothing(ecs, ledger):
    start = {"recover": claim().deployment, "service": SERVICE}
    given = never_began(ledger, "ROLLBACK_FAILED").model_copy(update={"start": start})

    assert finished(given, ledger, ecs).outcome == "FAILED"


def test_a_service_that_was_claimed_before_the_beginning_failed_is_free_again(ecs, ledger):
    ledger.claim(claim(), deployment(), OLD, NOW)

    finished(never_began(ledger), ledger, ecs)

    assert ledger.service(SERVICE).claim is None


def left_by_another_one(ledger):
    """An older release has put OTHER on the service, and ours has taken over from it."""
    older = accepted(
        ledger, "e-0", release=release(id="event-0", released_at=at(-60), image=ANOTHER_IMAGE)
    )
    ledger.start_change(older, "UpdateService", at(-60), unproven=OTHER)
    ledger.end_change(older, "UpdateService", at(-60))
    ledger.claim(claim(), deployment(), OLD, NOW)


def test_a_failure_that_leaves_another_deployments_version_unproven_is_for_the_recovery(
    ecs, ledger
):
    left_by_another_one(ledger)

    done = finished(never_began(ledger), ledger, ecs)

    assert (done.left_to_recovery, done.outcome, done.reason) == (True, "FAILED", "because")
    assert ledger.service(SERVICE).claim.execution == execution()
    assert ledger.deployment(claim()) is None


def test_a_deployment_that_failed_with_the_service_as_before_has_ended(ecs, ledger):
    left_by_another_one(ledger)

    done = finished(ending("FAILED", restored=OLD), ledger, ecs)

    assert not done.left_to_recovery
    record = ledger.service(SERVICE)
    assert (record.claim, record.unproven) == (None, ())


def test_an_unproven_version_that_is_the_rollback_target_needs_no_recovery(ecs, ledger):
    """A release of what ran already, taken over while nothing was good yet."""
    older = accepted(
        ledger, "e-0", release=release(id="event-0", released_at=at(-60), image=ANOTHER_IMAGE)
    )
    ledger.start_change(older, "UpdateService", at(-60), unproven=OLD)
    ledger.end_change(older, "UpdateService", at(-60))
    accepted(ledger, "e-1")

    done = finished(ending("FAILED", update=None), ledger, ecs)

    assert not done.left_to_recovery
    assert ledger.service(SERVICE).claim is None


def test_a_recovery_that_could_not_claim_the_service_is_recovered_itself(ecs, ledger):
    tried(ledger)
    recovery = claim(execution=execution("recover-1"))

    done = finished(ending("ROLLBACK_FAILED", claim=recovery), ledger, ecs)

    assert (done.left_to_recovery, done.outcome) == (True, "ROLLBACK_FAILED")
    assert ledger.deployment(claim()).outcome is None
    assert ledger.service(SERVICE).claim.execution == execution()


def test_a_deployment_that_failed_without_the_claim_leaves_the_unproven_version_on_record(
    ecs, ledger
):
    left_by_another_one(ledger)
    accepted(ledger, "e-2", release=release(id="event-2", released_at=at(60), image=ANOTHER_IMAGE))

    done = finished(ending("FAILED", update=None), ledger, ecs)

    assert not done.left_to_recovery
    assert ledger.deployment(claim()).outcome == "FAILED"
    assert ledger.service(SERVICE).unproven == (OTHER,)


def test_a_success_is_not_recorded_while_the_service_cannot_be_read(ecs, ledger):
    accepted(ledger, "e-1")
    ecs.refuses("describe_services", "ThrottlingException")

    with pytest.raises(AwsUnavailable):
        finished(ending("SUCCEEDED"), ledger, ecs)

    assert ledger.deployment(claim()).outcome is None


# --- whose service is it? ---------------------------------------------------------------------------


def test_a_success_is_superseded_where_the_service_has_another_version_by_now(ecs, ledger):
    accepted(ledger, "e-1")
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OTHER))

    done = finished(ending("SUCCEEDED"), ledger, ecs)

    assert done.outcome == "SUPERSEDED"
    assert done.reason == ("it was good, but someone else has put shop-api:43 on the service")
    assert good_now(ledger) == []


def test_a_success_stays_one_where_the_same_version_was_deployed_once_more(ecs, ledger):
    accepted(ledger, "e-1")
    described(ecs, ecs_deployment(id=THEIRS, createdAt=at(30)))

    assert finished(ending("SUCCEEDED"), ledger, ecs).outcome == "SUCCEEDED"


def test_a_success_waits_while_ecs_answers_as_of_before_the_update(ecs, ledger):
    accepted(ledger, "e-1")
    described(ecs, before(status="PRIMARY"))

    with pytest.raises(
        AwsUnavailable, match="still answers as of the time when it had shop-api:41"
    ):
        finished(ending("SUCCEEDED"), ledger, ecs)

    assert ledger.deployment(claim()).outcome is None


def test_a_version_that_was_on_the_service_before_its_deployment_began_succeeds(ecs, ledger):
    tried(ledger)
    ours_is_there(ecs)
    found = an_update(started_at=at(5))

    assert finished(ending("SUCCEEDED", update=found), ledger, ecs).outcome == "SUCCEEDED"


def test_a_success_is_superseded_where_the_service_is_gone(ecs, ledger):
    accepted(ledger, "e-1")
    ecs.answers("describe_services", {"services": []})

    done = finished(ending("SUCCEEDED"), ledger, ecs)

    assert (done.outcome, done.reason) == ("SUPERSEDED", "cluster production has no service api")


def test_a_success_without_an_update_is_superseded(ecs, ledger):
    accepted(ledger, "e-1")
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))

    assert finished(ending("SUCCEEDED", update=None), ledger, ecs).outcome == "SUPERSEDED"


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED"])
def test_a_deployment_that_a_newer_one_took_over_from_is_superseded(outcome, ecs, ledger):
    accepted(ledger, "e-1")
    accepted(ledger, "e-2", release=release(id="event-2", image=ANOTHER_IMAGE))
    if outcome == "SUCCEEDED":
        ours_is_there(ecs)

    done = finished(ending(outcome), ledger, ecs)

    service = ledger.service(SERVICE)
    assert done.outcome == "SUPERSEDED"
    assert done.reason == (
        "release shop/api:v2 (efefefefefef) has claimed service production/api; because"
    )
    assert done.cause is Cause.NEWER_RELEASE
    assert (service.good, dict(service.quarantined)) == ((), {})
    assert service.claim.execution == execution("e-2")


@pytest.mark.parametrize("how", ["rolled back", "freed"])
def test_a_deployment_from_which_a_person_took_the_service_is_superseded_by_that_person(
    how, ecs, ledger
):
    ours = accepted(ledger, "e-1")
    if how == "freed":
        ledger.free(ours)
        reason = "a person has freed service production/api; because"
    else:
        accepted(ledger, "e-2", release=release(id="r", started_by="manual rollback", by="me"))
        reason = "me has rolled service production/api back manually; because"
    ours_is_there(ecs)

    done = finished(ending("SUCCEEDED"), ledger, ecs)

    assert (done.outcome, done.cause, done.reason) == ("SUPERSEDED", Cause.PERSON, reason)


def test_a_deployment_that_failed_before_its_change_has_failed_whoever_has_the_claim_now(
    ecs, ledger
):
    accepted(ledger, "e-1")
    accepted(ledger, "e-2", release=release(id="event-2", image=ANOTHER_IMAGE))

    assert finished(ending("FAILED"), ledger, ecs).outcome == "FAILED"


# --- the last good ----------------------------------------------------------------------------------


def test_a_version_that_succeeded_is_the_last_good(ecs, ledger):
    ended(ledger, found=good(OLD))
    accepted(ledger, "e-1", good_target=good(OLD))
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))
    defined(ecs, container(image=image().reference), asked=NEW)

    finished(ending("SUCCEEDED"), ledger, ecs)

    now_good = good(NEW, DIGEST, tag="v2", at=at(60), images={"api": image().reference})
    assert ledger.service(SERVICE).last_good == now_good
    assert good_now(ledger) == [NEW, OLD]


def test_a_failed_image_is_not_quarantined_if_the_version_that_is_back_has_it_in_some_container(
    ecs, ledger
):
    target = good(OLD)
    ended(ledger, found=target)
    tried(ledger, good_target=target)
    old = f"{image().uri}@{OLD_DIGEST}"
    defined(ecs, container(image=old), container(name="again", image=image().reference), asked=OLD)

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}
    assert ledger.service(SERVICE).last_good == good(
        OLD, images={"api": old, "again": image().reference}
    )


def test_an_image_that_succeeded_by_force_is_quarantined_no_longer(ecs, ledger):
    ended(ledger, "ROLLED_BACK", good(OLD), quarantined(), digest=DIGEST)
    accepted(ledger, "e-1")
    ours_is_there(ecs)

    finished(ending("SUCCEEDED"), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


def test_a_success_of_an_unknown_version_makes_no_version_good(ecs, ledger):
    accepted(ledger, "e-1")
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))

    finished(ending("SUCCEEDED", task_definition=None), ledger, ecs)

    assert good_now(ledger) == []


def test_the_rollback_target_is_still_good(ecs, ledger):
    ended(ledger, found=good(OLD, tag="v1"))
    accepted(ledger, "e-1", good_target=good(OLD, tag="v1"))

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert ledger.service(SERVICE).good == (good(OLD, tag="v1"),)


def test_a_rollback_target_that_was_registered_anew_is_good(ecs, ledger):
    ended(ledger, found=good(OLD, tag="v1"))
    accepted(ledger, "e-1", good_target=good(OLD, tag="v1"))

    finished(ending("ROLLED_BACK", restored=OTHER), ledger, ecs)

    assert ledger.service(SERVICE).last_good == good(OTHER, tag="v1")


def test_the_target_of_a_manual_rollback_is_good(ecs, ledger):
    accepted(ledger, "e-1")
    back = image(digest=OLD_DIGEST, tag="v1")

    finished(ending("ROLLED_BACK", restored=OTHER, image=back), ledger, ecs)

    assert ledger.service(SERVICE).last_good == good(OTHER, tag="v1", at=at(60))


def test_the_version_before_the_first_deployment_is_not_known_to_be_good(ecs, ledger):
    accepted(ledger, "e-1", baseline=OLD)

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert good_now(ledger) == []


def test_a_rollback_to_an_unknown_version_makes_no_version_good(ecs, ledger):
    accepted(ledger, "e-1", good_target=good(OLD))

    finished(ending("ROLLED_BACK", restored=None), ledger, ecs)

    assert good_now(ledger) == []


@pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - {"SUCCEEDED", "ROLLED_BACK"}))
def test_only_a_success_and_a_rollback_make_a_version_good(outcome, ecs, ledger):
    accepted(ledger, "e-1", good_target=good(OLD))

    finished(ending(outcome, restored=OLD), ledger, ecs)

    assert good_now(ledger) == []


# --- the quarantine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["ROLLED_BACK", "ROLLBACK_FAILED"])
def test_an_image_that_was_rolled_back_is_quarantined_with_the_reason(outcome, ecs, ledger):
    tried(ledger, good_target=good(OLD))

    finished(ending(outcome, restored=OLD), ledger, ecs)

    [(digest, why)] = ledger.service(SERVICE).quarantined.items()
    assert (digest, why.reason, why.at) == (DIGEST, "because", at(60))
    assert why.deployment == claim().deployment


def test_an_image_that_was_good_before_does_not_count_as_good_when_it_is_quarantined(ecs, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST), digest=DIGEST)
    tried(ledger, good_target=good(OLD))

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert good_now(ledger) == [OLD]


def test_an_image_is_not_quarantined_where_the_rollback_target_has_it_too(ecs, ledger):
    """What failed is something else in the task definition then."""
    tried(ledger, good_target=good(OLD, DIGEST))

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}
    assert good_now(ledger) == [OLD]


@pytest.mark.parametrize(("outcome", "proven"), [("ROLLBACK_FAILED", True), ("ROLLED_BACK", False)])
def test_a_target_with_the_failed_image_stays_good_though_it_did_not_prove_itself(
    outcome, proven, ecs, ledger
):
    """Otherwise the service would have no version to go back to."""
    images = {"api": f"{image().uri}@{OLD_DIGEST}", "worker": image().reference}
    target = good(OLD, images=images)
    ended(ledger, found=target)
    tried(ledger, good_target=target)

    finished(ending(outcome, restored=OLD, proven=proven), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}
    assert ledger.service(SERVICE).last_good == target


def test_an_other_target_that_rollback_chose_has_the_failed_image_though_the_first_one_did_not(
    ecs, ledger
):
    other = good(OTHER, images={"api": image().reference})
    ended(ledger, found=other)
    tried(ledger, good_target=good(OLD))

    finished(ending("ROLLBACK_FAILED", restored=OTHER, other_target=OTHER), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


def test_an_image_that_was_never_on_the_service_is_not_quarantined(ecs, ledger):
    """It failed before that, and what it took over from another deployment was put right."""
    accepted(ledger, "e-1")

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


BACK = deployment(release=release(started_by="manual rollback"), stage=None)
WENT_BACK = "rolled back from shop/api:v2 (abababababab) to v1 (shop-api:41)"


@pytest.mark.parametrize(
    ("outcome", "cause", "reason"),
    [
        ("ROLLED_BACK", Cause.PERSON, WENT_BACK),
        ("ROLLED_BACK", Cause.INTERRUPTED, "because"),
        ("ROLLBACK_FAILED", Cause.PERSON, "because"),
        ("ROLLBACK_FAILED", Cause.ALARM, "because"),
    ],
)
def test_a_manual_rollback_says_how_it_ended_and_its_quarantine_keeps_its_reason(
    outcome, cause, reason, ecs, ledger
):
    own = accepted(ledger, "e-1", good_target=good(OLD, tag="v1"), release=BACK.release)
    ledger.quarantine(own, DIGEST, quarantined("a manual rollback has abandoned it", own), NEW)

    how = {"deployment": BACK, "restored": OLD, "cause": cause}
    done = finished(ending(outcome, **how), ledger, ecs)

    assert done.reason == reason
    [(digest, why)] = ledger.service(SERVICE).quarantined.items()
    assert (digest, why.reason) == (DIGEST, "a manual rollback has abandoned it")


@pytest.mark.parametrize("cause", [None, *sorted(set(Cause) - {Cause.IMAGE, Cause.ALARM})])
def test_an_image_that_is_not_to_blame_is_not_quarantined(cause, ecs, ledger):
    tried(ledger, good_target=good(OLD))

    finished(ending("ROLLED_BACK", restored=OLD, cause=cause), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


def test_a_deployment_whose_image_a_person_has_quarantined_says_so_after_its_rollback(ecs, ledger):
    """Only a manual rollback goes from one version to another because a person has asked for that."""
    accepted(ledger, "e-1", good_target=good(OLD, tag="v1"))
    how = {"restored": OLD, "cause": Cause.PERSON, "reason": "Ada: it leaks"}

    done = finished(ending("ROLLED_BACK", **how), ledger, ecs)

    assert done.reason == "Ada: it leaks"


def test_an_image_that_stays_in_a_manual_rollback_is_not_quarantined_at_its_end(ecs, ledger):
    """BeginDeployment has not quarantined it: it is in the target, too, which has another digest's name."""
    accepted(ledger, "e-1", good_target=good(OLD), release=BACK.release)

    finished(ending("ROLLED_BACK", deployment=BACK, restored=OLD), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


def test_a_quarantine_that_a_person_sets_during_a_manual_rollback_stays_theirs(ecs, ledger):
    accepted(ledger, "e-1", good_target=good(OLD), release=BACK.release)
    quarantined_by_ada(DIGEST)

    finished(ending("ROLLED_BACK", deployment=BACK, restored=OLD), ledger, ecs)

    assert ledger.service(SERVICE).quarantined[DIGEST].reason == "Ada: it leaks"


def test_a_rollback_target_of_which_no_task_runs_is_not_good(ecs, ledger):
    tried(ledger, good_target=good(OTHER))

    finished(ending("ROLLED_BACK", restored=OLD, proven=False), ledger, ecs)

    assert good_now(ledger) == []


@pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - {"ROLLED_BACK", "ROLLBACK_FAILED"}))
def test_only_a_rollback_and_a_failed_rollback_quarantine_an_image(outcome, ecs, ledger):
    tried(ledger)
    if outcome == "SUCCEEDED":
        ours_is_there(ecs)

    finished(ending(outcome), ledger, ecs)

    assert dict(ledger.service(SERVICE).quarantined) == {}


def test_a_rollback_of_an_unknown_image_quarantines_nothing(ecs, ledger):
    accepted(ledger, "e-1")
    tried(ledger)
    unknown = deployment(release=release(image=image(digest="")))

    finished(ending("ROLLED_BACK", deployment=unknown), ledger, ecs)

    assert ledger.deployment(claim()).outcome == "ROLLED_BACK"
    assert dict(ledger.service(SERVICE).quarantined) == {}


# --- the reason -------------------------------------------------------------------------------------


def test_a_crash_is_reported_without_its_stack_trace(ecs, ledger):
    accepted(ledger, "e-1")

    assert finished(ending("FAILED", reason=CRASH), ledger, ecs).reason == "KeyError: 'id'"


def test_a_failed_rollback_gives_both_reasons(ecs, ledger):
    accepted(ledger, "e-1")

    done = finished(ending("ROLLBACK_FAILED", rollback_reason=CRASH), ledger, ecs)

    assert done.reason == "because; rolling back failed: KeyError: 'id'"
    assert ledger.deployment(claim()).reason == done.reason


def test_a_reason_is_cut_to_what_the_ledger_has_room_for(ecs, ledger):
    tried(ledger)

    done = finished(ending("ROLLED_BACK", reason="x" * 20_000), ledger, ecs)

    assert len(done.reason) == 10_000
    assert ledger.deployment(claim()).reason == done.reason
    assert len(ledger.service(SERVICE).quarantined[DIGEST].reason) == 500


def test_a_service_that_was_claimed_after_the_end_was_written_is_freed(ecs, ledger):
    """By a step that outlived its execution."""
    tried(ledger)
    finished(ending("FAILED"), ledger, ecs)
    ledger.claim(claim(), deployment(), OLD, at(61))

    assert finished(ending("FAILED"), ledger, ecs).outcome == "FAILED"
    assert ledger.service(SERVICE).claim is None


# --- the copy of what is good -----------------------------------------------------------------------


def test_the_task_definition_of_a_good_version_is_kept_as_it_would_be_registered(ecs, ledger):
    tried(ledger)
    ours_is_there(ecs)

    finished(ending("SUCCEEDED"), ledger, ecs)

    assert ledger.definition(SERVICE, NEW) == {
        "family": "shop-api",
        "containerDefinitions": [container()],
        "tags": [],
    }


def test_a_version_is_good_though_its_task_definition_can_not_be_read(ecs, ledger):
    tried(ledger)
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))
    ecs.refuses("describe_task_definition", "AccessDeniedException", "not now")

    done = finished(ending("SUCCEEDED"), ledger, ecs)

    assert done.evidence[-1].startswith("the ledger keeps no copy of shop-api:42 (AccessDenied")
    assert good_now(ledger) == [NEW]
    assert ledger.definition(SERVICE, NEW) is None


def test_the_copy_of_a_version_whose_image_is_quarantined_stays_for_a_person_to_go_back_to(
    ecs, ledger
):
    tried(ledger)
    ours_is_there(ecs)
    finished(ending("SUCCEEDED"), ledger, ecs)

    quarantined_by_ada(DIGEST)

    assert ledger.service(SERVICE).all_good == ()
    assert ledger.definition(SERVICE, NEW) is not None


def test_another_version_than_the_rollback_target_is_good_if_that_was_put_back(ecs, ledger):
    """Whatever the record of the deployment says: it may not have been written."""
    ended(ledger, found=good(OTHER, "sha256:" + "ef" * 32))
    tried(ledger, good_target=good(OLD))
    defined(ecs)

    finished(ending("ROLLED_BACK", restored=NEW, other_target=OTHER), ledger, ecs)

    last = ledger.service(SERVICE).last_good
    assert (last.task_definition, last.digest) == (NEW, "sha256:" + "ef" * 32)


def test_what_the_service_ran_before_is_not_good_though_it_was_put_back(ecs, ledger):
    tried(ledger, good_target=good(OLD))

    finished(ending("ROLLED_BACK", restored=OTHER, other_target=OTHER), ledger, ecs)

    assert good_now(ledger) == []


# --- a person's quarantine ---------------------------------------------------------------------------


def forced(ledger, started):
    """A forced release of the same image, started this many seconds after NOW; its deployment."""
    asked = deployment(
        release=release(started_by="manual start", force=True, released_at=at(started))
    )
    own = accepted(ledger, "e-1", release=asked.release)
    ledger.start_change(own, "UpdateService", at(30), task_definition=NEW)
    return asked


def test_a_deployment_whose_image_a_person_has_quarantined_does_not_end_well(ecs, ledger):
    """The last check was a moment before. A recovery rolls back."""
    tried(ledger)
    quarantined_by_ada(DIGEST)

    done = finished(ending("SUCCEEDED"), ledger, ecs)

    assert (done.outcome, done.cause, done.left_to_recovery) == ("FAILED", Cause.PERSON, True)
    assert done.reason == "a person has quarantined the image (Ada: it leaks)"
    service = ledger.service(SERVICE)
    assert (service.good, service.claim.execution) == ((), execution())
    assert service.quarantined[DIGEST].deployment is None


def test_a_quarantine_between_the_last_look_and_the_write_of_a_success_is_seen(
    ecs, ledger, monkeypatch
):
    tried(ledger)
    ours_is_there(ecs)
    read, looks = ledger.service, []

    def late(service):
        looks.append(service)
        if len(looks) == 2:
            quarantined_by_ada(DIGEST)
        return read(service)

    monkeypatch.setattr(ledger, "service", late)

    with pytest.raises(AwsUnavailable, match="has been quarantined by a person just now"):
        finished(ending("SUCCEEDED"), ledger, ecs)

    assert read(SERVICE).good == ()


@pytest.mark.parametrize(("started", "outcome"), [(30, "SUCCEEDED"), (-30, "FAILED")])
def test_a_forced_start_overrides_an_earlier_quarantine_of_a_person_and_no_later_one(
    ecs, ledger, started, outcome
):
    asked = forced(ledger, started)
    quarantined_by_ada(DIGEST)
    if outcome == "SUCCEEDED":
        ours_is_there(ecs)

    done = finished(ending("SUCCEEDED", deployment=asked), ledger, ecs)

    assert done.outcome == outcome
    assert (DIGEST in ledger.service(SERVICE).quarantined) is (outcome == "FAILED")


def test_a_failure_leaves_a_persons_quarantine_as_it_is(ecs, ledger):
    tried(ledger)
    quarantined_by_ada(DIGEST)

    finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert ledger.service(SERVICE).quarantined[DIGEST].reason == "Ada: it leaks"


def test_the_failure_of_a_forced_start_takes_the_place_of_an_earlier_quarantine(ecs, ledger):
    asked = forced(ledger, 30)
    quarantined_by_ada(DIGEST)

    finished(ending("ROLLED_BACK", deployment=asked, restored=OLD), ledger, ecs)

    assert ledger.service(SERVICE).quarantined[DIGEST].reason == "because"


def test_a_rollback_to_a_version_that_a_person_quarantines_meanwhile_does_not_lift_that(
    ecs, ledger
):
    tried(ledger, good_target=good(OLD))
    quarantined_by_ada(OLD_DIGEST)

    done = finished(ending("ROLLED_BACK", restored=OLD), ledger, ecs)

    assert OLD_DIGEST in ledger.service(SERVICE).quarantined
    assert ledger.service(SERVICE).last_good is None
    assert done.evidence[-1] == (
        "the version that runs now has an image that is quarantined itself, cdcdcdcdcdcd (Ada: it leaks): "
        "deploy another one"
    )


def test_a_forced_release_does_not_override_a_persons_quarantine_of_another_image(ecs, ledger):
    asked = forced(ledger, 30)
    quarantined_by_ada(OLD_DIGEST)
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))
    old = container(name="proxy", image=f"{image().uri}@{OLD_DIGEST}")
    defined(ecs, container(image=image().reference), old, asked=NEW)

    done = finished(ending("SUCCEEDED", deployment=asked), ledger, ecs)

    assert ledger.service(SERVICE).quarantined.keys() == {OLD_DIGEST}
    assert ledger.service(SERVICE).all_good == ()
    assert "quarantined itself, cdcdcdcdcdcd (Ada: it leaks)" in done.evidence[-1]


def to_named(target):
    """A manual rollback to the digest or the task definition that a person has named."""
    asked = release(started_by="manual rollback", target=target)
    return deployment(release=asked, stage=None)


PROXY_DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("named", "stay"),
    [(OLD, set()), (OLD_DIGEST, {PROXY_DIGEST}), (None, {OLD_DIGEST, PROXY_DIGEST})],
    ids=["a task definition", "an image", "nothing"],
)
def test_a_manual_rollback_overrides_the_quarantine_of_what_a_person_has_named_and_of_nothing_else(
    named, stay, ecs, ledger
):
    images = {"api": f"{image().uri}@{OLD_DIGEST}", "proxy": f"proxy@{PROXY_DIGEST}"}
    target, back = good(OLD, images=images), to_named(named)
    accepted(ledger, "e-1", good_target=target, release=back.release)
    for digest in (OLD_DIGEST, PROXY_DIGEST):
        quarantined_by_ada(digest, moment=at(-60))
    defined(ecs, *(container(name=name, image=each) for name, each in images.items()), asked=OLD)

    finished(ending("ROLLED_BACK", deployment=back, restored=OLD), ledger, ecs)

    assert ledger.service(SERVICE).quarantined.keys() == stay


@pytest.mark.parametrize(("quarantined_at", "stays"), [(-60, False), (60, True)])
def test_a_manual_rollback_overrides_a_persons_quarantine_of_its_target_unless_that_is_later(
    ecs, ledger, quarantined_at, stays
):
    """Whoever named that version knew of the earlier one."""
    back = to_named(OLD)
    accepted(ledger, "e-1", good_target=good(OLD), release=back.release)
    quarantined_by_ada(OLD_DIGEST, moment=at(quarantined_at))

    finished(ending("ROLLED_BACK", deployment=back, restored=OLD), ledger, ecs)

    assert (OLD_DIGEST in ledger.service(SERVICE).quarantined) is stays
