"""VPC endpoints and flow logs in CloudFormation.

In moto, changes of an endpoint do not reach its interfaces and routes.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError
from moto.ec2.models import EC2Backend
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.utils import generate_route_id
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, call, pick
from localaws.cloudformation.types.ec2_network import take_along
from localaws.cloudformation.types.ec2_resources import Ec2Resource, Identified, new_tags, retag


class VpcEndpoint(Ec2Resource):
    """A VPC endpoint: routes for type Gateway, network interfaces in subnets for type Interface."""

    type = "AWS::EC2::VPCEndpoint"
    noun, tagged_as = "VpcEndpoint", "vpc-endpoint"
    create_only = frozenset({"ServiceName", "VpcEndpointType", "VpcId"})
    places = ("RouteTableIds", "SecurityGroupIds", "SubnetIds")
    properties = frozenset({*create_only, *places, "PolicyDocument", "PrivateDnsEnabled", "Tags"})
    attributes = frozenset({"Id", "NetworkInterfaceIds"})

    @override
    def made_with(self, properties: Properties) -> Properties:
        given = pick(properties, *self.properties - {"Tags"})
        return {"VpcEndpointType": "Gateway", "PrivateDnsEnabled": False, **given}

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        change: Properties = {}
        for name in self.places:
            now, before = properties.get(name, []), previous.get(name, [])
            change[f"Add{name}"] = [one for one in now if one not in before]
            change[f"Remove{name}"] = [one for one in before if one not in now]
        policy = pick(properties, "PolicyDocument") or {"ResetPolicy": True}
        dns = {"PrivateDnsEnabled": properties.get("PrivateDnsEnabled", False)}
        call("ec2", "ModifyVpcEndpoint", VpcEndpointId=physical_id, **change, **policy, **dns)
        retag(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[physical_id])


class FlowLog(Identified):
    """A flow log to CloudWatch Logs."""

    type = "AWS::EC2::FlowLog"
    settings = ("DeliverLogsPermissionArn", "LogDestinationType", "LogFormat", "LogGroupName")
    create_only = frozenset(
        {*settings, "MaxAggregationInterval", "ResourceId", "ResourceType", "TrafficType"}
    )
    properties = frozenset({*create_only, "Tags"})
    attributes = frozenset({"Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        made = call(
            "ec2",
            "CreateFlowLogs",
            ResourceIds=[properties["ResourceId"]],
            **pick(properties, *self.create_only - {"ResourceId"}),
            **new_tags("vpc-flow-log", properties),
        )
        for problem in made["Unsuccessful"]:
            raise RuntimeError(problem["Error"]["Message"])
        return str(made["FlowLogIds"][0])

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DeleteFlowLogs", FlowLogIds=[physical_id])


def install() -> None:
    """Update and delete the interfaces and routes of an endpoint with the endpoint."""
    create, modify = EC2Backend.create_vpc_endpoint, VPCs.modify_vpc_endpoint

    def create_connected(self: Any, *given: Any, **named: Any) -> VPCEndPoint:
        for group in named.get("security_group_ids") or []:
            if self.get_security_group_from_id(group) is None:  # moto would create it
                raise InvalidSecurityGroupNotFoundError(group)
        endpoint = create(self, *given, **named)
        if endpoint.network_interface_ids and not endpoint.security_group_ids:
            endpoint.security_group_ids = [self.get_default_security_group(endpoint.vpc_id).id]
        _connect(self, endpoint)
        return endpoint

    def modify_all(self: VPCs) -> ActionResult:
        answer = modify(self)
        (endpoint,) = self.ec2_backend.describe_vpc_endpoints([self._get_param("VpcEndpointId")])
        if self._get_param("ResetPolicy"):
            endpoint.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
        if (dns := self._get_param("PrivateDnsEnabled")) is not None:
            endpoint.private_dns_enabled = dns
        _connect(self.ec2_backend, endpoint)
        return answer

    def delete_all(self: Any, vpce_ids: list[str]) -> None:
        for one in vpce_ids:
            (endpoint,) = self.describe_vpc_endpoints([one])
            endpoint.subnet_ids, endpoint.route_table_ids = [], []
            _connect(self, endpoint)
            del self.vpc_end_points[endpoint.id]
            take_along(self, endpoint.id)

    EC2Backend.create_vpc_endpoint = create_connected  # type: ignore[method-assign]
    EC2Backend.delete_vpc_endpoints = delete_all  # type: ignore[assignment, method-assign]
    VPCs.modify_vpc_endpoint = modify_all  # type: ignore[method-assign]


def _connect(ec2: Any, endpoint: VPCEndPoint) -> None:
    """Bring the interfaces and routes in line with the endpoint."""
    interfaces = {ec2.enis[one].subnet.id: ec2.enis[one] for one in endpoint.network_interface_ids}
    for subnet in interfaces.keys() - set(endpoint.subnet_ids or []):
        ec2.delete_network_interface(interfaces.pop(subnet).id)
    for subnet in endpoint.subnet_ids or []:
        if subnet not in interfaces:
            interfaces[subnet] = ec2.create_network_interface(subnet, None)
    for interface in interfaces.values():
        interface.interface_type, interface.status = "vpc_endpoint", "in-use"
        interface._group_set = [
            ec2.get_security_group_from_id(group) for group in endpoint.security_group_ids
        ]
    endpoint.network_interface_ids = [interface.id for interface in interfaces.values()]
    if prefix := endpoint.destination_prefix_list_id:
        for table in list(ec2.route_tables.values()):
            route = table._routes.get(generate_route_id(table.id, prefix))
            if table.id in endpoint.route_table_ids and route is None:
                to = {"gateway_id": endpoint.id, "destination_prefix_list_id": prefix}
                ec2.create_route(table.id, None, **to)
            if table.id not in endpoint.route_table_ids and route and route.gateway is endpoint:
                del table._routes[route.id]
