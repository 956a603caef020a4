"""Scalable targets and their policies, from templates."""

from __future__ import annotations

import json
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.ecs import World
from tests.support.localaws.stacks import create, delete, outputs, update


def scaled_template(world: World, target: dict[str, Any], policies: dict[str, Any]) -> str:
    resources: dict[str, Any] = {
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {
                "ServiceNamespace": "ecs",
                "ResourceId": f"service/{world.cluster}/{world.service}",
                "ScalableDimension": "ecs:service:DesiredCount",
                **target,
            },
        }
    }
    for name, policy in policies.items():
        resources[name] = {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {"PolicyName": name, "ScalingTargetId": {"Ref": "Target"}, **policy},
        }
    names = {name: {"Value": {"Ref": name}} for name in resources}
    return json.dumps({"Resources": resources, "Outputs": names})


STEP = {
    "PolicyType": "StepScaling",
    "StepScalingPolicyConfiguration": {
        "AdjustmentType": "ChangeInCapacity",
        "Cooldown": "60",
        "StepAdjustments": [{"MetricIntervalLowerBound": "0", "ScalingAdjustment": "1"}],
    },
}


def tracking(metric: str, value: str) -> dict[str, Any]:
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": value,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        },
    }


def test_a_target_and_its_policies_are_made_changed_and_deleted(aws: LocalAws) -> None:
    world, scaling = World(aws), aws.client("application-autoscaling")
    world.create(world.definition(world.push()), desired=1)
    resource = f"service/{world.cluster}/{world.service}"

    def policies() -> dict[str, dict[str, Any]]:
        answer = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)
        return {policy["PolicyName"]: policy for policy in answer["ScalingPolicies"]}

    def targets() -> list[dict[str, Any]]:
        answer = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
        return list(answer["ScalableTargets"])

    cpu = tracking("ECSServiceAverageCPUUtilization", "60")
    limits = {"MinCapacity": "2", "MaxCapacity": "4"}
    stack = create(aws, scaled_template(world, limits, {"Steps": STEP, "Tracking": cpu}))
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    made = outputs(stack)
    assert made["Target"] == f"{resource}|ecs:service:DesiredCount|ecs"
    assert {made["Steps"], made["Tracking"]} == {p["PolicyARN"] for p in policies().values()}
    assert world.describe()["desiredCount"] == 2
    assert len(policies()["Tracking"]["Alarms"]) == 2

    memory = tracking("ECSServiceAverageMemoryUtilization", "70")
    limits = {"MinCapacity": 1, "MaxCapacity": 1}
    limits |= {"SuspendedState": {"DynamicScalingInSuspended": True}}
    stack = update(aws, stack, scaled_template(world, limits, {"Steps": memory, "Tracking": STEP}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack
    assert outputs(stack) == made
    assert world.describe()["desiredCount"] == 1
    assert targets()[0]["SuspendedState"]["DynamicScalingInSuspended"] is True
    kinds = {name: policy["PolicyType"] for name, policy in policies().items()}
    assert kinds == {"Steps": "TargetTrackingScaling", "Tracking": "StepScaling"}
    alarms = [alarm["AlarmName"] for alarm in policies()["Steps"]["Alarms"]]
    described = aws.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"]
    assert {alarm["MetricName"] for alarm in described} == {"MemoryUtilization"}

    stack = update(aws, stack, scaled_template(world, {"MinCapacity": 1, "MaxCapacity": 2}, {}))
    assert policies() == {}
    assert targets()[0]["SuspendedState"]["DynamicScalingInSuspended"] is False
    delete(aws, stack)
    assert targets() == []
    stem = f"TargetTracking-{resource}"
    left = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=stem)["MetricAlarms"]
    assert left == []


def test_a_policy_may_name_its_target_by_its_three_properties(aws: LocalAws) -> None:
    world = World(aws)
    world.create(world.definition(world.push()), desired=1)
    template = json.loads(
        scaled_template(world, {"MinCapacity": 1, "MaxCapacity": 2}, {"Steps": STEP})
    )
    policy, target = template["Resources"]["Steps"], template["Resources"]["Target"]["Properties"]
    del policy["Properties"]["ScalingTargetId"]
    names = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    policy["Properties"] |= {name: target[name] for name in names}
    policy["DependsOn"] = "Target"

    stack = create(aws, json.dumps(template))

    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    assert outputs(stack)["Steps"].endswith(":policyName/Steps")
    delete(aws, stack)
