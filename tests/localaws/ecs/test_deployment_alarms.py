"""Deployment alarms: what ECS does when an alarm rings while it rolls out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import BREAKER, World, listen_to_deployments, unique
from tests.support.waiting import wait_for

SLOW = {"start_seconds": "600"}


class AlarmedWorld(World):
    """A world with an alarm."""

    def __init__(self, aws: LocalAws) -> None:
        super().__init__(aws)
        self.cloudwatch = aws.client("cloudwatch")
        self.alarm = put_alarm(self.cloudwatch)

    def ring(self, state: str = "ALARM", alarm: str | None = None) -> None:
        self.cloudwatch.set_alarm_state(
            AlarmName=alarm or self.alarm, StateValue=state, StateReason="a test"
        )

    def state(self) -> str:
        answer = self.cloudwatch.describe_alarms(AlarmNames=[self.alarm])
        return str(answer["MetricAlarms"][0]["StateValue"])

    def heeded(self, *more: str, enable: bool = True, rollback: bool = True) -> dict[str, Any]:
        names = [self.alarm, *more]
        return {"alarms": {"alarmNames": names, "enable": enable, "rollback": rollback}}

    def failed_event(self, deployment: str) -> str:
        return (
            f"(service {self.service}) (deployment {deployment}) deployment failed: alarm detected."
        )


@pytest.fixture
def world(aws: LocalAws) -> Iterator[AlarmedWorld]:
    made = AlarmedWorld(aws)
    yield made
    made.ring("OK")


def test_an_alarm_that_rings_during_a_rollout_brings_the_last_completed_definition_back(
    world: AlarmedWorld,
) -> None:
    good = world.definition(world.push())
    world.create(good, desired=2, deploymentConfiguration=world.heeded())
    last = world.settle()["deployments"][0]["id"]
    assert world.describe()["deploymentConfiguration"]["alarms"] == world.heeded()["alarms"]
    told_so_far = listen_to_deployments(world, besides=last)
    slow = world.definition(world.push("slow", **SLOW))
    failed = world.update(taskDefinition=slow)["deployments"][0]["id"]

    world.ring()

    assert wait_for(lambda: world.describe()["taskDefinition"] == good, "the rollback")
    final = world.settle()["deployments"][0]["id"]
    assert world.failed_event(failed) in world.messages()
    assert f"(service {world.service}) rolling back to deployment {last}." in world.messages()
    told = told_so_far(4)
    assert "alarm detected" in told["SERVICE_DEPLOYMENT_FAILED", failed]["reason"]
    assert last in told["SERVICE_DEPLOYMENT_IN_PROGRESS", final]["reason"]


def test_without_rollback_the_deployment_stays_failed(world: AlarmedWorld) -> None:
    world.create(
        world.definition(world.push()),
        deploymentConfiguration={**BREAKER, **world.heeded(rollback=False)},
    )
    good = world.settle()["deployments"][0]["id"]
    world.update(taskDefinition=world.definition(world.push("slow", **SLOW)))

    world.ring()

    wait_for(lambda: world.primary()["rolloutState"] == "FAILED", "FAILED")
    primary, old = world.describe()["deployments"]
    assert primary["rolloutStateReason"] == "ECS deployment alarms: alarm detected."
    assert (old["id"], old["runningCount"]) == (good, 1)


def test_a_first_deployment_fails_too(world: AlarmedWorld) -> None:
    world.create(
        world.definition(world.push("slow", **SLOW)), deploymentConfiguration=world.heeded()
    )

    world.ring()

    wait_for(lambda: world.primary()["rolloutState"] == "FAILED", "FAILED")


def test_a_deployment_that_begins_while_an_alarm_fires_heeds_no_alarm(world: AlarmedWorld) -> None:
    other = put_alarm(world.cloudwatch)
    world.create(world.definition(world.push()), deploymentConfiguration=world.heeded(other))
    world.settle()
    world.ring()
    fix = world.definition(world.push("slow", start_seconds="1"))

    world.update(taskDefinition=fix)
    world.ring(alarm=other)

    assert world.settle()["taskDefinition"] == fix
    assert not [message for message in world.messages() if "deployment failed" in message]


def test_alarms_that_are_not_enabled_are_not_heeded(world: AlarmedWorld) -> None:
    world.create(
        world.definition(world.push("slow", start_seconds="1")),
        deploymentConfiguration=world.heeded(enable=False),
    )

    world.ring()

    assert world.settle()["runningCount"] == 1


def test_an_alarm_that_rings_after_the_rollout_changes_nothing(world: AlarmedWorld) -> None:
    world.create(world.definition(world.push()), deploymentConfiguration=world.heeded())
    before = world.settle()["deployments"][0]["id"]

    world.ring()
    world.update(desiredCount=2)

    wait_for(lambda: world.describe()["runningCount"] == 2, "two tasks")
    assert world.settle()["deployments"][0]["id"] == before


def test_an_alarm_may_be_made_after_the_service_that_names_it(world: AlarmedWorld) -> None:
    later = unique("later")
    alarms = {"alarmNames": [later], "enable": True, "rollback": True}
    good = world.definition(world.push())
    world.create(good, deploymentConfiguration={"alarms": alarms})
    world.settle()
    slow = world.definition(world.push("slow", **SLOW))
    failed = world.update(taskDefinition=slow)["deployments"][0]["id"]

    put_alarm(world.cloudwatch, later)
    world.ring(alarm=later)

    wait_for(lambda: world.failed_event(failed) in world.messages(), "the failure")
    assert world.settle()["taskDefinition"] == good


def test_an_image_that_raises_an_alarm_while_it_is_rolled_out_is_rolled_back(
    world: AlarmedWorld,
) -> None:
    good = world.definition(world.push())
    # One after the other, so that the first has time to ring.
    limits = {"minimumHealthyPercent": 75, "maximumPercent": 100}
    world.create(good, desired=4, deploymentConfiguration={**limits, **world.heeded()})
    world.settle()
    bad = world.definition(world.push("regression", alarm=world.alarm))
    failed = world.update(taskDefinition=bad)["deployments"][0]["id"]

    wait_for(lambda: world.failed_event(failed) in world.messages(), "the failure")

    assert world.settle()["taskDefinition"] == good
    wait_for(lambda: world.state() == "OK", "OK")
