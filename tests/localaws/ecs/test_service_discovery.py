"""Service discovery: the tasks of a service in Cloud Map."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.ecs import World, details, listen, register_instance, unique
from tests.support.waiting import wait_for


class DiscoveringWorld(World):
    """A world with a namespace."""

    def __init__(self, aws: LocalAws) -> None:
        super().__init__(aws)
        self.map = aws.client("servicediscovery")
        self.namespace = unique("namespace")
        self.map.create_http_namespace(Name=self.namespace)
        self.namespace_id = next(
            namespace["Id"]
            for namespace in self.map.list_namespaces()["Namespaces"]
            if namespace["Name"] == self.namespace
        )

    def registry(self, *records: str, **settings: Any) -> dict[str, Any]:
        """A service of Cloud Map under the name of the world's service."""
        if records:
            types = [{"Type": record, "TTL": 10} for record in records]
            settings["DnsConfig"] = {"DnsRecords": types, "NamespaceId": self.namespace_id}
        made = self.map.create_service(Name=self.service, NamespaceId=self.namespace_id, **settings)
        return dict(made["Service"])

    def instances(self) -> dict[str, dict[str, Any]]:
        """The attributes of what is found under the service's name, by instance."""
        found = self.map.discover_instances(NamespaceName=self.namespace, ServiceName=self.service)[
            "Instances"
        ]
        return {instance["InstanceId"]: instance["Attributes"] for instance in found}

    def bridge_definition(self) -> str:
        port = {"containerPort": 80}
        container = {"name": "app", "image": "nginx", "memory": 64, "portMappings": [port]}
        answer = self.ecs.register_task_definition(
            family=self.service, containerDefinitions=[container]
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def create_on_instances(self, registry: dict[str, Any]) -> None:
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=self.bridge_definition(),
            desiredCount=2,
            serviceRegistries=[registry],
        )


@pytest.fixture
def world(aws: LocalAws) -> DiscoveringWorld:
    return DiscoveringWorld(aws)


def test_each_running_task_is_found_under_its_address(world: DiscoveringWorld) -> None:
    registry = world.registry("A")
    registries = [{"registryArn": registry["Arn"]}]
    world.create(world.definition(world.push()), desired=2, serviceRegistries=registries)
    world.settle()

    found = world.instances()

    tasks = {task["taskArn"].rpartition("/")[2]: task for task in world.tasks()}
    assert found.keys() == tasks.keys()
    for name, task in tasks.items():
        assert found[name] == {
            "AWS_INSTANCE_IPV4": details(task)["privateIPv4Address"],
            "AVAILABILITY_ZONE": task["availabilityZone"],
            "REGION": "us-east-1",
            "ECS_CLUSTER_NAME": world.cluster,
            "ECS_SERVICE_NAME": world.service,
            "ECS_TASK_DEFINITION_FAMILY": world.service,
        }
    listed = world.map.list_instances(ServiceId=registry["Id"])["Instances"]
    assert {instance["Id"] for instance in listed} == tasks.keys()
    assert world.describe()["serviceRegistries"] == registries


def test_a_task_that_stops_is_found_no_more(world: DiscoveringWorld) -> None:
    registries = [{"registryArn": world.registry("A")["Arn"]}]
    world.create(world.definition(world.push()), serviceRegistries=registries)
    world.settle()
    (before,) = world.instances()

    world.update(taskDefinition=world.definition(world.push()))
    world.settle()

    (after,) = world.instances()
    assert after != before
    world.ecs.delete_service(cluster=world.cluster, service=world.service, force=True)
    wait_for(lambda: world.describe()["status"] == "INACTIVE", "INACTIVE")
    assert world.instances() == {}


def test_a_task_that_exits_is_found_no_more(world: DiscoveringWorld) -> None:
    registries = [{"registryArn": world.registry("A")["Arn"]}]
    world.create(world.definition(world.push("crash")), serviceRegistries=registries)

    stopped = world.stopped(bool)["taskArn"].rpartition("/")[2]

    assert stopped not in world.instances()


def test_changed_registries_are_a_new_deployment(world: DiscoveringWorld) -> None:
    registries = [{"registryArn": world.registry("A")["Arn"]}]
    world.create(world.definition(world.push()))
    before = world.settle()["deployments"][0]["id"]

    world.update(serviceRegistries=registries)

    assert world.settle()["deployments"][0]["id"] != before
    assert len(world.instances()) == 1


@pytest.mark.parametrize("port", [{"port": 8080}, {"containerName": "app", "containerPort": 80}])
def test_srv_records_have_the_port(world: DiscoveringWorld, port: dict[str, Any]) -> None:
    registries = [{"registryArn": world.registry("SRV")["Arn"], **port}]
    world.create(world.definition(world.push()), serviceRegistries=registries)
    world.settle()

    (attributes,) = world.instances().values()

    assert attributes["AWS_INSTANCE_PORT"] == str(port.get("port", 80))


def test_a_bridge_task_is_found_at_its_instance_and_host_port(world: DiscoveringWorld) -> None:
    instance = register_instance(world)
    registry = world.registry("SRV")
    world.create_on_instances(
        {"registryArn": registry["Arn"], "containerName": "app", "containerPort": 80}
    )
    world.settle()

    found = world.instances().values()

    described = world.aws.client("ec2").describe_instances(InstanceIds=[instance])
    address = described["Reservations"][0]["Instances"][0]["PrivateIpAddress"]
    assert {attributes["AWS_INSTANCE_IPV4"] for attributes in found} == {address}
    assert {attributes["EC2_INSTANCE_ID"] for attributes in found} == {instance}
    ports = {str(task["containers"][0]["networkBindings"][0]["hostPort"]) for task in world.tasks()}
    assert {attributes["AWS_INSTANCE_PORT"] for attributes in found} == ports
    assert len(ports) == 2


def test_cloud_map_gets_the_health_of_a_containers_check(world: DiscoveringWorld) -> None:
    registry = world.registry("A", HealthCheckCustomConfig={"FailureThreshold": 1})
    check = {"command": ["CMD-SHELL", "curl localhost"]}
    world.create(
        world.definition(world.push(), healthCheck=check),
        serviceRegistries=[{"registryArn": registry["Arn"]}],
    )
    world.settle()

    (attributes,) = world.instances().values()
    (health,) = world.map.get_instances_health_status(ServiceId=registry["Id"])["Status"].values()

    assert attributes["AWS_INIT_HEALTH_STATUS"] == "UNHEALTHY"
    assert health == "HEALTHY"


def test_an_unhealthy_task_in_cloud_map_is_told_to_eventbridge(world: DiscoveringWorld) -> None:
    actions = listen(world.aws, {"detail": {"eventName": ["SERVICE_DISCOVERY_INSTANCE_UNHEALTHY"]}})
    registry = world.registry("A", HealthCheckCustomConfig={})
    definition = world.definition(
        world.push("unhealthy"), healthCheck={"command": ["CMD-SHELL", "curl localhost"]}
    )
    world.create(definition, serviceRegistries=[{"registryArn": registry["Arn"]}])

    told = wait_for(
        lambda: [e for e in actions() if e["detail"]["clusterArn"].endswith(world.cluster)], "it"
    )

    assert told[0]["detail"]["eventType"] == "WARN"


def test_a_registry_that_does_not_exist_is_refused(world: DiscoveringWorld) -> None:
    arn = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-none"
    with pytest.raises(ClientError, match="does not exist") as refused:
        world.create(world.definition("nginx"), serviceRegistries=[{"registryArn": arn}])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == []


@pytest.mark.parametrize(
    ("record", "port", "message"),
    [
        ("A", {"containerName": "app", "containerPort": 80}, "do not require a value for"),
        ("SRV", {}, "needs a 'port'"),
        ("SRV", {"containerName": "app", "containerPort": 81}, "container port 81"),
        ("SRV", {"port": 1, "containerName": "app", "containerPort": 80}, "but not both"),
    ],
)
def test_ports_that_do_not_fit_the_registry_are_refused(
    world: DiscoveringWorld, record: str, port: dict[str, Any], message: str
) -> None:
    registry = {"registryArn": world.registry(record)["Arn"], **port}
    with pytest.raises(ClientError, match=message):
        world.create(world.definition("nginx"), serviceRegistries=[registry])


@pytest.mark.parametrize(
    ("record", "port", "message"),
    [
        ("SRV", {}, "must be specified from the task definition"),
        ("A", {"containerName": "app", "containerPort": 80}, "must have SRV records"),
    ],
)
def test_a_bridge_task_needs_srv_records_and_a_container_s_port(
    world: DiscoveringWorld, record: str, port: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        world.create_on_instances({"registryArn": world.registry(record)["Arn"], **port})
