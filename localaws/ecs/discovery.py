"""Cloud Map: the running tasks of a service, registered where its serviceRegistries say.

Moto keeps the registries of a service and does nothing with them. Only what Cloud Map's API tells is
here: the DNS records of an instance are not made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ecs.exceptions import InvalidParameterException
from moto.servicediscovery.exceptions import InstanceNotFound
from moto.servicediscovery.models import Service, servicediscovery_backends

from localaws.aws import ACCOUNT, REGION
from localaws.ecs.task_definitions import LiveTaskDefinition

if TYPE_CHECKING:
    from localaws.ecs.tasks import Task

Registry = dict[str, Any]


def check(registries: list[Registry], definition: LiveTaskDefinition) -> None:
    """Refuse registries that ECS refuses."""
    if len(registries) > 1:
        raise InvalidParameterException("serviceRegistries can have at most 1 items.")
    for registry in registries:
        arn = registry["registryArn"]
        found = _find(arn)
        if found is None:
            # ECS's own wording is not published.
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


def register(task: Task) -> None:
    """Make a running task an instance of its registries."""
    for registry in task.registries:
        if found := _find(registry["registryArn"]):
            servicediscovery_backends[ACCOUNT][REGION].register_instance(
                service_id=found.id,
                instance_id=task.id,
                creator_request_id=task.id,
                attributes=_attributes(task, registry, found),
            )


def tell_health(task: Task) -> None:
    """Pass on what a task's own checks say, where Cloud Map is to be told."""
    status = "HEALTHY" if task.record["healthStatus"] == "HEALTHY" else "UNHEALTHY"
    for registry in task.registries:
        found = _find(registry["registryArn"])
        if task.checked and found and found.health_check_custom_config:
            for instance in found.instances:
                if instance.instance_id == task.id:
                    instance.health_status = status


def deregister(task: Task) -> None:
    """Take a task that stops out of its registries."""
    for registry in task.registries:
        if found := _find(registry["registryArn"]):
            try:
                servicediscovery_backends[ACCOUNT][REGION].deregister_instance(found.id, task.id)
            except InstanceNotFound:  # somebody else has
                continue


def _find(arn: str) -> Service | None:
    services = servicediscovery_backends[ACCOUNT][REGION].services
    found = services.get(arn.rpartition("/")[2])
    return found if found and found.arn == arn else None


def _with_ports(found: Service) -> bool:
    records = (found.dns_config or {}).get("DnsRecords", [])
    return any(record["Type"] == "SRV" for record in records)


def _attributes(task: Task, registry: Registry, found: Service) -> dict[str, str]:
    attributes = {
        "AWS_INSTANCE_IPV4": task.placement.host_address,
        "AVAILABILITY_ZONE": task.placement.zone,
        "REGION": REGION,
        "ECS_CLUSTER_NAME": task.placement.cluster,
        "ECS_SERVICE_NAME": task.record["group"].removeprefix("service:"),
        "ECS_TASK_DEFINITION_FAMILY": task.definition.family,
    }
    if task.placement.instance:
        attributes["EC2_INSTANCE_ID"] = task.placement.instance.ec2_instance_id
    if "containerPort" in registry:
        key = registry["containerName"], registry["containerPort"]
        attributes["AWS_INSTANCE_PORT"] = str(task.placement.ports[key])
    elif "port" in registry:
        attributes["AWS_INSTANCE_PORT"] = str(registry["port"])
    if found.health_check_custom_config:
        attributes["AWS_INIT_HEALTH_STATUS"] = "UNHEALTHY" if task.checked else "HEALTHY"
    return attributes
