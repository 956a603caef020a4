"""Cloud Map: namespaces, services and instances, with the checks between them.

moto's Cloud Map
- deletes namespaces that have services and services that have instances,
- keeps the hosted zone of a deleted namespace, and takes one namespace per VPC only,
- creates services in namespaces that do not exist,
- loses a service's DnsConfig and a namespace's hosted zone in an update,
- registers an instance twice, and calls every instance healthy,
- forgets operations when they are listed, and filters nothing.

Instances get no DNS records, because nothing here answers DNS, and the attributes that such records
need are not checked.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ec2.models import ec2_backends
from moto.route53.models import Route53Backend, route53_backends
from moto.servicediscovery.exceptions import CustomHealthNotFound, InvalidInput
from moto.servicediscovery.models import Namespace, Operation, Service, ServiceDiscoveryBackend
from moto.servicediscovery.models import ServiceInstance as Instance
from moto.servicediscovery.responses import ServiceDiscoveryResponse
from moto.utilities.utils import get_partition
from typing_extensions import override

DEFAULT_SOA_TTL = 15
"""In seconds. AWS documents no default."""

_RECORDS = ({"A"}, {"AAAA"}, {"A", "AAAA"}, {"SRV"}, {"CNAME"})
"""The combinations of DNS record types that a service may have."""
_FILTERS = {"HTTP_NAME": "name", "NAME": "name", "NAMESPACE_ID": "namespace_id", "TYPE": "type"}


class _FailedCreation(Operation):
    """An operation that was accepted and then failed."""

    message = ""

    @override
    def to_json(self, short: bool = False) -> dict[str, Any]:
        error = {"ErrorCode": "CANNOT_CREATE_HOSTED_ZONE", "ErrorMessage": self.message}
        return {**super().to_json(short), **({} if short else error), "Status": "FAIL"}


# --- namespaces -----------------------------------------------------------------------------------


def _create_private_dns_namespace(
    self: ServiceDiscoveryBackend,
    *,
    name: str,
    vpc: str,
    tags: list[dict[str, str]] | None,
    properties: dict[str, Any] | None,
    **others: Any,
) -> str:
    for known in self.namespaces.values():
        if known.name == name and known.vpc == vpc:
            raise JsonRESTError("NamespaceAlreadyExists", f"{name} exists already: {known.id}")
        if known.name == name:
            # Cloud Map adds a hash to HttpName to tell them apart.
            raise NotImplementedError(f"a second namespace named {name}")
    namespace = Namespace(
        self.account_id,
        self.region_name,
        name,
        "DNS_PRIVATE",
        dns_properties={"SOA": {"TTL": DEFAULT_SOA_TTL}},
        http_properties={"HttpName": name},
        vpc=vpc,
        **others,
    )
    namespace.dns_properties.update((properties or {}).get("DnsProperties", {}))
    targets = {"NAMESPACE": namespace.id}
    if vpc not in ec2_backends[self.account_id][self.region_name].vpcs:
        failed = _FailedCreation("CREATE_NAMESPACE", targets)
        failed.message = f"The VPC {vpc} is not in {self.region_name}."
        self.operations[failed.id] = failed
        return failed.id
    comment = f"Created by AWS Cloud Map namespace with ID {namespace.id}"
    zone = _route53(self).create_hosted_zone(
        name, private_zone=True, vpcid=vpc, vpcregion=self.region_name, comment=comment
    )
    namespace.dns_properties["HostedZoneId"] = zone.resource_id
    self.namespaces[namespace.id] = namespace
    self.tagger.tag_resource(namespace.arn, tags or [])
    return self._create_operation("CREATE_NAMESPACE", targets)


_update_private_dns_namespace = ServiceDiscoveryBackend.update_private_dns_namespace


def _update_namespace_keeping_its_zone(
    self: ServiceDiscoveryBackend, _id: str, description: str, properties: dict[str, Any] | None
) -> str:
    kept = {**self.get_namespace(_id).dns_properties, **(properties or {})}
    return _update_private_dns_namespace(self, _id, description, kept)


_delete_namespace = ServiceDiscoveryBackend.delete_namespace


def _delete_empty_namespace(self: ServiceDiscoveryBackend, namespace_id: str) -> str:
    namespace = self.get_namespace(namespace_id)
    if any(service.namespace_id == namespace_id for service in self.services.values()):
        raise JsonRESTError("ResourceInUse", f"Namespace has associated services: {namespace_id}")
    self.tagger.delete_all_tags_for_resource(namespace.arn)
    if zone := namespace.dns_properties.get("HostedZoneId"):
        _route53(self).delete_hosted_zone(zone)
    return _delete_namespace(self, namespace_id)


def _route53(backend: ServiceDiscoveryBackend) -> Route53Backend:
    return route53_backends[backend.account_id][get_partition(backend.region_name)]


# --- services -------------------------------------------------------------------------------------

_create_service = ServiceDiscoveryBackend.create_service


def _create_checked_service(self: ServiceDiscoveryBackend, **given: Any) -> Service:
    name, dns_config = given["name"], given["dns_config"]
    namespace = self.get_namespace(
        given["namespace_id"] or (dns_config or {}).get("NamespaceId", "")
    )
    for known in self.services.values():
        if (known.name, known.namespace_id) == (name, namespace.id):
            raise JsonRESTError("ServiceAlreadyExists", f"{name} exists already: {known.id}")
    custom = given["health_check_custom_config"] is not None
    if given["health_check_config"] is not None and (custom or namespace.type == "DNS_PRIVATE"):
        raise InvalidInput(
            "HealthCheckConfig is for public DNS and HTTP namespaces, without HealthCheckCustomConfig"
        )
    if custom:
        given["health_check_custom_config"] = {"FailureThreshold": 1}  # AWS ignores any other value
    if dns_config is not None:
        dns_config = {"RoutingPolicy": "MULTIVALUE", **dns_config, "NamespaceId": namespace.id}
        if set(types := _types(dns_config)) not in _RECORDS:
            raise InvalidInput(f"A service can't have the DNS records {types}")
    given["service_type"] = "HTTP" if given["service_type"] or dns_config is None else "DNS_HTTP"
    return _create_service(
        self, **{**given, "namespace_id": namespace.id, "dns_config": dns_config}
    )


def _update(self: Service, details: dict[str, Any]) -> None:
    """Settings that are left out are deleted, except the description and what can't be changed."""
    records = details.get("DnsConfig", {}).get("DnsRecords", [])
    if self.dns_config is None and records:
        raise InvalidInput(f"Service {self.id} has no DNS records")
    if self.dns_config is not None:
        before, now = _types(self.dns_config), _types({"DnsRecords": records})
        if before and now and before != now:
            raise InvalidInput("The type of a DNS record can't be updated")
        self.dns_config["DnsRecords"] = records
    self.description = details.get("Description", self.description)
    self.health_check_config = details.get("HealthCheckConfig")  # type: ignore[assignment]


def _types(dns_config: dict[str, Any]) -> list[str]:
    return sorted(record["Type"] for record in dns_config["DnsRecords"])


def _delete_empty_service(self: ServiceDiscoveryBackend, service_id: str) -> None:
    service = self.get_service(service_id)
    if service.instances:
        raise JsonRESTError("ResourceInUse", f"Service contains registered instances: {service_id}")
    self.tagger.delete_all_tags_for_resource(service.arn)
    del self.services[service_id]


# --- instances ------------------------------------------------------------------------------------

_register_instance = ServiceDiscoveryBackend.register_instance


def _register_or_replace_instance(
    self: ServiceDiscoveryBackend, service_id: str, instance_id: str, **others: Any
) -> str:
    service = self.get_service(service_id)
    service.instances = [known for known in service.instances if known.instance_id != instance_id]
    operation = _register_instance(self, service_id, instance_id, **others)
    instance = service.instances[-1]
    checked = service.health_check_config or service.health_check_custom_config
    initial = instance.attributes.get("AWS_INIT_HEALTH_STATUS", "HEALTHY")
    instance.health_status = initial if checked else "UNKNOWN"
    return operation


_filter_instances = ServiceDiscoveryBackend._filter_instances


def _filter_checked_instances(
    self: ServiceDiscoveryBackend, instances: list[Instance], query: Any, optional: Any, health: Any
) -> list[Instance]:
    if all(instance.health_status == "UNKNOWN" for instance in instances):
        health = "ALL"  # without health checks the filter has no effect
    return _filter_instances(self, instances, query, optional, health)


_update_health = ServiceDiscoveryBackend.update_instance_custom_health_status


def _update_custom_health(
    self: ServiceDiscoveryBackend, service_id: str, instance_id: str, status: str
) -> None:
    if not self.get_service(service_id).health_check_custom_config:
        raise CustomHealthNotFound(service_id)
    _update_health(self, service_id, instance_id, status)


# --- lists ----------------------------------------------------------------------------------------


def _list(response: ServiceDiscoveryResponse, kind: str, **shape: Any) -> str:
    found = list(getattr(response.servicediscovery_backend, kind.lower()).values())
    for wanted in json.loads(response.body).get("Filters", []):
        name, condition = wanted["Name"], wanted.get("Condition", "EQ")
        if name not in _FILTERS or condition not in ("EQ", "IN") or kind == "Operations":
            raise NotImplementedError(f"{kind} by {name} {condition}")
        found = [item for item in found if getattr(item, _FILTERS[name]) in wanted["Values"]]
    return json.dumps({kind: [item.to_json(**shape) for item in found]})


def install() -> None:
    """Replace the parts of moto that differ from Cloud Map."""
    backend: Any = ServiceDiscoveryBackend
    backend.create_private_dns_namespace = _create_private_dns_namespace
    backend.update_private_dns_namespace = _update_namespace_keeping_its_zone
    backend.delete_namespace = _delete_empty_namespace
    backend.create_service = _create_checked_service
    backend.delete_service = _delete_empty_service
    backend.register_instance = _register_or_replace_instance
    backend._filter_instances = _filter_checked_instances
    backend.update_instance_custom_health_status = _update_custom_health
    Service.update = _update  # type: ignore[method-assign]
    response: Any = ServiceDiscoveryResponse
    response.list_namespaces = lambda self: _list(self, "Namespaces")
    response.list_services = lambda self: _list(self, "Services")
    response.list_operations = lambda self: _list(self, "Operations", short=True)
