"""Target groups in CloudFormation.

moto's CloudFormation drops most properties. Its Elastic Load Balancing accepts any attribute and any
health check, and lists load balancers of a target group that are deleted or no longer forward to it.
"""

from __future__ import annotations

import threading
from collections.abc import Container
from typing import Any, ClassVar

from moto.elbv2.exceptions import (
    InvalidConfigurationRequest,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup, elbv2_backends
from typing_extensions import override

from localaws.aws import ACCOUNT, REGION
from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.cloudformation.types.elbv2 import changed_attributes, set_tags

TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
}
"""The default attributes of target groups of application load balancers. moto has some of them."""
HEALTH_CHECK = {
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckPath": "/",
    "HealthCheckPort": "traffic-port",
    "HealthCheckProtocol": "HTTP",
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "Matcher": {"HttpCode": "200"},
    "UnhealthyThresholdCount": 2,
}
"""The defaults of a health check."""

_ALLOWED: dict[str, Container[Any]] = {
    "deregistration_delay.timeout_seconds": range(3601),
    "load_balancing.algorithm.anomaly_mitigation": ("on", "off"),
    "load_balancing.algorithm.type": (
        "least_outstanding_requests",
        "round_robin",
        "weighted_random",
    ),
    "slow_start.duration_seconds": (0, *range(30, 901)),
    "stickiness.app_cookie.duration_seconds": range(1, 604801),
    "stickiness.enabled": ("true", "false"),
    "stickiness.lb_cookie.duration_seconds": range(1, 604801),
    "stickiness.type": ("app_cookie", "lb_cookie"),
}


class TargetGroup(Resource):
    """A target group of an application load balancer. The physical id is the ARN."""

    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    create_only = frozenset(
        {"IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"}
    )
    properties = frozenset({*create_only, *HEALTH_CHECK, "TargetGroupAttributes", "Tags"})
    attributes = frozenset(
        {"LoadBalancerArns", "TargetGroupArn", "TargetGroupFullName", "TargetGroupName"}
    )
    supported: ClassVar = {
        "Protocol": ("HTTP", "HTTPS"),
        "ProtocolVersion": ("HTTP1", "HTTP2"),
        "TargetType": ("instance", "ip"),
    }

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        for name, values in self.supported.items():
            if properties.get(name, values[0]) not in values:
                raise NotImplementedError(f"{self.type}: {name} {properties[name]}")
        asked = {"Name": naming.unique(32), **properties}
        asked.pop("TargetGroupAttributes", None)
        created = call("elbv2", "CreateTargetGroup", **asked)
        return str(created["TargetGroups"][0]["TargetGroupArn"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_attributes(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        if pick(properties, *HEALTH_CHECK) != pick(previous, *HEALTH_CHECK):
            checks = {**HEALTH_CHECK, **pick(properties, *HEALTH_CHECK)}
            call("elbv2", "ModifyTargetGroup", TargetGroupArn=physical_id, **checks)
        self._set_attributes(physical_id, properties, previous)
        set_tags(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("elbv2", "DeleteTargetGroup", TargetGroupArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        if name == "TargetGroupFullName":
            return physical_id.rsplit(":", 1)[1]
        found = call("elbv2", "DescribeTargetGroups", TargetGroupArns=[physical_id])
        return found["TargetGroups"][0][name]

    def _set_attributes(self, arn: str, properties: Properties, previous: Properties) -> None:
        name, defaults = "TargetGroupAttributes", TARGET_GROUP_ATTRIBUTES
        if attributes := changed_attributes(name, properties, previous, defaults):
            operation = "ModifyTargetGroupAttributes"
            call("elbv2", operation, TargetGroupArn=arn, Attributes=attributes)


def install() -> None:
    """Make target groups keep their settings, and refuse what AWS refuses."""
    create: Any = ELBv2Backend.create_target_group
    modify: Any = ELBv2Backend.modify_target_group
    modify_attributes = ELBv2Backend.modify_target_group_attributes

    # moto looks for the name in all target groups, and fails where another request adds one meanwhile.
    creating = threading.Lock()

    # moto checks HTTPS targets with HTTPS, has attributes that AWS lacks, and lacks some of AWS's.
    def create_complete(self: ELBv2Backend, name: str, **asked: Any) -> FakeTargetGroup:
        balanced = asked.get("protocol") in ("HTTP", "HTTPS")
        if balanced:
            asked["healthcheck_protocol"] = asked.get("healthcheck_protocol") or "HTTP"
        with creating:
            made: FakeTargetGroup = create(self, name, **asked)
        if balanced:
            made.attributes = dict(TARGET_GROUP_ATTRIBUTES)
        return made

    # moto checks the timeout only when a group is created.
    def modify_checked(self: ELBv2Backend, arn: str, *check: Any, **named: Any) -> FakeTargetGroup:
        if (group := self.target_groups.get(arn)) is None:
            raise TargetGroupNotFoundError
        _, _, _, interval, timeout, *_ = check
        interval = interval or group.health_check_interval_seconds
        timeout = timeout or group.health_check_timeout_seconds
        if timeout >= interval:
            raise ValidationError(
                f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
            )
        changed: FakeTargetGroup = modify(self, arn, *check, **named)
        return changed

    # moto accepts any attribute with any value, except a deregistration delay above 3600 seconds.
    def modify_attributes_checked(
        self: ELBv2Backend, target_group_arn: str, attributes: dict[str, Any]
    ) -> None:
        group = self.target_groups.get(target_group_arn)
        if group is None or group.protocol not in ("HTTP", "HTTPS"):
            modify_attributes(self, target_group_arn, attributes)
            return
        _check({**group.attributes, **attributes})
        group.attributes.update(attributes)

    ELBv2Backend.create_target_group = create_complete  # type: ignore[method-assign]
    ELBv2Backend.modify_target_group = modify_checked  # type: ignore[method-assign]
    ELBv2Backend.modify_target_group_attributes = (  # type: ignore[method-assign]
        modify_attributes_checked
    )
    # moto adds a load balancer for each action that names the group, and never removes one. Here the list
    # is computed, and what moto sets or appends has no effect.
    FakeTargetGroup.load_balancer_arns = property(  # type: ignore[assignment]
        _load_balancers, lambda _group, _arns: None
    )


def _load_balancers(group: FakeTargetGroup) -> list[str]:
    backend = elbv2_backends[ACCOUNT][REGION]
    return [
        balancer.arn
        for balancer in backend.load_balancers.values()
        if any(
            group.arn in backend._get_target_group_arns_from(action_data=action.data)
            for listener in balancer.listeners.values()
            for rule in listener.rules.values()
            for action in rule.actions
        )
    ]


def _check(attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if name not in TARGET_GROUP_ATTRIBUTES:
            raise ValidationError(f"Target group attribute key '{name}' is not recognized")
        allowed = _ALLOWED.get(name)
        given = int(value) if name.endswith("_seconds") and str(value).isdigit() else value
        if allowed is not None and given not in allowed:
            raise ValidationError(f"Target group attribute '{name}' can't be '{value}'")
    slowly = str(attributes["slow_start.duration_seconds"]) != "0"
    algorithm = attributes["load_balancing.algorithm.type"]
    if slowly and algorithm != "round_robin":
        raise InvalidConfigurationRequest(f"Slow start goes only with round_robin, not {algorithm}")
    if (
        attributes["load_balancing.algorithm.anomaly_mitigation"] == "on"
        and algorithm != "weighted_random"
    ):
        raise InvalidConfigurationRequest("Anomaly mitigation goes only with weighted_random")
