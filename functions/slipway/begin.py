"""What is checked before anything is changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from slipway.alarms import read_alarms
from slipway.aws import short
from slipway.errors import InvalidInput
from slipway.model import Model
from slipway.release import Deployment
from slipway.service import Service, previous_task_definition, read_service
from slipway.task_definition import containers_for, read_task_definition

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecs import ECSClient


class Beginning(Model):
    """What a deployment starts from."""

    began_at: datetime
    previous: str
    """ARN of the task definition to go back to."""
    previous_images: dict[str, str]
    """What it runs, by container."""
    alarms_firing: tuple[str, ...]
    """Alarms of the policy that are in ALARM now: they can't fail this deployment until they fire anew."""


def begin(
    deployment: Deployment, now: datetime, ecs: ECSClient, cloudwatch: CloudWatchClient
) -> Beginning:
    """Check that the deployment can be made, and note what there is to go back to.

    Raises:
        InvalidInput: the cluster, service, container or an alarm does not exist, or the service is of
            a kind that Slipway can't deploy to.
        AwsUnavailable, AwsRefused: from ECS or CloudWatch.
    """
    service, policy = deployment.service, deployment.policy
    found = read_service(service, ecs)
    _refuse_other_kinds(service, found)
    running = read_task_definition(found["taskDefinition"], ecs)
    containers_for(running.content, deployment.release.image, policy.container, service)
    alarms = read_alarms(policy.alarms, cloudwatch)
    if missing := [name for name in policy.alarms if name not in alarms]:
        raise InvalidInput(
            f"the plan names alarms for service {service} that CloudWatch does not have in this account "
            f"and region: {', '.join(missing)}"
        )
    previous = read_task_definition(previous_task_definition(found), ecs)
    if not previous.active:
        raise InvalidInput(
            f"service {service} runs {short(previous.arn)}, which has been deregistered: ECS "
            "could not go back to it; put an active revision on the service first"
        )
    images = {c["name"]: c["image"] for c in previous.content["containerDefinitions"]}
    firing = tuple(name for name, alarm in alarms.items() if alarm.state == "ALARM")
    return Beginning(
        began_at=now, previous=previous.arn, previous_images=images, alarms_firing=firing
    )


def _refuse_other_kinds(service: str, found: Service) -> None:
    # Slipway's verdict is made of what a rolling update leaves to be seen. The others keep two sets of
    # tasks, or leave the rollout to another service: judged by these rules they would look good too early.
    controller = found.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise InvalidInput(
            f"service {service} is deployed by {controller}; Slipway needs controller ECS"
        )
    strategy = found.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if strategy != "ROLLING":
        raise InvalidInput(
            f"service {service} has strategy {strategy}; Slipway knows ROLLING only so far"
        )
    if any(balancer.get("loadBalancerName") for balancer in found.get("loadBalancers", [])):
        raise InvalidInput(
            f"service {service} uses a Classic Load Balancer; Slipway needs a target group"
        )
