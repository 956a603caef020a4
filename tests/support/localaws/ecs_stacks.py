"""Stacks with a cluster, a task definition and a service."""

from __future__ import annotations

import json
from typing import Any

from tests.support.localaws.ecs import World
from tests.support.localaws.stacks import outputs

BREAKER = {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}}


def template(resources: dict[str, Any], **results: Any) -> str:
    told = {name: {"Value": value} for name, value in results.items()}
    return json.dumps({"Resources": resources, "Outputs": told})


def stack_of(world: World, image: str, **service: Any) -> str:
    """The template of a cluster, and of a service with one container."""
    definition = {
        "NetworkMode": "awsvpc",
        "RequiresCompatibilities": ["FARGATE"],
        "Cpu": "256",
        "Memory": "512",
        "ContainerDefinitions": [
            {"Name": "app", "Image": image, "PortMappings": [{"ContainerPort": "80"}]}
        ],
    }
    properties = {
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": "Definition"},
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": world.subnets}},
        "DeploymentConfiguration": BREAKER,
        **service,
    }
    resources = {
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Definition": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition},
        "Service": {"Type": "AWS::ECS::Service", "Properties": properties},
    }
    return template(
        resources,
        Cluster={"Ref": "Cluster"},
        Definition={"Ref": "Definition"},
        DefinitionArn={"Fn::GetAtt": "Definition.TaskDefinitionArn"},
        Service={"Ref": "Service"},
        ServiceArn={"Fn::GetAtt": "Service.ServiceArn"},
        Name={"Fn::GetAtt": "Service.Name"},
    )


def service_of(world: World, stack: dict[str, Any]) -> dict[str, Any]:
    told = outputs(stack)
    answer = world.ecs.describe_services(
        cluster=told["Cluster"], services=[told["Name"]], include=["TAGS"]
    )
    return dict(answer["services"][0])
