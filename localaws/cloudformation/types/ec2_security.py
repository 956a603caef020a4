"""Network ACLs and security groups in CloudFormation.

moto drops ICMP types and deny entries, and distinguishes rules by their descriptions.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.network_acls import NetworkACLs
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.cloudformation.types.ec2_resources import (
    Ec2Resource,
    Identified,
    found,
    new_tags,
    retag,
)


class NetworkAcl(Ec2Resource):
    """A network ACL. Its entries are resources of their own."""

    type = "AWS::EC2::NetworkAcl"
    noun, tagged_as = "NetworkAcl", "network-acl"
    create_only = frozenset({"VpcId"})
    properties = frozenset({*create_only, "Tags"})
    attributes = frozenset({"Id"})


class NetworkAclEntry(Resource):
    """An entry of a network ACL. The physical id is a name that EC2 doesn't know."""

    type = "AWS::EC2::NetworkAclEntry"
    create_only = frozenset({"Egress", "NetworkAclId", "RuleNumber"})
    properties = frozenset(
        {*create_only, "CidrBlock", "Icmp", "Ipv6CidrBlock", "PortRange", "Protocol", "RuleAction"}
    )

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        self._put("CreateNetworkAclEntry", properties)
        return naming.unique()

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._put("ReplaceNetworkAclEntry", properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        identity = {"Egress": False, **pick(properties, *self.create_only)}
        call("ec2", "DeleteNetworkAclEntry", **identity)

    def _put(self, operation: str, properties: Properties) -> None:
        entry = {"Egress": False, **properties}
        if "Icmp" in entry:
            entry["IcmpTypeCode"] = entry.pop("Icmp")
        call("ec2", operation, **entry)


class SubnetNetworkAclAssociation(Identified):
    """The network ACL of a subnet. Without one a subnet has the default ACL of its VPC."""

    type = "AWS::EC2::SubnetNetworkAclAssociation"
    create_only = properties = frozenset({"NetworkAclId", "SubnetId"})
    attributes = frozenset({"AssociationId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        subnet = properties["SubnetId"]
        (acl,) = found("NetworkAcls", association__subnet_id=subnet)
        (now,) = [one for one in acl["Associations"] if one["SubnetId"] == subnet]
        return self._replace(now["NetworkAclAssociationId"], properties["NetworkAclId"])

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        for acl in found("NetworkAcls", association__association_id=physical_id):
            (default,) = found("NetworkAcls", vpc_id=acl["VpcId"], default="true")
            self._replace(physical_id, default["NetworkAclId"])

    def _replace(self, association: str, acl: str) -> str:
        identity = {"AssociationId": association, "NetworkAclId": acl}
        return str(call("ec2", "ReplaceNetworkAclAssociation", **identity)["NewAssociationId"])


_RULE = frozenset({"Description", "FromPort", "IpProtocol", "ToPort"})
_PEERS = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
"""The names of the peer of a rule in a template, and in the API."""


class SecurityGroup(Identified):
    """A security group. VpcId is required, because without it Ref has another value."""

    type = "AWS::EC2::SecurityGroup"
    create_only = frozenset({"GroupDescription", "GroupName", "VpcId"})
    rules = ("SecurityGroupIngress", "SecurityGroupEgress")
    properties = frozenset({*create_only, *rules, "Tags"})
    attributes = frozenset({"GroupId", "Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        made = call(
            "ec2",
            "CreateSecurityGroup",
            GroupName=properties.get("GroupName") or naming.unique(255),
            Description=properties["GroupDescription"],
            VpcId=properties["VpcId"],
            **new_tags("security-group", properties),
        )
        return str(made["GroupId"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_rules(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._set_rules(physical_id, properties, previous)
        retag(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DeleteSecurityGroup", GroupId=physical_id)

    def _set_rules(self, group: str, properties: Properties, previous: Properties) -> None:
        for name in self.rules:
            now, before = properties.get(name, []), previous.get(name, [])
            if name == "SecurityGroupEgress" and now and not before:
                self._revoke_default(group)
            # Revoke first: to EC2 a rule with another description is the same rule.
            gone = [_permission(rule) for rule in before if rule not in now]
            new = [_permission(rule) for rule in now if rule not in before]
            if gone:
                call("ec2", f"Revoke{name}", GroupId=group, IpPermissions=gone)
            if new:
                call("ec2", f"Authorize{name}", GroupId=group, IpPermissions=new)

    def _revoke_default(self, group: str) -> None:
        """Revoke the rule of a new group that allows all outbound traffic."""
        for rule in found("SecurityGroupRules", group_id=group):
            if rule["IsEgress"] and (rule["IpProtocol"], rule.get("CidrIpv4")) == (
                "-1",
                "0.0.0.0/0",
            ):
                identity = {"SecurityGroupRuleIds": [rule["SecurityGroupRuleId"]]}
                call("ec2", "RevokeSecurityGroupEgress", GroupId=group, **identity)


class SecurityGroupIngress(Identified):
    """An inbound rule of a group. The physical id is the id of the rule."""

    type = "AWS::EC2::SecurityGroupIngress"
    create_only = frozenset({*_RULE, *_PEERS, "GroupId"}) - {
        "Description",
        "DestinationSecurityGroupId",
    }
    properties = frozenset({*create_only, "Description"})
    attributes = frozenset({"Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        made = self._call("AuthorizeSecurityGroupIngress", properties)
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        described = {"Description": "", **properties}
        self._call("UpdateSecurityGroupRuleDescriptionsIngress", described)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        identity = {"SecurityGroupRuleIds": [physical_id]}
        call("ec2", "RevokeSecurityGroupIngress", **pick(properties, "GroupId"), **identity)

    def _call(self, operation: str, properties: Properties) -> dict[str, Any]:
        rule = {name: value for name, value in properties.items() if name != "GroupId"}
        permissions = [_permission(rule)]
        return call("ec2", operation, GroupId=properties["GroupId"], IpPermissions=permissions)


def _permission(rule: Properties) -> dict[str, Any]:
    """A rule in the API's form."""
    others = rule.keys() - _RULE
    peer = next(iter(others), "")
    if len(others) != 1 or peer not in _PEERS:
        raise ValueError(f"a rule needs one of {', '.join(_PEERS)} and nothing more: {rule}")
    ranges, key = _PEERS[peer]
    described = {key: rule[peer], **pick(rule, "Description")}
    return {**pick(rule, "IpProtocol", "FromPort", "ToPort"), ranges: [described]}


def install() -> None:
    """Make network ACLs and security groups follow their parameters."""
    create_acl, get = EC2Backend.create_network_acl, NetworkACLs._get_param
    delete_acl_entry = EC2Backend.delete_network_acl_entry
    replace_association = EC2Backend.replace_network_acl_association

    def create_acl_closed(self: Any, *given: Any, **named: Any) -> Any:
        acl = create_acl(self, *given, **named)
        if not acl.default:  # the default ACL has its entries already
            for egress in (True, False):
                unused = (None,) * 5
                entry = (32767, "-1", "deny", egress, "0.0.0.0/0", *unused)
                self.create_network_acl_entry(acl.id, *entry)
        return acl

    def delete_entry(self: Any, network_acl_id: str, rule_number: int, egress: bool) -> Any:
        numbers = self.get_network_acl(network_acl_id).network_acl_entries
        if not any((one.rule_number, one.egress) == (rule_number, egress) for one in numbers):
            message = f"Network ACL {network_acl_id} has no entry {rule_number}"
            raise EC2ClientError("InvalidNetworkAclEntry.NotFound", message)
        return delete_acl_entry(self, network_acl_id, rule_number, egress)

    def replace(self: Any, association_id: str, network_acl_id: str) -> Any:
        self.get_network_acl(network_acl_id)  # moto checks it after removing the old association
        return replace_association(self, association_id, network_acl_id)

    def get_icmp_too(self: Any, name: str, *default: Any, **named: Any) -> Any:
        # moto looks it up under a name that parsed requests do not have.
        return get(self, name.replace("Icmp.", "IcmpTypeCode."), *default, **named)

    EC2Backend.create_network_acl = create_acl_closed  # type: ignore[method-assign]
    EC2Backend.delete_network_acl_entry = delete_entry  # type: ignore[method-assign]
    EC2Backend.replace_network_acl_association = replace  # type: ignore[method-assign]
    NetworkACLs._get_param = get_icmp_too  # type: ignore[assignment, method-assign]
    # moto compares descriptions as well, and gives rules with source groups none.
    SecurityGroupRule.__eq__ = _same_rule  # type: ignore[method-assign]
    SecurityGroupRule.description = property(  # type: ignore[assignment]
        lambda self: {**self.ip_range, **self.source_group}.get("Description")
    )


def _same_rule(self: SecurityGroupRule, other: SecurityGroupRule) -> bool:
    def identity(rule: SecurityGroupRule) -> tuple[Any, ...]:
        addresses = rule.ip_range.get("CidrIp"), rule.ip_range.get("CidrIpv6")
        peer = *addresses, rule.source_group.get("GroupId"), rule.prefix_list_id
        return rule.ip_protocol, rule.from_port, rule.to_port, peer

    return identity(self) == identity(other)
