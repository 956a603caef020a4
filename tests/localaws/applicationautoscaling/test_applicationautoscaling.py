"""Application Auto Scaling: ECS services whose desired count follows limits and alarms."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.alarms import ring, scaling_alarm
from tests.support.localaws.ecs import World, unique

STEPS = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 2},
]


class Scaled:
    """One service with a count, and its scalable target."""

    def __init__(self, aws: LocalAws, count: int = 1) -> None:
        self.scaling, self.cloudwatch = (
            aws.client("application-autoscaling"),
            aws.client("cloudwatch"),
        )
        self.world, self.policy = World(aws), unique("p")
        self.world.create(self.world.definition(self.world.push()), desired=count)
        self.target = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self.world.cluster}/{self.world.service}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }

    def register(self, **settings: Any) -> None:
        self.scaling.register_scalable_target(**self.target, **settings)

    def count(self) -> int:
        return int(self.world.describe()["desiredCount"])

    def step(self, kind: str = "ChangeInCapacity", steps: Any = STEPS, **settings: Any) -> str:
        answer = self.scaling.put_scaling_policy(
            **self.target,
            PolicyName=self.policy,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": kind,
                "StepAdjustments": steps,
                **settings,
            },
        )
        return str(answer["PolicyARN"])

    def track(self, **settings: Any) -> list[str]:
        answer = self.scaling.put_scaling_policy(
            **self.target,
            PolicyName=self.policy,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 60,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
                },
                **settings,
            },
        )
        return [alarm["AlarmName"] for alarm in answer["Alarms"]]

    def alarm(self, action: str) -> str:
        return scaling_alarm(self.cloudwatch, action)

    def ring(self, alarm: str, *points: float) -> None:
        ring(self.cloudwatch, alarm, *points)

    def alarms(self, names: list[str]) -> list[dict[str, Any]]:
        return list(self.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"])

    def activities(self) -> list[dict[str, Any]]:
        return list(self.scaling.describe_scaling_activities(**self.target)["ScalingActivities"])


@pytest.fixture
def scaled(aws: LocalAws) -> Scaled:
    return Scaled(aws)


def test_a_service_comes_within_the_limits_of_its_target(scaled: Scaled) -> None:
    scaled.register(MinCapacity=2, MaxCapacity=4)
    assert scaled.count() == 2
    scaled.register(MinCapacity=1, MaxCapacity=1)
    assert scaled.count() == 1

    assert [(a["Description"], a["Cause"]) for a in scaled.activities()] == [
        ("Setting desired count to 1.", "maximum capacity was set to 1"),
        ("Setting desired count to 2.", "minimum capacity was set to 2"),
    ]
    with pytest.raises(ClientError, match="cannot be less"):
        scaled.register(MinCapacity=3, MaxCapacity=2)


@pytest.mark.parametrize(
    "resource", ["service/{0}/none", "service/none/{1}", "{1}", "table/{0}/{1}"]
)
def test_a_target_of_no_service_is_refused(scaled: Scaled, resource: str) -> None:
    world = scaled.world
    scaled.target["ResourceId"] = resource.format(world.cluster, world.service)
    with pytest.raises(ClientError, match="ECS service doesn't exist"):
        scaled.register(MinCapacity=1, MaxCapacity=2)


def test_an_alarm_scales_by_the_step_that_it_is_beyond_its_threshold(scaled: Scaled) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    alarm = scaled.alarm(scaled.step(MetricAggregationType="Maximum"))

    scaled.ring(alarm)
    assert scaled.count() == 2
    scaled.ring(alarm, 10, 70)
    assert scaled.count() == 4
    scaled.ring(alarm, 99)
    assert scaled.count() == 4
    activities = scaled.activities()
    assert [a["StatusCode"] for a in activities] == ["Successful"] * 2
    cause = f"monitor alarm {alarm} in state ALARM triggered policy {scaled.policy}"
    assert activities[0]["Cause"] == cause


@pytest.mark.parametrize(
    ("kind", "adjustment", "expected"),
    [("ExactCapacity", 3, 3), ("PercentChangeInCapacity", 50, 3), ("ChangeInCapacity", -1, 1)],
)
def test_a_step_changes_the_count_by_its_kind_of_adjustment(
    scaled: Scaled, kind: str, adjustment: int, expected: int
) -> None:
    scaled.register(MinCapacity=2, MaxCapacity=4)
    scaled.register(MinCapacity=1)
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": adjustment}]

    scaled.ring(scaled.alarm(scaled.step(kind, steps)))

    assert scaled.count() == expected


def test_a_suspended_target_does_not_scale(scaled: Scaled) -> None:
    scaled.register(
        MinCapacity=1, MaxCapacity=4, SuspendedState={"DynamicScalingOutSuspended": True}
    )
    alarm = scaled.alarm(scaled.step())

    scaled.ring(alarm)
    assert scaled.count() == 1
    scaled.register(SuspendedState={"DynamicScalingOutSuspended": False})
    scaled.ring(alarm)
    assert scaled.count() == 2


def test_target_tracking_makes_two_alarms_that_scale_out_and_in(scaled: Scaled) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    high, low = scaled.track()

    resource = scaled.target["ResourceId"]
    assert high.startswith(f"TargetTracking-{resource}-AlarmHigh-")
    assert low.startswith(f"TargetTracking-{resource}-AlarmLow-")
    described = {alarm["AlarmName"]: alarm for alarm in scaled.alarms([high, low])}
    assert (described[high]["Threshold"], described[low]["Threshold"]) == (60, 54)
    assert {a["MetricName"] for a in described.values()} == {"CPUUtilization"}
    scaled.ring(high)
    scaled.ring(high)
    assert scaled.count() == 3
    scaled.ring(low)
    assert scaled.count() == 2


def test_a_policy_that_is_put_again_keeps_its_alarms_and_its_arn(scaled: Scaled) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    before = scaled.track()
    assert scaled.track(TargetValue=80) == before
    assert sorted(alarm["Threshold"] for alarm in scaled.alarms(before)) == [72, 80]
    (policy,) = scaled.scaling.describe_scaling_policies(**scaled.target)["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == before

    assert scaled.step() == policy["PolicyARN"]
    assert scaled.alarms(before) == []


def test_a_target_goes_with_its_policies_and_their_alarms(scaled: Scaled) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    alarms = scaled.track()

    scaled.scaling.deregister_scalable_target(**scaled.target)

    assert scaled.alarms(alarms) == []
    assert scaled.scaling.describe_scaling_policies(**scaled.target)["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaled.scaling.deregister_scalable_target(**scaled.target)


def test_a_failure_to_scale_is_an_activity_that_failed(scaled: Scaled) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    alarm = scaled.alarm(scaled.step())
    world = scaled.world
    world.ecs.delete_service(cluster=world.cluster, service=world.service, force=True)

    scaled.ring(alarm)

    assert scaled.activities()[0]["StatusCode"] == "Failed"


def test_the_service_linked_role_is_there_after_the_first_target(
    scaled: Scaled, aws: LocalAws
) -> None:
    scaled.register(MinCapacity=1, MaxCapacity=4)
    name = "AWSServiceRoleForApplicationAutoScaling_ECSService"
    role = aws.client("iam").get_role(RoleName=name)["Role"]
    assert role["Path"] == "/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    (target,) = scaled.scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[scaled.target["ResourceId"]]
    )["ScalableTargets"]
    assert target["RoleARN"] == role["Arn"]
