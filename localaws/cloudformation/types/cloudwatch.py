"""CloudWatch and CloudWatch Logs in CloudFormation. moto creates no alarms from a template."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
    tag_map,
)

ALARM_ACTIONS = frozenset(
    {
        "ActionsEnabled",
        "AlarmActions",
        "AlarmDescription",
        "AlarmName",
        "InsufficientDataActions",
        "OKActions",
        "Tags",
    }
)


class _AnyAlarm(Resource):
    """What metric alarms and composite alarms have in common. The physical id is the name."""

    create_only = frozenset({"AlarmName"})
    attributes = frozenset({"Arn"})
    operation: ClassVar[str]
    kind: ClassVar[str]

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("AlarmName") or naming.unique(255))
        call("cloudwatch", self.operation, **{**properties, "AlarmName": name})
        return name

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("cloudwatch", self.operation, **{**properties, "AlarmName": physical_id})
        if gone := changed_tags(properties, previous)[1]:
            arn = self.attribute(physical_id, "Arn")
            call("cloudwatch", "UntagResource", ResourceARN=arn, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("cloudwatch", "DeleteAlarms", AlarmNames=[physical_id])

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        answer = call(
            "cloudwatch", "DescribeAlarms", AlarmNames=[physical_id], AlarmTypes=[self.kind]
        )
        return answer[f"{self.kind}s"][0]["AlarmArn"]


class Alarm(_AnyAlarm):
    """An alarm on a metric or a metric expression."""

    type = "AWS::CloudWatch::Alarm"
    operation = "PutMetricAlarm"
    kind = "MetricAlarm"
    properties = ALARM_ACTIONS | {
        "ComparisonOperator",
        "DatapointsToAlarm",
        "Dimensions",
        "EvaluateLowSampleCountPercentile",
        "EvaluationPeriods",
        "ExtendedStatistic",
        "MetricName",
        "Metrics",
        "Namespace",
        "Period",
        "Statistic",
        "Threshold",
        "ThresholdMetricId",
        "TreatMissingData",
        "Unit",
        "WarmUpConfiguration",
    }


class CompositeAlarm(_AnyAlarm):
    """An alarm on other alarms."""

    type = "AWS::CloudWatch::CompositeAlarm"
    operation = "PutCompositeAlarm"
    kind = "CompositeAlarm"
    properties = ALARM_ACTIONS | {"AlarmRule"}


class Dashboard(Resource):
    """A dashboard. The physical id is the name."""

    type = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardName", "DashboardBody"})
    create_only = frozenset({"DashboardName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("DashboardName") or naming.unique(255))
        self._put(name, properties)
        return name

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._put(physical_id, properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("cloudwatch", "DeleteDashboards", DashboardNames=[physical_id])

    def _put(self, name: str, properties: Properties) -> None:
        call("cloudwatch", "PutDashboard", DashboardName=name, **pick(properties, "DashboardBody"))


class LogGroup(Resource):
    """A log group. The physical id is the name."""

    type = "AWS::Logs::LogGroup"
    properties = frozenset({"KmsKeyId", "LogGroupName", "RetentionInDays", "Tags"})
    create_only = frozenset({"KmsKeyId", "LogGroupName"})
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("LogGroupName") or naming.unique(512))
        key = pick(properties, "KmsKeyId")
        call("logs", "CreateLogGroup", LogGroupName=name, Tags=tag_map(properties), **key)
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_retention(physical_id, properties)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._set_retention(physical_id, properties)
        tags, gone = changed_tags(properties, previous)
        # Tags belong to the ARN without the wildcard at the end, which GetAtt Arn has.
        arn = self.attribute(physical_id, "Arn").removesuffix(":*")
        if tags:
            call("logs", "TagResource", ResourceArn=arn, Tags=tags)
        if gone:
            call("logs", "UntagResource", ResourceArn=arn, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("logs", "DeleteLogGroup", LogGroupName=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        found = call("logs", "DescribeLogGroups", LogGroupNamePrefix=physical_id)["logGroups"]
        return next(group["arn"] for group in found if group["logGroupName"] == physical_id)

    def _set_retention(self, name: str, properties: Properties) -> None:
        days = pick(properties, "RetentionInDays")
        operation = "PutRetentionPolicy" if days else "DeleteRetentionPolicy"
        call("logs", operation, LogGroupName=name, **days)
