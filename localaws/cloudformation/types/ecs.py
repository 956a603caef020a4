"""ECS clusters, capacity providers and task definitions in CloudFormation; services are in ecs_services.py.

moto creates clusters without their settings, keeps four properties of a task definition, and has
neither capacity providers nor their associations.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)

_API_NAMES = {
    "ClusterSettings": "Settings",
    "EFSVolumeConfiguration": "EfsVolumeConfiguration",
    "FSxWindowsFileServerVolumeConfiguration": "FsxWindowsFileServerVolumeConfiguration",
    "FilesystemId": "FileSystemId",
    "IAM": "Iam",
    "PlacementStrategies": "PlacementStrategy",
    "ProxyConfigurationProperties": "Properties",
    "S3FilesVolumeConfiguration": "S3filesVolumeConfiguration",
}
"""Property names that differ from the API in more than their first letter."""

_FREE_KEYS = frozenset({"DockerLabels", "DriverOpts", "Labels", "Options"})
"""Properties whose keys are chosen by the user."""


def in_api_names(value: Any) -> Any:
    """Properties with the names of the API."""
    if isinstance(value, list):
        return [in_api_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _API_NAMES.get(key, key): item if key in _FREE_KEYS else in_api_names(item)
        for key, item in value.items()
    }


class Cluster(Resource):
    """A cluster. The physical id is the name."""

    type = "AWS::ECS::Cluster"
    settings = ("ClusterSettings", "Configuration", "ServiceConnectDefaults")
    capacity = ("CapacityProviders", "DefaultCapacityProviderStrategy")
    create_only = frozenset({"ClusterName"})
    properties = frozenset({*create_only, *settings, *capacity, "Tags"})
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        given = {"ClusterName": naming.unique(255), **in_api_names(properties)}
        return str(call("ecs", "CreateCluster", **given)["cluster"]["clusterName"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        settings = in_api_names(pick(properties, *self.settings))
        # A setting that is left out gets its default again.
        settings.setdefault("Settings", [{"Name": "containerInsights", "Value": "disabled"}])
        settings.setdefault("Configuration", {})
        call("ecs", "UpdateCluster", Cluster=physical_id, **settings)
        if pick(properties, *self.capacity) != pick(previous, *self.capacity):
            associate(physical_id, properties)
        arn = self.attribute(physical_id, "Arn")
        update_tags("ecs", properties, previous, ResourceArn=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ecs", "DeleteCluster", Cluster=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        described = call("ecs", "DescribeClusters", Clusters=[physical_id])
        return described["clusters"][0]["clusterArn"]


class ClusterCapacityProviderAssociations(Resource):
    """The capacity providers of a cluster. The physical id is the name of the cluster."""

    type = "AWS::ECS::ClusterCapacityProviderAssociations"
    create_only = frozenset({"Cluster"})
    properties = frozenset({*create_only, *Cluster.capacity})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        associate(properties["Cluster"], properties)
        return str(properties["Cluster"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        associate(physical_id, properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        associate(physical_id, {})


class CapacityProvider(Resource):
    """A capacity provider for an Auto Scaling group. The physical id is the name."""

    type = "AWS::ECS::CapacityProvider"
    create_only = frozenset({"Name"})
    properties = frozenset({*create_only, "AutoScalingGroupProvider", "Tags"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        given = {"Name": naming.unique(255), **properties}
        return str(call("ecs", "CreateCapacityProvider", **given)["capacityProvider"]["name"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        provider, former = (p["AutoScalingGroupProvider"] for p in (properties, previous))
        if provider["AutoScalingGroupArn"] != former["AutoScalingGroupArn"]:
            # CloudFormation replaces the provider. Here only a whole property can be create-only.
            raise NotImplementedError(f"{self.type}: a change of AutoScalingGroupArn")
        settings = {k: v for k, v in provider.items() if k != "AutoScalingGroupArn"}
        answer = call(
            "ecs", "UpdateCapacityProvider", Name=physical_id, AutoScalingGroupProvider=settings
        )
        arn = answer["capacityProvider"]["capacityProviderArn"]
        update_tags("ecs", properties, previous, ResourceArn=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        described = call("ecs", "DescribeCapacityProviders", CapacityProviders=[physical_id])
        if not described["capacityProviders"]:
            return
        # For a provider in use ECS returns no error, but an answer that says that the deletion failed.
        answer = call("ecs", "DeleteCapacityProvider", CapacityProvider=physical_id)
        if answer["capacityProvider"].get("updateStatus") == "DELETE_FAILED":
            raise RuntimeError(answer["capacityProvider"]["updateStatusReason"])


class TaskDefinition(Resource):
    """A revision of a task definition. The physical id is the ARN, and every change creates a
    revision.
    """

    type = "AWS::ECS::TaskDefinition"
    create_only = frozenset(
        {
            "ContainerDefinitions",
            "Cpu",
            "EnableFaultInjection",
            "EphemeralStorage",
            "ExecutionRoleArn",
            "Family",
            "InferenceAccelerators",
            "IpcMode",
            "Memory",
            "NetworkMode",
            "PidMode",
            "PlacementConstraints",
            "ProxyConfiguration",
            "RequiresCompatibilities",
            "RuntimePlatform",
            "TaskRoleArn",
            "Volumes",
        }
    )
    properties = create_only | {"Tags"}
    attributes = frozenset({"TaskDefinitionArn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        given = {"Family": naming.unique(255), **in_api_names(properties)}
        registered = call("ecs", "RegisterTaskDefinition", **given)
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        update_tags("ecs", properties, previous, ResourceArn=physical_id)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ecs", "DeregisterTaskDefinition", TaskDefinition=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


def associate(cluster: str, properties: Properties) -> None:
    """Set the capacity providers and the default strategy of a cluster."""
    empty: Properties = {name: [] for name in Cluster.capacity}
    given = {**empty, **pick(properties, *Cluster.capacity)}
    call("ecs", "PutClusterCapacityProviders", Cluster=cluster, **given)
