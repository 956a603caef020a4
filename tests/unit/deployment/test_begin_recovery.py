"""What becomes of a deployment whose execution died."""

from __future__ import annotations

import pytest

from slipway.deployment.begin import begin
from slipway.deployment.beginning import Decision, Start, World
from slipway.health.cause import Cause
from slipway.ledger.ledger import LEASE_SECONDS
from slipway.model import parse
from tests.support.asked import (
    freed,
    manual_rollback,
    part_of,
    recorded,
    recovery_recorded,
    rollback_recorded,
    taken_up,
)
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    URI,
    accepted,
    at,
    claim,
    deployment,
    execution,
    good,
    image,
    release,
    update,
)
from tests.support.ecs_answers import defined

WHY = "its execution was stopped (by Ada)"
ANOTHER = image(digest="sha256:" + "ef" * 32)
OLDER = release(id="event-0", released_at=at(-60), image=ANOTHER)
NEWER = release(id="event-2", released_at=at(60), image=ANOTHER)
OWN = claim(execution=execution("recover-1"))
"""The dead deployment's id, and the execution that recovers it."""
WELL = {"outcome": "SUCCEEDED", "reason": "every gate passed", "evidence": []}


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm, stepfunctions):
    return World(
        ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client, stepfunctions.client
    )


def begun(world, start=None, name="recover-1"):
    """The decision on the recovery of execution e-1, which has taken up what it was started with."""
    start = start or taken_up(world.ledger, deployment())
    named = recovery_recorded(world.ledger, start, name, why=WHY)
    asked = Start(start=named, execution=execution(name), started_at=at(100))
    return begin(asked, at(101), world)


def changes(ledger, answered=True):
    """It puts NEW on the service."""
    own = claim()
    ledger.claim(own, deployment(), OLD, NOW)
    ledger.open(own, deployment(), OLD, good(OLD), None, NOW)
    ledger.start_change(own, "UpdateService", NOW, unproven=NEW, task_definition=NEW)
    if answered:
        ledger.end_change(own, "UpdateService", NOW, update=update().to_json())


def ends_as_failed(beginning):
    assert (beginning.decision, beginning.outcome) == (Decision.END, "FAILED")
    assert beginning.cause is Cause.INTERRUPTED
    assert beginning.reason == f"{WHY} before anything was changed"


# --- it has changed the service ---------------------------------------------------------------------


def test_a_service_that_the_dead_execution_changed_is_rolled_back(world, ecs, ledger):
    changes(ledger)
    defined(ecs, asked=OLD)

    beginning = begun(world)

    assert (beginning.decision, beginning.reason) == (Decision.ROLL_BACK, WHY)
    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert beginning.rollback_target_images == {"api": f"{URI}@{OLD_DIGEST}"}
    assert (beginning.updated, beginning.manual_rollback) == (True, False)


def left_by_another_one(ledger):
    """An older release has put OTHER on the service, and the one that died has taken over from it."""
    older = accepted(ledger, "e-0", release=OLDER)
    ledger.start_change(older, "UpdateService", at(-60), unproven=OTHER)
    ledger.end_change(older, "UpdateService", at(-60))
    ledger.claim(claim(), deployment(), OLD, NOW)


def test_an_unproven_version_is_rolled_back_though_the_dead_execution_changed_nothing(
    world, ecs, ledger
):
    left_by_another_one(ledger)
    ledger.open(claim(), deployment(), OLD, good(OLD), None, NOW)
    ledger.note(claim(), "RegisterTaskDefinition", NOW, task_definition=NEW)
    defined(ecs, asked=OLD)

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.ROLL_BACK, OLD)
    assert (beginning.task_definition, beginning.unproven) == (None, (OTHER,))
    assert beginning.updated is False


def test_an_unproven_version_is_rolled_back_though_the_dead_execution_did_not_write_it_down(
    world, ecs, ledger
):
    left_by_another_one(ledger)
    defined(ecs, asked=OLD)

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.ROLL_BACK, OLD)
    assert beginning.unproven == (OTHER,)
    assert ledger.deployment(OWN).rollback_target == OLD


def test_an_unproven_version_is_rolled_back_to_the_last_good_one(world, ecs, ledger):
    own = accepted(ledger, "e-00", release=release(id="event-00", released_at=at(-120)))
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    ledger.finish(own, deployment(), ending, good(NEW), None)
    left_by_another_one(ledger)
    defined(ecs, asked=NEW)

    assert begun(world).rollback_target == NEW
    assert ledger.deployment(OWN).good_target == good(NEW)


def test_an_unproven_version_of_another_deployment_is_abandoned_too(world, ecs, ledger):
    """The dead one's update may never have come to the service."""
    left_by_another_one(ledger)
    ledger.open(claim(), deployment(), OLD, good(OLD), None, NOW)
    ledger.start_change(claim(), "UpdateService", NOW, unproven=NEW, task_definition=NEW)
    defined(ecs)

    beginning = begun(world)

    assert (beginning.task_definition, beginning.unproven) == (NEW, (OTHER, NEW))


@pytest.mark.parametrize("code", ["ClientException", "ThrottlingException"])
def test_an_unreadable_rollback_target_is_left_for_rollback_to_report(world, ecs, ledger, code):
    """RollBack tries longer, and a bad version must not stay for want of a notice's details."""
    changes(ledger)
    ecs.refuses("describe_task_definition", code, "Unable to describe")

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.ROLL_BACK, OLD)
    assert beginning.rollback_target_images == {}


def test_a_recovery_goes_on_as_the_same_deployment_and_claims_the_service(world, ecs, ledger):
    changes(ledger)
    defined(ecs)

    beginning = begun(world)

    assert (beginning.claim, beginning.deployment) == (OWN, deployment())
    claim = ledger.service(SERVICE).claim
    assert (claim.deployment, claim.execution) == (OWN.deployment, OWN.execution)


def test_the_version_before_the_dead_execution_stays_the_baseline(world, ecs, ledger):
    changes(ledger)
    defined(ecs)
    begun(world)

    assert ledger.service(SERVICE).baseline == OLD


def test_an_update_of_the_dead_execution_without_an_answer_is_left_for_rollback_to_check(
    world, ecs, ledger
):
    changes(ledger, answered=False)
    defined(ecs)

    beginning = begun(world)

    assert (beginning.decision, beginning.updated) == (Decision.ROLL_BACK, False)


def test_a_second_recovery_takes_over_from_the_first(world, ecs, ledger):
    changes(ledger)
    defined(ecs)
    defined(ecs)
    begun(world)

    beginning = begun(world, name="recover-2")

    assert beginning.decision is Decision.ROLL_BACK
    assert ledger.service(SERVICE).claim.execution == execution("recover-2")


def test_a_service_that_the_dead_execution_changed_is_rolled_back_though_a_person_has_freed_it(
    world, ecs, ledger
):
    changes(ledger)
    freed()
    defined(ecs)

    assert begun(world).decision is Decision.ROLL_BACK
    assert ledger.service(SERVICE).claim.execution == OWN.execution


def test_a_recovery_waits_while_the_change_mark_of_the_dead_execution_lasts(world, ledger):
    own = accepted(ledger, "e-1", good_target=good(OLD))
    ledger.start_change(own, "UpdateService", at(90), task_definition=NEW)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 2)
    assert ledger.service(SERVICE).claim.execution == execution("e-1")


# --- another deployment has claimed the service since -----------------------------------------------


def takes_over(ledger, **changes):
    """It has changed the service: the baseline and the unproven versions are of both."""
    other = accepted(ledger, "e-2", **{"release": NEWER} | changes)
    ledger.start_change(other, "UpdateService", NOW, unproven=OTHER, task_definition=OTHER)
    ledger.end_change(other, "UpdateService", NOW, update=update().to_json())
    return other


def is_superseded(beginning, reason):
    assert (beginning.decision, beginning.outcome) == (Decision.END, "SUPERSEDED")
    assert (beginning.cause, beginning.reason) == (Cause.NEWER_RELEASE, reason)


def test_a_newer_release_that_took_the_service_over_keeps_it(world, ledger):
    changes(ledger)
    takes_over(ledger)
    before = ledger.service(SERVICE)

    is_superseded(
        begun(world), "release shop/api:v2 (efefefefefef) has claimed service production/api"
    )
    assert ledger.service(SERVICE) == before
    assert before.claim.execution == execution("e-2")


def test_a_deployment_that_took_the_service_over_and_has_ended_leaves_nothing_to_recover(
    world, ledger
):
    """To go back now would take the service off the version that the other deployment found good."""
    changes(ledger)
    ledger.finish(takes_over(ledger), deployment(), WELL, good(OTHER), None)
    before = ledger.service(SERVICE)

    is_superseded(
        begun(world), "release shop/api:v2 (efefefefefef) has claimed service production/api"
    )
    assert ledger.service(SERVICE) == before
    assert (before.claim, before.last_good) == (None, good(OTHER))


@pytest.mark.parametrize("ended", [False, True], ids=["it runs", "it has ended"])
@pytest.mark.parametrize(
    ("other", "cause"),
    [
        (
            {
                "release": release(
                    id="event-9", image=image(repository="shop/admin"), released_at=at(-9)
                )
            },
            Cause.NEWER_RELEASE,
        ),
        ({"release": manual_rollback().release, "stage": None}, Cause.PERSON),
    ],
    ids=["a release of another repository", "a manual rollback"],
)
def test_a_service_stays_with_whatever_has_claimed_it_since(world, ledger, other, cause, ended):
    """What has the time of its release to do with it? The last one to claim the service is what counts."""
    changes(ledger)
    # A release of another repository waits for its turn, unless the execution seems to have died.
    own = takes_over(ledger, now=at(LEASE_SECONDS + 60), **other)
    if ended:
        ledger.finish(own, deployment(), WELL, good(OTHER), None)
    before = ledger.service(SERVICE)

    beginning = begun(world)

    assert beginning.outcome == "SUPERSEDED"
    assert beginning.cause is cause
    assert ledger.service(SERVICE) == before


def test_a_deployment_that_took_over_and_was_freed_by_a_person_keeps_what_it_left(world, ledger):
    """Whoever freed the service sees to what is on it."""
    changes(ledger)
    takes_over(ledger)
    freed()
    before = ledger.service(SERVICE)

    is_superseded(
        begun(world), "release shop/api:v2 (efefefefefef) has claimed service production/api"
    )
    assert ledger.service(SERVICE) == before


def while_it_checks(monkeypatch, ledger, something):
    """Something happens just before it claims the service."""
    claim_it = ledger.claim

    def late(*arguments, **how):
        monkeypatch.undo()
        something()
        claim_it(*arguments, **how)

    monkeypatch.setattr(ledger, "claim", late)


def test_a_deployment_is_superseded_where_a_newer_release_comes_while_it_checks(
    world, ledger, monkeypatch
):
    changes(ledger)
    while_it_checks(monkeypatch, ledger, lambda: accepted(ledger, "e-2", release=NEWER))

    assert begun(world).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_deployment_is_superseded_where_another_one_comes_and_ends_while_it_checks(
    world, ledger, monkeypatch
):
    changes(ledger)

    def late():
        other = accepted(ledger, "e-2", release=NEWER)
        ledger.finish(other, deployment(), WELL, good(OTHER), None)

    while_it_checks(monkeypatch, ledger, late)

    is_superseded(
        begun(world), "release shop/api:v2 (efefefefefef) has claimed service production/api"
    )
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_that_a_function_of_the_dead_execution_ends_meanwhile_has_ended(
    world, ledger, monkeypatch
):
    changes(ledger)
    late = lambda: ledger.finish(claim(), deployment(), WELL, good(NEW, DIGEST), None)  # noqa: E731
    while_it_checks(monkeypatch, ledger, late)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "SUCCEEDED")
    assert beginning.reason == "every gate passed"


def test_a_service_that_a_function_of_the_dead_execution_changes_meanwhile_is_rolled_back(
    world, ecs, ledger, monkeypatch
):
    own = accepted(ledger, "e-1", good_target=good(OLD))

    def late():
        ledger.start_change(own, "UpdateService", NOW, unproven=NEW, task_definition=NEW)
        ledger.end_change(own, "UpdateService", NOW, update=update().to_json())

    while_it_checks(monkeypatch, ledger, late)
    defined(ecs, asked=OLD)

    beginning = begun(world)

    assert (beginning.decision, beginning.task_definition) == (Decision.ROLL_BACK, NEW)


# --- it has not -------------------------------------------------------------------------------------


def test_a_deployment_that_died_before_it_changed_its_claimed_service_has_failed(world, ledger):
    accepted(ledger, "e-1", good_target=good(OLD))

    ends_as_failed(begun(world))
    assert ledger.service(SERVICE).claim.execution == OWN.execution


def test_a_deployment_that_died_between_its_claim_and_its_history_has_failed(world, ledger):
    ledger.claim(claim(), deployment(), OLD, NOW)

    beginning = begun(world)

    ends_as_failed(beginning)
    assert beginning.deployment == deployment()
    assert ledger.service(SERVICE).claim.execution == OWN.execution


def test_a_deployment_that_died_at_once_has_failed_and_claims_nothing(world, ledger):
    ends_as_failed(begun(world))
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_that_never_had_the_claim_does_not_take_it_from_another_one(world, ledger):
    """An older release has changed the service, and only its own execution watches it."""
    accepted(ledger, "e-0", release=OLDER)

    ends_as_failed(begun(world))
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_deployment_that_never_had_the_claim_does_not_take_it_from_a_newer_release(world, ledger):
    accepted(ledger, "e-2", release=NEWER)

    assert begun(world).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_deployment_that_lost_its_claim_before_it_changed_the_service_is_superseded(
    world, ledger
):
    accepted(ledger, "e-1", good_target=good(OLD))
    accepted(ledger, "e-2", release=NEWER)

    assert begun(world).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_service_that_a_person_has_freed_before_it_was_changed_is_not_claimed_again(
    world, ledger
):
    accepted(ledger, "e-1", good_target=good(OLD))
    freed()

    ends_as_failed(begun(world))
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_of_which_people_were_only_notified_does_not_take_the_claim_of_another_one(
    world, ledger
):
    accepted(ledger, "e-0", release=OLDER)
    ledger.note_notified(claim(), "start", NOW)

    ends_as_failed(begun(world))
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_deployment_of_which_people_were_only_notified_is_read_from_its_release(world, ledger):
    ledger.note_notified(claim(), "start", NOW)

    beginning = begun(world)

    ends_as_failed(beginning)
    assert beginning.deployment == deployment()


@pytest.mark.parametrize("start", [recorded, taken_up])
def test_the_recovery_of_a_release_names_the_part_that_it_carries_out(world, ledger, start):
    """Finish writes the outcome there; whether the dead execution had taken it up decides that."""
    assert begun(world, start(ledger, deployment())).part == part_of(deployment())


def test_a_deployment_that_has_ended_ends_once_more_with_the_same_outcome(world, ledger):
    own = accepted(ledger, "e-1")
    ending = {"outcome": "ROLLED_BACK", "reason": "a task failed", "evidence": ["exit code 1"]}
    ledger.finish(own, deployment(), ending, None, None)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "ROLLED_BACK")
    assert (beginning.reason, beginning.evidence) == ("a task failed", ("exit code 1",))
    assert ledger.service(SERVICE).claim is None


# --- a manual rollback -----------------------------------------------------------------------------


def begun_rollback(world):
    """The decision on the recovery of a manual rollback from NEW, which e-1 has taken up."""
    start = rollback_recorded(world.ledger, manual_rollback(), running=NEW, good=good(OLD))
    return begun(world, start)


def opened(ledger, rollback_target=OLD):
    """It has gone from NEW to OLD, as far as is known."""
    asked = manual_rollback(policy={"bake_seconds": 7})
    ledger.claim(claim(), asked, OLD, NOW)
    ledger.open(claim(), asked, rollback_target, good(OLD) if rollback_target else None, NEW, NOW)
    return asked


def test_a_manual_rollback_that_died_after_its_change_goes_on(world, ecs, ledger):
    """RollBack knows that there was a change, so that it watches what is back already."""
    asked = opened(ledger)
    ledger.start_change(claim(), "RollBack", NOW)
    defined(ecs, asked=OLD)

    beginning = begun_rollback(world)

    assert (beginning.decision, beginning.manual_rollback, beginning.updated) == (
        Decision.ROLL_BACK,
        True,
        True,
    )
    assert (beginning.task_definition, beginning.rollback_target) == (NEW, OLD)
    assert (beginning.deployment, beginning.part) == (asked, None)


def test_a_manual_rollback_goes_on_to_the_task_definition_that_it_had_registered(
    world, ecs, ledger
):
    opened(ledger, rollback_target=None)
    ledger.note(claim(), "RegisterTaskDefinition", NOW, rollback_target=OTHER)
    ledger.start_change(claim(), "RollBack", NOW)
    defined(ecs, asked=OTHER)

    assert begun_rollback(world).rollback_target == OTHER


def test_a_manual_rollback_that_died_before_it_changed_the_service_is_superseded(world, ledger):
    opened(ledger)

    ends_as_failed(begun_rollback(world))


def test_a_manual_rollback_that_died_before_its_history_has_failed(world, ledger):
    """What it was to abandon is in the ledger: neither ECS nor SSM is asked."""
    beginning = begun_rollback(world)

    ends_as_failed(beginning)
    assert beginning.deployment == manual_rollback()


# --- what it does not ask ---------------------------------------------------------------------------


def test_a_recovery_goes_on_though_the_release_has_ended(world, ecs, ledger):
    """Step Functions is not asked: the release may have been stopped together with the deployment."""
    changes(ledger)
    defined(ecs)

    assert begun(world).decision is Decision.ROLL_BACK


def test_the_decision_on_a_recovery_is_read_back_equal_from_json(world, ecs, ledger):
    changes(ledger)
    defined(ecs)
    beginning = begun(world)

    assert parse(type(beginning), beginning.to_json(), "x") == beginning
