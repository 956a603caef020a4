"""Services that live: CreateService, UpdateService, DeleteService and what Describe and List tell.

Moto drops most of what CreateService is given and never changes a deployment. Here the request is
kept as it came, and what a service is at the moment is told from its deployments and tasks.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.utils import get_service_model
from moto.ecs.exceptions import (
    ECSException,
    InvalidParameterException,
    ServiceNotFoundException,
)
from moto.ecs.models import Cluster, Service

from localaws.aws import ACCOUNT
from localaws.ecs import service_checks as checks
from localaws.ecs.deployments import REVISION_FIELDS, Deployment, begin
from localaws.ecs.state import active_cluster, arn, backend, page, refuse, utcnow
from localaws.ecs.task_definitions import deployable
from localaws.ecs.tasks import Task

_NAMES = ("cluster", "service", "serviceName", "taskDefinition", "desiredCount", "tags")
_ONCE = ("clientToken", "forceNewDeployment", "role")
_NOT_SIMULATED = ("vpcLatticeConfigurations", "gatewayConnectors", "monitoring")


class LiveService(Service):
    """Moto's service, so that its tagging and listing go on working, with a life of its own."""

    def __init__(self, cluster: Cluster, params: dict[str, Any]) -> None:
        super().__init__(
            cluster,
            params["serviceName"],
            int(params.get("desiredCount") or 0),
            backend(),
            tags=params.get("tags"),
            deployment_controller=params.get("deploymentController"),
            role_arn=params.get("role"),
        )
        self.settings: dict[str, Any] = {}
        self.deployments: list[Deployment] = []  # type: ignore[assignment]
        self.tasks: list[Task] = []  # all that have not stopped
        self.seen: dict[str, str] = {}  # the tasks' statuses at the scheduler's last look
        self.last_completed: Deployment | None = None
        self.steady = True
        self.created_at = utcnow()

    @property
    def breaker(self) -> dict[str, Any]:
        """The deployment circuit breaker's settings."""
        breaker: dict[str, Any] = self.settings["deploymentConfiguration"][
            "deploymentCircuitBreaker"
        ]
        return breaker

    def tell(self, message: str) -> None:
        """Add a service event, newest first; ECS keeps the last hundred."""
        event = {
            "id": str(uuid.uuid4()),
            "createdAt": utcnow(),
            "message": f"(service {self.name}) {message}",
        }
        self.events = [event, *self.events][:100]

    def settings_after(self, params: dict[str, Any]) -> dict[str, Any]:
        """The settings as a request changes them."""
        kept = {k: v for k, v in params.items() if k not in (*_NAMES, *_ONCE) and v is not None}
        if "deploymentConfiguration" in kept:
            former = self.settings.get("deploymentConfiguration", checks.DEPLOYMENT_DEFAULTS)
            kept["deploymentConfiguration"] = {**former, **kept["deploymentConfiguration"]}
        before = self.settings
        if "capacityProviderStrategy" in kept:  # in place of what the service ran with
            before = {k: v for k, v in before.items() if k != "launchType"}
        return {**before, **kept}

    def record(self, *, tags: bool = False) -> dict[str, Any]:
        """The service as DescribeServices gives it."""
        shape = get_service_model("ecs").shape_for("Service")
        told = {k: v for k, v in self.settings.items() if k in shape.members}  # type: ignore[attr-defined]
        return {
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            **told,
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired_count,
            "runningCount": self.running_count,
            "pendingCount": self.pending_count,
            "taskDefinition": self.task_definition,
            "deployments": [deployment.record() for deployment in self.deployments],
            "taskSets": [],
            "events": self.events,
            "roleArn": self.role_arn,
            "createdAt": self.created_at,
            "createdBy": f"arn:aws:iam::{ACCOUNT}:root",
            **({"tags": self.tags} if tags else {}),
        }


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
    service.settings = service.settings_after(checks.with_defaults(params, cluster))
    if service.deployment_controller["type"] == "EXTERNAL":
        backend().services[key] = service  # a record only: its tasks belong to task sets
        return {"service": service.record(tags=True)}
    definition = deployable(params.get("taskDefinition", ""))
    checks.check(service.settings, definition, "CreateService")
    service.task_definition = definition.arn
    begin(service, definition)
    backend().services[key] = service
    return {"service": service.record(tags=True)}


def update(params: dict[str, Any]) -> dict[str, Any]:
    """UpdateService: a new deployment where the change needs new tasks, else the setting only."""
    refuse("UpdateService", params, _NOT_SIMULATED)
    service = find(params.get("cluster", "default"), params["service"])
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = deployable(params["taskDefinition"]) if params.get("taskDefinition") else None
    cluster = backend()._get_cluster(service.cluster_name)
    checks.check_capacity(params, cluster)
    settings = checks.with_capacity(service.settings_after(params), cluster)
    moved = definition is not None and definition.arn != service.task_definition
    needs_tasks = (
        moved
        or params.get("forceNewDeployment")
        or any(settings.get(k) != service.settings.get(k) for k in REVISION_FIELDS)
    )
    if needs_tasks:
        checks.check_rollout(settings)
        current = definition or service.deployments[0].definition
        checks.check(settings, current, "UpdateService")
    service.settings = settings
    if params.get("desiredCount") is not None:
        service.desired_count = int(params["desiredCount"])
    if needs_tasks:
        begin(service, current)
    elif service.deployments:
        service.deployments[0].desired_count = service.desired_count
    return {"service": service.record(tags=True)}


def delete(params: dict[str, Any]) -> dict[str, Any]:
    """DeleteService: DRAINING until its tasks have stopped, then INACTIVE."""
    service = find(params.get("cluster", "default"), params["service"])
    if service.desired_count > 0 and not params.get("force"):
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    if service.status == "ACTIVE":
        service.status = "DRAINING" if service.deployments else "INACTIVE"
        service.desired_count = 0
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
    """ListServices: those that are not INACTIVE."""
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


def live_services() -> list[LiveService]:
    """Every service of the account."""
    return [s for s in backend().services.values() if isinstance(s, LiveService)]


def find(cluster: str, name: str) -> LiveService:
    """The service that a name or an ARN names."""
    key = f"{backend()._get_cluster(cluster).name}:{name.rpartition('/')[2]}"
    service = backend().services.get(key)
    if not isinstance(service, LiveService) or service.status == "INACTIVE":
        raise ServiceNotFoundException
    return service
