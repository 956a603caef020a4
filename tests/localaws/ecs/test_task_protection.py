"""Task protection: what UpdateTaskProtection keeps from scale-in and deployments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import World, let_pass
from tests.support.waiting import wait_for


class ProtectedWorld(World):
    def protect(self, *tasks: str, enabled: bool = True, **more: Any) -> dict[str, Any]:
        answer = self.ecs.update_task_protection(
            cluster=self.cluster, tasks=list(tasks), protectionEnabled=enabled, **more
        )
        return {name: answer[name] for name in ("protectedTasks", "failures")}

    def protection(self, *tasks: str) -> dict[str, Any]:
        answer = self.ecs.get_task_protection(cluster=self.cluster, tasks=list(tasks))
        return {name: answer[name] for name in ("protectedTasks", "failures")}

    def arns(self) -> list[str]:
        return [task["taskArn"] for task in self.tasks()]


@pytest.fixture
def world(aws: LocalAws) -> ProtectedWorld:
    return ProtectedWorld(aws)


def held(world: World, deployment: str) -> str:
    return (
        f"(service {world.service}) was unable to reach steady state because task set ({deployment})"
        " was unable to scale in. Reason: The number of protected tasks are more than the desired count"
        " of tasks."
    )


def test_a_task_is_protected_for_two_hours_or_as_long_as_it_is_asked_for(
    world: ProtectedWorld,
) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    [task] = world.arns()
    unprotected = {
        "protectedTasks": [{"taskArn": task, "protectionEnabled": False}],
        "failures": [],
    }
    assert world.protection(task) == unprotected

    for minutes, asked in ((120, {}), (2880, {"expiresInMinutes": 2880})):
        [protected] = world.protect(task.rpartition("/")[2], **asked)["protectedTasks"]
        assert (protected["taskArn"], protected["protectionEnabled"]) == (task, True)
        lasts = protected["expirationDate"] - datetime.now(UTC)
        assert timedelta(minutes=minutes - 1) < lasts <= timedelta(minutes=minutes)
        assert world.protection(task)["protectedTasks"] == [protected]

    assert world.protect(task, enabled=False) == unprotected
    assert world.protection(task) == unprotected


def test_a_deployment_waits_for_the_protected_tasks_of_the_old_revision_and_says_so(
    world: ProtectedWorld,
) -> None:
    world.create(world.definition("nginx"), desired=2)
    old = world.settle()["deployments"][0]["id"]
    [kept, other] = world.arns()
    world.protect(kept)
    new = world.definition(world.push())

    world.update(taskDefinition=new)

    wait_for(lambda: held(world, old) in world.messages(), "the event")
    wait_for(lambda: other not in world.arns(), "the end of the other task")
    deployments = world.describe()["deployments"]
    assert [(d["status"], d["rolloutState"], d["runningCount"]) for d in deployments] == [
        ("PRIMARY", "IN_PROGRESS", 2),
        ("ACTIVE", "COMPLETED", 1),
    ]
    assert kept in world.arns()

    world.protect(kept, enabled=False)

    assert world.settle()["taskDefinition"] == new
    assert world.messages().count(held(world, old)) == 1


def test_protection_expires(world: ProtectedWorld) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    [task] = world.arns()
    world.protect(task, expiresInMinutes=1)

    let_pass(60)

    assert world.protection(task)["protectedTasks"] == [
        {"taskArn": task, "protectionEnabled": False}
    ]


def test_a_scale_in_goes_on_when_the_protection_expires(world: ProtectedWorld) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    [task] = world.arns()
    world.protect(task, expiresInMinutes=1)

    deployment = world.update(desiredCount=0)["deployments"][0]["id"]

    wait_for(lambda: held(world, deployment) in world.messages(), "the event")
    assert world.arns() == [task]
    let_pass(60)
    wait_for(lambda: not world.arns(), "the end of the task")


def test_a_scale_in_stops_the_tasks_that_are_not_protected(world: ProtectedWorld) -> None:
    world.create(world.definition("nginx"), desired=3)
    world.settle()
    kept = world.arns()[0]
    world.protect(kept)

    world.update(desiredCount=1)

    wait_for(lambda: world.arns() == [kept], "only the protected task")
    assert not any("was unable to scale in" in message for message in world.messages())


def test_a_protected_task_that_fails_its_health_check_is_replaced(world: ProtectedWorld) -> None:
    group = world.target_group()
    image = world.push("unhealthy")
    world.create(
        world.definition(image), group=group, healthCheckGracePeriodSeconds=3600, desired=1
    )
    [task] = wait_for(world.arns, "a task") or []
    world.protect(task)

    world.update(healthCheckGracePeriodSeconds=0)

    wait_for(lambda: world.arns() and task not in world.arns(), "another task")


def test_no_more_tasks_are_protected_if_more_are_than_are_desired(world: ProtectedWorld) -> None:
    world.create(world.definition("nginx"), desired=2)
    world.settle()
    [one, other] = world.arns()
    world.protect(one, other)
    world.update(desiredCount=1)

    blocked = world.protect(one)

    failure = {"arn": one, "reason": "DEPLOYMENT_BLOCKED"}
    assert blocked == {"protectedTasks": [], "failures": [failure]}
    world.protect(other, enabled=False)
    assert world.protect(one)["failures"] == []


def test_only_a_running_task_of_a_service_can_be_protected(world: ProtectedWorld) -> None:
    definition = world.definition("nginx")
    world.create(definition)
    world.settle()
    [task] = world.arns()
    [alone] = world.run(definition)
    missing = task.replace(task.rpartition("/")[2], "0" * 32)

    answer = world.protect(task, alone, missing)

    assert [protected["taskArn"] for protected in answer["protectedTasks"]] == [task]
    assert answer["failures"] == [
        {"arn": alone, "reason": "TASK_NOT_VALID"},
        {"arn": missing, "reason": "MISSING"},
    ]
    assert world.protection(alone, missing)["failures"] == answer["failures"]


@pytest.mark.parametrize(
    ("tasks", "more"),
    [
        ([], {}),
        (["t"] * 11, {}),
        (["t"], {"expiresInMinutes": 0}),
        (["t"], {"expiresInMinutes": 2881}),
    ],
)
def test_a_protection_out_of_its_limits_is_refused(
    world: ProtectedWorld, tasks: list[str], more: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="must") as refused:
        world.protect(*tasks, **more)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    with pytest.raises(ClientError, match="1 to 100 elements"):
        world.protection(*["t"] * 101)
    with pytest.raises(ClientError, match="without tasks is not simulated"):
        world.ecs.get_task_protection(cluster=world.cluster)
