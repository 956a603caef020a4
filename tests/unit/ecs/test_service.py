"""Reading a service, and putting a task definition on it."""

from __future__ import annotations

import pytest

from slipway.ecs.service import (
    ServiceChanged,
    has_settled,
    last_completed_task_definition,
    read_service,
    split_service_name,
    update_service,
    update_unless_done,
)
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from tests.support.builders import BEFORE, NEW, NOW, OLD, OTHER, OURS, SERVICE, THEIRS, at, copied
from tests.support.ecs_answers import before, described, ecs_deployment, ecs_service, updated

ON_OLD = ecs_deployment(id=BEFORE, taskDefinition=OLD, createdAt=at(-3600))
ON_NEW = ecs_deployment()
IN_PROGRESS = ecs_deployment(rolloutState="IN_PROGRESS")


def test_a_service_is_named_by_cluster_and_service():
    assert split_service_name("production/api") == ("production", "api")


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

    done = update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client)

    assert (done.deployment_id, done.started_at) == (OURS, NOW)


def test_a_service_that_has_the_task_definition_already_is_not_updated_again(ecs):
    described(ecs, IN_PROGRESS, before())

    assert update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client).deployment_id == OURS


def test_a_task_definition_that_the_service_had_already_is_watched_from_the_deployments_start(ecs):
    described(ecs, ON_NEW)

    assert update_unless_done(SERVICE, NEW, copied(), at(60), ecs.client).started_at == at(60)


def test_an_update_of_an_earlier_try_is_watched_from_when_ecs_made_its_deployment(ecs):
    described(ecs, ON_NEW)

    assert update_unless_done(SERVICE, NEW, copied(), at(-60), ecs.client).started_at == NOW


def test_the_old_deployment_that_still_drains_is_not_taken_for_ours(ecs):
    described(ecs, before(), IN_PROGRESS)

    assert update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client).deployment_id == OURS


@pytest.mark.parametrize("same", [{}, {"id": THEIRS, "createdAt": at(-1)}], ids=["id", "content"])
def test_a_service_that_runs_what_was_copied_is_updated(ecs, same):
    described(ecs, before(status="PRIMARY", **same))
    updated(ecs, NEW)

    assert update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client).deployment_id == OURS


def test_a_service_that_someone_has_changed_since_it_was_copied_is_not_updated(ecs):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OTHER, createdAt=at(-1)))

    with pytest.raises(
        ServiceChanged, match="was changed to shop-api:43 after shop-api:41 had been"
    ):
        update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client)


def test_a_list_from_before_the_copy_is_read_again(ecs):
    described(ecs, ecs_deployment(id="ecs-svc/0", taskDefinition=OTHER, createdAt=at(-7200)))

    with pytest.raises(
        AwsUnavailable, match="still answers as of the time when it had shop-api:43"
    ):
        update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client)


def test_an_update_that_is_denied_names_action_and_service(ecs):
    described(ecs, ON_OLD)
    ecs.refuses("update_service", "AccessDeniedException", "not authorized")

    with pytest.raises(AwsRefused, match="ecs:UpdateService on service production/api: not auth"):
        update_unless_done(SERVICE, NEW, copied(), NOW, ecs.client)


def test_an_unconditional_update_is_sent_whatever_the_service_has(ecs):
    updated(ecs, OLD, id=THEIRS, createdAt=at(60))

    done = update_service(SERVICE, OLD, ecs.client)

    assert (done.deployment_id, done.started_at) == (THEIRS, at(60))


@pytest.mark.parametrize(
    ("deployments", "rollback_target"),
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
        "during a service deployment",
        "in any order",
        "after a failed service deployment",
        "while the old one drains",
        "the newest of two completed ones",
        "never completed",
        "nothing completed",
    ],
)
def test_the_rollback_target_is_the_newest_deployment_that_completed(deployments, rollback_target):
    assert last_completed_task_definition(ecs_service(*deployments)) == rollback_target


@pytest.mark.parametrize(
    ("state", "settled"), [("COMPLETED", True), ("IN_PROGRESS", False), ("FAILED", False)]
)
def test_a_service_has_settled_when_its_service_deployment_completed(state, settled):
    assert has_settled(ecs_service(ecs_deployment(rolloutState=state), before())) is settled
