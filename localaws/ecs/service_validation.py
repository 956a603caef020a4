"""The validation of a service: the defaults and refusals of ECS, and what is not simulated."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import Cluster

from localaws import elbv2
from localaws.aws import ACCOUNT, REGION
from localaws.ecs import capacity_providers as ecs_capacity_providers
from localaws.ecs import service_discovery
from localaws.ecs.task_definitions import LiveTaskDefinition

DEPLOYMENT_DEFAULTS: dict[str, Any] = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
}


DAEMON_DEFAULTS: dict[str, Any] = {
    **DEPLOYMENT_DEFAULTS,
    "maximumPercent": 100,
    "minimumHealthyPercent": 0,
}


def with_defaults(params: dict[str, Any], cluster: Cluster) -> dict[str, Any]:
    """A CreateService request with ECS's defaults."""
    daemon = params.get("schedulingStrategy") == "DAEMON"
    defaults = DAEMON_DEFAULTS if daemon else DEPLOYMENT_DEFAULTS
    limits = {**defaults, **(params.get("deploymentConfiguration") or {})}
    rebalanced = limits["maximumPercent"] > 100  # rebalancing starts a task before it stops one
    filled = {
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "ENABLED" if rebalanced else "DISABLED",
        **deepcopy({k: v for k, v in params.items() if v is not None}),
        "deploymentConfiguration": deepcopy(limits),
    }
    if params.get("loadBalancers"):
        filled.setdefault("healthCheckGracePeriodSeconds", 0)
    return with_capacity(filled, cluster)


def with_capacity(settings: dict[str, Any], cluster: Cluster) -> dict[str, Any]:
    """The settings with the default launch type or capacity provider strategy, if they have
    neither.
    """
    filled = {k: v for k, v in settings.items() if v or k != "capacityProviderStrategy"}
    if not filled.get("launchType") and not filled.get("capacityProviderStrategy"):
        if cluster.default_capacity_provider_strategy:
            filled["capacityProviderStrategy"] = cluster.default_capacity_provider_strategy
        else:
            filled["launchType"] = "EC2"
    if on_fargate(filled):
        return {"platformVersion": "LATEST", **filled, "platformFamily": "Linux"}
    return {k: v for k, v in filled.items() if k not in ("platformVersion", "platformFamily")}


def on_fargate(settings: dict[str, Any]) -> bool:
    """Whether the tasks run on Fargate."""
    strategy = settings.get("capacityProviderStrategy") or []
    providers = [item["capacityProvider"] for item in strategy]
    return settings.get("launchType") == "FARGATE" or (
        bool(providers) and providers[0] in ecs_capacity_providers.FARGATE
    )


def check(settings: dict[str, Any], definition: LiveTaskDefinition, action: str) -> None:
    """Refuse what ECS refuses and what is not simulated."""
    configuration = settings.get("deploymentConfiguration", {})
    if configuration.get("lifecycleHooks"):
        raise NotImplementedError(f"ecs: {action}: lifecycleHooks are not simulated")
    if configuration.get("earlySuccessCriteria", {}).get("enable"):
        raise NotImplementedError(
            f"ecs: {action}: deploymentConfiguration.earlySuccessCriteria is not simulated"
        )
    if len(settings.get("gatewayConnectors") or []) > 1:
        raise InvalidParameterException("A service can have at most one gateway connector.")
    check_network(settings, definition)
    service_discovery.check(settings.get("serviceRegistries") or [], definition)
    for balancer in settings.get("loadBalancers") or []:
        _check_load_balancer(balancer, definition, action)


def check_daemon(params: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse what a service with the strategy DAEMON can't have.

    ``settings`` are those after the request ``params``. ECS's words for the launch type and the
    deployment controller are not published.
    """
    if settings["schedulingStrategy"] != "DAEMON":
        return
    if settings.get("capacityProviderStrategy"):
        raise InvalidParameterException(
            "Specifying a capacity provider strategy is not supported when you create a service"
            " using the DAEMON scheduling strategy."
        )
    controller = settings["deploymentController"]["type"]
    for kind, value in (
        ("launch", settings.get("launchType")),
        ("deployment controller", controller),
    ):
        if value in ("FARGATE", "CODE_DEPLOY", "EXTERNAL"):
            raise InvalidParameterException(
                f"The daemon scheduling strategy does not support the {kind} type {value}."
            )
    if params.get("desiredCount") is not None:
        raise InvalidParameterException(
            "The daemon scheduling strategy does not support a desired count for services. Remove"
            " the desired count value and try again"
        )
    if params.get("placementStrategy") is not None:  # not even an empty list
        raise InvalidParameterException(
            "The daemon scheduling strategy does not support placement strategies. Remove the"
            " placement strategy and try again"
        )
    if settings["deploymentConfiguration"]["maximumPercent"] > 100:
        raise InvalidParameterException(
            "The daemon scheduling strategy does not support values above 100 for maximumPercent on"
            " a deployment configuration. Change the maximumPercent value to 100, and try again"
        )


def check_capacity(settings: dict[str, Any], cluster: Cluster) -> None:
    """Refuse a strategy that does not fit the cluster, or both a strategy and a launch type."""
    strategy = settings.get("capacityProviderStrategy") or []
    if strategy and settings.get("launchType"):
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove"
            " one and try again."
        )
    ecs_capacity_providers.check_strategy(strategy, cluster.capacity_providers)


def check_changed_strategy(params: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse to change the strategy of a service without the deployment that the change needs."""
    wanted = params.get("capacityProviderStrategy")
    if wanted is None or params.get("forceNewDeployment"):
        return
    if _comparable(wanted) != _comparable(settings.get("capacityProviderStrategy") or []):
        raise InvalidParameterException(
            "When switching from launch type to capacity provider strategy on an existing service,"
            " or making a change to a capacity provider strategy on a service that is already using"
            " one, you must force a new deployment."
        )


def _comparable(strategy: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [
        (item["capacityProvider"], int(item.get("weight") or 0), int(item.get("base") or 0))
        for item in strategy
    ]


def check_rollout(settings: dict[str, Any]) -> None:
    """Refuse deployments other than rolling updates."""
    controller = settings["deploymentController"]["type"]
    if controller == "CODE_DEPLOY":
        raise InvalidParameterException(
            "Unable to update task definition on services with a CODE_DEPLOY deployment"
            " controller. Use AWS CodeDeploy to trigger a new deployment."
        )
    if controller != "ECS":
        raise NotImplementedError(f"ecs: UpdateService: deploymentController {controller}")
    configuration = settings["deploymentConfiguration"]
    if configuration["strategy"] != "ROLLING" or configuration.get("bakeTimeInMinutes"):
        raise NotImplementedError(
            "ecs: UpdateService: deploymentConfiguration: only strategy ROLLING without"
            " bakeTimeInMinutes is simulated"
        )


def check_network(settings: dict[str, Any], definition: LiveTaskDefinition) -> None:
    """Refuse a network configuration that does not fit the network mode."""
    network = (settings.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if definition.awsvpc and not network:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if network and not definition.awsvpc:
        raise InvalidParameterException(
            "Network Configuration is not valid for the given networkMode of this task definition."
        )
    if not network:
        return
    if not network.get("subnets"):
        raise InvalidParameterException("subnets can not be empty.")
    try:
        ec2_backends[ACCOUNT][REGION].describe_subnets(subnet_ids=network["subnets"])
    except InvalidSubnetIdError as error:
        raise InvalidParameterException(
            f"Error retrieving subnet information for {network['subnets']}: {error.message}"
            f" (ErrorCode: {error.code})"
        ) from error


def _check_load_balancer(
    balancer: dict[str, Any], definition: LiveTaskDefinition, action: str
) -> None:
    if balancer.get("loadBalancerName"):
        raise NotImplementedError(f"ecs: {action}: loadBalancers: a Classic Load Balancer")
    arn, name = balancer["targetGroupArn"], balancer["containerName"]
    group = elbv2.find(arn)
    if group is None:
        raise InvalidParameterException(f"The specified target group does not exist: {arn}")
    if not elbv2.in_use(arn):
        raise InvalidParameterException(
            f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        )
    if definition.awsvpc != (group.target_type == "ip"):
        mode = definition.record.get("networkMode", "bridge")
        raise InvalidParameterException(
            f"The provided target group {arn} has target type {group.target_type}, which is"
            f" incompatible with the {mode} network mode specified in the task definition."
        )
    containers = {c["name"]: c for c in definition.record["containerDefinitions"]}
    if name not in containers:
        raise InvalidParameterException(
            f"The container {name} does not exist in the task definition."
        )
    port = balancer["containerPort"]
    if all(m.get("containerPort") != port for m in containers[name]["portMappings"]):
        raise InvalidParameterException(
            f"The container {name} did not have a container port {port} defined."
        )
