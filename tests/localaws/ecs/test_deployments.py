"""Rollouts: percentages, the circuit breaker, rollback, and the events they send."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localaws.ecs.deployment import threshold
from localaws.server import LocalAws
from tests.support.localaws.ecs import BREAKER, World, let_pass, listen_to_deployments
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def running_during_rollout(world: World) -> tuple[int, int]:
    """The fewest and the most tasks seen running or pending while a rollout goes on."""
    fewest, most = 99, 0
    while len(deployments := world.describe()["deployments"]) > 1:
        running = sum(d["runningCount"] for d in deployments)
        pending = sum(d["pendingCount"] for d in deployments)
        fewest, most = min(fewest, running), max(most, running + pending)
    return fewest, most


def test_the_maximum_percent_bounds_how_many_run_and_the_minimum_how_few(world: World) -> None:
    limits = {"minimumHealthyPercent": 50, "maximumPercent": 100}
    world.create(world.definition(world.push()), desired=4, deploymentConfiguration=limits)
    world.settle()
    world.update(taskDefinition=world.definition(world.push()))

    fewest, most = running_during_rollout(world)

    assert most <= 4
    assert fewest >= 2
    world.settle()


def test_a_task_is_never_replaced_while_the_percentages_let_none_start_or_stop(
    world: World,
) -> None:
    """Of one task, 50 percent are rounded up to one, and 150 percent down to one."""
    limits = {"minimumHealthyPercent": 50, "maximumPercent": 150}
    old, new = (world.definition(world.push()) for _ in range(2))
    world.create(old, desired=1, deploymentConfiguration=limits)
    world.settle()
    [before] = world.tasks()

    world.update(taskDefinition=new)
    let_pass(3600)

    assert [task["taskArn"] for task in world.tasks()] == [before["taskArn"]]
    assert [d["taskDefinition"] for d in world.describe()["deployments"]] == [new, old]
    world.update(deploymentConfiguration={"maximumPercent": 200})
    world.settle()
    assert [task["taskDefinitionArn"] for task in world.tasks()] == [new]


def test_by_default_the_new_tasks_are_healthy_before_the_old_ones_stop(world: World) -> None:
    group = world.target_group()
    world.create(world.definition(world.push()), desired=2, group=group)
    world.settle()
    world.update(taskDefinition=world.definition(world.push()))

    fewest = 99
    while len(world.describe()["deployments"]) > 1:
        states = [t["TargetHealth"]["State"] for t in world.targets(group)]
        fewest = min(fewest, states.count("healthy"))

    assert fewest >= 2


@pytest.mark.parametrize(
    ("breaker", "desired", "expected"),
    [
        ({}, 1, 3),
        ({}, 25, 13),
        ({}, 1000, 200),
        ({"thresholdConfiguration": {"type": "COUNT", "value": 2}}, 50, 2),
        ({"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 100}}, 500, 500),
    ],
)
def test_the_circuit_breaker_trips_after(
    breaker: dict[str, Any], desired: int, expected: int
) -> None:
    assert threshold(breaker, desired) == expected


@pytest.mark.parametrize(
    ("behaviour", "code", "reason"),
    [
        ("crash", "EssentialContainerExited", "Essential container in task exited"),
        ("unpullable", "TaskFailedToStart", "CannotPullContainerError: "),
        ("unhealthy", "ServiceSchedulerInitiated", "Task failed ELB health checks in (target-gr"),
    ],
)
def test_failing_tasks_trip_the_breaker_and_the_last_completed_definition_comes_back(
    world: World, aws: LocalAws, behaviour: str, code: str, reason: str
) -> None:
    group, good = world.target_group(), world.definition(world.push())
    world.create(good, desired=2, group=group, deploymentConfiguration=BREAKER)
    last = world.settle()["deployments"][0]["id"]

    failed = world.update(taskDefinition=world.definition(world.push(behaviour)))["deployments"][0]

    assert world.settle()["taskDefinition"] == good
    task = world.stopped(lambda t: t["startedBy"] == failed["id"] and t["stopCode"] == code)
    assert task["stoppedReason"].startswith(reason)
    message = f"(deployment {failed['id']}) deployment failed: tasks failed to start."
    assert f"(service {world.service}) {message}" in world.messages()
    assert f"(service {world.service}) rolling back to deployment {last}." in world.messages()
    assert len(world.targets(group)) == 2


def test_without_rollback_the_deployment_stays_failed_and_the_old_tasks_go_on(world: World) -> None:
    world.create(
        world.definition(world.push()),
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
    )
    good = world.settle()["deployments"][0]["id"]
    world.update(taskDefinition=world.definition(world.push("crash")))

    wait_for(lambda: world.primary()["rolloutState"] == "FAILED", "FAILED")

    primary, old = world.describe()["deployments"]
    assert primary["rolloutStateReason"] == (
        "ECS deployment circuit breaker: tasks failed to start."
    )
    assert primary["failedTasks"] >= 3
    assert (old["id"], old["runningCount"]) == (good, 1)


def test_without_a_breaker_ecs_goes_on_trying(world: World) -> None:
    world.create(world.definition(world.push("crash")))

    wait_for(lambda: world.primary()["failedTasks"] >= 4, "four failed tasks")

    assert world.primary()["rolloutState"] == "IN_PROGRESS"


def test_the_grace_period_keeps_an_unhealthy_task(world: World) -> None:
    group = world.target_group()
    world.create(
        world.definition(world.push("unhealthy")), group=group, healthCheckGracePeriodSeconds=600
    )
    wait_for(
        lambda: [t["TargetHealth"]["State"] for t in world.targets(group)] == ["unhealthy"],
        "an unhealthy target",
    )

    assert len(world.tasks()) == 1
    assert world.tasks("STOPPED") == []


def test_a_failed_rollout_with_rollback_tells_eventbridge_each_step(world: World) -> None:
    world.create(world.definition(world.push()), deploymentConfiguration=BREAKER)
    last = world.settle()["deployments"][0]["id"]
    told_so_far = listen_to_deployments(world, besides=last)
    failed = world.update(taskDefinition=world.definition(world.push("crash")))["deployments"][0]
    final = world.settle()["deployments"][0]

    told = told_so_far(4)
    assert set(told) == {
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", failed["id"]),
        ("SERVICE_DEPLOYMENT_FAILED", failed["id"]),
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", final["id"]),
        ("SERVICE_DEPLOYMENT_COMPLETED", final["id"]),
    }
    failure = told["SERVICE_DEPLOYMENT_FAILED", failed["id"]]
    assert failure["eventType"] == "ERROR"
    assert failure["reason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", failure["updatedAt"])
    rollback = told["SERVICE_DEPLOYMENT_IN_PROGRESS", final["id"]]
    assert rollback["reason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {last}."
    )
