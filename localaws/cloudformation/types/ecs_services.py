"""ECS services in CloudFormation. An operation on one waits for its deployment.

moto creates a service without load balancers, network and launch type, and completes at once. Here,
as on AWS, the stack waits for the deployment of the service and fails with it.

An update sends all properties of the template, changed or not. So the template's task definition
replaces one that was deployed to the service by other means. AWS does the same
(aws-cloudformation/cloudformation-coverage-roadmap#1529).
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
from localaws.cloudformation.types.ecs import in_api_names

LIMIT = 900.0  # seconds that a stack waits for a service; on AWS 3 hours
PAUSE = 0.1


class Service(Resource):
    """A service. The physical id is the ARN."""

    type = "AWS::ECS::Service"
    # UpdateService can't change these, and refuses them even if they are unchanged.
    create_only = frozenset({"Cluster", "LaunchType", "SchedulingStrategy", "ServiceName"})
    settings = frozenset(
        {
            "AvailabilityZoneRebalancing",
            "CapacityProviderStrategy",
            "DeploymentConfiguration",
            "DeploymentController",
            "DesiredCount",
            "EnableECSManagedTags",
            "EnableExecuteCommand",
            "HealthCheckGracePeriodSeconds",
            "LoadBalancers",
            "NetworkConfiguration",
            "PlacementConstraints",
            "PlacementStrategies",
            "PlatformVersion",
            "PropagateTags",
            "ServiceRegistries",
            "TaskDefinition",
        }
    )
    properties = create_only | settings | {"Tags"}
    attributes = frozenset({"Name", "ServiceArn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        given = {
            "ServiceName": naming.unique(255),
            **in_api_names(properties),
        }
        if properties.get("SchedulingStrategy") != "DAEMON":
            given.setdefault("DesiredCount", 1)  # CloudFormation's default; ECS has none
        return str(call("ecs", "CreateService", **given)["service"]["serviceArn"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        deployments = _describe(physical_id)["deployments"]
        if deployments:  # there are none with an external deployment controller
            _wait_until(_rolled_out(physical_id, deployments[0]["id"]), physical_id)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        given = pick(properties, *self.settings)
        for name, value in pick(previous, *self.settings).items():
            if name not in given and isinstance(value, list):
                given[name] = []  # ECS keeps a setting that is left out
        if given.get("CapacityProviderStrategy") != previous.get("CapacityProviderStrategy"):
            given["ForceNewDeployment"] = True  # ECS refuses the change without it
        cluster, service = _names(physical_id)
        answer = call(
            "ecs", "UpdateService", Cluster=cluster, Service=service, **in_api_names(given)
        )
        update_tags("ecs", properties, previous, ResourceArn=physical_id)
        if deployments := answer["service"]["deployments"]:
            _wait_until(_rolled_out(physical_id, deployments[0]["id"]), physical_id)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        cluster, service = _names(physical_id)
        call("ecs", "DeleteService", Cluster=cluster, Service=service, Force=True)
        _wait_until(lambda: _is_gone(physical_id), physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "ServiceArn" else _names(physical_id)[1]


def _names(arn: str) -> tuple[str, str]:
    """The cluster and the service in the ARN of a service."""
    _, cluster, service = arn.split("/")
    return cluster, service


def _describe(arn: str) -> dict[str, Any]:
    cluster, service = _names(arn)
    answer = call("ecs", "DescribeServices", Cluster=cluster, Services=[service])
    described: dict[str, Any] = answer["services"][0]
    return described


def _rolled_out(arn: str, deployment: str) -> Callable[[], bool]:
    def steady() -> bool:
        service = _describe(arn)
        # A deployment that ECS rolled back may no longer be listed, but its event is.
        failed = f"(deployment {deployment}) deployment failed"
        for event in service["events"]:
            if failed in event["message"]:
                raise RuntimeError(event["message"])
        states = [deployment["rolloutState"] for deployment in service["deployments"]]
        running: int = service["runningCount"]
        return states == ["COMPLETED"] and running == service["desiredCount"]

    return steady


def _is_gone(arn: str) -> bool:
    service = _describe(arn)
    return (service["status"], service["runningCount"]) == ("INACTIVE", 0)


def _wait_until(condition: Callable[[], bool], arn: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{arn} did not stabilize within {LIMIT:g} seconds.")
        time.sleep(PAUSE)
