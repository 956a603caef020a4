"""Capacity: capacity providers, and the strategies that choose among them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.ecs.capacity_providers import choose
from localaws.server import LocalAws
from tests.support.localaws.ecs import register_instance
from tests.support.localaws.ecs_capacity import CapacityWorld, item
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> CapacityWorld:
    return CapacityWorld(aws)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_capacity_provider_keeps_the_settings_that_it_is_made_and_changed_with(
    world: CapacityWorld,
) -> None:
    group = world.group(NewInstancesProtectedFromScaleIn=True)
    scaling = {"status": "ENABLED", "targetCapacity": 90, "instanceWarmupPeriod": 60}
    given = {"managedTerminationProtection": "ENABLED", "managedDraining": "DISABLED"}
    name = world.provider(group, managedScaling=scaling, **given)

    def told() -> dict[str, Any]:
        answer = world.ecs.describe_capacity_providers(capacityProviders=[name])
        return dict(answer["capacityProviders"][0]["autoScalingGroupProvider"])

    assert told().items() >= {**given, "autoScalingGroupArn": group["AutoScalingGroupARN"]}.items()
    assert told()["managedScaling"].items() >= scaling.items()

    world.ecs.update_capacity_provider(
        name=name,
        autoScalingGroupProvider={
            "managedDraining": "ENABLED",
            "managedScaling": {"targetCapacity": 80},
        },
    )

    assert told()["managedDraining"] == "ENABLED"
    assert told()["managedScaling"]["targetCapacity"] == 80
    assert told()["managedScaling"]["status"] == "ENABLED"


def test_every_account_has_the_providers_of_fargate(world: CapacityWorld) -> None:
    name = world.provider(world.group())

    described = world.ecs.describe_capacity_providers()["capacityProviders"]

    assert {"FARGATE", "FARGATE_SPOT", name} <= {provider["name"] for provider in described}
    missing = world.ecs.describe_capacity_providers(capacityProviders=["none"])["failures"]
    assert [failure["reason"] for failure in missing] == ["MISSING"]


def test_capacity_providers_that_ecs_refuses(world: CapacityWorld) -> None:
    group = world.group()
    world.provider(group)
    with pytest.raises(ClientError, match="already being used by another capacity provider"):
        world.provider(group)
    with pytest.raises(ClientError, match="Auto Scaling group ARN is invalid"):
        world.provider({"AutoScalingGroupARN": "none"})
    with pytest.raises(ClientError, match="instance protection from scale in"):
        world.provider(world.group(), managedTerminationProtection="ENABLED")
    with pytest.raises(ClientError, match="was not found"):
        world.associate("none")


def test_a_service_with_a_capacity_provider_runs_on_the_instances_of_its_group(
    world: CapacityWorld,
) -> None:
    register_instance(world)  # in the cluster, but of no group
    group = world.group(2)
    provider, instances = world.provider(group), world.register(group)
    world.associate(provider)
    world.bridge_service(3, capacityProviderStrategy=[item(provider, weight=1)])
    world.settle()

    assert world.hosts() == set(instances)
    for task in world.tasks():
        assert (task["capacityProviderName"], task["launchType"]) == (provider, "EC2")
    assert "launchType" not in world.describe()


def test_a_task_waits_for_an_instance_of_its_capacity_provider(world: CapacityWorld) -> None:
    group = world.group(1)
    provider = world.provider(group)
    world.associate(provider)
    world.bridge_service(1, capacityProviderStrategy=[item(provider, weight=1)])
    told = wait_for(world.messages, "an event")
    assert "No Container Instances were found in your capacity provider." in told[0]

    world.register(group)

    assert world.settle()["runningCount"] == 1
    assert world.primary()["failedTasks"] == 0


def test_a_strategy_spreads_tasks_by_base_and_weight(world: CapacityWorld) -> None:
    world.associate("FARGATE", "FARGATE_SPOT")
    world.create_by(item("FARGATE", base=2, weight=1), item("FARGATE_SPOT", weight=3), desired=6)
    world.settle()

    used = Counter(task["capacityProviderName"] for task in world.tasks())

    assert used == {"FARGATE": 3, "FARGATE_SPOT": 3}
    assert {task["launchType"] for task in world.tasks()} == {"FARGATE"}


def test_a_provider_without_weight_has_its_base_only() -> None:
    strategy = [item("a", base=1), item("b", weight=1)]
    chosen: Counter[str] = Counter()
    for _ in range(4):
        chosen[choose(strategy, chosen)] += 1
    assert chosen == {"a": 1, "b": 3}


def test_the_cluster_s_default_strategy_is_for_services_that_name_none(
    world: CapacityWorld,
) -> None:
    world.associate("FARGATE_SPOT", strategy=[item("FARGATE_SPOT", weight=1)])
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=world.definition("nginx"),
        desiredCount=1,
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )
    world.settle()
    assert world.tasks()[0]["capacityProviderName"] == "FARGATE_SPOT"


def test_run_task_takes_a_strategy(world: CapacityWorld) -> None:
    world.associate("FARGATE", "FARGATE_SPOT")
    run = world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=world.definition("nginx"),
        count=2,
        capacityProviderStrategy=[item("FARGATE", weight=1), item("FARGATE_SPOT", weight=1)],
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )
    used = {task["capacityProviderName"] for task in run["tasks"]}
    assert used == {"FARGATE", "FARGATE_SPOT"}


def test_a_changed_strategy_is_a_new_deployment_in_place_of_the_launch_type(
    world: CapacityWorld,
) -> None:
    world.associate("FARGATE_SPOT")
    world.create(world.definition("nginx"))
    before = world.settle()["deployments"][0]["id"]

    spot = {"capacityProviderStrategy": [item("FARGATE_SPOT", weight=1)]}
    with pytest.raises(ClientError, match="you must force a new deployment") as refused:
        world.update(**spot)
    assert code(refused) == "InvalidParameterException"
    world.update(**spot, forceNewDeployment=True)

    service = world.settle()
    assert service["deployments"][0]["id"] != before
    assert "launchType" not in service
    assert world.tasks()[0]["capacityProviderName"] == "FARGATE_SPOT"
    world.update(capacityProviderStrategy=[item("FARGATE_SPOT", weight=1, base=0)])
    assert world.primary()["id"] == service["deployments"][0]["id"]
    with pytest.raises(ClientError, match="you must force a new deployment"):
        world.update(capacityProviderStrategy=[])


def test_strategies_that_ecs_refuses(world: CapacityWorld) -> None:
    provider = world.provider(world.group())
    world.associate("FARGATE", "FARGATE_SPOT", provider)
    with pytest.raises(ClientError, match="not associated with the cluster") as refused:
        world.create_by(item("none", weight=1))
    assert code(refused) == "InvalidParameterException"
    with pytest.raises(ClientError, match="cannot contain a mix"):
        world.create_by(item("FARGATE", weight=1), item(provider, weight=1))
    with pytest.raises(ClientError, match="weight above zero"):
        world.create_by(item("FARGATE"), item("FARGATE_SPOT"))
    with pytest.raises(ClientError, match="both a launch type and capacity provider"):
        world.create(
            world.definition("nginx"), capacityProviderStrategy=[item("FARGATE", weight=1)]
        )
    with pytest.raises(ClientError, match="not associated with the cluster"):
        world.associate("FARGATE", strategy=[item("FARGATE_SPOT", weight=1)])
