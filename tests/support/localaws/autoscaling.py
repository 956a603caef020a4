"""An Auto Scaling group over two subnets, and the notifications that its topics received."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.localaws.alarms import ring, scaling_alarm
from tests.support.localaws.ecs import unique

ZONES = "a", "b"


class Fleet:
    """One Auto Scaling group over two subnets, under names that no other test has."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.autoscaling, self.ec2 = aws.client("autoscaling"), aws.client("ec2")
        self.cloudwatch = aws.client("cloudwatch")
        subnets = {s["AvailabilityZone"]: s for s in self.ec2.describe_subnets()["Subnets"]}
        self.subnets = [subnets[f"us-east-1{zone}"] for zone in ZONES]
        self.group, self.policy = unique("g"), unique("p")

    def template(self, user_data: str = "#!/bin/sh", **data: Any) -> str:
        encoded = base64.b64encode(user_data.encode()).decode()
        answer = self.ec2.create_launch_template(
            LaunchTemplateName=unique("lt"),
            LaunchTemplateData={
                "ImageId": "ami-1",
                "InstanceType": "t3.micro",
                "UserData": encoded,
                **data,
            },
        )
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    def create(
        self, least: int = 0, most: int = 4, *, user_data: str = "", **settings: Any
    ) -> None:
        template = settings.pop("template", None) or self.template(user_data)
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=self.group,
            MinSize=least,
            MaxSize=most,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            VPCZoneIdentifier=",".join(subnet["SubnetId"] for subnet in self.subnets),
            **settings,
        )

    def describe(self) -> dict[str, Any]:
        answer = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        return dict(answer["AutoScalingGroups"][0])

    def ids(self) -> list[str]:
        return [instance["InstanceId"] for instance in self.describe()["Instances"]]

    def want(self, count: int) -> None:
        self.autoscaling.set_desired_capacity(
            AutoScalingGroupName=self.group, DesiredCapacity=count
        )

    def instances(self, ids: list[str] | None = None) -> list[dict[str, Any]]:
        answer = self.ec2.describe_instances(InstanceIds=ids or self.ids())
        return [i for reservation in answer["Reservations"] for i in reservation["Instances"]]

    def put_policy(self, **settings: Any) -> str:
        answer = self.autoscaling.put_scaling_policy(
            AutoScalingGroupName=self.group, PolicyName=self.policy, **settings
        )
        return str(answer["PolicyARN"])

    def alarm(self, action: str, operator: str = "GreaterThanThreshold") -> str:
        return scaling_alarm(self.cloudwatch, action, operator)

    def ring(self, alarm: str, *points: float) -> None:
        ring(self.cloudwatch, alarm, *points)

    def delete(self) -> None:
        groups = {"AutoScalingGroupNames": [self.group]}
        if self.autoscaling.describe_auto_scaling_groups(**groups)["AutoScalingGroups"]:
            self.autoscaling.delete_auto_scaling_group(
                AutoScalingGroupName=self.group, ForceDelete=True
            )

    def topic(self) -> str:
        client = self.aws.client("sns")
        topic = client.create_topic(Name=unique("t"))["TopicArn"]
        client.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
        return str(topic)


@contextmanager
def fleet_of(aws: LocalAws) -> Iterator[Fleet]:
    """A fleet whose group is deleted at the end of the test."""
    made = Fleet(aws)
    try:
        yield made
    finally:
        made.delete()


def told(topic: str) -> list[dict[str, Any]]:
    return [json.loads(mail["text"]) for mail in sns.mails() if mail["topic"] == topic]
