"""Rolling, scaling and discovery on EC2 instances, with addresses of the tasks' own and in bridge mode."""

from __future__ import annotations

import pytest

from localaws.sns import sns
from tests.support.commands import Page
from tests.support.environment_services import alarmed, deploys_and_rolls_back, discovered
from tests.support.environments import CLUSTER, PATIENCE_SECONDS, Environment, add_service
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def environment(on_instances: Environment) -> Environment:
    cluster = on_instances.of("Cluster")
    add_service(
        on_instances,
        "bridged",
        LaunchType="EC2",
        CapacityProvider=cluster["InstanceCapacityProvider"],
        NetworkMode="bridge",
        Listener=cluster["Listener"],
        Paths="/bridged/*",
        Priority="200",
    )
    return on_instances


@pytest.mark.parametrize("name", ["api", "bridged"])
def test_a_good_image_is_deployed_and_a_bad_one_rolled_back(
    name: str, environment: Environment
) -> None:
    deploys_and_rolls_back(environment, name)
    provider = environment.of("Cluster")["InstanceCapacityProvider"]
    assert {task["capacityProviderName"] for task in environment.tasks(name)} == {provider}


def test_in_bridge_mode_targets_are_instances_and_docker_chooses_the_ports(
    environment: Environment,
) -> None:
    service = environment.service("bridged")
    (balanced,) = service["loadBalancers"]
    health = environment.client("elbv2").describe_target_health(
        TargetGroupArn=balanced["targetGroupArn"]
    )["TargetHealthDescriptions"]
    bound = {
        binding["hostPort"]
        for task in environment.tasks("bridged")
        for container in task["containers"]
        for binding in container["networkBindings"]
        if container["name"] == "app"
    }
    assert {target["Target"]["Port"] for target in health} == bound
    assert all(target["Target"]["Id"].startswith("i-") for target in health)


def test_in_bridge_mode_others_find_address_and_port(environment: Environment) -> None:
    found = discovered(environment, "bridged")
    assert len(found) == 2
    assert all(port and int(port) >= 32768 for _, port in found)


def test_in_bridge_mode_containers_are_linked(environment: Environment) -> None:
    arn = environment.service("bridged")["taskDefinition"]
    found = environment.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert found["containerDefinitions"][0]["links"] == ["sidecar"]
    statsd = {"name": "STATSD_HOST", "value": "sidecar"}
    assert statsd in found["containerDefinitions"][0]["environment"]


def instances(environment: Environment) -> int:
    found = environment.client("ecs").list_container_instances(cluster=CLUSTER)
    return len(found["containerInstanceArns"])


def test_busy_instances_get_another_one_and_people_are_notified(environment: Environment) -> None:
    names = environment.physical("Cluster")
    alarmed(environment, names["InstancesBusy"])
    wait_for(lambda: instances(environment) == 3, "a third instance", PATIENCE_SECONDS)

    def notified() -> bool:
        return any("autoscaling:EC2_INSTANCE_LAUNCH" in mail["text"] for mail in sns.mails())

    wait_for(notified, "the email about it", PATIENCE_SECONDS)


def test_the_service_moves_to_fargate_and_then_the_instances_go(environment: Environment) -> None:
    environment.client("cloudformation").delete_stack(StackName="bridged")
    environment.deploy(LaunchType="FARGATE", Instances="true")

    def on_fargate() -> bool:
        providers = {task.get("capacityProviderName") for task in environment.tasks()}
        return environment.steady() and providers == {"FARGATE"}

    wait_for(on_fargate, "the tasks to be on Fargate", PATIENCE_SECONDS)
    Page("environment.md").run("the instances")
    environment.deploy(Instances="false")
    assert instances(environment) == 0
    (cluster,) = environment.client("ecs").describe_clusters(clusters=[CLUSTER])["clusters"]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
