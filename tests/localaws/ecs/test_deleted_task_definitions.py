"""DeleteTaskDefinitions: a revision that is in use stays DELETE_IN_PROGRESS until nothing uses it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import World
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def delete(world: World, revision: str) -> dict[str, Any]:
    """Deregister and delete a revision; the record in the answer."""
    world.ecs.deregister_task_definition(taskDefinition=revision)
    answer = world.ecs.delete_task_definitions(taskDefinitions=[revision])
    assert answer["failures"] == []
    return dict(answer["taskDefinitions"][0])


def status(world: World, revision: str) -> str:
    answer = world.ecs.describe_task_definition(taskDefinition=revision)
    return str(answer["taskDefinition"]["status"])


def is_gone(world: World, revision: str) -> bool:
    try:
        status(world, revision)
    except ClientError as refused:
        error = refused.response["Error"]
        assert error == {
            "Code": "ClientException",
            "Message": "Unable to describe task definition.",
        }
        return True
    return False


def test_a_revision_that_nothing_uses_is_deleted_and_can_no_longer_be_described(
    world: World,
) -> None:
    revision = world.definition("nginx")

    deleted = delete(world, revision)

    assert deleted["status"] == "DELETE_IN_PROGRESS"
    assert deleted["deleteRequestedAt"] >= deleted["deregisteredAt"]
    wait_for(lambda: is_gone(world, revision), "the deletion")


def test_a_revision_of_a_service_is_in_progress_until_the_service_is_gone(world: World) -> None:
    revision = world.definition(world.push())
    world.create(revision)
    world.settle()

    delete(world, revision)

    world.update(desiredCount=2)  # existing services go on, and scale
    wait_for(lambda: world.describe()["runningCount"] == 2, "two tasks")
    assert status(world, revision) == "DELETE_IN_PROGRESS"
    listed = world.ecs.list_task_definitions(
        familyPrefix=world.service, status="DELETE_IN_PROGRESS"
    )
    assert listed["taskDefinitionArns"] == [revision]
    again = world.ecs.delete_task_definitions(taskDefinitions=[revision])["taskDefinitions"]
    assert [one["status"] for one in again] == ["DELETE_IN_PROGRESS"]
    world.update(desiredCount=0)
    wait_for(lambda: not world.tasks(), "no task")
    assert status(world, revision) == "DELETE_IN_PROGRESS"
    world.ecs.delete_service(cluster=world.cluster, service=world.service)
    wait_for(lambda: is_gone(world, revision), "the deletion")


def test_a_revision_is_in_progress_while_a_former_deployment_has_it(world: World) -> None:
    revision = world.definition(world.push())
    world.create(revision)
    world.settle()
    world.update(taskDefinition=world.definition(world.push("slow", start_seconds="600")))

    delete(world, revision)

    wait_for(lambda: world.tasks("RUNNING")[1:], "the task of the new deployment")
    assert status(world, revision) == "DELETE_IN_PROGRESS"
    world.update(taskDefinition=world.definition(world.push()))
    wait_for(lambda: is_gone(world, revision), "the deletion")


def test_a_revision_is_in_progress_while_a_task_without_a_service_runs(world: World) -> None:
    revision = world.definition("nginx")
    (task,) = world.run(revision)

    delete(world, revision)

    wait_for(lambda: world.task(task)["lastStatus"] == "RUNNING", "RUNNING")
    assert status(world, revision) == "DELETE_IN_PROGRESS"
    world.ecs.stop_task(cluster=world.cluster, task=task)
    wait_for(lambda: is_gone(world, revision), "the deletion")


def test_only_revisions_that_exist_and_are_not_active_are_deleted(world: World) -> None:
    active = world.definition("nginx")

    answer = world.ecs.delete_task_definitions(
        taskDefinitions=[active, f"{world.service}:9", world.service]
    )

    assert answer["taskDefinitions"] == []
    assert [failure["arn"] for failure in answer["failures"]] == [
        active,
        f"{world.service}:9",
        world.service,
    ]
    assert "still in ACTIVE status" in answer["failures"][0]["reason"]
    assert status(world, active) == "ACTIVE"
    with pytest.raises(ClientError, match="InvalidParameterException"):
        world.ecs.delete_task_definitions(taskDefinitions=[active] * 11)


@pytest.mark.parametrize("deleted", [False, True], ids=["INACTIVE", "DELETE_IN_PROGRESS"])
def test_a_revision_that_is_not_active_starts_no_service_no_deployment_and_no_task(
    world: World, deleted: bool
) -> None:
    revision = world.definition("nginx")
    world.create(revision, desired=0)
    world.ecs.deregister_task_definition(taskDefinition=revision)
    if deleted:
        delete(world, revision)

    for action, call, code in (
        ("CreateService", lambda: World(world.aws).create(revision), "ClientException"),
        ("UpdateService", lambda: world.update(taskDefinition=revision), "ClientException"),
        ("RunTask", lambda: world.run(revision), "InvalidParameterException"),
    ):
        with pytest.raises(ClientError, match="TaskDefinition is inactive") as refused:
            call()
        assert refused.value.operation_name == action
        assert refused.value.response["Error"]["Code"] == code
    world.update(desiredCount=1)
    wait_for(lambda: world.describe()["runningCount"] == 1, "the service to scale")
