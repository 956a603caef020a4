"""Clusters with Auto Scaling groups, for the tests of capacity."""

from __future__ import annotations

import json
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.ecs import MACHINE_IMAGE, World, unique


class CapacityWorld(World):
    """A world with Auto Scaling groups and capacity providers."""

    def __init__(self, aws: LocalAws) -> None:
        super().__init__(aws)
        self.scaling, self.ec2 = aws.client("autoscaling"), aws.client("ec2")

    def group(self, size: int = 0, **settings: Any) -> dict[str, Any]:
        """Create an Auto Scaling group with this many instances; the group."""
        name = unique("group")
        self.ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"ImageId": MACHINE_IMAGE, "InstanceType": "t3.small"},
        )
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name},
            MinSize=size,
            MaxSize=size,
            VPCZoneIdentifier=",".join(self.subnets),
            **settings,
        )
        answer = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(answer["AutoScalingGroups"][0])

    def provider(self, group: dict[str, Any], **settings: Any) -> str:
        name = unique("provider")
        self.ecs.create_capacity_provider(
            name=name,
            autoScalingGroupProvider={
                "autoScalingGroupArn": group["AutoScalingGroupARN"],
                **settings,
            },
        )
        return name

    def associate(self, *providers: str, strategy: list[dict[str, Any]] | None = None) -> Any:
        answer = self.ecs.put_cluster_capacity_providers(
            cluster=self.cluster,
            capacityProviders=list(providers),
            defaultCapacityProviderStrategy=strategy or [],
        )
        return answer["cluster"]

    def register(self, group: dict[str, Any]) -> list[str]:
        """Register a group's instances as container instances of the cluster; their ids."""
        names = [instance["InstanceId"] for instance in group["Instances"]]
        for name in names:
            self.ecs.register_container_instance(
                cluster=self.cluster,
                instanceIdentityDocument=json.dumps({"instanceId": name, "region": "us-east-1"}),
                instanceIdentityDocumentSignature="s",
            )
        return names

    def bridge_service(self, desired: int = 2, **settings: Any) -> None:
        port = {"containerPort": 80}
        container = {"name": "app", "image": "nginx", "memory": 64, "portMappings": [port]}
        definition = self.ecs.register_task_definition(
            family=self.service, containerDefinitions=[container]
        )["taskDefinition"]["taskDefinitionArn"]
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=definition,
            desiredCount=desired,
            **settings,
        )

    def create_by(self, *items: dict[str, Any], desired: int = 1) -> None:
        """Create the service with a capacity provider strategy of these items."""
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=self.definition("nginx"),
            desiredCount=desired,
            capacityProviderStrategy=list(items),
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
        )

    def hosts(self) -> set[str]:
        """The ids of the EC2 instances on which the service's tasks run."""
        arns = [task["containerInstanceArn"] for task in self.tasks()]
        found = self.ecs.describe_container_instances(
            cluster=self.cluster, containerInstances=arns
        )["containerInstances"]
        return {instance["ec2InstanceId"] for instance in found}


def item(provider: str, **numbers: int) -> dict[str, Any]:
    return {"capacityProvider": provider, **numbers}
