"""Scaling policies of EC2 Auto Scaling groups: simple and step scaling, triggered by alarms.

moto distinguishes policies by name only, gives all of them the same id and does not know steps.
Cooldowns and warm-ups are stored, but have no effect. An alarm triggers its policy once, when it
changes; on AWS an alarm that stays in ALARM triggers it again each minute. Target tracking and
predictive scaling are refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, cloudwatch_backends

from localaws.autoscaling import step_scaling
from localaws.autoscaling.activities import changing
from localaws.autoscaling.groups import backend, group_named
from localaws.aws import ACCOUNT, REGION

_SETTINGS = (
    "AdjustmentType",
    "Cooldown",
    "EstimatedInstanceWarmup",
    "MetricAggregationType",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "StepAdjustments",
)


def act(arn: str, alarm: Alarm) -> None:
    """Carry out the action of an alarm. Raises LookupError if the policy no longer exists."""
    with changing():
        policy = _policies().get(arn)
        if policy is None:
            raise LookupError(f"there is no scaling policy {arn}")
        group = group_named(policy["AutoScalingGroupName"])
        if "AlarmNotification" in {process["ProcessName"] for process in group.suspended_processes}:
            return
        distance = 0.0
        if policy["PolicyType"] == "StepScaling":
            distance = step_scaling.breach(alarm, policy.get("MetricAggregationType"))
        why = (
            f"a monitor alarm {alarm.name} in state {alarm.state_value} triggered policy"
            f" {policy['PolicyName']}"
        )
        _execute(policy, distance, why, up=step_scaling.goes_up(alarm))


def _execute(policy: dict[str, Any], distance: float, why: str, *, up: bool) -> None:
    adjustment = policy.get("ScalingAdjustment")
    if policy["PolicyType"] == "StepScaling":
        adjustment = step_scaling.step(policy["StepAdjustments"], distance, up=up)
    if adjustment is None:
        return
    group = group_named(policy["AutoScalingGroupName"])
    before = group.desired_capacity or 0
    magnitude = policy.get("MinAdjustmentMagnitude")
    wanted = step_scaling.adjusted(before, policy["AdjustmentType"], adjustment, magnitude)
    wanted = step_scaling.within(wanted, *group.bounds)
    if wanted != before:
        group.scale(wanted, why)


def _put(params: dict[str, Any]) -> dict[str, Any]:
    group = group_named(params["AutoScalingGroupName"])
    kind = params.get("PolicyType") or "SimpleScaling"
    needed = {"SimpleScaling": "ScalingAdjustment", "StepScaling": "StepAdjustments"}
    if kind not in needed:
        raise NotImplementedError(f"autoscaling: PolicyType {kind} is not simulated")
    for field in ("AdjustmentType", needed[kind]):
        if params.get(field) is None:
            raise ValidationError(f"You must specify {field} for policy type {kind}.")
    name = params["PolicyName"]
    former = next((arn for arn, p in _policies().items() if _is(p, group.name, name)), None)
    arn = former or (
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:{uuid.uuid4()}"
        f":autoScalingGroupName/{group.name}:policyName/{name}"
    )
    _policies()[arn] = {
        "AutoScalingGroupName": group.name,
        "PolicyName": name,
        "PolicyARN": arn,
        "PolicyType": kind,
        "Enabled": True,
        **{field: params[field] for field in _SETTINGS if params.get(field) is not None},
    }
    return {"PolicyARN": arn, "Alarms": _alarms(arn)}


def _describe(params: dict[str, Any]) -> dict[str, Any]:
    group, names, kinds = (
        params.get(field) for field in ("AutoScalingGroupName", "PolicyNames", "PolicyTypes")
    )
    return {
        "ScalingPolicies": [
            {**policy, "Alarms": _alarms(arn)}
            for arn, policy in _policies().items()
            if group in (None, policy["AutoScalingGroupName"])
            and (not names or policy["PolicyName"] in names or arn in names)
            and (not kinds or policy["PolicyType"] in kinds)
        ]
    }


def _delete(params: dict[str, Any]) -> None:
    del _policies()[_found(params)["PolicyARN"]]


def _execute_by_hand(params: dict[str, Any]) -> None:
    if params.get("HonorCooldown"):
        raise NotImplementedError("autoscaling: ExecutePolicy: HonorCooldown is not simulated")
    distance = float(params.get("MetricValue", 0)) - float(params.get("BreachThreshold", 0))
    policy = _found(params)
    why = f"a user request executed policy {policy['PolicyName']}"
    _execute(policy, distance, why, up=distance >= 0)


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "put_scaling_policy": _put,
    "describe_policies": _describe,
    "delete_policy": _delete,
    "execute_policy": _execute_by_hand,
}


def forget(group: str) -> None:
    """Delete the policies of a deleted group."""
    for arn, policy in list(_policies().items()):
        if policy["AutoScalingGroupName"] == group:
            del _policies()[arn]


def _policies() -> dict[str, dict[str, Any]]:
    """The policies by ARN."""
    return backend().policies  # type: ignore[return-value]


def _is(policy: dict[str, Any], group: str | None, name: str) -> bool:
    known = policy["AutoScalingGroupName"], policy["PolicyName"]
    return name == policy["PolicyARN"] or known == (group, name)


def _found(params: dict[str, Any]) -> dict[str, Any]:
    group, name = params.get("AutoScalingGroupName"), params["PolicyName"]
    for policy in _policies().values():
        if _is(policy, group, name):
            return policy
    raise ValidationError(f"Policy {name} not found")


def _alarms(arn: str) -> list[dict[str, str]]:
    return [
        {"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn}
        for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values()
        if arn in (*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions)
    ]
