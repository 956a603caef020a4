"""CreateService, UpdateService, DeleteService, DescribeServices and ListServices."""

from __future__ import annotations

from typing import Any

from moto.ecs.exceptions import (
    ECSException,
    InvalidParameterException,
)

from localaws.ecs import service_validation as checks
from localaws.ecs.deployment import TRIGGERING_FIELDS
from localaws.ecs.service import LiveService, find, live_services
from localaws.ecs.state import active_cluster, arn, backend, page, refuse
from localaws.ecs.task_definitions import deployable

_NOT_SIMULATED = ("vpcLatticeConfigurations", "monitoring")


def create(params: dict[str, Any]) -> dict[str, Any]:
    """CreateService."""
    refuse("CreateService", params, _NOT_SIMULATED)
    cluster = active_cluster(params.get("cluster", "default"))
    checks.check_capacity(params, cluster)
    key = f"{cluster.name}:{params['serviceName']}"
    existing = backend().services.get(key)
    if existing and existing.status == "DRAINING":
        raise InvalidParameterException("Unable to Start a service that is still Draining.")
    if existing and existing.status == "ACTIVE":
        raise InvalidParameterException("Creation of service was not idempotent.")
    service = LiveService(cluster, params)  # type: ignore[abstract]
    service.past.keep(existing if isinstance(existing, LiveService) else None)
    service.settings = service.settings_after(checks.with_defaults(params, cluster))
    checks.check_daemon(params, service.settings)
    if service.deployment_controller["type"] == "EXTERNAL":
        backend().services[key] = service  # recorded only: its tasks would belong to task sets
        return {"service": service.record(tags=True)}
    definition = deployable(params.get("taskDefinition", ""))
    checks.check(service.settings, definition, "CreateService")
    service.task_definition = definition.arn
    service.begin_deployment(definition)
    backend().services[key] = service
    return {"service": service.record(tags=True)}


def update(params: dict[str, Any]) -> dict[str, Any]:
    """UpdateService: begins a deployment if the change needs new tasks."""
    refuse("UpdateService", params, _NOT_SIMULATED)
    service = find(params.get("cluster", "default"), params["service"])
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = deployable(params["taskDefinition"]) if params.get("taskDefinition") else None
    cluster = backend()._get_cluster(service.cluster_name)
    checks.check_capacity(params, cluster)
    checks.check_changed_strategy(params, service.settings)
    settings = checks.with_capacity(service.settings_after(params), cluster)
    checks.check_daemon(params, settings)
    moved = definition is not None and definition.arn != service.task_definition
    needs_tasks = (
        moved
        or params.get("forceNewDeployment")
        or any(settings.get(k) != service.settings.get(k) for k in TRIGGERING_FIELDS)
    )
    if needs_tasks:
        checks.check_rollout(settings)
        current = definition or service.deployments[0].definition
        checks.check(settings, current, "UpdateService")
    service.remember()
    service.settings = settings
    if params.get("desiredCount") is not None:
        further = max(0, int(params["desiredCount"]) - service.desired_count)
        for former in filter(service.replaces_lost_tasks_of, service.deployments[1:]):
            former.desired_count += further  # the old revision is scaled out, too
        service.desired_count = int(params["desiredCount"])
    if needs_tasks:
        service.begin_deployment(current)
    elif service.deployments:
        service.deployments[0].desired_count = service.desired_count
    return {"service": service.record(tags=True)}


def delete(params: dict[str, Any]) -> dict[str, Any]:
    """DeleteService: the service is DRAINING until its tasks have stopped, then INACTIVE."""
    service = find(params.get("cluster", "default"), params["service"])
    replicas = service.settings["schedulingStrategy"] == "REPLICA"
    if replicas and service.desired_count > 0 and not params.get("force"):
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    service.remember()
    if service.status == "ACTIVE":
        service.status = "DRAINING" if service.deployments else "INACTIVE"
        service.desired_count = 0
        service.service_deployments = []
    return {"service": service.record(tags=True)}


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeServices."""
    cluster = backend()._get_cluster(params.get("cluster", "default"))
    names = params.get("services", [])
    if not names:
        raise InvalidParameterException("Services cannot be empty.")
    if len(names) > 10:
        raise InvalidParameterException("Services cannot have more than 10 elements.")
    found, failures = [], []
    for name in names:
        service = backend().services.get(f"{cluster.name}:{name.rpartition('/')[2]}")
        if isinstance(service, LiveService):
            found.append(service.record(tags="TAGS" in params.get("include", [])))
        else:
            missing = name if name.startswith("arn:") else arn(f"service/{cluster.name}/{name}")
            failures.append({"arn": missing, "reason": "MISSING"})
    return {"services": found, "failures": failures}


def list_arns(params: dict[str, Any]) -> dict[str, Any]:
    """ListServices, without those that are INACTIVE."""
    cluster = backend()._get_cluster(params.get("cluster", "default"))
    wanted = [(k, params[k]) for k in ("launchType", "schedulingStrategy") if params.get(k)]
    found = sorted(
        service.arn
        for service in live_services()
        if service.cluster_name == cluster.name
        and service.status != "INACTIVE"
        and all(service.settings.get(k) == v for k, v in wanted)
    )
    return page({"maxResults": 10, **params}, "serviceArns", found)
