"""Every thing that rolling back may find."""

from __future__ import annotations

import pytest

from slipway.ecs.rollback import RollBackAction, roll_back
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from tests.support.builders import NEW, NOW, OLD, OTHER, SERVICE, THEIRS, at, update
from tests.support.ecs_answers import (
    before,
    container,
    defined,
    described,
    ecs_deployment,
    registered,
    revisions,
    updated,
)

IN_PROGRESS = ecs_deployment(rolloutState="IN_PROGRESS")
ANEW = OTHER
"""The rollback target, registered once more."""


def back(ecs, updated=True, rollback_target=OLD, replaced=OLD):
    """From NEW, which was put there at NOW."""
    return rolled_back(ecs, [NEW], rollback_target, replaced, updated)


def rolled_back(ecs, abandoned, rollback_target, replaced, updated, **known):
    """By default, an update that is known to have been done is known by its time, too."""
    facts = {"update": update() if updated else None, "known_after": None, "now": at(60), **known}
    return roll_back(
        SERVICE,
        abandoned,
        rollback_target,
        replaced,
        updated,
        facts["update"],
        facts["known_after"],
        NOW,
        facts["now"],
        ecs.client,
    )


def has(ecs, task_definition, *others):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=task_definition), *others)


def test_the_rollback_target_is_put_on_the_service_with_the_deployment_to_watch(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    updated(ecs, OLD, id=THEIRS, createdAt=at(60))

    done = back(ecs)

    assert (done.action, done.reason) == (RollBackAction.UPDATED, "shop-api:41 was put back")
    assert done.task_definition == OLD
    assert (done.update.deployment_id, done.update.started_at) == (THEIRS, at(60))


def test_an_unproven_version_of_another_deployment_is_abandoned_too(ecs):
    described(ecs, ecs_deployment(taskDefinition=OTHER))
    defined(ecs)
    updated(ecs, OLD)

    done = rolled_back(ecs, [NEW, OTHER], OLD, OLD, False)

    assert done.action is RollBackAction.UPDATED


def test_the_rollback_target_is_put_back_even_where_the_answer_of_the_update_was_lost(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs)
    updated(ecs, OLD)

    assert back(ecs, updated=False).action is RollBackAction.UPDATED


def test_an_unproven_version_of_another_deployment_is_abandoned_though_our_own_is_the_target(ecs):
    described(ecs, ecs_deployment(taskDefinition=OTHER))
    defined(ecs, taskDefinitionArn=NEW)
    updated(ecs, NEW)

    done = rolled_back(ecs, [NEW, OTHER], NEW, OLD, False)

    assert (done.action, done.task_definition) == (RollBackAction.UPDATED, NEW)


@pytest.mark.parametrize("status", ["INACTIVE", "DELETE_IN_PROGRESS"])
def test_a_deregistered_rollback_target_is_put_back_as_a_new_revision_of_the_same_content(
    ecs, status
):
    described(ecs, IN_PROGRESS)
    defined(ecs, status=status)
    revisions(ecs)
    registered(ecs, ANEW)
    updated(ecs, ANEW)

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.UPDATED, ANEW)
    assert done.reason == "shop-api:43 was put back"


def test_a_rollback_target_that_an_earlier_try_registered_anew_and_put_back_is_watched(ecs):
    has(ecs, ANEW, ecs_deployment(status="ACTIVE"))
    defined(ecs, asked=ANEW, taskDefinitionArn=ANEW)
    defined(ecs, asked=OLD, status="INACTIVE")

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.ALREADY_ROLLED_BACK, ANEW)
    assert done.reason == "shop-api:43 had been put back already"
    assert done.update.deployment_id == THEIRS


def test_a_rollback_target_that_the_circuit_breaker_put_back_is_watched_and_not_updated(ecs):
    """Whether it was deregistered does not matter, and is not asked."""
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OLD, rolloutState="IN_PROGRESS"))

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.ALREADY_ROLLED_BACK, OLD)
    assert done.reason == "shop-api:41 had been put back already"
    assert done.update.deployment_id == THEIRS


def test_a_version_that_is_not_good_is_abandoned_though_the_circuit_breaker_restored_it(ecs):
    has(ecs, OTHER)
    defined(ecs, asked=OLD)
    updated(ecs, OLD)

    assert back(ecs, replaced=OTHER).action is RollBackAction.UPDATED


def test_a_rollback_whose_answer_was_lost_is_watched_by_its_retry(ecs):
    """Though UpdateService had failed, as far as anyone knows: our tasks are still draining."""
    has(ecs, OLD, ecs_deployment(status="ACTIVE", taskDefinition=NEW))

    done = back(ecs, updated=False)

    assert done.action is RollBackAction.ALREADY_ROLLED_BACK
    assert done.update.deployment_id == THEIRS


@pytest.mark.parametrize(
    "on", [OLD, OTHER], ids=["settled before", "during a service deployment before"]
)
@pytest.mark.parametrize("rollback_target", [OLD, NEW])
def test_an_update_that_never_reached_the_service_leaves_nothing_to_roll_back(
    ecs, on, rollback_target
):
    has(ecs, on)

    done = back(ecs, updated=False, rollback_target=rollback_target)

    assert done.action is RollBackAction.NOTHING_CHANGED
    assert done.reason == f"service production/api has {on.rpartition('/')[2]}, as before"
    assert (done.task_definition, done.update) == (on, None)


@pytest.mark.parametrize("rollback_target", [OLD, NEW])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_a_task_definition_that_someone_else_put_on_the_service_is_left_alone(
    ecs, rollback_target, status
):
    has(ecs, OTHER)
    defined(ecs, container(image="x:1"), asked=OTHER, taskDefinitionArn=OTHER)
    defined(ecs, asked=rollback_target, taskDefinitionArn=rollback_target, status=status)

    done = back(ecs, rollback_target=rollback_target)

    assert done.action is RollBackAction.SUPERSEDED
    assert done.reason == "service production/api was changed to shop-api:43 by someone else"
    assert (done.task_definition, done.update) == (OTHER, None)


@pytest.mark.parametrize("known", [True, False], ids=["updated", "perhaps updated"])
def test_a_service_that_never_was_healthy_has_no_rollback_target(ecs, known):
    described(ecs, IN_PROGRESS)

    with pytest.raises(
        InvalidInput,
        match=r"service production/api is not known .* than shop-api:42: .* nothing to go back to$",
    ):
        back(ecs, updated=known, rollback_target=NEW)


def test_a_list_from_before_the_update_is_read_again(ecs):
    described(ecs, before(status="PRIMARY"))

    with pytest.raises(
        AwsUnavailable, match=r"still answers as of the time when it had shop-api:41$"
    ):
        back(ecs)


def test_after_a_lost_answer_a_service_without_our_version_is_read_again_for_a_while(ecs):
    has(ecs, OLD)

    with pytest.raises(AwsUnavailable, match=r"answer of ecs:UpdateService on .* was lost"):
        rolled_back(ecs, [NEW], OLD, OLD, False, known_after=at(61))


def test_after_a_while_a_lost_update_counts_as_not_done(ecs):
    has(ecs, OLD)

    done = rolled_back(ecs, [NEW], OLD, OLD, False, known_after=at(60))

    assert done.action is RollBackAction.NOTHING_CHANGED


def test_after_a_lost_answer_a_service_with_our_version_is_rolled_back_at_once(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs)
    updated(ecs, OLD)

    done = rolled_back(ecs, [NEW], OLD, OLD, False, known_after=at(999))

    assert done.action is RollBackAction.UPDATED


def test_a_service_that_is_gone_is_named(ecs):
    ecs.answers("describe_services", {"services": []})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        back(ecs)


def test_a_rollback_that_is_denied_names_action_and_service(ecs):
    described(ecs, IN_PROGRESS)
    defined(ecs)
    ecs.refuses("update_service", "AccessDeniedException")

    with pytest.raises(AwsRefused, match="ecs:UpdateService on service production/api"):
        back(ecs)
