"""Service discovery: the running tasks of a service are registered with Cloud Map.

moto keeps the serviceRegistries of a service and does nothing with them. Here the tasks are instances
in Cloud Map's API; no DNS records are made for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.ecs.exceptions import InvalidParameterException
from moto.servicediscovery.exceptions import InstanceNotFound
from moto.servicediscovery.models import Service, servicediscovery_backends

from localaws.aws import ACCOUNT, REGION
from localaws.ecs.placement import Placement
from localaws.ecs.task_definitions import LiveTaskDefinition

Registry = dict[str, Any]


def check(registries: list[Registry], definition: LiveTaskDefinition) -> None:
    """Refuse serviceRegistries that ECS refuses."""
    if len(registries) > 1:
        raise InvalidParameterException("serviceRegistries can have at most 1 items.")
    for registry in registries:
        arn = registry["registryArn"]
        found = _find(arn)
        if found is None:
            # The wording of ECS is not published.
            raise InvalidParameterException(f"The service registry {arn} does not exist.")
        named = "containerName" in registry or "containerPort" in registry
        if named and "port" in registry:
            raise InvalidParameterException(
                "Specify a value for either 'port' or the 'containerName' and 'containerPort'"
                " combination, but not both. Remove one and retry."
            )
        if named:
            _check_port(registry, definition)
        elif not definition.awsvpc:
            raise InvalidParameterException(
                "When specifying 'host' or 'bridge' for networkMode, values for 'containerName'"
                " and 'containerPort' must be specified from the task definition."
                f" Registry: {arn}"
            )
        _check_records(found, registry, definition)


def _check_port(registry: Registry, definition: LiveTaskDefinition) -> None:
    name, port = registry.get("containerName"), registry.get("containerPort")
    if not any(
        container["name"] == name and mapping.get("containerPort") == port
        for container in definition.record["containerDefinitions"]
        for mapping in container["portMappings"]
    ):
        raise InvalidParameterException(
            f"The container {name} did not have a container port {port} defined."
        )


def _check_records(found: Service, registry: Registry, definition: LiveTaskDefinition) -> None:
    has_port = "containerPort" in registry or "port" in registry
    if _with_ports(found):
        if not has_port:
            raise InvalidParameterException(
                "A service registry with SRV records needs a 'port', or a 'containerName' and a"
                f" 'containerPort'. Registry: {found.arn}"
            )
    elif found.dns_config and not definition.awsvpc:
        raise InvalidParameterException(
            "When specifying 'host' or 'bridge' for networkMode, the service registry must have"
            f" SRV records. Registry: {found.arn}"
        )
    elif has_port and found.dns_config:
        field = "containerPort" if "containerPort" in registry else "port"
        raise InvalidParameterException(
            f"The values specified for serviceRegistries do not require a value for '{field}'."
            " Remove the value and retry."
        )


@dataclass(frozen=True)
class Registration:
    """A task as an instance of the Cloud Map services that its service registers with."""

    task_id: str
    family: str
    group: str
    placement: Placement
    registries: list[Registry]
    reports_health: bool
    """Whether the task has container health checks, whose result Cloud Map shows."""

    def register(self) -> None:
        """Register the task once it runs."""
        for registry in self.registries:
            if found := _find(registry["registryArn"]):
                servicediscovery_backends[ACCOUNT][REGION].register_instance(
                    service_id=found.id,
                    instance_id=self.task_id,
                    creator_request_id=self.task_id,
                    attributes=self._attributes(registry, found),
                )

    def report_health(self, *, healthy: bool) -> None:
        """Pass on the result of the container health checks to services with a custom health check."""
        status = "HEALTHY" if healthy else "UNHEALTHY"
        for registry in self.registries:
            found = _find(registry["registryArn"])
            if self.reports_health and found and found.health_check_custom_config:
                for instance in found.instances:
                    if instance.instance_id == self.task_id:
                        instance.health_status = status

    def deregister(self) -> None:
        """Deregister the task when it begins to stop."""
        backend = servicediscovery_backends[ACCOUNT][REGION]
        for registry in self.registries:
            if found := _find(registry["registryArn"]):
                try:
                    backend.deregister_instance(found.id, self.task_id)
                except InstanceNotFound:  # it was deregistered through the API
                    continue

    def _attributes(self, registry: Registry, found: Service) -> dict[str, str]:
        attributes = {
            "AWS_INSTANCE_IPV4": self.placement.host_address,
            "AVAILABILITY_ZONE": self.placement.zone,
            "REGION": REGION,
            "ECS_CLUSTER_NAME": self.placement.cluster,
            "ECS_SERVICE_NAME": self.group.removeprefix("service:"),
            "ECS_TASK_DEFINITION_FAMILY": self.family,
        }
        if self.placement.instance:
            attributes["EC2_INSTANCE_ID"] = self.placement.instance.ec2_instance_id
        if "containerPort" in registry:
            key = registry["containerName"], registry["containerPort"]
            attributes["AWS_INSTANCE_PORT"] = str(self.placement.ports[key])
        elif "port" in registry:
            attributes["AWS_INSTANCE_PORT"] = str(registry["port"])
        if found.health_check_custom_config:
            initial = "UNHEALTHY" if self.reports_health else "HEALTHY"
            attributes["AWS_INIT_HEALTH_STATUS"] = initial
        return attributes


def _find(arn: str) -> Service | None:
    services = servicediscovery_backends[ACCOUNT][REGION].services
    found = services.get(arn.rpartition("/")[2])
    return found if found and found.arn == arn else None


def _with_ports(found: Service) -> bool:
    records = (found.dns_config or {}).get("DnsRecords", [])
    return any(record["Type"] == "SRV" for record in records)
