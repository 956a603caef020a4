"""Tasks that end during a deployment are replaced by tasks of their own revision."""

from __future__ import annotations

from collections import Counter

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import World
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def running(world: World) -> Counter[str]:
    """How many tasks of each task definition run."""
    return Counter(t["taskDefinitionArn"] for t in world.tasks() if t["lastStatus"] == "RUNNING")


def end_one(world: World, definition: str) -> str:
    """Stop a running task of a task definition, as a failure would; its ARN."""
    task = next(t for t in world.tasks() if t["taskDefinitionArn"] == definition)
    world.ecs.stop_task(cluster=world.cluster, task=task["taskArn"])
    return str(task["taskArn"])


def test_the_old_revision_keeps_its_tasks_while_the_new_one_fails(world: World) -> None:
    old = world.definition(world.push())
    world.create(old, desired=2)
    world.settle()
    world.update(taskDefinition=world.definition(world.push("crash")))
    wait_for(lambda: world.primary()["failedTasks"] >= 2, "failures")

    ended = end_one(world, old)

    wait_for(lambda: running(world)[old] == 2, "the replacement")
    assert ended not in [task["taskArn"] for task in world.tasks()]
    [_, former] = world.describe()["deployments"]
    assert (former["status"], former["desiredCount"]) == ("ACTIVE", 2)
    assert world.primary()["rolloutState"] == "IN_PROGRESS"


def test_a_lost_task_of_a_service_that_cannot_be_updated_is_not_replaced_by_a_new_one(
    world: World,
) -> None:
    old, new = world.definition(world.push()), world.definition(world.push())
    only = {"minimumHealthyPercent": 100, "maximumPercent": 100}
    world.create(old, deploymentConfiguration=only)
    world.settle()
    world.update(taskDefinition=new)
    wait_for(lambda: any("was unable to stop" in m for m in world.messages()), "the event")

    end_one(world, old)

    wait_for(lambda: len(world.tasks("STOPPED")) == 1 and running(world)[old] == 1, "another one")
    definitions = [t["taskDefinitionArn"] for t in (*world.tasks(), *world.tasks("STOPPED"))]
    assert definitions == [old, old]


def test_what_new_tasks_have_taken_over_is_not_replaced(world: World) -> None:
    old, new = world.definition(world.push()), world.definition(world.push())
    world.create(old, desired=2)
    world.settle()
    world.update(taskDefinition=new)

    assert world.settle()["taskDefinition"] == new

    assert running(world) == {new: 2}
    started = [task["taskDefinitionArn"] for task in world.tasks("STOPPED")]
    assert started == [old, old]


def test_a_lost_task_of_a_revision_that_was_never_deployed_completely_is_not_replaced(
    world: World,
) -> None:
    first = world.definition(world.push("slow", start_seconds="3600"))
    world.create(first)
    wait_for(world.tasks, "a task")
    second = world.definition(world.push("slow", start_seconds="3600"))
    world.update(taskDefinition=second)
    wait_for(lambda: len(world.tasks()) == 2, "both tasks")

    end_one(world, first)

    wait_for(lambda: len(world.describe()["deployments"]) == 1, "the end of the first deployment")
    assert [task["taskDefinitionArn"] for task in world.tasks()] == [second]


def test_both_revisions_scale_out_during_a_deployment(world: World) -> None:
    old = world.definition(world.push())
    world.create(old, desired=1)
    world.settle()
    new = world.definition(world.push("slow", start_seconds="3600"))
    world.update(taskDefinition=new)
    wait_for(lambda: len(world.tasks()) == 2, "both tasks")

    world.update(desiredCount=3)

    wait_for(lambda: running(world)[old] == 3, "three old tasks")
    assert Counter(task["taskDefinitionArn"] for task in world.tasks()) == {old: 3, new: 3}
