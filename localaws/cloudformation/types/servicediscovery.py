"""Cloud Map in CloudFormation, which moto lacks.

localaws/servicediscovery.py corrects moto's Cloud Map itself.
"""

from __future__ import annotations

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
from localaws.servicediscovery import DEFAULT_SOA_TTL


class PrivateDnsNamespace(Resource):
    """A private DNS namespace of a VPC. The physical id is the id of the namespace."""

    type = "AWS::ServiceDiscovery::PrivateDnsNamespace"
    create_only = frozenset({"Name", "Vpc"})
    properties = frozenset({*create_only, "Description", "Properties", "Tags"})
    attributes = frozenset({"Arn", "HostedZoneId", "Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        given = pick(properties, "Name", "Vpc", "Description", "Tags")
        operation = call(
            "servicediscovery",
            "CreatePrivateDnsNamespace",
            **given,
            Properties=_dns_properties(properties),
        )
        return str(_finished(operation)["Targets"]["NAMESPACE"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        change = {
            "Description": properties.get("Description", ""),
            "Properties": _dns_properties(properties),
        }
        operation = call(
            "servicediscovery", "UpdatePrivateDnsNamespace", Id=physical_id, Namespace=change
        )
        _finished(operation)
        arn = self.attribute(physical_id, "Arn")
        update_tags("servicediscovery", properties, previous, ResourceARN=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        _finished(call("servicediscovery", "DeleteNamespace", Id=physical_id))

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        namespace = call("servicediscovery", "GetNamespace", Id=physical_id)["Namespace"]
        dns = namespace["Properties"]["DnsProperties"]
        return dns["HostedZoneId"] if name == "HostedZoneId" else namespace[name]


class Service(Resource):
    """A service in a namespace. The physical id is the id of the service."""

    type = "AWS::ServiceDiscovery::Service"
    create_only = frozenset({"HealthCheckCustomConfig", "Name", "NamespaceId", "Type"})
    properties = frozenset({*create_only, "Description", "DnsConfig", "Tags"})
    attributes = frozenset({"Arn", "Id", "Name"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = properties.get("Name") or naming.unique(63)
        made = call("servicediscovery", "CreateService", **{**properties, "Name": name})
        return str(made["Service"]["Id"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        now = properties.get("DnsConfig", {})
        if now:
            self._check_dns_config(physical_id, now)
        change = {"Description": properties.get("Description", "")}
        records = {"DnsConfig": pick(now, "DnsRecords")} if now else {}
        operation = call(
            "servicediscovery", "UpdateService", Id=physical_id, Service={**change, **records}
        )
        _finished(operation)
        arn = self.attribute(physical_id, "Arn")
        update_tags("servicediscovery", properties, previous, ResourceARN=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("servicediscovery", "DeleteService", Id=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return call("servicediscovery", "GetService", Id=physical_id)["Service"][name]

    def _check_dns_config(self, physical_id: str, wanted: Properties) -> None:
        """AWS replaces the service for these changes. Here only a whole property can be
        create-only.
        """
        service = call("servicediscovery", "GetService", Id=physical_id)["Service"]
        for name, value in service.get("DnsConfig", {}).items():
            default = "MULTIVALUE" if name == "RoutingPolicy" else value
            if name != "DnsRecords" and wanted.get(name, default) != value:
                raise NotImplementedError(f"a change of DnsConfig.{name}")


def _dns_properties(properties: Properties) -> Properties:
    """The DnsProperties of a request. A template may leave out each level, a request may not."""
    given = properties.get("Properties", {}).get("DnsProperties", {}).get("SOA", {})
    return {"DnsProperties": {"SOA": {"TTL": DEFAULT_SOA_TTL, **given}}}


def _finished(answer: dict[str, Any]) -> dict[str, Any]:
    """The operation that a request began. Here it has ended before the answer."""
    identity = answer["OperationId"]
    answer = call("servicediscovery", "GetOperation", OperationId=identity)
    operation: dict[str, Any] = answer["Operation"]
    if operation["Status"] == "FAIL":
        raise RuntimeError(f"{operation['ErrorMessage']} ({operation['ErrorCode']})")
    return operation
