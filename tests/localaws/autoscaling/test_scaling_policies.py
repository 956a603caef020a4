"""Scaling policies of Auto Scaling groups, and the arithmetic of steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from localaws.autoscaling import step_scaling
from localaws.server import LocalAws
from tests.support.localaws.autoscaling import Fleet, fleet_of


@pytest.fixture
def fleet(aws: LocalAws) -> Iterator[Fleet]:
    with fleet_of(aws) as made:
        yield made


def test_an_alarm_scales_by_a_simple_policy_within_the_limits(fleet: Fleet) -> None:
    fleet.create(least=1, most=2)
    simple = {"PolicyType": "SimpleScaling", "AdjustmentType": "ChangeInCapacity"}
    alarm = fleet.alarm(fleet.put_policy(**simple, ScalingAdjustment=1))

    fleet.ring(alarm)
    assert fleet.describe()["DesiredCapacity"] == len(fleet.ids()) == 2
    fleet.ring(alarm)
    assert fleet.describe()["DesiredCapacity"] == 2
    (policy,) = fleet.autoscaling.describe_policies(AutoScalingGroupName=fleet.group)[
        "ScalingPolicies"
    ]
    assert [known["AlarmName"] for known in policy["Alarms"]] == [alarm]
    fleet.put_policy(**simple, ScalingAdjustment=-1)
    fleet.ring(alarm)
    assert fleet.describe()["DesiredCapacity"] == len(fleet.ids()) == 1


def test_an_alarm_scales_by_the_step_that_it_is_beyond_its_threshold(fleet: Fleet) -> None:
    fleet.create(most=9)
    alarm = fleet.alarm(
        fleet.put_policy(
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=[
                {
                    "MetricIntervalLowerBound": 0,
                    "MetricIntervalUpperBound": 20,
                    "ScalingAdjustment": 1,
                },
                {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
            ],
        )
    )

    fleet.ring(alarm)
    assert fleet.describe()["DesiredCapacity"] == 1
    fleet.ring(alarm, 65, 75)
    assert fleet.describe()["DesiredCapacity"] == 4


def test_policies_of_one_name_belong_to_their_groups(fleet: Fleet, aws: LocalAws) -> None:
    other = Fleet(aws)
    other.policy = fleet.policy
    simple = {"AdjustmentType": "ExactCapacity", "PolicyType": "SimpleScaling"}
    for one in (fleet, other):
        one.create()
        one.put_policy(**simple, ScalingAdjustment=1)

    fleet.autoscaling.execute_policy(AutoScalingGroupName=fleet.group, PolicyName=fleet.policy)
    other.autoscaling.delete_policy(AutoScalingGroupName=other.group, PolicyName=other.policy)

    assert (len(fleet.ids()), len(other.ids())) == (1, 0)
    assert fleet.autoscaling.describe_policies(PolicyNames=[fleet.policy])["ScalingPolicies"]


def test_a_composite_alarm_cannot_scale(fleet: Fleet) -> None:
    fleet.create()
    policy = fleet.put_policy(AdjustmentType="ExactCapacity", ScalingAdjustment=1)
    child = fleet.alarm(policy)
    with pytest.raises(ClientError, match="NotImplemented"):
        fleet.cloudwatch.put_composite_alarm(
            AlarmName=f"{child}-any", AlarmRule=f"ALARM({child})", AlarmActions=[policy]
        )


@pytest.mark.parametrize(
    ("kind", "adjustment", "magnitude", "expected"),
    [
        ("ExactCapacity", 3, None, 3),
        ("ChangeInCapacity", -2, None, 8),
        ("PercentChangeInCapacity", 25, None, 12),
        ("PercentChangeInCapacity", 1, None, 11),
        ("PercentChangeInCapacity", -25, None, 8),
        ("PercentChangeInCapacity", -1, None, 9),
        ("PercentChangeInCapacity", 10, 4, 14),
    ],
)
def test_percentages_are_rounded_towards_zero_but_not_to_nothing(
    kind: str, adjustment: int, magnitude: int | None, expected: int
) -> None:
    assert step_scaling.adjusted(10, kind, adjustment, magnitude) == expected


def test_the_end_of_an_interval_nearer_to_the_threshold_belongs_to_it() -> None:
    up = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
    ]
    down = [
        {"MetricIntervalUpperBound": 0, "MetricIntervalLowerBound": -10, "ScalingAdjustment": -1},
        {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
    ]
    assert [step_scaling.step(up, d, up=True) for d in (-1, 0, 9, 10)] == [None, 1, 1, 2]
    assert [step_scaling.step(down, d, up=False) for d in (1, 0, -9, -10)] == [None, -1, -1, -2]
