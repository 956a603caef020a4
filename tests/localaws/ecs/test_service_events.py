"""Service events: what DescribeServices and EventBridge say of a service, in ECS's words."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.ecs import service as services
from localaws.server import LocalAws
from tests.support.localaws.ecs import BREAKER, World, let_pass, listen, register_instance
from tests.support.waiting import wait_for

CLUSTER_EMPTY = "No Container Instances were found in your cluster."
UNMET = "was unable to place a task because no container instance met all of its requirements."
MORE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment"
    " configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
)
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability"
    " zone"
)


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


class Actions:
    """The service actions of a service that EventBridge has sent so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._service = (
            f"arn:aws:ecs:us-east-1:123456789012:service/{world.cluster}/{world.service}"
        )
        self._seen = listen(
            world.aws, {"detail-type": ["ECS Service Action"], "resources": [self._service]}
        )

    def named(self, name: str) -> list[dict[str, Any]]:
        events = [event for event in self._seen() if event["detail"]["eventName"] == name]
        for event in events:
            assert (event["source"], event["resources"]) == ("aws.ecs", [self._service])
            assert event["detail"].pop("createdAt").endswith("Z")
        return [event["detail"] for event in events]

    def first(self, name: str) -> dict[str, Any]:
        return (wait_for(lambda: self.named(name), name) or [])[0]


def told(world: World, message: str) -> None:
    """Wait for an event with this message."""
    wait_for(lambda: f"(service {world.service}) {message}" in world.messages(), message)


def define_for_instances(world: World, **container: Any) -> str:
    app = {"name": "app", "image": "nginx", "memory": 64, **container}
    answer = world.ecs.register_task_definition(family=world.service, containerDefinitions=[app])
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def on_instances(world: World, definition: str, desired: int = 1) -> None:
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=definition,
        desiredCount=desired,
    )


def test_a_service_acts_on_eventbridge_from_its_deployment_to_its_steady_state(
    world: World,
) -> None:
    actions = Actions(world)
    world.create(world.definition(world.push()))
    world.settle()
    world.update(desiredCount=0)

    cluster = world.describe()["clusterArn"]
    for name in (
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
        "TASKS_STOPPED",
    ):
        expected = {"eventType": "INFO", "eventName": name, "clusterArn": cluster}
        assert actions.first(name) == expected


def test_a_capacity_provider_s_steady_state_is_told_beside_the_service_s(world: World) -> None:
    actions = Actions(world)
    world.ecs.put_cluster_capacity_providers(
        cluster=world.cluster, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=world.definition("nginx"),
        desiredCount=1,
        capacityProviderStrategy=strategy,
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )

    steady = actions.first("CAPACITY_PROVIDER_STEADY_STATE")

    assert steady["capacityProviderArns"] == [
        "arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE"
    ]


def test_a_cluster_without_container_instances_has_no_place(world: World) -> None:
    actions = Actions(world)
    on_instances(world, define_for_instances(world))

    told(world, f"{UNMET} Reason: {CLUSTER_EMPTY} {MORE}")

    failure = actions.first("SERVICE_TASK_PLACEMENT_FAILURE")
    assert (failure["eventType"], failure["reason"]) == ("ERROR", CLUSTER_EMPTY)


@pytest.mark.parametrize(
    ("container", "reason", "lack"),
    [
        ({"cpu": 4097}, "RESOURCE:CPU", "has insufficient CPU units available."),
        ({"memory": 7483}, "RESOURCE:MEMORY", "has insufficient memory available."),
        (
            {"portMappings": [{"containerPort": 80, "hostPort": 80}]},
            "RESOURCE:PORTS",
            "is already using a port required by your task.",
        ),
    ],
)
def test_an_instance_without_room_is_named_with_what_it_lacks(
    world: World, container: dict[str, Any], reason: str, lack: str
) -> None:
    register_instance(world)
    instance = world.ecs.list_container_instances(cluster=world.cluster)["containerInstanceArns"][0]
    actions = Actions(world)
    on_instances(world, define_for_instances(world, **container), desired=2)

    closest = f"The closest matching (container-instance {instance.rpartition('/')[2]})"
    told(world, f"{UNMET} {closest} {lack} {MORE}")

    failure = actions.first("SERVICE_TASK_PLACEMENT_FAILURE")
    assert failure["containerInstanceArns"] == [instance]
    assert failure["reason"] == reason


def test_tasks_share_an_instance_until_its_memory_is_used_up(world: World) -> None:
    register_instance(world)
    definition = define_for_instances(world, memory=2500, memoryReservation=2500)
    on_instances(world, definition, desired=3)
    wait_for(lambda: world.describe()["runningCount"] == 2, "two tasks")

    def left() -> dict[str, int]:
        arns = world.ecs.list_container_instances(cluster=world.cluster)["containerInstanceArns"]
        found = world.ecs.describe_container_instances(
            cluster=world.cluster, containerInstances=arns
        )["containerInstances"][0]["remainingResources"]
        return {resource["name"]: resource["integerValue"] for resource in found}

    assert left()["MEMORY"] == 7482 - 2 * 2500
    refused = world.ecs.run_task(cluster=world.cluster, taskDefinition=definition)
    assert [(f["reason"], "container-instance/" in f["arn"]) for f in refused["failures"]] == [
        ("RESOURCE:MEMORY", True)
    ]
    world.update(desiredCount=0)
    wait_for(lambda: left()["MEMORY"] == 7482, "the memory")


def test_fargate_without_capacity_is_told_and_fails_the_deployment(world: World) -> None:
    good = world.definition(world.push())
    world.create(good, deploymentConfiguration=BREAKER)
    world.settle()
    actions = Actions(world)
    lacking = world.definition(world.push("no-capacity"))

    world.update(taskDefinition=lacking)

    told(world, f"was unable to place a task. Reason: {NO_CAPACITY}. {MORE}")
    failure = actions.first("SERVICE_TASK_PLACEMENT_FAILURE")
    assert failure["reason"] == "RESOURCE:FARGATE"
    assert actions.first("SERVICE_DEPLOYMENT_FAILED")["eventType"] == "ERROR"
    assert world.settle()["taskDefinition"] == good
    answer = world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=lacking,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )
    assert (answer["tasks"], answer["failures"]) == ([], [{"reason": NO_CAPACITY}])


def test_a_service_whose_percentages_allow_nothing_is_never_updated_and_says_so(
    world: World,
) -> None:
    only = {"minimumHealthyPercent": 100, "maximumPercent": 100}
    world.create(world.definition("nginx"), deploymentConfiguration=only)
    world.settle()
    [task] = world.tasks()
    new = world.definition(world.push())

    world.update(taskDefinition=new)

    told(world, STUCK)
    deployments = [(d["status"], d["runningCount"]) for d in world.describe()["deployments"]]
    assert deployments == [("PRIMARY", 0), ("ACTIVE", 1)]
    assert [each["taskArn"] for each in world.tasks()] == [task["taskArn"]]
    world.update(deploymentConfiguration={"minimumHealthyPercent": 0})
    assert world.settle()["taskDefinition"] == new
    assert len([message for message in world.messages() if STUCK in message]) == 1


def test_a_service_that_can_stop_or_start_a_task_does_not_complain(world: World) -> None:
    half = {"minimumHealthyPercent": 50, "maximumPercent": 100}
    world.create(world.definition("nginx"), desired=2, deploymentConfiguration=half)
    world.settle()

    world.update(taskDefinition=world.definition(world.push()))

    world.settle()
    assert not [message for message in world.messages() if STUCK in message]


def test_tasks_that_keep_failing_are_told_once_until_the_service_is_updated(world: World) -> None:
    impaired = "is unable to consistently start tasks successfully."
    actions = Actions(world)

    def times() -> int:
        return sum(impaired in message for message in world.messages())

    world.create(world.definition(world.push("crash")))
    told(world, impaired)
    failed = world.primary()["failedTasks"]
    wait_for(lambda: world.primary()["failedTasks"] > failed, "another failure")
    assert times() == 1
    assert actions.first("SERVICE_TASK_START_IMPAIRED")["eventType"] == "WARN"

    world.update(taskDefinition=world.definition(world.push("crash")))

    wait_for(lambda: times() == 2, "the second time")


def test_a_trouble_that_lasts_is_told_again_after_six_hours(world: World) -> None:
    def times() -> int:
        return sum(CLUSTER_EMPTY in message for message in world.messages())

    on_instances(world, define_for_instances(world))
    wait_for(lambda: world.primary()["failedTasks"] >= 3, "three attempts")
    assert times() == 1

    let_pass(6 * 3600)

    wait_for(lambda: times() == 2, "the second time")


def test_an_unhealthy_target_is_named_with_its_task(world: World) -> None:
    group = world.target_group()
    image = world.push("unhealthy", health_status="503")
    world.create(world.definition(image), group=group)
    seen = "Health checks failed with these codes: [503]"

    message = wait_for(
        lambda: next((m for m in world.messages() if "is unhealthy in" in m), ""), "the event"
    )

    assert message in [
        f"(service {world.service}) (task {task['taskArn'].rpartition('/')[2]}) (port 80) is unhealthy"
        f" in (target-group {group}) due to (reason {seen})"
        for task in world.tasks("STOPPED")
    ]


def test_an_unhealthy_target_on_an_instance_is_named_with_that(world: World) -> None:
    host = register_instance(world)
    group = world.target_group(target_type="instance")
    balancer = {"targetGroupArn": group, "containerName": "app", "containerPort": 80}
    image = world.push("unhealthy")
    port = {"containerPort": 80, "hostPort": 8080}
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=define_for_instances(world, image=image, portMappings=[port]),
        desiredCount=1,
        loadBalancers=[balancer],
    )

    message = wait_for(
        lambda: next((m for m in world.messages() if "is unhealthy in" in m), ""), "the event"
    )

    assert f") (instance {host}) (port 8080) is unhealthy in (target-group {group})" in message


def test_a_service_keeps_its_newest_hundred_events(world: World) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    live = services.find(world.cluster, world.service)
    for number in range(101):
        live.add_event(f"event {number}")

    kept = world.describe()["events"]

    assert [event["message"] for event in kept] == [
        f"(service {world.service}) event {number}" for number in range(100, 0, -1)
    ]
    assert len({event["id"] for event in kept}) == 100
    assert [e["createdAt"] for e in kept] == sorted((e["createdAt"] for e in kept), reverse=True)
