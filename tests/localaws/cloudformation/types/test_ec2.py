"""EC2's types: environment/network.yaml as it is, and what its parameters don't change."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from localaws.cloudformation.engine.intrinsics import resolve
from tests.support.localaws.stacks import create, delete, outputs, parameters, reasons, update
from tests.support.paths import REPO

NETWORK = (REPO / "environment/network.yaml").read_text()
CHANGING = """
Parameters: {Later: {Type: String}}
Conditions: {Later: !Equals [!Ref Later, "true"]}
Resources:
  Vpc: {Type: AWS::EC2::VPC,
    Properties: {CidrBlock: 10.1.0.0/16, EnableDnsHostnames: !Ref Later, Tags: [{Key: !Ref Later, Value: x}]}}
  A: {Type: AWS::EC2::Subnet,
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.1.0.0/24, MapPublicIpOnLaunch: !Ref Later}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.1.1.0/24}}
  One: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Two: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  GoesBy: {Type: AWS::EC2::SubnetRouteTableAssociation,
    Properties: {SubnetId: !Ref A, RouteTableId: !If [Later, !Ref Two, !Ref One]}}
  Acl: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: !Ref Vpc}}
  Guarded: {Type: AWS::EC2::SubnetNetworkAclAssociation,
    Properties: {SubnetId: !If [Later, !Ref B, !Ref A], NetworkAclId: !Ref Acl}}
  Entry:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      {NetworkAclId: !Ref Acl, RuleNumber: 7, RuleAction: !If [Later, deny, allow], CidrBlock: 0.0.0.0/0,
       Protocol: !If [Later, 1, 6], PortRange: !If [Later, !Ref AWS::NoValue, {From: 80, To: 80}],
       Icmp: !If [Later, {Type: 3, Code: 4}, !Ref AWS::NoValue]}
  Peer: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: Peer, VpcId: !Ref Vpc}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: A group
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIp: 10.0.0.0/8, Description: !Ref Later}
        - {IpProtocol: tcp, FromPort: !If [Later, 3, 4], ToPort: 5, SourceSecurityGroupId: !Ref Peer}
      SecurityGroupEgress: [{IpProtocol: udp, FromPort: 53, ToPort: !If [Later, 54, 53], CidrIp: 10.0.0.2/32}]
  FromPeer: {Type: AWS::EC2::SecurityGroupIngress,
    Properties: {GroupId: !Ref Group, Description: !Ref Later, IpProtocol: tcp, FromPort: 22, ToPort: 22,
                 SourceSecurityGroupId: !Ref Peer}}
  S3:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcId: !Ref Vpc, ServiceName: com.amazonaws.us-east-1.s3,
                 RouteTableIds: [!If [Later, !Ref Two, !Ref One]],
                 PolicyDocument: !If [Later, !Ref AWS::NoValue, {Statement: []}]}
  Logs:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcId: !Ref Vpc, VpcEndpointType: Interface, ServiceName: com.amazonaws.us-east-1.logs,
                 SubnetIds: [!If [Later, !Ref B, !Ref A]], PrivateDnsEnabled: !Ref Later,
                 SecurityGroupIds: [!If [Later, !Ref Peer, !Ref Group]]}
Outputs:
  {Vpc: {Value: !GetAtt Vpc.VpcId}, A: {Value: !Ref A}, B: {Value: !Ref B}, One: {Value: !Ref One},
   Two: {Value: !Ref Two}, Acl: {Value: !Ref Acl}, Group: {Value: !GetAtt Group.GroupId},
   Peer: {Value: !Ref Peer}, Rule: {Value: !Ref FromPeer}}
"""
LISTED = (
    "addresses flow_logs internet_gateways nat_gateways network_acls network_interfaces route_tables"
    " security_groups security_group_rules subnets tags vpcs vpc_endpoints"
)


@pytest.fixture
def ec2(aws):
    return aws.client("ec2")


@pytest.fixture(scope="module")
def network(aws):
    """The outputs of a network with all that it can have."""
    stack = deploy(aws, None, InterfaceEndpoints="true", BastionCidr="203.0.113.7/32")
    yield {"Name": stack["StackName"], **outputs(stack)}
    delete(aws, stack)


def deploy(aws: Any, stack: Any, template: str = NETWORK, **values: str) -> dict[str, Any]:
    given = {"Parameters": parameters(values)}
    done = update(aws, stack, template, **given) if stack else create(aws, template, **given)
    assert done["StackStatus"] == f"{'UPDATE' if stack else 'CREATE'}_COMPLETE", reasons(aws, done)
    return done


def listed(ec2: Any, things: str) -> list[dict[str, Any]]:
    answer = getattr(ec2, f"describe_{things}")()
    (found,) = (value for key, value in answer.items() if key != "ResponseMetadata")
    # Deleted NAT gateways are to be seen for a while, and tasks of other tests come and go.
    left = (one for one in found if one.get("State") != "deleted")
    left = (one for one in left if one.get("Description") != "localaws ECS task")
    return [{k: v for k, v in one.items() if k != "AvailableIpAddressCount"} for one in left]


def everything(ec2: Any) -> dict[str, list[dict[str, Any]]]:
    """All of EC2 that a network can leave something in."""
    return {things: listed(ec2, things) for things in LISTED.split()}


def of(ec2: Any, things: str, owner: str, key: str = "VpcId") -> list[dict[str, Any]]:
    return [one for one in listed(ec2, things) if one[key] == owner]


def named(ec2: Any, things: str, network: dict[str, str]) -> dict[str, dict[str, Any]]:
    """By the tag Name, without the stack's name before it."""
    return {
        tag["Value"].removeprefix(network["Name"]).lstrip("-"): one
        for one in of(ec2, things, network["VpcId"])
        for tag in one["Tags"]
    }


def ways_out(ec2: Any, vpc: str) -> list[str]:
    """The NAT gateways that the private subnets' routes lead to."""
    routes = [route for table in of(ec2, "route_tables", vpc) for route in table["Routes"]]
    return [route["NatGatewayId"] for route in routes if "NatGatewayId" in route]


@pytest.mark.parametrize("gateways", [1, 2])
@pytest.mark.parametrize("interfaces", [False, True])
def test_the_network_has_what_its_parameters_say_and_leaves_nothing(aws, ec2, gateways, interfaces):
    before = everything(ec2)
    values = {"NatGateways": str(gateways), "InterfaceEndpoints": str(interfaces).lower()}
    stack = deploy(aws, None, **values)
    vpc = outputs(stack)["VpcId"]
    nats = of(ec2, "nat_gateways", vpc)
    addresses = [nat["NatGatewayAddresses"][0]["PublicIp"] for nat in nats]
    assert sorted(addresses) == sorted(outputs(stack)["NatAddresses"].split(","))
    assert set(ways_out(ec2, vpc)) == {nat["NatGatewayId"] for nat in nats}
    kinds = [endpoint["VpcEndpointType"] for endpoint in of(ec2, "vpc_endpoints", vpc)]
    assert sorted(kinds) == ["Gateway"] * 2 + ["Interface"] * 3 * interfaces
    assert len(of(ec2, "network_interfaces", vpc)) == gateways + 6 * interfaces
    delete(aws, stack)
    assert everything(ec2) == before


def test_each_private_subnet_goes_by_the_nat_gateway_of_its_zone(ec2, network):
    subnets, tables = named(ec2, "subnets", network), named(ec2, "route_tables", network)
    nats = named(ec2, "nat_gateways", network)
    for zone, thirds in (("a", (0, 32)), ("b", (16, 48))):
        public, private = subnets[f"public-{zone}"], subnets[f"private-{zone}"]
        blocks = public["CidrBlock"], private["CidrBlock"]
        assert blocks == tuple(f"10.0.{third}.0/20" for third in thirds)
        table, nat = tables[f"private-{zone}"], nats[zone]
        assert public["AvailabilityZone"] == private["AvailabilityZone"] == f"us-east-1{zone}"
        assert [one["SubnetId"] for one in table["Associations"]] == [private["SubnetId"]]
        assert nat["NatGatewayId"] in [one.get("NatGatewayId") for one in table["Routes"]]
        assert nat["SubnetId"] == public["SubnetId"]
        address = ip_address(nat["NatGatewayAddresses"][0]["PrivateIp"])
        assert address in ip_network(public["CidrBlock"])


def test_network_acls_endpoints_and_the_flow_log_are_what_the_template_says(ec2, network):
    acl = named(ec2, "network_acls", network)["public"]
    entries = {(one["RuleNumber"], one["Egress"]): one for one in acl["Entries"]}
    guarded = {one["SubnetId"] for one in acl["Associations"]}
    assert guarded == set(network["PublicSubnets"].split(","))
    assert entries[100, False]["PortRange"] == {"From": 80, "To": 80}
    assert entries[140, True]["IcmpTypeCode"] == {"Type": 3, "Code": 4}
    assert entries[150, False]["CidrBlock"] == "203.0.113.7/32"
    assert entries[32767, False]["RuleAction"] == entries[32767, True]["RuleAction"] == "deny"
    endpoints = {one["ServiceName"]: one for one in of(ec2, "vpc_endpoints", network["VpcId"])}
    logs = endpoints["com.amazonaws.us-east-1.logs"]
    assert logs["PrivateDnsEnabled"]
    assert "logs:PutLogEvents" in json.loads(logs["PolicyDocument"])["Statement"][0]["Action"]
    assert {*logs["SubnetIds"]} == {*network["PrivateSubnets"].split(",")}
    rules = of(ec2, "security_group_rules", logs["Groups"][0]["GroupId"], "GroupId")
    assert [one["CidrIpv4"] for one in rules if one["IsEgress"]] == ["127.0.0.1/32"]
    (log,) = of(ec2, "flow_logs", network["VpcId"], "ResourceId")
    assert log["LogGroupName"].startswith(f"{network['Name']}-FlowLogGroup-")


def test_parameters_that_change_change_the_network_in_place(aws, ec2):
    stack = deploy(aws, None)
    vpc = outputs(stack)["VpcId"]
    for values, gateways, interfaces, bastion in (
        ({"NatGateways": "1", "BastionCidr": "203.0.113.0/24"}, 1, 0, ["203.0.113.0/24"]),
        ({"InterfaceEndpoints": "true", "BastionCidr": "203.0.113.7/32"}, 2, 6, ["203.0.113.7/32"]),
        ({}, 2, 0, []),
    ):
        stack = deploy(aws, stack, **values)
        assert outputs(stack)["VpcId"] == vpc
        left = {one["NatGatewayId"] for one in of(ec2, "nat_gateways", vpc)}
        assert set(ways_out(ec2, vpc)) == left
        assert len(left) == len(outputs(stack)["NatAddresses"].split(",")) == gateways
        assert len(of(ec2, "network_interfaces", vpc)) == gateways + interfaces
        entries = [one for acl in of(ec2, "network_acls", vpc) for one in acl["Entries"]]
        assert [one["CidrBlock"] for one in entries if one["RuleNumber"] == 150] == bastion
    delete(aws, stack)


def test_the_properties_of_a_network_change_in_place_and_back(aws, ec2):
    before, stack, first = everything(ec2), None, None
    for later in ("false", "true", "false"):
        stack = deploy(aws, stack, CHANGING, Later=later)
        ids = outputs(stack)
        assert ids == (first := first or ids)
        new = later == "true"
        now, other, subnet = ("Two", "One", "B") if new else ("One", "Two", "A")
        (vpc,) = of(ec2, "vpcs", ids["Vpc"])
        assert vpc["Tags"] == [{"Key": later, "Value": "x"}]
        dns = ec2.describe_vpc_attribute(VpcId=ids["Vpc"], Attribute="enableDnsHostnames")
        assert dns["EnableDnsHostnames"]["Value"] is new
        (a,) = of(ec2, "subnets", ids["A"], "SubnetId")
        assert a["MapPublicIpOnLaunch"] is new
        tables = {one["RouteTableId"]: one for one in of(ec2, "route_tables", ids["Vpc"])}
        assert [one["SubnetId"] for one in tables[ids[now]]["Associations"]] == [ids["A"]]
        assert [len(tables[ids[name]]["Routes"]) for name in (now, other)] == [2, 1]
        (acl,) = of(ec2, "network_acls", ids["Acl"], "NetworkAclId")
        assert [one["SubnetId"] for one in acl["Associations"]] == [ids[subnet]]
        (entry,) = (one for one in acl["Entries"] if one["RuleNumber"] == 7)
        assert entry["RuleAction"] == ("deny" if new else "allow")
        assert entry.get("PortRange") == (None if new else {"From": 80, "To": 80})
        assert entry.get("IcmpTypeCode") == ({"Type": 3, "Code": 4} if new else None)
        rules = of(ec2, "security_group_rules", ids["Group"], "GroupId")
        rules = {(one["FromPort"], one["ToPort"]): one for one in rules}
        assert rules.keys() == {(1, 2), (3 if new else 4, 5), (22, 22), (53, 54 if new else 53)}
        assert rules[1, 2]["Description"] == rules[22, 22]["Description"] == later
        assert rules[22, 22]["SecurityGroupRuleId"] == ids["Rule"]
        (own,) = of(ec2, "security_group_rules", ids["Peer"], "GroupId")
        assert (own["IpProtocol"], own["CidrIpv4"]) == ("-1", "0.0.0.0/0")
        endpoints = of(ec2, "vpc_endpoints", ids["Vpc"])
        s3, logs = sorted(endpoints, key=lambda one: one["VpcEndpointType"])
        assert s3["RouteTableIds"] == [ids[now]]
        assert bool(json.loads(s3["PolicyDocument"])["Statement"]) is new
        (interface,) = of(ec2, "network_interfaces", ids["Vpc"])
        assert logs["SubnetIds"] == [interface["SubnetId"]] == [ids[subnet]]
        assert [one["GroupId"] for one in interface["Groups"]] == [ids["Peer" if new else "Group"]]
        assert logs["PrivateDnsEnabled"] is new
    # What somebody else has deleted is no error.
    ec2.delete_network_acl_entry(NetworkAclId=ids["Acl"], RuleNumber=7, Egress=False)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[s3["VpcEndpointId"]])
    delete(aws, stack)
    assert everything(ec2) == before


def test_cidr_gives_the_first_blocks_of_so_many_host_bits_if_there_are_enough():
    six = [f"192.168.0.{32 * n}/27" for n in range(6)]
    assert resolve({"Fn::Cidr": ["192.168.0.0/24", "6", "5"]}, None) == six
    two = ["2001:db8::/64", "2001:db8:0:1::/64"]
    assert resolve({"Fn::Cidr": ["2001:db8::/56", 2, 64]}, None) == two
    for given in (["10.0.0.0/24", 2, 8], ["10.0.0.0/24", 1, 9], ["10.0.0.0/24", 1]):
        with pytest.raises(ValidationError, match="Fn::Cidr"):
            resolve({"Fn::Cidr": given}, None)
