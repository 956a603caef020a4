"""Services: what CreateService, UpdateService and DeleteService do, and what they refuse."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws import aws as local
from localaws.server import LocalAws
from tests.support.localaws.ecs import BREAKER, World
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def test_a_new_service_starts_its_tasks_and_completes(world: World) -> None:
    group = world.target_group()
    world.create(world.definition(world.push()), desired=2, group=group)

    service = world.settle()

    deployment = service["deployments"][0]
    assert re.fullmatch(r"ecs-svc/\d{19}", deployment["id"])
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    assert (service["runningCount"], service["pendingCount"]) == (2, 0)
    assert [t["TargetHealth"]["State"] for t in world.targets(group)] == ["healthy"] * 2
    for expected in (
        r"\(service \S+\) has started 2 tasks: \(task \w{32}\) \(task \w{32}\)\.",
        r"\(service \S+\) registered \d targets in \(target-group \S+\)",
        r"\(service \S+\) \(deployment ecs-svc/\d+\) deployment completed\.",
        r"\(service \S+\) has reached a steady state\.",
    ):
        assert any(re.fullmatch(expected, message) for message in world.messages()), expected
    assert "steady state" in world.messages()[0]


def test_a_service_keeps_the_settings_that_it_was_created_with(world: World) -> None:
    group = world.target_group()
    given = {
        "deploymentConfiguration": {**BREAKER, "maximumPercent": 150},
        "healthCheckGracePeriodSeconds": 7,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": True,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "placementConstraints": [{"type": "distinctInstance"}],
        "tags": [{"key": "team", "value": "blue"}],
    }
    service = world.service
    world.ecs.put_cluster_capacity_providers(
        cluster=world.cluster,
        capacityProviders=["FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=service,
        taskDefinition=world.definition("nginx"),
        desiredCount=1,
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
        **given,
    )

    told = world.ecs.describe_services(cluster=world.cluster, services=[service], include=["TAGS"])[
        "services"
    ][0]

    assert told["deploymentConfiguration"] == {
        **BREAKER,
        "maximumPercent": 150,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
    }
    for name in set(given) - {"deploymentConfiguration"}:
        assert told[name] == given[name], name
    assert told["schedulingStrategy"] == "REPLICA"
    world.settle()
    task = world.ecs.describe_tasks(
        cluster=world.cluster, tasks=[world.tasks()[0]["taskArn"]], include=["TAGS"]
    )["tasks"][0]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert {"key": "team", "value": "blue"} in task["tags"]
    assert {"key": "aws:ecs:serviceName", "value": service} in task["tags"]


def test_an_update_makes_a_new_primary_deployment_and_drains_the_old(world: World) -> None:
    world.create(world.definition(world.push()), desired=2)
    before = world.settle()["deployments"][0]

    after = world.update(taskDefinition=world.definition(world.push()))["deployments"]

    assert [d["status"] for d in after] == ["PRIMARY", "ACTIVE"]
    assert after[0]["rolloutState"] == "IN_PROGRESS"
    assert after[1]["id"] == before["id"] != after[0]["id"]
    assert world.settle()["deployments"][0]["id"] == after[0]["id"]
    assert {task["startedBy"] for task in world.tasks()} == {after[0]["id"]}
    old = world.stopped(lambda task: task["startedBy"] == before["id"])
    assert old["stopCode"] == "ServiceSchedulerInitiated"
    assert old["stoppedReason"] == f"Scaling activity initiated by (deployment {after[0]['id']})"


def test_the_same_task_definition_makes_no_deployment_unless_forced(world: World) -> None:
    definition = world.definition(world.push())
    world.create(definition)
    before = world.settle()["deployments"][0]["id"]

    assert world.update(taskDefinition=definition)["deployments"][0]["id"] == before
    assert world.update(forceNewDeployment=True)["deployments"][0]["id"] != before


def test_an_update_during_a_rollout_drains_both_former_deployments(world: World) -> None:
    world.create(world.definition(world.push()))
    world.settle()
    world.update(taskDefinition=world.definition(world.push("slow", start_seconds="60")))
    last = world.definition(world.push())

    deployments = world.update(taskDefinition=last)["deployments"]

    assert [d["status"] for d in deployments] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    assert world.settle()["taskDefinition"] == last


def test_a_changed_desired_count_scales_the_primary_deployment(world: World) -> None:
    world.create(world.definition(world.push()))
    before = world.settle()["deployments"][0]["id"]

    world.update(desiredCount=3)
    wait_for(lambda: world.describe()["runningCount"] == 3, "three tasks")
    world.update(desiredCount=0)
    wait_for(lambda: world.describe()["runningCount"] == 0, "no task")

    assert world.primary()["id"] == before


@pytest.mark.parametrize(
    ("revision", "message"), [(9, "TaskDefinition not found."), (1, "TaskDefinition is inactive")]
)
def test_a_task_definition_that_cannot_be_deployed_is_refused(
    world: World, revision: int, message: str
) -> None:
    world.create(world.definition(world.push()))
    world.definition(world.push())
    world.update(taskDefinition=f"{world.service}:2")
    world.ecs.deregister_task_definition(taskDefinition=f"{world.service}:1")

    with pytest.raises(ClientError, match=message) as refused:
        world.update(taskDefinition=f"{world.service}:{revision}")

    assert refused.value.response["Error"]["Code"] == "ClientException"
    assert world.describe()["taskDefinition"].endswith(":2")


def test_a_deleted_service_drains_and_becomes_inactive(world: World) -> None:
    group = world.target_group()
    world.create(world.definition(world.push()), group=group)
    world.settle()
    with pytest.raises(ClientError, match="scaled above 0"):
        world.ecs.delete_service(cluster=world.cluster, service=world.service)

    deleted = world.ecs.delete_service(cluster=world.cluster, service=world.service, force=True)

    assert deleted["service"]["status"] == "DRAINING"
    wait_for(lambda: world.describe()["status"] == "INACTIVE", "INACTIVE")
    assert world.targets(group) == []
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == []
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        world.update(desiredCount=1)


def test_a_service_that_exists_is_not_created_again(world: World) -> None:
    world.create(world.definition("nginx"))
    with pytest.raises(ClientError, match="not idempotent"):
        world.create(world.definition("nginx"))


def test_a_rollout_that_is_not_rolling_fails_and_changes_nothing(world: World) -> None:
    world.create(
        world.definition("nginx"),
        deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5},
    )
    before = world.settle()
    assert before["deploymentConfiguration"]["bakeTimeInMinutes"] == 5

    with pytest.raises(ClientError):
        world.update(taskDefinition=world.definition("nginx"))

    assert world.describe()["deployments"] == before["deployments"]


def test_code_deploy_services_refuse_a_task_definition_in_the_words_of_ecs(world: World) -> None:
    world.create(world.definition("nginx"), deploymentController={"type": "CODE_DEPLOY"})
    with pytest.raises(ClientError, match="Use AWS CodeDeploy to trigger a new deployment"):
        world.update(taskDefinition=world.definition("nginx"))


@pytest.mark.parametrize(
    "settings",
    [
        {"deploymentConfiguration": {"earlySuccessCriteria": {"enable": True}}},
        {"deploymentConfiguration": {"lifecycleHooks": [{"targetType": "PAUSE"}]}},
        {"vpcLatticeConfigurations": [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}]},
    ],
)
def test_a_service_option_that_is_not_simulated_is_refused(
    world: World, settings: dict[str, object]
) -> None:
    with pytest.raises(ClientError):
        world.create(world.definition("nginx"), **settings)
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == []


def test_load_balancer_mistakes_are_refused(world: World) -> None:
    definition = world.definition("nginx")
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        world.create(definition, group=world.target_group(listener=False))
    with pytest.raises(ClientError, match="target type instance, which is incompatible"):
        world.create(definition, group=world.target_group(target_type="instance"))
    wrong = {"targetGroupArn": world.target_group(), "containerName": "web", "containerPort": 80}
    with pytest.raises(ClientError, match="container web does not exist"):
        world.create(definition, loadBalancers=[wrong])


def test_updates_at_once_leave_one_primary_deployment(world: World) -> None:
    definitions = [world.definition(world.push()) for _ in range(8)]
    world.create(definitions[0])

    with ThreadPoolExecutor(len(definitions)) as pool:
        answers = list(pool.map(lambda d: world.update(taskDefinition=d), definitions[1:]))

    for answer in answers:
        assert [d["status"] for d in answer["deployments"]].count("PRIMARY") == 1
    service = world.settle()
    assert service["taskDefinition"] == service["deployments"][0]["taskDefinition"]
    wait_for(lambda: len(world.tasks()) == 1, "one task")


def test_another_region_is_refused(world: World) -> None:
    session = boto3.Session(
        aws_access_key_id="a", aws_secret_access_key="s", region_name="eu-west-1"
    )
    config = Config(retries={"total_max_attempts": 1})
    ecs = session.client("ecs", endpoint_url=world.aws.url, config=config)
    with pytest.raises(ClientError):
        ecs.describe_services(cluster=world.cluster, services=[world.service])


def test_moto_cannot_make_static_records_beside_the_live_ones() -> None:
    from moto.ecs.models import ecs_backends

    backend = ecs_backends[local.ACCOUNT][local.REGION]
    with pytest.raises(NotImplementedError, match="create_service"):
        backend.create_service("default", "s", 1)
