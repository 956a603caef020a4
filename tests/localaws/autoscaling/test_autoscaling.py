"""EC2 Auto Scaling: instances that come and go, and who is told of them."""

from __future__ import annotations

import base64
import ipaddress
from collections import Counter
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.localaws.autoscaling import Fleet, fleet_of, told
from tests.support.localaws.ecs import unique


@pytest.fixture
def fleet(aws: LocalAws) -> Iterator[Fleet]:
    with fleet_of(aws) as made:
        yield made


def test_instances_spread_over_the_subnets_and_have_addresses_of_theirs(fleet: Fleet) -> None:
    fleet.create(least=4)

    instances = fleet.instances()
    assert Counter(i["SubnetId"] for i in instances) == {s["SubnetId"]: 2 for s in fleet.subnets}
    blocks = {s["SubnetId"]: ipaddress.ip_network(s["CidrBlock"]) for s in fleet.subnets}
    for instance in instances:
        assert ipaddress.ip_address(instance["PrivateIpAddress"]) in blocks[instance["SubnetId"]]
        assert instance["Placement"]["AvailabilityZone"] in {"us-east-1a", "us-east-1b"}


def test_instances_are_what_their_version_of_the_template_says(fleet: Fleet) -> None:
    iam, profile = fleet.aws.client("iam"), unique("profile")
    arn = iam.create_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Arn"]
    template = fleet.template("#!/bin/sh")
    fleet.ec2.create_launch_template_version(
        LaunchTemplateId=template,
        LaunchTemplateData={
            "ImageId": "ami-2",
            "InstanceType": "m5.large",
            "UserData": base64.b64encode(b"#!/bin/bash").decode(),
            "IamInstanceProfile": {"Arn": arn},
            "MetadataOptions": {"HttpTokens": "required"},
            "Monitoring": {"Enabled": True},
        },
    )
    tag = {"Key": "team", "Value": "blue", "PropagateAtLaunch": True}
    fleet.create(least=1, template=template, Tags=[tag])

    (instance,) = fleet.instances()
    assert (instance["ImageId"], instance["InstanceType"]) == ("ami-2", "m5.large")
    assert instance["IamInstanceProfile"]["Arn"] == arn
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["Monitoring"]["State"] == "enabled"
    assert {"Key": "team", "Value": "blue"} in instance["Tags"]
    assert fleet.describe()["Instances"][0]["LaunchTemplate"]["Version"] == "2"


def test_capacities_beyond_the_limits_are_refused(fleet: Fleet) -> None:
    fleet.create(least=1, most=2)

    with pytest.raises(ClientError, match="above max value 2"):
        fleet.want(3)
    with pytest.raises(ClientError, match="below min value 1"):
        fleet.want(0)
    with pytest.raises(ClientError, match="must be between"):
        fleet.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=fleet.group, DesiredCapacity=3
        )


def test_scaling_in_takes_the_oldest_of_the_fuller_subnet_and_none_that_is_protected(
    fleet: Fleet,
) -> None:
    fleet.create(least=0, DesiredCapacity=3)
    first, second, third = fleet.ids()
    fleet.autoscaling.set_instance_protection(
        AutoScalingGroupName=fleet.group, InstanceIds=[first], ProtectedFromScaleIn=True
    )

    fleet.want(2)
    assert fleet.ids() == [first, second]
    fleet.want(0)
    assert fleet.ids() == [first]
    assert {i["State"]["Name"] for i in fleet.instances([second, third])} == {"terminated"}
    fleet.autoscaling.set_instance_protection(
        AutoScalingGroupName=fleet.group, InstanceIds=[first], ProtectedFromScaleIn=False
    )
    assert fleet.ids() == []


def test_an_instance_that_somebody_terminates_is_replaced(fleet: Fleet) -> None:
    fleet.create(least=1)
    (before,) = fleet.ids()

    fleet.ec2.terminate_instances(InstanceIds=[before])

    (after,) = fleet.ids()
    assert after != before


def test_a_group_with_instances_is_deleted_by_force_only(fleet: Fleet) -> None:
    fleet.create(least=1, NewInstancesProtectedFromScaleIn=True)
    ids = fleet.ids()

    with pytest.raises(ClientError, match="ResourceInUse"):
        fleet.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=fleet.group)
    fleet.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=fleet.group, ForceDelete=True)

    assert [i["State"]["Name"] for i in fleet.instances(ids)] == ["terminated"]


def test_the_topic_gets_a_test_notification_and_one_for_each_instance_that_comes_or_goes(
    fleet: Fleet,
) -> None:
    fleet.create()
    topic, kinds = fleet.topic(), ["LAUNCH", "TERMINATE"]
    fleet.autoscaling.put_notification_configuration(
        AutoScalingGroupName=fleet.group,
        TopicARN=topic,
        NotificationTypes=[f"autoscaling:EC2_INSTANCE_{kind}" for kind in kinds],
    )
    fleet.want(1)
    (instance,) = fleet.ids()
    fleet.want(0)

    test, launch, end = told(topic)
    assert test["Event"] == "autoscaling:TEST_NOTIFICATION"
    assert launch["Event"] == "autoscaling:EC2_INSTANCE_LAUNCH"
    assert end["Event"] == "autoscaling:EC2_INSTANCE_TERMINATE"
    for message in (launch, end):
        assert message["AutoScalingGroupName"] == fleet.group
        assert message["AutoScalingGroupARN"] == fleet.describe()["AutoScalingGroupARN"]
        assert message["EC2InstanceId"] == instance
        assert message["Details"]["Subnet ID"] in {s["SubnetId"] for s in fleet.subnets}
    subjects = [mail["subject"] for mail in sns.mails() if mail["topic"] == topic]
    assert subjects[1] == f'Auto Scaling: launch for group "{fleet.group}"'
    activities = fleet.autoscaling.describe_scaling_activities(AutoScalingGroupName=fleet.group)
    assert [a["Description"] for a in activities["Activities"]] == [
        f"Terminating EC2 instance: {instance}",
        f"Launching a new EC2 instance: {instance}",
    ]


def test_a_topic_that_nobody_can_publish_to_is_refused(fleet: Fleet) -> None:
    fleet.create()
    with pytest.raises(ClientError, match="Unable to publish test notification message"):
        fleet.autoscaling.put_notification_configuration(
            AutoScalingGroupName=fleet.group,
            TopicARN="arn:aws:sns:us-east-1:123456789012:nowhere",
            NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"],
        )


def test_the_service_linked_role_is_there_after_the_first_group(fleet: Fleet) -> None:
    fleet.create()
    role = fleet.aws.client("iam").get_role(RoleName="AWSServiceRoleForAutoScaling")["Role"]
    assert role["Path"] == "/aws-service-role/autoscaling.amazonaws.com/"
    assert role["Arn"] == fleet.describe()["ServiceLinkedRoleARN"]
