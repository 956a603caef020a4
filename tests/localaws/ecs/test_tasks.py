"""Tasks: their records, their place, their end, and the images that decide how they behave."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import REGISTRY, World, details, listen, register_instance
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def test_a_running_task_says_where_it_came_from_and_where_it_runs(world: World) -> None:
    image = world.push()
    world.create(world.definition(image), desired=3)
    deployment = world.settle()["deployments"][0]

    tasks = world.tasks()

    assert len({details(task)["privateIPv4Address"] for task in tasks}) == 3
    for task in tasks:
        assert task["startedBy"] == deployment["id"]
        assert task["group"] == f"service:{world.service}"
        assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
        assert task["createdAt"] <= task["startedAt"]
        container = task["containers"][0]
        assert (container["name"], container["image"]) == ("app", image)
        assert container["imageDigest"] == image.partition("@")[2]
        assert (
            container["networkInterfaces"][0]["privateIpv4Address"]
            == (details(task)["privateIPv4Address"])
        )


def test_tasks_are_listed_by_service_status_deployment_and_family_in_pages(world: World) -> None:
    world.create(world.definition(world.push()), desired=3)
    deployment = world.settle()["deployments"][0]["id"]
    other = World(world.aws)
    world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=other.definition("nginx"),
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
    )

    def listed(**filters: str) -> int:
        pages = world.ecs.get_paginator("list_tasks").paginate(
            cluster=world.cluster, PaginationConfig={"PageSize": 2}, **filters
        )
        return sum(len(page["taskArns"]) for page in pages)

    assert listed() == 4
    assert listed(serviceName=world.service) == 3
    assert listed(startedBy=deployment) == 3
    assert listed(family=world.service) == 3
    assert listed(family=other.service) == 1
    assert listed(desiredStatus="STOPPED") == 0


def test_describe_tasks_names_the_missing_and_takes_a_hundred_at_most(world: World) -> None:
    failures = world.ecs.describe_tasks(cluster=world.cluster, tasks=["none"])["failures"]
    assert [failure["reason"] for failure in failures] == ["MISSING"]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        world.ecs.describe_tasks(cluster=world.cluster, tasks=["none"] * 101)


def test_a_stopped_task_is_replaced_and_stays_listed_with_its_reason(world: World) -> None:
    world.create(world.definition(world.push()))
    world.settle()
    victim = world.tasks()[0]["taskArn"]

    world.ecs.stop_task(cluster=world.cluster, task=victim, reason="because")

    stopped = world.stopped(lambda task: task["taskArn"] == victim)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "because")
    assert stopped["stoppedAt"] >= stopped["stoppingAt"]
    replaced = wait_for(lambda: [t for t in world.tasks() if t["taskArn"] != victim], "another")
    assert replaced[0]["startedBy"] == world.primary()["id"]
    assert world.primary()["failedTasks"] == 0


def test_a_crashed_task_keeps_its_exit_code(world: World) -> None:
    world.create(world.definition(world.push("crash", exit_code="3")))

    task = world.stopped(lambda t: t["stopCode"] == "EssentialContainerExited")

    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3


@pytest.mark.parametrize("reference", ["@sha256:" + "0" * 64, ":nope", ""])
def test_an_image_that_ecr_does_not_hold_cannot_be_pulled(world: World, reference: str) -> None:
    image = f"{REGISTRY}/{world.repository}{reference}"
    world.create(world.definition(image))

    task = world.stopped(lambda t: t["stopCode"] == "TaskFailedToStart")

    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "not found" in task["stoppedReason"]
    assert task["containers"][0]["reason"] == task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


@pytest.mark.parametrize(
    "host", ["dkr-ecr.us-east-1.on.aws", "dkr.ecr-fips.us-east-1.amazonaws.com"]
)
def test_an_image_is_pulled_by_every_host_name_of_the_registry(world: World, host: str) -> None:
    image = world.push("crash", exit_code="3").replace(REGISTRY, f"123456789012.{host}")
    world.create(world.definition(image))

    task = world.stopped(lambda t: t["stopCode"] == "EssentialContainerExited")

    assert task["containers"][0]["exitCode"] == 3


@pytest.mark.parametrize("image", ["nginx", "public.ecr.aws/nginx/nginx:latest"])
def test_images_of_other_registries_are_healthy(world: World, image: str) -> None:
    world.create(world.definition(image))
    assert world.settle()["runningCount"] == 1


@pytest.mark.parametrize(
    ("behaviour", "expected"), [("dance", "unknown localaws.behaviour 'dance'"), ("slow", "needs")]
)
def test_a_behaviour_that_cannot_be_simulated_keeps_the_task_from_starting(
    world: World, behaviour: str, expected: str
) -> None:
    world.create(world.definition(world.push(behaviour)))

    task = world.stopped(lambda t: t["stopCode"] == "TaskFailedToStart")

    assert expected in task["stoppedReason"]


def test_a_slow_image_keeps_its_task_pending(world: World) -> None:
    world.create(world.definition(world.push("slow", start_seconds="600")))

    wait_for(lambda: [t["lastStatus"] for t in world.tasks()] == ["PENDING"], "PENDING")

    assert world.primary()["rolloutState"] == "IN_PROGRESS"


def test_a_failing_container_health_check_stops_the_task(world: World) -> None:
    check = {"command": ["CMD-SHELL", "curl localhost"]}
    good = world.definition(world.push(), healthCheck=check)
    world.create(good)
    world.settle()
    assert world.tasks()[0]["healthStatus"] == "HEALTHY"

    world.update(taskDefinition=world.definition(world.push("unhealthy"), healthCheck=check))

    task = world.stopped(lambda t: t["healthStatus"] == "UNHEALTHY")
    assert task["stoppedReason"] == "Task failed container health checks"
    assert task["containers"][0]["healthStatus"] == "UNHEALTHY"


def test_a_regression_raises_its_alarm_until_no_such_task_runs(world: World) -> None:
    cloudwatch = world.aws.client("cloudwatch")
    alarm = put_alarm(cloudwatch)

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"])

    good = world.definition(world.push())
    world.create(good)
    world.settle()
    world.update(taskDefinition=world.definition(world.push("regression", alarm=alarm)))
    assert world.settle()["runningCount"] == 1
    wait_for(lambda: state() == "ALARM", "ALARM")

    world.update(taskDefinition=good)

    wait_for(lambda: state() == "OK", "OK")


def test_a_bridge_task_runs_on_a_container_instance_with_a_port_of_its_own(world: World) -> None:
    instance = register_instance(world)
    definition = world.ecs.register_task_definition(
        family=world.service,
        containerDefinitions=[
            {"name": "app", "image": "nginx", "memory": 64, "portMappings": [{"containerPort": 80}]}
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    group = world.target_group(target_type="instance")
    balancer = {"targetGroupArn": group, "containerName": "app", "containerPort": 80}
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        taskDefinition=definition,
        desiredCount=2,
        loadBalancers=[balancer],
    )
    world.settle()

    tasks = world.tasks()

    ports = {task["containers"][0]["networkBindings"][0]["hostPort"] for task in tasks}
    assert len(ports) == 2
    assert all(task["containerInstanceArn"] for task in tasks)
    assert {(t["Target"]["Id"], t["Target"]["Port"]) for t in world.targets(group)} == {
        (instance, port) for port in ports
    }


def test_a_task_without_a_container_instance_is_not_placed_and_ecs_says_so(world: World) -> None:
    definition = world.ecs.register_task_definition(
        family=world.service, containerDefinitions=[{"name": "app", "image": "nginx", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    world.ecs.create_service(
        cluster=world.cluster, serviceName=world.service, taskDefinition=definition, desiredCount=1
    )

    told = wait_for(world.messages, "an event")

    assert "was unable to place a task because no container instance met all" in told[0]
    assert world.primary()["rolloutState"] == "IN_PROGRESS"


def test_each_status_of_a_task_is_an_event_of_eventbridge(world: World) -> None:
    seen = listen(
        world.aws,
        {
            "detail-type": ["ECS Task State Change"],
            "detail": {"group": [f"service:{world.service}"]},
        },
    )
    world.create(world.definition(world.push()))
    world.settle()

    events = wait_for(lambda: seen() if len(seen()) >= 3 else None, "three events") or []

    assert {e["detail"]["lastStatus"] for e in events} == {"PROVISIONING", "PENDING", "RUNNING"}
    running = next(e for e in events if e["detail"]["lastStatus"] == "RUNNING")
    assert running["resources"] == [running["detail"]["taskArn"]]
    assert running["detail"]["containers"][0]["name"] == "app"
