"""EC2 Auto Scaling in CloudFormation.

moto creates a new group for each update, and supports neither notifications, metrics nor scaling
policies of a group.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick

_DEFAULTS = {
    "Cooldown": 300,
    "HealthCheckGracePeriod": 0,
    "HealthCheckType": "EC2",
    "NewInstancesProtectedFromScaleIn": False,
}


class AutoScalingGroup(Resource):
    """A group. The physical id is the name. Update policies are not simulated."""

    type = "AWS::AutoScaling::AutoScalingGroup"
    create_only = frozenset({"AutoScalingGroupName"})
    settings = ("LaunchTemplate", *_DEFAULTS)
    size = ("MinSize", "MaxSize", "DesiredCapacity")
    properties = frozenset(
        {
            *create_only,
            *settings,
            *size,
            "MetricsCollection",
            "NotificationConfigurations",
            "Tags",
            "VPCZoneIdentifier",
        }
    )
    attributes = frozenset({"AutoScalingGroupARN"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("AutoScalingGroupName") or naming.unique(255))
        tags = [{**tag, **_of(name)} for tag in properties.get("Tags", [])]
        settings = self._settings(properties)
        # Created empty, so that the first instances are notified of, too.
        limits = {"MinSize": 0, "MaxSize": properties["MaxSize"]}
        call(
            "autoscaling",
            "CreateAutoScalingGroup",
            AutoScalingGroupName=name,
            Tags=tags,
            **limits,
            **settings,
        )
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_notifications(physical_id, properties, {})
        self._set_metrics(physical_id, properties, {})
        self._resize(physical_id, pick(properties, *self.size))

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._set_notifications(physical_id, properties, previous)
        self._set_metrics(physical_id, properties, previous)
        self._set_tags(physical_id, properties, previous)
        sizes = pick(properties, *self.size)
        self._resize(physical_id, {**sizes, **self._settings(properties)})

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        for found in _group(physical_id):  # a missing group is a ValidationError like any other
            if any(instance["ProtectedFromScaleIn"] for instance in found["Instances"]):
                # On AWS it waits for them until it times out: aws/containers-roadmap#2862.
                raise RuntimeError(f"Instances of {physical_id} are protected from scale in.")
            group = {"AutoScalingGroupName": physical_id}
            call("autoscaling", "DeleteAutoScalingGroup", **group, ForceDelete=True)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return _group(physical_id)[0][name]

    @override
    def tagged(self, properties: Properties, tags: dict[str, str]) -> Properties:
        """The stack's tags are propagated to the instances."""
        own = {tag["Key"]: tag for tag in properties.get("Tags", [])}
        of_stack = {
            key: {"Key": key, "Value": value, "PropagateAtLaunch": True}
            for key, value in tags.items()
        }
        return {**properties, "Tags": list({**of_stack, **own}.values())}

    def _settings(self, properties: Properties) -> Properties:
        settings = {**_DEFAULTS, **pick(properties, *self.settings)}
        settings["DefaultCooldown"] = settings.pop("Cooldown")
        if "VPCZoneIdentifier" in properties:
            settings["VPCZoneIdentifier"] = ",".join(properties["VPCZoneIdentifier"])
        return settings

    def _resize(self, name: str, settings: Properties) -> None:
        call("autoscaling", "UpdateAutoScalingGroup", AutoScalingGroupName=name, **settings)

    def _set_notifications(self, name: str, properties: Properties, previous: Properties) -> None:
        group = {"AutoScalingGroupName": name}
        wanted, before = (
            {c["TopicARN"]: c for c in given.get("NotificationConfigurations", [])}
            for given in (properties, previous)
        )
        for topic, configuration in wanted.items():
            if configuration != before.get(topic):  # each call sends a test notification
                call("autoscaling", "PutNotificationConfiguration", **group, **configuration)
        for topic in before:
            if topic not in wanted:
                call("autoscaling", "DeleteNotificationConfiguration", **group, TopicARN=topic)

    def _set_metrics(self, name: str, properties: Properties, previous: Properties) -> None:
        group = {"AutoScalingGroupName": name}
        now, before = (given.get("MetricsCollection", []) for given in (properties, previous))
        if before and now != before:
            call("autoscaling", "DisableMetricsCollection", **group)
        for collection in now:
            call("autoscaling", "EnableMetricsCollection", **group, **collection)

    def _set_tags(self, name: str, properties: Properties, previous: Properties) -> None:
        tags = properties.get("Tags", [])
        if tags:
            given = [{**tag, **_of(name)} for tag in tags]
            call("autoscaling", "CreateOrUpdateTags", Tags=given)
        keys = {tag["Key"] for tag in tags}
        gone = [tag for tag in previous.get("Tags", []) if tag["Key"] not in keys]
        if gone:
            call("autoscaling", "DeleteTags", Tags=[{**tag, **_of(name)} for tag in gone])


class ScalingPolicy(Resource):
    """A simple or step scaling policy. The physical id is the ARN."""

    type = "AWS::AutoScaling::ScalingPolicy"
    create_only = frozenset({"AutoScalingGroupName"})
    properties = frozenset(
        {
            *create_only,
            "AdjustmentType",
            "Cooldown",
            "EstimatedInstanceWarmup",
            "MetricAggregationType",
            "MinAdjustmentMagnitude",
            "PolicyType",
            "ScalingAdjustment",
            "StepAdjustments",
        }
    )
    attributes = frozenset({"Arn", "PolicyName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = naming.unique(255)
        made = call("autoscaling", "PutScalingPolicy", PolicyName=name, **properties)
        return str(made["PolicyARN"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        name = self.attribute(physical_id, "PolicyName")
        call("autoscaling", "PutScalingPolicy", PolicyName=name, **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        found = call("autoscaling", "DescribePolicies", PolicyNames=[physical_id])
        if found["ScalingPolicies"]:  # it may have been deleted with its group
            call("autoscaling", "DeletePolicy", PolicyName=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "Arn" else physical_id.partition(":policyName/")[2]


def _group(name: str) -> list[dict[str, Any]]:
    answer = call("autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
    groups: list[dict[str, Any]] = answer["AutoScalingGroups"]
    return groups


def _of(name: str) -> dict[str, str]:
    """The fields of a tag that name its group."""
    return {"ResourceId": name, "ResourceType": "auto-scaling-group"}
