"""Container instances: what an Auto Scaling group brings to an ECS cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.autoscaling import Fleet, fleet_of
from tests.support.localaws.ecs import World, unique
from tests.support.waiting import wait_for

USER_DATA = """#!/bin/bash
cat <<'END' >> /etc/ecs/ecs.config
ECS_CLUSTER={cluster}
ECS_AWSVPC_BLOCK_IMDS=true
END
"""


@pytest.fixture
def fleet(aws: LocalAws) -> Iterator[Fleet]:
    with fleet_of(aws) as made:
        yield made


def registered(aws: LocalAws, cluster: str) -> list[dict[str, Any]]:
    ecs = aws.client("ecs")
    arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    if not arns:
        return []
    answer = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)
    return list(answer["containerInstances"])


def counted(aws: LocalAws, cluster: str) -> int:
    (found,) = aws.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    return int(found["registeredContainerInstancesCount"])


def test_instances_register_with_the_cluster_of_their_user_data_once_it_exists(
    aws: LocalAws, fleet: Fleet
) -> None:
    cluster = unique("late")
    fleet.create(least=2, user_data=USER_DATA.format(cluster=cluster))

    aws.client("ecs").create_cluster(clusterName=cluster)

    wait_for(lambda: counted(aws, cluster) == 2, "two container instances")
    found = registered(aws, cluster)
    assert {instance["ec2InstanceId"] for instance in found} == set(fleet.ids())
    assert {instance["status"] for instance in found} == {"ACTIVE"}
    fleet.delete()
    assert (registered(aws, cluster), counted(aws, cluster)) == ([], 0)
    aws.client("ecs").delete_cluster(cluster=cluster)


def test_instances_name_the_capacity_provider_of_their_group(aws: LocalAws, fleet: Fleet) -> None:
    ecs, cluster, provider = aws.client("ecs"), unique("c"), unique("p")
    ecs.create_cluster(clusterName=cluster)
    fleet.create(least=1, user_data=USER_DATA.format(cluster=cluster))
    wait_for(lambda: registered(aws, cluster), "the container instance")
    ecs.create_capacity_provider(
        name=provider,
        autoScalingGroupProvider={"autoScalingGroupArn": fleet.describe()["AutoScalingGroupARN"]},
    )

    ecs.put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=[provider], defaultCapacityProviderStrategy=[]
    )

    wait_for(
        lambda: registered(aws, cluster)[0].get("capacityProviderName") == provider, "the provider"
    )


def test_tasks_of_a_service_move_away_from_an_instance_that_is_terminated(
    aws: LocalAws, fleet: Fleet
) -> None:
    world = World(aws)
    definition = world.ecs.register_task_definition(
        family=world.service,
        networkMode="bridge",
        containerDefinitions=[
            {
                "name": "app",
                "image": world.push(),
                "memory": 64,
                "portMappings": [{"containerPort": 80, "hostPort": 0}],
            }
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=definition,
        desiredCount=1,
        launchType="EC2",
    )
    fleet.create(least=1, user_data=USER_DATA.format(cluster=world.cluster))
    world.settle()
    (before,) = registered(aws, world.cluster)
    (task,) = world.tasks()
    assert task["containerInstanceArn"] == before["containerInstanceArn"]

    fleet.ec2.terminate_instances(InstanceIds=fleet.ids())

    stopped = world.stopped(lambda t: t["taskArn"] == task["taskArn"])
    assert stopped["stoppedReason"] == f"Host EC2 (instance {before['ec2InstanceId']}) terminated."
    (after,) = wait_for(lambda: registered(aws, world.cluster), "another container instance")
    assert after["ec2InstanceId"] in fleet.ids()
    (moved,) = wait_for(world.tasks, "another task")
    assert moved["containerInstanceArn"] == after["containerInstanceArn"]


def test_an_instance_that_was_deregistered_by_hand_stays_away(aws: LocalAws, fleet: Fleet) -> None:
    ecs, cluster = aws.client("ecs"), unique("c")
    ecs.create_cluster(clusterName=cluster)
    fleet.create(least=1, user_data=USER_DATA.format(cluster=cluster))
    (instance,) = wait_for(lambda: registered(aws, cluster), "the container instance")

    ecs.deregister_container_instance(
        cluster=cluster, containerInstance=instance["containerInstanceArn"]
    )

    wait_for(lambda: counted(aws, cluster) == 0, "a look after it")
    assert registered(aws, cluster) == []
