"""The stop of a task: its containers have some time to exit, and are killed after it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import World, app, let_pass
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def stopping(world: World, image: str, **container: int) -> str:
    """A task that was told to stop and has not stopped yet; its ARN."""
    [task] = world.run(world.define(app(image, **container)))
    wait_for(lambda: world.task(task)["lastStatus"] == "RUNNING", "RUNNING")
    world.ecs.stop_task(cluster=world.cluster, task=task)
    wait_for(lambda: world.task(task)["lastStatus"] == "STOPPING", "STOPPING")
    return task


def exit_code(world: World, task: str) -> int:
    wait_for(lambda: world.task(task)["lastStatus"] == "STOPPED", "STOPPED")
    return int(world.task(task)["containers"][0]["exitCode"])


@pytest.mark.parametrize(("given", "seconds"), [({}, 30), ({"stopTimeout": 120}, 120)])
def test_a_container_that_does_not_exit_is_killed_after_its_stop_timeout(
    world: World, given: dict[str, int], seconds: int
) -> None:
    task = stopping(world, world.push(stop_seconds="600"), **given)

    let_pass(seconds - 10)
    assert world.task(task)["lastStatus"] == "STOPPING"
    let_pass(10)

    assert exit_code(world, task) == 137


def test_a_container_that_exits_in_time_is_not_killed(world: World) -> None:
    task = stopping(world, world.push(stop_seconds="20"))

    let_pass(20)

    assert exit_code(world, task) == 0


def test_a_deployment_waits_for_old_tasks_that_take_long_to_stop(world: World) -> None:
    world.create(world.definition(world.push(stop_seconds="20")))
    world.settle()
    new = world.definition("nginx")

    world.update(taskDefinition=new)

    wait_for(lambda: [t["lastStatus"] for t in world.tasks("STOPPED")] == ["STOPPING"], "STOPPING")
    assert world.primary()["rolloutState"] == "IN_PROGRESS"
    let_pass(20)
    assert world.settle()["taskDefinition"] == new


@pytest.mark.parametrize("seconds", [1, 121])
def test_a_stop_timeout_that_fargate_does_not_allow_is_refused(world: World, seconds: int) -> None:
    with pytest.raises(ClientError, match="The stopTimeout has to be 2 to 120 seconds"):
        world.define(app("nginx", stopTimeout=seconds))
