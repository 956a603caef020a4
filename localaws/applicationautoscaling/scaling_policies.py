"""Scaling policies of ECS services, and the alarms that trigger them.

Any alarm that names a step scaling policy triggers it. A target tracking policy creates its two
alarms itself, as on AWS, and deletes them with itself. No metric is evaluated here, so these alarms
change only by SetAlarmState, and each change adds or removes one task.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.cloudwatch.models import Alarm, cloudwatch_backends

from localaws import aws
from localaws.applicationautoscaling import applicationautoscaling
from localaws.applicationautoscaling.applicationautoscaling import (
    IDENTITY,
    LOCK,
    ObjectNotFoundError,
    Record,
    backend,
    check,
    page,
    scale,
    target_of,
    targets,
)
from localaws.autoscaling import step_scaling
from localaws.aws import ACCOUNT, REGION

_STEPS = "StepScalingPolicyConfiguration"
_TRACKING = "TargetTrackingScalingPolicyConfiguration"
_CONFIGURATIONS = {"StepScaling": _STEPS, "TargetTrackingScaling": _TRACKING}
_CREATED_BY = ":createdBy/"


def install() -> None:
    """Replace moto's actions."""
    applicationautoscaling.answer_with(
        {
            "register_scalable_target": applicationautoscaling.register,
            "describe_scalable_targets": applicationautoscaling.describe_targets,
            "describe_scaling_activities": applicationautoscaling.describe_activities,
            "deregister_scalable_target": _deregister,
            "put_scaling_policy": _put,
            "describe_scaling_policies": _describe,
            "delete_scaling_policy": _delete,
            "put_scheduled_action": _refuse,
        }
    )


def act(arn: str, alarm: Alarm) -> None:
    """Carry out the action of an alarm. Raises LookupError if the policy no longer exists."""
    with LOCK:
        policy = _policies().get(arn.partition(_CREATED_BY)[0])
        if policy is None:
            raise LookupError(f"there is no scaling policy {arn}")
        cause = (
            f"monitor alarm {alarm.name} in state {alarm.state_value} triggered policy"
            f" {policy['PolicyName']}"
        )
        up = step_scaling.goes_up(alarm)
        steps = policy.get(_STEPS, {})
        kind, magnitude = "ChangeInCapacity", steps.get("MinAdjustmentMagnitude")
        adjustment: int | None = 1 if up else -1
        if steps:
            kind = steps["AdjustmentType"]
            distance = step_scaling.breach(alarm, steps.get("MetricAggregationType"))
            adjustment = step_scaling.step(steps["StepAdjustments"], distance, up=up)
        if adjustment is None:
            return
        amount, target = adjustment, targets()[policy["ResourceId"]]

        def change(count: int) -> int:
            wanted = step_scaling.adjusted(count, kind, amount, magnitude)
            return step_scaling.within(wanted, target["MinCapacity"], target["MaxCapacity"])

        scale(target, change, cause, by_policy=True)


def _put(params: Record) -> Record:
    target = target_of(params)
    former = next((p for p in _policies().values() if _same(p, params)), {})
    kind = params.get("PolicyType") or former.get("PolicyType") or "StepScaling"
    if kind not in _CONFIGURATIONS:
        raise NotImplementedError(f"application-autoscaling: PolicyType {kind} is not simulated")
    field = _CONFIGURATIONS[kind]
    if field not in params:
        raise AWSValidationException(f"{field} is required for policy type {kind}")
    name = params["PolicyName"]
    arn = former.get("PolicyARN") or (
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:{uuid.uuid4()}"
        f":resource/ecs/{target['ResourceId']}:policyName/{name}"
    )
    policy = {
        **{key: target[key] for key in IDENTITY},
        "PolicyName": name,
        "PolicyARN": arn,
        "PolicyType": kind,
        "CreationTime": former.get("CreationTime", time.time()),
        field: params[field],
    }
    own = _track(policy, former) if kind == "TargetTrackingScaling" else []
    _delete_alarms([a for a in former.get("own", []) if a not in own])
    _policies()[arn] = {**policy, "own": own}
    return {"PolicyARN": arn, "Alarms": _alarms(arn)}


def _track(policy: Record, former: Record) -> list[str]:
    """Create or update the alarms of a target tracking policy, and return their names."""
    settings, action = policy[_TRACKING], f"{policy['PolicyARN']}{_CREATED_BY}{uuid.uuid4()}"
    metric = _metric(settings, policy["ResourceId"])
    value = float(settings["TargetValue"])
    alarms = {"High": ("GreaterThanThreshold", 3, value)}
    if not settings.get("DisableScaleIn"):
        # AWS scales in more slowly than out, and only at 90 % of the target value.
        alarms["Low"] = ("LessThanThreshold", 15, value * 0.9)
    names = []
    for side, (operator, periods, threshold) in alarms.items():
        stem = f"TargetTracking-{policy['ResourceId']}-Alarm{side}-"
        kept = [name for name in former.get("own", []) if name.startswith(stem)]
        names.append(kept[0] if kept else f"{stem}{uuid.uuid4()}")
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName=names[-1],
            AlarmDescription=(
                f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}."
            ),
            ComparisonOperator=operator,
            EvaluationPeriods=periods,
            Period=60,
            Threshold=threshold,
            AlarmActions=[action],
            **metric,
        )
    return names


def _metric(settings: Record, resource: str) -> Record:
    if custom := settings.get("CustomizedMetricSpecification"):
        if "Metrics" in custom:
            raise NotImplementedError("application-autoscaling: Metrics of a customized metric")
        return {name: value for name, value in custom.items() if value is not None}
    predefined = settings["PredefinedMetricSpecification"]
    name = predefined["PredefinedMetricType"]
    if name == "ALBRequestCountPerTarget":
        balancer, _, group = predefined["ResourceLabel"].partition("/targetgroup/")
        return _metric_of(
            "AWS/ApplicationELB",
            "RequestCountPerTarget",
            "Sum",
            {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"},
        )
    names = {
        "ECSServiceAverageCPUUtilization": "CPUUtilization",
        "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
    }
    if name not in names:
        raise AWSValidationException(f"PredefinedMetricType {name} is not for ECS services")
    _, cluster, service = resource.split("/")
    dimensions = {"ClusterName": cluster, "ServiceName": service}
    return _metric_of("AWS/ECS", names[name], "Average", dimensions)


def _metric_of(namespace: str, name: str, statistic: str, dimensions: dict[str, str]) -> Record:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Statistic": statistic,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }


def _describe(params: Record) -> Record:
    check(params)
    resource, names = params.get("ResourceId"), params.get("PolicyNames")
    found = [
        {**{k: v for k, v in policy.items() if k != "own"}, "Alarms": _alarms(arn)}
        for arn, policy in _policies().items()
        if resource in (None, policy["ResourceId"]) and (not names or policy["PolicyName"] in names)
    ]
    return page(params, "ScalingPolicies", found)


def _delete(params: Record) -> Record:
    check(params)
    policy = next((p for p in _policies().values() if _same(p, params)), None)
    if policy is None:
        raise ObjectNotFoundError(f"scaling policy {params['PolicyName']}", params)
    _forget(policy)
    return {}


def _deregister(params: Record) -> Record:
    """DeregisterScalableTarget: delete the target and its policies."""
    target = target_of(params)
    for policy in list(_policies().values()):
        if policy["ResourceId"] == target["ResourceId"]:
            _forget(policy)
    del targets()[target["ResourceId"]]
    return {}


def _refuse(_params: Record) -> Record:
    raise NotImplementedError("application-autoscaling: scheduled actions are not simulated")


def _forget(policy: Record) -> None:
    _delete_alarms(policy["own"])
    del _policies()[policy["PolicyARN"]]


def _delete_alarms(names: list[str]) -> None:
    if names:
        aws.client("cloudwatch").delete_alarms(AlarmNames=names)


def _policies() -> dict[str, Record]:
    """The policies by ARN."""
    return backend().policies  # type: ignore[return-value]


def _same(policy: Record, params: Record) -> bool:
    known = policy["ResourceId"], policy["PolicyName"]
    return known == (params["ResourceId"], params["PolicyName"])


def _alarms(arn: str) -> list[dict[str, Any]]:
    """The alarms that name a policy."""
    return [
        {"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn}
        for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values()
        if any(action.partition(_CREATED_BY)[0] == arn for action in alarm.alarm_actions)
    ]
