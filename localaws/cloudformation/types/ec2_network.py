"""VPC networks in CloudFormation: VPCs, subnets, routes, gateways, addresses.

moto keeps what AWS deletes with a resource: its tags, network interfaces and default network ACL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from moto.ec2.models import EC2Backend, nat_gateways, vpcs
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.cloudformation.types.ec2_resources import (
    Ec2Resource,
    Identified,
    found,
    new_tags,
    retag,
)


class Vpc(Ec2Resource):
    """A VPC."""

    type = "AWS::EC2::VPC"
    noun, tagged_as = "Vpc", "vpc"
    switches: ClassVar = {"EnableDnsSupport": True, "EnableDnsHostnames": False}
    create_only = frozenset({"CidrBlock"})
    properties = frozenset({*create_only, *switches, "Tags"})
    attributes = frozenset({"CidrBlock", "VpcId"})


class InternetGateway(Ec2Resource):
    """An Internet gateway."""

    type = "AWS::EC2::InternetGateway"
    noun, tagged_as = "InternetGateway", "internet-gateway"
    properties = frozenset({"Tags"})
    attributes = frozenset({"InternetGatewayId"})


class VpcGatewayAttachment(Resource):
    """The attachment of an Internet gateway to a VPC."""

    type = "AWS::EC2::VPCGatewayAttachment"
    create_only = frozenset({"VpcId"})
    properties = frozenset({*create_only, "InternetGatewayId"})
    attributes = frozenset({"AttachmentType"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        call("ec2", "AttachInternetGateway", **properties)
        return f"IGW|{properties['VpcId']}"

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self.delete(physical_id, previous)
        call("ec2", "AttachInternetGateway", **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DetachInternetGateway", **properties)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id.split("|")[0]


class Subnet(Ec2Resource):
    """A subnet in one Availability Zone."""

    type = "AWS::EC2::Subnet"
    noun, tagged_as = "Subnet", "subnet"
    switches: ClassVar = {"MapPublicIpOnLaunch": False}
    create_only = frozenset({"AvailabilityZone", "CidrBlock", "VpcId"})
    properties = frozenset({*create_only, *switches, "Tags"})
    attributes = frozenset({*create_only, "AvailabilityZoneId", "SubnetId"})


class RouteTable(Ec2Resource):
    """A route table."""

    type = "AWS::EC2::RouteTable"
    noun, tagged_as = "RouteTable", "route-table"
    create_only = frozenset({"VpcId"})
    properties = frozenset({*create_only, "Tags"})
    attributes = frozenset({"RouteTableId"})


class Route(Resource):
    """A route in a route table."""

    type = "AWS::EC2::Route"
    create_only = frozenset({"DestinationCidrBlock", "RouteTableId"})
    properties = frozenset({*create_only, "GatewayId", "NatGatewayId"})
    attributes = frozenset({"CidrBlock"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        call("ec2", "CreateRoute", **properties)
        return f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}"

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("ec2", "ReplaceRoute", **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DeleteRoute", **pick(properties, *self.create_only))

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id.split("|")[1]


class SubnetRouteTableAssociation(Identified):
    """The association of a subnet with a route table."""

    type = "AWS::EC2::SubnetRouteTableAssociation"
    create_only = properties = frozenset({"RouteTableId", "SubnetId"})
    attributes = frozenset({"Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        # A replacement is created before the old one is deleted, but a subnet has one association only.
        subnet, table = properties["SubnetId"], properties["RouteTableId"]
        for before in found("RouteTables", association__subnet_id=subnet):
            for association in before["Associations"]:
                if association.get("SubnetId") == subnet:
                    identity = {"AssociationId": association["RouteTableAssociationId"]}
                    made = call(
                        "ec2", "ReplaceRouteTableAssociation", **identity, RouteTableId=table
                    )
                    return str(made["NewAssociationId"])
        return str(call("ec2", "AssociateRouteTable", **properties)["AssociationId"])

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DisassociateRouteTable", AssociationId=physical_id)


class Eip(Resource):
    """An Elastic IP address. The physical id is the address."""

    type = "AWS::EC2::EIP"
    properties = frozenset({"Domain", "Tags"})
    attributes = frozenset({"AllocationId", "PublicIp"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        arguments = {**pick(properties, "Domain"), **new_tags("elastic-ip", properties)}
        return str(call("ec2", "AllocateAddress", **arguments)["PublicIp"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        retag(self.attribute(physical_id, "AllocationId"), properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        allocation = self.attribute(physical_id, "AllocationId")
        call("ec2", "ReleaseAddress", AllocationId=allocation)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return call("ec2", "DescribeAddresses", PublicIps=[physical_id])["Addresses"][0][name]


class NatGateway(Ec2Resource):
    """A NAT gateway."""

    type = "AWS::EC2::NatGateway"
    noun, tagged_as = "NatGateway", "natgateway"
    create_only = frozenset({"AllocationId", "ConnectivityType", "SubnetId"})
    properties = frozenset({*create_only, "Tags"})
    attributes = frozenset({"NatGatewayId"})

    @override
    def made_with(self, properties: Properties) -> Properties:
        return {"ConnectivityType": "public", **super().made_with(properties)}


_DELETIONS = (
    "delete_flow_logs delete_internet_gateway delete_nat_gateway delete_network_acl delete_route_table"
    " delete_security_group delete_subnet delete_vpc release_address"
)


def install() -> None:
    """Delete with a resource what AWS deletes with it."""
    for name in _DELETIONS.split():
        setattr(EC2Backend, name, _deleting(getattr(EC2Backend, name)))
    # moto gives NAT gateways and endpoints an address in 10.0.0.0/8; without one it takes one of the subnet.
    nat_gateways.random_private_ip = _no_address  # type: ignore[assignment, attr-defined]
    vpcs.random_private_ip = _no_address  # type: ignore[assignment, attr-defined]


def _no_address() -> None:
    """No address, so that a network interface gets one of its subnet."""


def _deleting(delete: Callable[..., Any]) -> Callable[..., Any]:
    def delete_all(self: Any, *given: Any, **named: Any) -> Any:
        deleted = delete(self, *given, **named)
        for ids in (*given, *named.values()):
            for gone in ids if isinstance(ids, list) else [ids]:
                take_along(self, gone)
        return deleted

    return delete_all


def take_along(ec2: Any, gone: str) -> None:
    """Delete what AWS deletes with these resources.

    Nothing else would delete it, and later requests would find it.
    """
    # A copy, because requests in other threads change the collection.
    for acl in list(ec2.network_acls.values()):
        if acl.default and acl.vpc_id == gone:
            del ec2.network_acls[acl.id]
        for key in [key for key, one in acl._associations.items() if one.subnet_id == gone]:
            del acl._associations[key]
    for table in list(ec2.route_tables.values()):
        for key in [key for key, subnet in table._associations.items() if subnet == gone]:
            del table._associations[key]
    if gone in ec2.nat_gateways:
        interface = ec2.nat_gateways[gone]._eni
        if interface.public_ip:
            ec2.disassociate_address(address=interface.public_ip)
        ec2.enis.pop(interface.id, None)
    ec2.tags.pop(gone, None)
