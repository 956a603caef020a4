"""Clusters: what they are made with, and what keeps them from being deleted."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import register_instance, unique
from tests.support.localaws.ecs_capacity import CapacityWorld, item
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> CapacityWorld:
    return CapacityWorld(aws)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_cluster_keeps_the_settings_that_it_is_made_with(world: CapacityWorld) -> None:
    command = {
        "logging": "OVERRIDE",
        "logConfiguration": {"cloudWatchLogGroupName": "exec"},
    }
    given = {
        "settings": [{"name": "containerInsights", "value": "enhanced"}],
        "configuration": {"executeCommandConfiguration": command},
        "serviceConnectDefaults": {"namespace": "n"},
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [item("FARGATE", weight=1, base=0)],
        "tags": [{"key": "team", "value": "blue"}],
    }
    name = unique("cluster")

    made = world.ecs.create_cluster(clusterName=name, **given)["cluster"]

    include = ["SETTINGS", "CONFIGURATIONS", "TAGS"]
    (told,) = world.ecs.describe_clusters(clusters=[name], include=include)["clusters"]
    for field, value in given.items():
        assert told[field] == value == made[field], field


def test_a_cluster_that_is_there_is_not_made_again(world: CapacityWorld) -> None:
    world.associate("FARGATE")

    again = world.ecs.create_cluster(clusterName=world.cluster)["cluster"]

    assert again["capacityProviders"] == ["FARGATE"]
    with pytest.raises(ClientError, match="inconsistent with arguments used in previous"):
        world.ecs.create_cluster(clusterName=world.cluster, capacityProviders=["FARGATE_SPOT"])


def test_the_first_cluster_makes_the_role_of_ecs(world: CapacityWorld) -> None:
    role = world.aws.client("iam").get_role(RoleName="AWSServiceRoleForECS")["Role"]
    assert role["Path"] == "/aws-service-role/ecs.amazonaws.com/"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs.amazonaws.com"}


def test_a_cluster_with_services_instances_or_tasks_stays(world: CapacityWorld) -> None:
    def refusal() -> str:
        with pytest.raises(ClientError) as refused:
            world.ecs.delete_cluster(cluster=world.cluster)
        return code(refused)

    world.create(world.definition("nginx"), desired=0)
    assert refusal() == "ClusterContainsServicesException"
    world.ecs.delete_service(cluster=world.cluster, service=world.service)
    wait_for(lambda: world.describe()["status"] == "INACTIVE", "INACTIVE")

    register_instance(world)
    assert refusal() == "ClusterContainsContainerInstancesException"
    (instance,) = world.ecs.list_container_instances(cluster=world.cluster)["containerInstanceArns"]
    world.ecs.deregister_container_instance(cluster=world.cluster, containerInstance=instance)

    run = world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=world.definition("nginx"),
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )
    assert refusal() == "ClusterContainsTasksException"
    task = run["tasks"][0]["taskArn"]
    world.ecs.stop_task(cluster=world.cluster, task=task)
    wait_for(lambda: not world.ecs.list_tasks(cluster=world.cluster)["taskArns"], "no task")
    stopped = world.ecs.describe_tasks
    wait_for(
        lambda: stopped(cluster=world.cluster, tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED",
        "STOPPED",
    )

    deleted = world.ecs.delete_cluster(cluster=world.cluster)["cluster"]
    assert deleted["status"] == "INACTIVE"
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        world.create(world.definition("nginx"))


def test_a_capacity_provider_in_use_stays(world: CapacityWorld) -> None:
    provider = world.provider(world.group())
    world.associate(provider)
    world.bridge_service(0, capacityProviderStrategy=[item(provider, weight=1)])

    with pytest.raises(ClientError, match="in use and cannot be removed") as refused:
        world.associate()
    assert code(refused) == "ResourceInUseException"
    failed = world.ecs.delete_capacity_provider(capacityProvider=provider)["capacityProvider"]
    assert (failed["status"], failed["updateStatus"]) == ("ACTIVE", "DELETE_FAILED")
    assert world.cluster in failed["updateStatusReason"]

    world.ecs.delete_service(cluster=world.cluster, service=world.service)
    wait_for(lambda: world.describe()["status"] == "INACTIVE", "INACTIVE")
    world.associate()
    world.ecs.delete_capacity_provider(capacityProvider=provider)
    described = world.ecs.describe_capacity_providers(capacityProviders=[provider])
    assert described["capacityProviders"] == []
    with pytest.raises(ClientError, match="does not exist"):
        world.ecs.delete_capacity_provider(capacityProvider=provider)
