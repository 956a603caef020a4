"""ECS in CloudFormation: what clusters, capacity providers and task definitions are given."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import register_instance, unique
from tests.support.localaws.ecs_capacity import CapacityWorld
from tests.support.localaws.ecs_stacks import service_of, stack_of, template
from tests.support.localaws.stacks import create, delete, outputs, reasons, update


@pytest.fixture
def world(aws: LocalAws) -> CapacityWorld:
    return CapacityWorld(aws)


def test_a_task_definition_keeps_what_ecs_names_otherwise(world: CapacityWorld) -> None:
    efs = {
        "FilesystemId": "fs-1",
        "TransitEncryption": "ENABLED",
        "AuthorizationConfig": {"IAM": "ENABLED", "AccessPointId": "fsap-1"},
    }
    container = {
        "Name": "app",
        "Image": "nginx",
        "Memory": "64",
        "DockerLabels": {"IAM": "as it is"},
        "Environment": [{"Name": "COUNT", "Value": 3}],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "g"}},
        "RestartPolicy": {"Enabled": "true", "IgnoredExitCodes": ["0"]},
    }
    proxy = {
        "ContainerName": "app",
        "ProxyConfigurationProperties": [{"Name": "AppPorts", "Value": "80"}],
    }
    family = unique("family")
    properties = {
        "Family": family,
        "NetworkMode": "awsvpc",
        "EnableFaultInjection": True,
        "EphemeralStorage": {"SizeInGiB": 30},
        "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
        "ProxyConfiguration": proxy,
        "ContainerDefinitions": [container],
        "Volumes": [{"Name": "data", "EFSVolumeConfiguration": efs}],
        "Tags": [{"Key": "team", "Value": "blue"}],
    }
    definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}

    create(world.aws, template({"Definition": definition}))

    answer = world.ecs.describe_task_definition(taskDefinition=f"{family}:1", include=["TAGS"])
    told, app = answer["taskDefinition"], answer["taskDefinition"]["containerDefinitions"][0]
    assert answer["tags"] == [{"key": "team", "value": "blue"}]
    assert told["volumes"][0]["efsVolumeConfiguration"]["fileSystemId"] == "fs-1"
    authorization = told["volumes"][0]["efsVolumeConfiguration"]["authorizationConfig"]
    assert authorization == {"iam": "ENABLED", "accessPointId": "fsap-1"}
    assert told["proxyConfiguration"]["properties"] == [{"name": "AppPorts", "value": "80"}]
    assert told["ephemeralStorage"] == {"sizeInGiB": 30}
    assert told["enableFaultInjection"] is True
    assert app["dockerLabels"] == {"IAM": "as it is"}
    assert app["environment"] == [{"name": "COUNT", "value": "3"}]
    assert app["logConfiguration"]["options"] == {"awslogs-group": "g"}
    assert app["restartPolicy"] == {"enabled": True, "ignoredExitCodes": [0]}


def test_a_cluster_s_settings_are_made_and_changed(world: CapacityWorld) -> None:
    def settings(insights: str, **more: Any) -> str:
        properties = {
            "ClusterSettings": [{"Name": "containerInsights", "Value": insights}],
            **more,
        }
        cluster = {"Type": "AWS::ECS::Cluster", "Properties": properties}
        arn = {"Fn::GetAtt": "Cluster.Arn"}
        return template({"Cluster": cluster}, Name={"Ref": "Cluster"}, Arn=arn)

    def described() -> dict[str, Any]:
        answer = world.ecs.describe_clusters(
            clusters=[outputs(stack)["Name"]], include=["TAGS", "SETTINGS", "CONFIGURATIONS"]
        )
        return dict(answer["clusters"][0])

    command = {"Logging": "OVERRIDE", "LogConfiguration": {"CloudWatchLogGroupName": "exec"}}
    stack = create(
        world.aws,
        settings(
            "enhanced",
            Configuration={"ExecuteCommandConfiguration": command},
            Tags=[{"Key": "team", "Value": "blue"}],
        ),
    )
    cluster = described()
    assert cluster["clusterArn"] == outputs(stack)["Arn"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    told = cluster["configuration"]["executeCommandConfiguration"]
    assert told["logConfiguration"]["cloudWatchLogGroupName"] == "exec"
    assert cluster["tags"] == [{"key": "team", "value": "blue"}]

    update(world.aws, stack, settings("enabled"))

    assert described()["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert not described().get("configuration")
    assert described()["tags"] == []


def test_a_service_is_given_alarms_and_registries(world: CapacityWorld) -> None:
    discovery, name = world.aws.client("servicediscovery"), unique("namespace")
    discovery.create_http_namespace(Name=name)
    namespaces = discovery.list_namespaces()["Namespaces"]
    namespace = next(n["Id"] for n in namespaces if n["Name"] == name)
    registry = discovery.create_service(Name="app", NamespaceId=namespace)["Service"]
    alarms = {"AlarmNames": ["later"], "Enable": "true", "Rollback": True}

    def stack_with(*registries: dict[str, Any]) -> str:
        given = {"ServiceRegistries": list(registries)} if registries else {}
        return stack_of(world, "nginx", DeploymentConfiguration={"Alarms": alarms}, **given)

    stack = create(world.aws, stack_with({"RegistryArn": registry["Arn"]}))

    service = service_of(world, stack)
    assert service["deploymentConfiguration"]["alarms"] == {
        "alarmNames": ["later"],
        "enable": True,
        "rollback": True,
    }
    assert service["serviceRegistries"] == [{"registryArn": registry["Arn"]}]
    assert len(discovery.list_instances(ServiceId=registry["Id"])["Instances"]) == 1

    update(world.aws, stack, stack_with())

    assert service_of(world, stack)["serviceRegistries"] == []
    assert discovery.list_instances(ServiceId=registry["Id"])["Instances"] == []


def test_a_stack_waits_for_a_daemon_on_each_instance_and_gives_it_no_desired_count(
    world: CapacityWorld,
) -> None:
    register_instance(world)
    container = {"Name": "app", "Image": "nginx", "Memory": 64}
    service = {
        "Cluster": world.cluster,
        "ServiceName": world.service,
        "TaskDefinition": {"Ref": "Definition"},
        "SchedulingStrategy": "DAEMON",
    }
    stack = {
        "Definition": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [container]},
        },
        "Service": {"Type": "AWS::ECS::Service", "Properties": service},
    }

    name = create(world.aws, template(stack))

    assert (world.describe()["runningCount"], world.describe()["desiredCount"]) == (1, 1)
    delete(world.aws, name)
    assert world.describe()["status"] == "INACTIVE"


def stack_with_instances(world: CapacityWorld, group: dict[str, Any], target: int) -> str:
    """A cluster whose default is a capacity provider, and a service that runs there."""
    provider = {
        "AutoScalingGroupArn": group["AutoScalingGroupName"],  # what Ref gives
        "ManagedScaling": {"Status": "ENABLED", "TargetCapacity": target},
        "ManagedTerminationProtection": "DISABLED",
    }
    container = {"Name": "app", "Image": "nginx", "Memory": 64}
    associated = {
        "Cluster": {"Ref": "Cluster"},
        "CapacityProviders": ["FARGATE", {"Ref": "Provider"}],
        "DefaultCapacityProviderStrategy": [{"CapacityProvider": {"Ref": "Provider"}, "Weight": 1}],
    }
    service = {
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": "Definition"},
        "PlacementStrategies": [{"Type": "spread", "Field": "instanceId"}],
        "PlacementConstraints": [{"Type": "distinctInstance"}],
    }
    resources = {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": world.service}},
        "Provider": {
            "Type": "AWS::ECS::CapacityProvider",
            "Properties": {"AutoScalingGroupProvider": provider},
        },
        "Associated": {
            "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
            "Properties": associated,
        },
        "Definition": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [container]},
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": service,
            "DependsOn": "Associated",
        },
    }
    return template(resources, Provider={"Ref": "Provider"}, Associated={"Ref": "Associated"})


def test_a_capacity_provider_is_made_associated_changed_and_deleted(world: CapacityWorld) -> None:
    group = world.group(1)
    # Ready for the instance that the service of the stack waits for.
    world.cluster = world.service
    world.ecs.create_cluster(clusterName=world.cluster)
    world.register(group)
    stack = create(world.aws, stack_with_instances(world, group, 100))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(world.aws, stack)
    told = outputs(stack)
    assert told["Associated"] == world.cluster

    def provider() -> dict[str, Any]:
        answer = world.ecs.describe_capacity_providers(capacityProviders=[told["Provider"]])
        return dict(answer["capacityProviders"][0]["autoScalingGroupProvider"])

    assert provider()["autoScalingGroupArn"] == group["AutoScalingGroupARN"]
    (arn,) = world.ecs.list_services(cluster=world.cluster)["serviceArns"]
    (service,) = world.ecs.describe_services(cluster=world.cluster, services=[arn])["services"]
    assert service["capacityProviderStrategy"][0]["capacityProvider"] == told["Provider"]
    assert service["placementStrategy"] == [{"type": "spread", "field": "instanceId"}]
    assert service["placementConstraints"] == [{"type": "distinctInstance"}]

    update(world.aws, stack, stack_with_instances(world, group, 80))
    assert provider()["managedScaling"]["targetCapacity"] == 80

    (instance,) = world.ecs.list_container_instances(cluster=world.cluster)["containerInstanceArns"]
    world.ecs.deregister_container_instance(
        cluster=world.cluster, containerInstance=instance, force=True
    )
    delete(world.aws, stack)
    described = world.ecs.describe_capacity_providers(capacityProviders=[told["Provider"]])
    assert described["capacityProviders"] == []
