"""ECS in CloudFormation: stacks of a cluster, a task definition and a service."""

from __future__ import annotations

import json

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import World
from tests.support.localaws.ecs_stacks import BREAKER, service_of, stack_of
from tests.support.localaws.stacks import create, delete, outputs, reasons, update
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def test_a_stack_is_complete_when_its_service_is_steady(world: World) -> None:
    stack = create(
        world.aws, stack_of(world, world.push("slow", start_seconds="1"), DesiredCount=2)
    )

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    told, service = outputs(stack), service_of(world, stack)
    assert service["runningCount"] == service["desiredCount"] == 2
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    assert told["Service"] == told["ServiceArn"] == service["serviceArn"]
    assert told["Definition"] == told["DefinitionArn"] == service["taskDefinition"]
    assert told["Definition"].endswith(":1")


def test_a_service_whose_deployment_fails_makes_the_stack_fail_and_leaves_nothing(
    world: World,
) -> None:
    stack = create(world.aws, stack_of(world, world.push("crash")))

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "deployment failed: tasks failed to start" in reasons(world.aws, stack)["Service"]
    clusters = world.ecs.list_clusters()["clusterArns"]
    active = world.ecs.describe_clusters(clusters=clusters)["clusters"]
    assert not [
        c
        for c in active
        if c["clusterName"].startswith(stack["StackName"]) and c["status"] == "ACTIVE"
    ]


def test_a_service_has_all_that_its_template_gives_it(world: World) -> None:
    group = world.target_group()
    configuration = {**BREAKER, "MaximumPercent": "150", "MinimumHealthyPercent": 50}
    given = {
        "ServiceName": world.service,
        "SchedulingStrategy": "REPLICA",
        "DeploymentController": {"Type": "ECS"},
        "DeploymentConfiguration": configuration,
        "LoadBalancers": [{"TargetGroupArn": group, "ContainerName": "app", "ContainerPort": 80}],
        "HealthCheckGracePeriodSeconds": 7,
        "AvailabilityZoneRebalancing": "ENABLED",
        "EnableExecuteCommand": "true",
        "EnableECSManagedTags": True,
        "PropagateTags": "SERVICE",
        "PlatformVersion": "1.4.0",
        "Tags": [{"Key": "team", "Value": "blue"}],
    }
    stack = create(world.aws, stack_of(world, world.push(), **given))

    service = service_of(world, stack)

    assert outputs(stack)["Name"] == world.service
    assert service["desiredCount"] == 1
    assert service["loadBalancers"][0]["targetGroupArn"] == group
    assert service["deploymentConfiguration"]["maximumPercent"] == 150
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 50
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] is True
    assert service["healthCheckGracePeriodSeconds"] == 7
    assert service["availabilityZoneRebalancing"] == "ENABLED"
    assert service["enableExecuteCommand"] is service["enableECSManagedTags"] is True
    assert (service["propagateTags"], service["platformVersion"]) == ("SERVICE", "1.4.0")
    assert service["tags"] == [{"key": "team", "value": "blue"}]
    assert [t["TargetHealth"]["State"] for t in world.targets(group)] == ["healthy"]


def test_a_changed_task_definition_is_a_new_one_and_is_rolled_out_before_the_stack_is_done(
    world: World,
) -> None:
    stack = create(world.aws, stack_of(world, world.push()))
    before = outputs(stack)["Definition"]

    stack = update(world.aws, stack, stack_of(world, world.push()))

    after = outputs(stack)["Definition"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert after != before
    service = service_of(world, stack)
    states = [(d["taskDefinition"], d["rolloutState"]) for d in service["deployments"]]
    assert states == [(after, "COMPLETED")]
    old = world.ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
    assert old["status"] == "INACTIVE"


def test_a_rollout_that_fails_brings_the_stack_back(world: World) -> None:
    stack = create(world.aws, stack_of(world, world.push()))
    before = outputs(stack)["Definition"]

    stack = update(world.aws, stack, stack_of(world, world.push("crash")))

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "deployment failed" in reasons(world.aws, stack)["Service"]
    assert service_of(world, stack)["taskDefinition"] == before
    assert service_of(world, stack)["runningCount"] == 1


def test_any_update_of_a_service_puts_the_template_s_task_definition_on_it_again(
    world: World,
) -> None:
    image = world.push()
    stack = create(world.aws, stack_of(world, image))
    told = outputs(stack)
    world.ecs.update_service(
        cluster=told["Cluster"],
        service=told["Name"],
        taskDefinition=world.definition(world.push()),
    )

    update(world.aws, stack, stack_of(world, image, EnableExecuteCommand=True))

    service = service_of(world, stack)
    assert service["taskDefinition"] == told["Definition"]
    assert service["enableExecuteCommand"] is True


def test_a_desired_count_that_the_template_does_not_give_is_left_alone(world: World) -> None:
    image = world.push()
    stack = create(world.aws, stack_of(world, image))
    told = outputs(stack)
    world.ecs.update_service(cluster=told["Cluster"], service=told["Name"], desiredCount=3)

    update(world.aws, stack, stack_of(world, world.push()))
    assert service_of(world, stack)["desiredCount"] == 3
    assert service_of(world, stack)["runningCount"] == 3

    update(world.aws, stack, stack_of(world, image, DesiredCount=2))
    assert service_of(world, stack)["runningCount"] == 2


def test_tags_of_a_service_are_changed_without_a_rollout(world: World) -> None:
    image = world.push()

    def tagged(**tags: str) -> str:
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        return stack_of(world, image, Tags=given)

    stack = create(world.aws, tagged(team="blue", kept="yes"))
    before = service_of(world, stack)["deployments"][0]["id"]

    update(world.aws, stack, tagged(kept="no"))

    service = service_of(world, stack)
    assert service["tags"] == [{"key": "kept", "value": "no"}]
    assert service["deployments"][0]["id"] == before


def test_a_changed_capacity_provider_strategy_is_rolled_out(world: World) -> None:
    def on(provider: str) -> str:
        made = json.loads(stack_of(world, world.push(), DesiredCount=0))
        providers = {"CapacityProviders": ["FARGATE", "FARGATE_SPOT"]}
        made["Resources"]["Cluster"]["Properties"] = providers
        properties = made["Resources"]["Service"]["Properties"]
        del properties["LaunchType"]
        strategy = [{"CapacityProvider": provider, "Weight": 1}]
        properties["CapacityProviderStrategy"] = strategy
        return json.dumps(made)

    stack = create(world.aws, on("FARGATE"))
    update(world.aws, stack, on("FARGATE_SPOT"))

    (used,) = service_of(world, stack)["capacityProviderStrategy"]
    assert used["capacityProvider"] == "FARGATE_SPOT"


def test_a_deleted_stack_leaves_no_service_no_task_and_no_cluster(world: World) -> None:
    stack = create(world.aws, stack_of(world, world.push(), DesiredCount=2))
    told = outputs(stack)

    delete(world.aws, stack)

    assert service_of(world, stack)["status"] == "INACTIVE"
    (cluster,) = world.ecs.describe_clusters(clusters=[told["Cluster"]])["clusters"]
    assert (cluster["status"], cluster["runningTasksCount"]) == ("INACTIVE", 0)
    assert world.ecs.list_tasks(cluster=told["Cluster"])["taskArns"] == []
    old = world.ecs.describe_task_definition(taskDefinition=told["Definition"])["taskDefinition"]
    assert old["status"] == "INACTIVE"


def test_a_service_that_is_gone_already_can_be_deleted(world: World) -> None:
    stack = create(world.aws, stack_of(world, world.push()))
    told = outputs(stack)
    world.ecs.delete_service(cluster=told["Cluster"], service=told["Name"], force=True)
    wait_for(lambda: service_of(world, stack)["status"] == "INACTIVE", "INACTIVE")

    delete(world.aws, stack)

    events = world.aws.client("cloudformation").describe_stack_events(StackName=stack["StackId"])
    assert events["StackEvents"][0]["ResourceStatus"] == "DELETE_COMPLETE"
