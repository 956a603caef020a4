"""Load balancers in CloudFormation.

moto's CloudFormation drops most properties. Its Elastic Load Balancing stores less than AWS and
refuses less: attributes have no defaults, logs may go to a bucket without permission, and a name can
be used twice.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.elbv2.exceptions import (
    DuplicateLoadBalancerName,
    ELBClientError,
    LoadBalancerNotFoundError,
    SubnetNotFoundError,
)
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from moto.s3.models import s3_backends
from typing_extensions import override

from localaws.aws import ACCOUNT, listed
from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
)

LOAD_BALANCER_ATTRIBUTES = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
"""The default attributes of an application load balancer."""
LOG_DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"


class LoadBalancer(Resource):
    """An application load balancer. The physical id is the ARN."""

    type = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    create_only = frozenset({"Name", "Scheme", "Type"})
    settings = ("IpAddressType", "SecurityGroups", "Subnets")
    properties = frozenset({*create_only, *settings, "LoadBalancerAttributes", "Tags"})
    attributes = frozenset(
        {
            "CanonicalHostedZoneID",
            "DNSName",
            "LoadBalancerArn",
            "LoadBalancerFullName",
            "LoadBalancerName",
            "SecurityGroups",
        }
    )

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        if properties.get("Type", "application") != "application":
            raise NotImplementedError(f"{self.type}: Type {properties['Type']}")
        name = properties.get("Name") or naming.unique(32)
        made = pick(properties, "Scheme", "Tags", "Type", *self.settings)
        created = call("elbv2", "CreateLoadBalancer", Name=name, **made)
        return str(created["LoadBalancers"][0]["LoadBalancerArn"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_attributes(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        arn = {"LoadBalancerArn": physical_id}
        changed = {name for name in self.settings if properties.get(name) != previous.get(name)}
        if "Subnets" in changed:
            call("elbv2", "SetSubnets", **arn, Subnets=properties["Subnets"])
        if "SecurityGroups" in changed:
            groups = properties.get("SecurityGroups") or self._default_groups(physical_id)
            call("elbv2", "SetSecurityGroups", **arn, SecurityGroups=groups)
        if "IpAddressType" in changed:
            address = properties.get("IpAddressType", "ipv4")
            call("elbv2", "SetIpAddressType", **arn, IpAddressType=address)
        self._set_attributes(physical_id, properties, previous)
        set_tags(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("elbv2", "DeleteLoadBalancer", LoadBalancerArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        if name == "LoadBalancerFullName":
            return physical_id.split(":loadbalancer/")[1]
        name = {"CanonicalHostedZoneID": "CanonicalHostedZoneId"}.get(name, name)
        return self._described(physical_id)[name]

    def _described(self, arn: str) -> dict[str, Any]:
        described = call("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[arn])
        balancer: dict[str, Any] = described["LoadBalancers"][0]
        return balancer

    def _default_groups(self, arn: str) -> list[str]:
        wanted = {"vpc-id": self._described(arn)["VpcId"], "group-name": "default"}
        filters = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
        found = call("ec2", "DescribeSecurityGroups", Filters=filters)
        return [group["GroupId"] for group in found["SecurityGroups"]]

    def _set_attributes(self, arn: str, properties: Properties, previous: Properties) -> None:
        name, defaults = "LoadBalancerAttributes", LOAD_BALANCER_ATTRIBUTES
        if attributes := changed_attributes(name, properties, previous, defaults):
            operation = "ModifyLoadBalancerAttributes"
            call("elbv2", operation, LoadBalancerArn=arn, Attributes=attributes)


def set_tags(arn: str, properties: Properties, previous: Properties) -> None:
    """Update the tags of a load balancer, listener, rule or target group."""
    tags, gone = changed_tags(properties, previous)
    if tags:
        call("elbv2", "AddTags", ResourceArns=[arn], Tags=properties["Tags"])
    if gone:
        call("elbv2", "RemoveTags", ResourceArns=[arn], TagKeys=gone)


def changed_attributes(
    name: str, properties: Properties, previous: Properties, defaults: dict[str, str]
) -> list[dict[str, str]]:
    """The attributes to set. Attributes that are no longer in the template get their defaults."""
    now, before = (
        {item["Key"]: item["Value"] for item in given.get(name, [])}
        for given in (properties, previous)
    )
    # An unknown attribute gets here when the update that failed on it is undone.
    gone = {key: defaults[key] for key in before if key not in now and key in defaults}
    return [{"Key": key, "Value": value} for key, value in {**gone, **now}.items()]


def install() -> None:
    """Make load balancers keep their settings, and refuse what AWS refuses."""
    create: Any = ELBv2Backend.create_load_balancer
    modify_attributes = ELBv2Backend.modify_load_balancer_attributes
    delete = ELBv2Backend.delete_load_balancer

    # moto has no defaults for the scheme, the security groups and most attributes.
    def create_complete(self: Any, **asked: Any) -> FakeLoadBalancer:
        _check_new(self, asked)
        asked["scheme"] = asked["scheme"] or "internet-facing"
        made: FakeLoadBalancer = create(self, **asked)
        if made.type == "application":
            default = self.ec2_backend.get_default_security_group(made.vpc_id)
            made.security_groups = made.security_groups or [default.id]
            made.attrs = dict(LOAD_BALANCER_ATTRIBUTES)
        return made

    # moto accepts any bucket for the logs.
    def modify_attributes_checked(
        self: ELBv2Backend, arn: str, attrs: dict[str, Any]
    ) -> dict[str, Any]:
        if (balancer := self.load_balancers.get(arn)) is None:
            raise LoadBalancerNotFoundError
        after = {**balancer.attrs, **attrs}
        for logs in ("access_logs.s3", "connection_logs.s3"):
            if after.get(f"{logs}.enabled") == "true":
                _check_bucket(after[f"{logs}.bucket"], after[f"{logs}.prefix"])
        return modify_attributes(self, arn, attrs)

    # moto ignores deletion protection.
    def delete_unprotected(self: ELBv2Backend, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        if balancer and balancer.attrs["deletion_protection.enabled"] == "true":
            text = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            raise ELBClientError("OperationNotPermitted", text)
        delete(self, arn)

    ELBv2Backend.create_load_balancer = create_complete  # type: ignore[assignment]
    ELBv2Backend.modify_load_balancer_attributes = (  # type: ignore[method-assign]
        modify_attributes_checked
    )
    ELBv2Backend.delete_load_balancer = delete_unprotected  # type: ignore[method-assign]


def _check_new(backend: ELBv2Backend, asked: dict[str, Any]) -> None:
    """moto accepts a name twice, subnets in only one zone and unknown security groups."""
    # A copy, because requests in other threads may create load balancers meanwhile.
    if any(there.name == asked["name"] for there in list(backend.load_balancers.values())):
        raise DuplicateLoadBalancerName
    for group in asked["security_groups"]:
        if backend.ec2_backend.get_security_group_from_id(group) is None:
            raise ELBClientError("InvalidSecurityGroup", f"'{group}' does not exist")
    mapped = [mapping["SubnetId"] for mapping in asked["subnet_mappings"]]
    try:
        ids = (*asked["subnet_ids"], *mapped)
        subnets = [backend.ec2_backend.get_subnet(subnet) for subnet in ids]
    except InvalidSubnetIdError:  # an error of EC2, not of Elastic Load Balancing
        raise SubnetNotFoundError from None
    if asked["loadbalancer_type"] in (None, "application") and (
        len({subnet.availability_zone for subnet in subnets}) < 2
    ):
        text = "At least two subnets in two different Availability Zones must be specified"
        raise ELBClientError("ValidationError", text)


def _check_bucket(bucket: str, prefix: str) -> None:
    """AWS writes a test file. Here the policy of the bucket is checked."""
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    policy = json.loads(found.policy) if found and found.policy else {"Statement": []}
    start = f"arn:aws:s3:::{bucket}/{prefix}/" if prefix else f"arn:aws:s3:::{bucket}/"
    written = f"{start}AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    for statement in listed(policy["Statement"]):
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if (
            statement["Effect"] == "Allow"
            and LOG_DELIVERY in listed(services)
            and any(fnmatchcase("s3:PutObject", action) for action in listed(statement["Action"]))
            and any(fnmatchcase(written, resource) for resource in listed(statement["Resource"]))
        ):
            return
    text = f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
    raise ELBClientError("InvalidConfigurationRequest", text)
