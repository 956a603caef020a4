"""Services with the scheduling strategy DAEMON: one task on each active container instance."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import BREAKER, World, let_pass, register_instance
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def define(world: World, image: str, **container: Any) -> str:
    """A task definition for container instances; its ARN."""
    app = {"name": "app", "image": image, "memory": 64, **container}
    answer = world.ecs.register_task_definition(family=world.service, containerDefinitions=[app])
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def create(world: World, definition: str, **settings: Any) -> dict[str, Any]:
    answer = world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=definition,
        schedulingStrategy="DAEMON",
        **settings,
    )
    return dict(answer["service"])


def places(world: World) -> dict[str, str]:
    """The task definition that runs on each container instance."""
    tasks = [task for task in world.tasks() if task["lastStatus"] == "RUNNING"]
    found = {task["containerInstanceArn"]: task["taskDefinitionArn"] for task in tasks}
    assert len(found) == len(tasks)
    return found


def instances(world: World) -> list[str]:
    return list(world.ecs.list_container_instances(cluster=world.cluster)["containerInstanceArns"])


def set_state(world: World, instance: str, status: str) -> None:
    world.ecs.update_container_instances_state(
        cluster=world.cluster, containerInstances=[instance], status=status
    )


def test_a_daemon_runs_once_on_each_instance_of_its_cluster_also_on_later_ones(
    world: World,
) -> None:
    register_instance(world)
    register_instance(world)
    definition = define(world, world.push())

    created = create(world, definition)

    limits = created["deploymentConfiguration"]
    assert created["schedulingStrategy"] == "DAEMON"
    assert (limits["minimumHealthyPercent"], limits["maximumPercent"]) == (0, 100)
    service = world.settle()
    assert (service["desiredCount"], service["runningCount"]) == (2, 2)
    assert places(world) == dict.fromkeys(instances(world), definition)
    register_instance(world)
    wait_for(lambda: len(places(world)) == 3, "a task on the third instance")
    assert places(world) == dict.fromkeys(instances(world), definition)
    assert world.describe()["desiredCount"] == 3


def test_a_daemon_without_an_instance_completes_its_deployment(world: World) -> None:
    create(world, define(world, "nginx"))

    assert (world.settle()["desiredCount"], world.tasks()) == (0, [])


def test_an_update_stops_the_daemon_of_an_instance_before_it_starts_the_next(world: World) -> None:
    for _ in range(2):
        register_instance(world)
    create(world, define(world, world.push()))
    world.settle()
    new = define(world, world.push())

    world.update(taskDefinition=new)

    world.settle()
    assert places(world) == dict.fromkeys(instances(world), new)
    ended = {t["containerInstanceArn"]: t["stoppedAt"] for t in world.tasks("STOPPED")}
    assert len(ended) == 2
    for task in world.tasks():
        assert task["createdAt"] >= ended[task["containerInstanceArn"]]


def test_an_update_leaves_as_many_daemons_as_the_minimum_healthy_percent_asks_for(
    world: World,
) -> None:
    for _ in range(2):
        register_instance(world)
    old = define(world, world.push())
    create(world, old, deploymentConfiguration={"minimumHealthyPercent": 50})
    world.settle()
    new = define(world, world.push("slow", start_seconds="60"))

    world.update(taskDefinition=new)

    def statuses() -> list[tuple[bool, str]]:
        """Of each task, whether it is new, and its status."""
        return sorted((t["taskDefinitionArn"] == new, t["lastStatus"]) for t in world.tasks())

    wait_for(lambda: statuses() == [(False, "RUNNING"), (True, "PENDING")], "the first one")
    let_pass(60)
    wait_for(lambda: statuses() == [(True, "PENDING"), (True, "RUNNING")], "the second one")
    let_pass(60)
    world.settle()
    assert places(world) == dict.fromkeys(instances(world), new)


def test_a_daemon_leaves_an_instance_that_drains_and_comes_back(world: World) -> None:
    for _ in range(2):
        register_instance(world)
    create(world, define(world, "nginx"))
    world.settle()
    drained, other = instances(world)

    set_state(world, drained, "DRAINING")

    wait_for(lambda: list(places(world)) == [other], "one task")
    wait_for(lambda: world.describe()["desiredCount"] == 1, "one desired task")
    set_state(world, drained, "ACTIVE")
    wait_for(lambda: set(places(world)) == {drained, other}, "the other task")


def test_a_daemon_that_crashes_is_rolled_back_on_each_instance(world: World) -> None:
    for _ in range(2):
        register_instance(world)
    good = define(world, world.push())
    create(world, good, deploymentConfiguration=BREAKER)
    world.settle()

    world.update(taskDefinition=define(world, world.push("crash")))

    wait_for(lambda: any("deployment failed" in m for m in world.messages()), "the failure")
    assert world.settle()["taskDefinition"] == good
    assert places(world) == dict.fromkeys(instances(world), good)


def test_a_deployment_of_a_daemon_waits_for_a_protected_task(world: World) -> None:
    for _ in range(2):
        register_instance(world)
    old, new = define(world, "nginx"), define(world, "nginx")
    create(world, old)
    world.settle()
    [protected, _] = world.tasks()
    world.ecs.update_task_protection(
        cluster=world.cluster, tasks=[protected["taskArn"]], protectionEnabled=True
    )

    world.update(taskDefinition=new)

    wait_for(lambda: new in places(world).values(), "the other instance")
    assert places(world)[protected["containerInstanceArn"]] == old
    assert world.primary()["rolloutState"] == "IN_PROGRESS"
    let_pass(2 * 3600)
    world.settle()
    assert places(world) == dict.fromkeys(instances(world), new)


def test_a_daemon_runs_where_its_port_is_free_and_ecs_says_where_it_is_not(world: World) -> None:
    for _ in range(2):
        register_instance(world)
    port = {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}
    world.ecs.run_task(
        cluster=world.cluster, taskDefinition=define(world, "nginx", **port), launchType="EC2"
    )

    create(world, define(world, "nginx", **port))

    wait_for(lambda: len(places(world)) == 1, "a task")
    taken = wait_for(lambda: [m for m in world.messages() if "already using a port" in m], "why")
    assert "was unable to place a task" in taken[0]
    assert world.describe()["desiredCount"] == 2


def test_a_daemon_is_deleted_without_force_although_it_runs(world: World) -> None:
    register_instance(world)
    create(world, define(world, "nginx"))
    world.settle()

    world.ecs.delete_service(cluster=world.cluster, service=world.service)

    wait_for(lambda: world.describe()["status"] == "INACTIVE", "INACTIVE")
    assert world.ecs.list_tasks(cluster=world.cluster)["taskArns"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"launchType": "FARGATE"}, "not support the launch type FARGATE"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "controller type CODE_DEPLOY"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "controller type EXTERNAL"),
        ({"desiredCount": 1}, "does not support a desired count for services"),
        ({"desiredCount": 0}, "does not support a desired count for services"),
        ({"placementStrategy": []}, "does not support placement strategies"),
        (
            {"deploymentConfiguration": {"maximumPercent": 101}},
            "does not support values above 100 for maximumPercent",
        ),
    ],
)
def test_a_daemon_is_refused_what_only_replicas_have(
    world: World, settings: dict[str, Any], message: str
) -> None:
    definition = define(world, "nginx")

    with pytest.raises(ClientError, match=message) as refused:
        create(world, definition, **settings)

    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == []


def test_a_daemon_keeps_to_its_limits_in_an_update(world: World) -> None:
    create(world, define(world, "nginx"))

    with pytest.raises(ClientError, match="does not support a desired count"):
        world.update(desiredCount=1)
    with pytest.raises(ClientError, match="does not support placement strategies"):
        world.update(placementStrategy=[])
    with pytest.raises(ClientError, match="values above 100 for maximumPercent"):
        world.update(deploymentConfiguration={"maximumPercent": 200})
    changed = world.update(deploymentConfiguration={"minimumHealthyPercent": 50})
    limits = changed["deploymentConfiguration"]
    assert (limits["minimumHealthyPercent"], limits["maximumPercent"]) == (50, 100)


def test_a_daemon_needs_a_launch_type_in_a_cluster_with_a_default_strategy(world: World) -> None:
    world.ecs.put_cluster_capacity_providers(
        cluster=world.cluster,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )
    definition = define(world, "nginx")

    with pytest.raises(ClientError, match="Specifying a capacity provider strategy is not supp"):
        create(world, definition)

    assert create(world, definition, launchType="EC2")["launchType"] == "EC2"
