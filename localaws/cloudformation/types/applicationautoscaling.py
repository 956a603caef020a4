"""Application Auto Scaling in CloudFormation, which moto lacks."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick

_SERVICE = "application-autoscaling"
_IDENTITY = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalableTarget(Resource):
    """A scalable target with its limits. The physical id is resource|dimension|namespace."""

    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    create_only = frozenset(_IDENTITY)
    properties = frozenset({*_IDENTITY, "MaxCapacity", "MinCapacity", "RoleARN", "SuspendedState"})
    attributes = frozenset({"Id"})
    nothing_suspended = {  # noqa: RUF012 - read only
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        self._register(properties)
        return "|".join(properties[name] for name in _IDENTITY)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._register(properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call(_SERVICE, "DeregisterScalableTarget", **pick(properties, *_IDENTITY))

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id

    def _register(self, properties: Properties) -> None:
        suspended = {**self.nothing_suspended, **properties.get("SuspendedState", {})}
        call(_SERVICE, "RegisterScalableTarget", **{**properties, "SuspendedState": suspended})


class ScalingPolicy(Resource):
    """A scaling policy of a target. The physical id is the ARN."""

    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    create_only = frozenset({*_IDENTITY, "PolicyName", "ScalingTargetId"})
    properties = frozenset(
        {
            *create_only,
            "PolicyType",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
        }
    )
    attributes = frozenset({"Arn", "PolicyName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        return str(call(_SERVICE, "PutScalingPolicy", **_identified(properties))["PolicyARN"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call(_SERVICE, "PutScalingPolicy", **_identified(properties))

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        named = pick(_identified(properties), *_IDENTITY, "PolicyName")
        call(_SERVICE, "DeleteScalingPolicy", **named)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "Arn" else physical_id.partition(":policyName/")[2]


def _identified(properties: Properties) -> Properties:
    """The properties with the three parts of the target id, which a template may give as one."""
    given = dict(properties)
    if target := given.pop("ScalingTargetId", None):
        given |= zip(_IDENTITY, target.split("|"), strict=True)
    return given
