"""Reading a service, updating it, and every thing that rolling back may find."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, InvalidInput
from slipway.service import (
    RollBackAction,
    has_settled,
    previous_task_definition,
    read_service,
    roll_back,
    split,
    update,
)
from tests.unit.answers import before, described, ecs_deployment, ecs_service
from tests.unit.builders import BEFORE, NEW, NOW, OLD, OTHER, OURS, SERVICE, THEIRS, at

ON_OLD = ecs_deployment(id=BEFORE, taskDefinition=OLD, createdAt=at(-3600))
IN_PROGRESS = ecs_deployment(rolloutState="IN_PROGRESS")


def updated(ecs, task_definition, **deployment):
    """UpdateService is called with these three parameters and no other."""
    put = ecs_deployment(taskDefinition=task_definition, rolloutState="IN_PROGRESS", **deployment)
    ecs.answers(
        "update_service",
        {"service": ecs_service(put, before())},
        cluster="production",
        service="api",
        taskDefinition=task_definition,
    )


def test_a_service_is_named_by_cluster_and_service():
    assert split("production/api") == ("production", "api")


def test_a_cluster_that_does_not_exist_is_named(ecs):
    ecs.refuses("describe_services", "ClusterNotFoundException", "Cluster not found.")

    with pytest.raises(
        InvalidInput, match="cluster production of service production/api does not exist"
    ):
        read_service(SERVICE, ecs.client)


def test_a_service_that_does_not_exist_is_named(ecs):
    ecs.answers("describe_services", {"services": [], "failures": [{"reason": "MISSING"}]})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        read_service(SERVICE, ecs.client)


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_being_deleted_cannot_be_deployed_to(ecs, status):
    described(ecs, status=status)

    with pytest.raises(InvalidInput, match=f"service production/api is {status}"):
        read_service(SERVICE, ecs.client)


def test_a_service_that_may_not_be_read_is_refused_with_action_and_service(ecs):
    ecs.refuses("describe_services", "AccessDeniedException", "not authorized")

    with pytest.raises(
        AwsRefused, match="ecs:DescribeServices on service production/api: not auth"
    ):
        read_service(SERVICE, ecs.client)


def test_an_update_sends_cluster_service_and_task_definition_and_nothing_else(ecs):
    described(ecs, ON_OLD)
    updated(ecs, NEW)

    done = update(SERVICE, NEW, ecs.client)

    assert (done.deployment_id, done.started_at) == (OURS, NOW)


def test_a_service_that_has_the_task_definition_already_is_not_updated_again(ecs):
    described(ecs, IN_PROGRESS, before())

    assert update(SERVICE, NEW, ecs.client).deployment_id == OURS


def test_the_old_deployment_that_still_drains_is_not_taken_for_ours(ecs):
    described(ecs, before(), IN_PROGRESS)

    assert update(SERVICE, NEW, ecs.client).deployment_id == OURS


def test_an_update_that_is_denied_names_action_and_service(ecs):
    described(ecs, ON_OLD)
    ecs.refuses("update_service", "AccessDeniedException", "not authorized")

    with pytest.raises(AwsRefused, match="ecs:UpdateService on service production/api: not auth"):
        update(SERVICE, NEW, ecs.client)


@pytest.mark.parametrize(
    ("deployments", "previous"),
    [
        ([ecs_deployment()], NEW),
        ([IN_PROGRESS, before()], OLD),
        ([before(), IN_PROGRESS], OLD),
        ([ecs_deployment(rolloutState="FAILED"), before()], OLD),
        ([ecs_deployment(), before()], NEW),
        (
            [
                ecs_deployment(id=THEIRS, taskDefinition=OTHER, rolloutState="IN_PROGRESS"),
                before(id="ecs-svc/0", taskDefinition=NEW, createdAt=at(-7200)),
                before(),
            ],
            OLD,
        ),
        ([IN_PROGRESS], NEW),
        ([IN_PROGRESS, before(rolloutState="FAILED")], NEW),
    ],
    ids=[
        "settled",
        "in mid-rollout",
        "in any order",
        "after a failed rollout",
        "while the old one drains",
        "the newest of two completed ones",
        "never completed",
        "nothing completed",
    ],
)
def test_what_to_go_back_to_is_the_newest_deployment_that_completed(deployments, previous):
    assert previous_task_definition(ecs_service(*deployments)) == previous


@pytest.mark.parametrize(
    ("state", "settled"), [("COMPLETED", True), ("IN_PROGRESS", False), ("FAILED", False)]
)
def test_a_service_has_settled_when_its_rollout_completed(state, settled):
    assert has_settled(ecs_service(ecs_deployment(rolloutState=state), before())) is settled


def test_rolling_back_puts_the_previous_task_definition_back_and_says_what_to_watch(ecs):
    described(ecs, IN_PROGRESS, before())
    updated(ecs, OLD, id=THEIRS, createdAt=at(60))

    done = roll_back(SERVICE, NEW, OLD, True, ecs.client)

    assert (done.action, done.reason) == (RollBackAction.UPDATED, "shop-api:41 was put back")
    assert (done.update.deployment_id, done.update.started_at) == (THEIRS, at(60))


def test_rolling_back_updates_even_where_the_answer_of_the_update_was_lost(ecs):
    described(ecs, IN_PROGRESS, before())
    updated(ecs, OLD)

    assert roll_back(SERVICE, NEW, OLD, False, ecs.client).action is RollBackAction.UPDATED


def test_what_the_circuit_breaker_put_back_is_watched_and_not_updated(ecs):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OLD, rolloutState="IN_PROGRESS"))

    done = roll_back(SERVICE, NEW, OLD, True, ecs.client)

    assert done.action is RollBackAction.ALREADY_BACK
    assert done.reason == "shop-api:41 had been put back already"
    assert done.update.deployment_id == THEIRS


def test_a_rollback_whose_answer_was_lost_is_watched_by_its_retry(ecs):
    """Though UpdateService had failed, as far as anyone knows: our tasks are still draining."""
    draining = ecs_deployment(status="ACTIVE", taskDefinition=NEW)
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OLD), draining)

    done = roll_back(SERVICE, NEW, OLD, False, ecs.client)

    assert done.action is RollBackAction.ALREADY_BACK
    assert done.update.deployment_id == THEIRS


@pytest.mark.parametrize("has", [OLD, OTHER], ids=["settled before", "in mid-rollout before"])
def test_an_update_that_never_reached_the_service_leaves_nothing_to_do(ecs, has):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=has))

    done = roll_back(SERVICE, NEW, OLD, False, ecs.client)

    assert done.action is RollBackAction.NOTHING_CHANGED
    assert done.reason == f"service production/api has {has.rpartition('/')[2]}, as before"
    assert done.update is None


def test_what_someone_else_has_put_there_is_left_alone(ecs):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OTHER))

    done = roll_back(SERVICE, NEW, OLD, True, ecs.client)

    assert done.action is RollBackAction.SUPERSEDED
    assert done.reason == "service production/api was changed to shop-api:43 by someone else"
    assert done.update is None


def test_a_service_that_never_was_healthy_has_nothing_to_go_back_to(ecs):
    described(ecs, IN_PROGRESS)

    with pytest.raises(InvalidInput, match=r"never completed a rollout .* nothing to go back to"):
        roll_back(SERVICE, NEW, NEW, True, ecs.client)
