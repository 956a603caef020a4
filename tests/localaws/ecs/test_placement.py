"""Places: tasks spread over zones and subnets."""

from __future__ import annotations

from collections import Counter

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import details
from tests.support.localaws.ecs_capacity import CapacityWorld


@pytest.fixture
def world(aws: LocalAws) -> CapacityWorld:
    return CapacityWorld(aws)


def test_tasks_spread_over_the_subnets_and_say_in_which_zone_they_are(
    world: CapacityWorld,
) -> None:
    subnets = world.ec2.describe_subnets(SubnetIds=world.subnets)["Subnets"]
    zones = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets}
    given = {"availabilityZoneRebalancing": "ENABLED", "enableExecuteCommand": True}
    world.create(world.definition(world.push()), desired=4, **given)
    world.settle()

    def places() -> Counter[str]:
        tasks = world.tasks()
        for task in tasks:
            assert task["availabilityZone"] == zones[details(task)["subnetId"]]
        return Counter(details(task)["subnetId"] for task in tasks)

    assert places() == dict.fromkeys(world.subnets, 2)
    assert world.describe().items() >= given.items()
    assert world.tasks()[0]["enableExecuteCommand"] is True

    world.update(taskDefinition=world.definition(world.push()))
    world.settle()

    assert places() == dict.fromkeys(world.subnets, 2)


def test_tasks_spread_over_the_zones_of_their_instances(world: CapacityWorld) -> None:
    group = world.group(2)
    instances = world.register(group)
    zones = {instance["AvailabilityZone"] for instance in group["Instances"]}
    world.bridge_service(4)
    world.settle()

    used = Counter(task["availabilityZone"] for task in world.tasks())

    assert world.hosts() == set(instances)
    assert used == dict.fromkeys(zones, 4 // len(zones))


def test_an_awsvpc_task_on_an_instance_is_in_the_instance_s_zone(world: CapacityWorld) -> None:
    world.register(world.group(2))
    world.create(world.definition(world.push()), desired=2, launchType="EC2")
    world.settle()

    hosts = world.ecs.describe_container_instances(
        cluster=world.cluster,
        containerInstances=[task["containerInstanceArn"] for task in world.tasks()],
    )["containerInstances"]

    zones = {
        host["containerInstanceArn"]: attribute["value"]
        for host in hosts
        for attribute in host["attributes"]
        if attribute["name"] == "ecs.availability-zone"
    }
    for task in world.tasks():
        assert task["availabilityZone"] == zones[task["containerInstanceArn"]]
