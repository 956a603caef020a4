"""Auto Scaling groups, what they launch and what scales them, from templates."""

from __future__ import annotations

import base64
import json
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.autoscaling import Fleet, told
from tests.support.localaws.stacks import create, delete, outputs, update


def group_template(fleet: Fleet, group: dict[str, Any], data: dict[str, Any] | None = None) -> str:
    """A group with its launch template and instance profile, as the environment has them."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
    role = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    launched = {
        "ImageId": "ami-1",
        "InstanceType": "t3.micro",
        "IamInstanceProfile": {"Arn": {"Fn::GetAtt": "Profile.Arn"}},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "UserData": {"Fn::Base64": {"Fn::Sub": "#!/bin/sh\necho ECS_CLUSTER=${Role}"}},
        **(data or {}),
    }
    properties = {
        "LaunchTemplate": {
            "LaunchTemplateId": {"Ref": "Template"},
            "Version": {"Fn::GetAtt": "Template.LatestVersionNumber"},
        },
        "VPCZoneIdentifier": [subnet["SubnetId"] for subnet in fleet.subnets],
        **group,
    }
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": role}},
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [_ref("Role")]}},
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {"LaunchTemplateData": launched},
        },
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": properties},
    }
    names = {
        **{name: {"Value": _ref(name)} for name in resources},
        "Arn": {"Value": {"Fn::GetAtt": "Group.AutoScalingGroupARN"}},
        "Latest": {"Value": {"Fn::GetAtt": "Template.LatestVersionNumber"}},
        "Default": {"Value": {"Fn::GetAtt": "Template.DefaultVersionNumber"}},
    }
    return json.dumps({"Resources": resources, "Outputs": names})


def _ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def test_a_group_is_made_as_its_template_says_and_tells_of_its_first_instances(
    aws: LocalAws,
) -> None:
    fleet = Fleet(aws)
    topic = fleet.topic()
    group = {
        "MinSize": "2",
        "MaxSize": 4,
        "NewInstancesProtectedFromScaleIn": True,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 120,
        "Cooldown": "60",
        "MetricsCollection": [{"Granularity": "1Minute"}],
        "NotificationConfigurations": [
            {"TopicARN": topic, "NotificationTypes": ["autoscaling:EC2_INSTANCE_LAUNCH"]}
        ],
        "Tags": [{"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True}],
    }
    stack = create(
        aws, group_template(fleet, group), Tags=[{"Key": "environment", "Value": "test"}]
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    fleet.group = outputs(stack)["Group"]

    made = fleet.describe()
    assert made["AutoScalingGroupARN"] == outputs(stack)["Arn"]
    assert (made["MinSize"], made["MaxSize"], made["DesiredCapacity"]) == (2, 4, 2)
    assert (made["HealthCheckGracePeriod"], made["DefaultCooldown"]) == (120, 60)
    assert len(made["EnabledMetrics"]) == 8
    assert all(instance["ProtectedFromScaleIn"] for instance in made["Instances"])
    for instance in fleet.instances():
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert (tags["AmazonECSManaged"], tags["environment"]) == ("true", "test")
        assert instance["IamInstanceProfile"]["Arn"].endswith(f"/{outputs(stack)['Profile']}")
    events = [message["Event"].partition(":")[2] for message in told(topic)]
    assert events == ["TEST_NOTIFICATION", "EC2_INSTANCE_LAUNCH", "EC2_INSTANCE_LAUNCH"]

    ids = fleet.ids()
    delete(aws, stack)
    assert fleet.ids() == ids  # as long as they are protected
    fleet.autoscaling.set_instance_protection(
        InstanceIds=ids, AutoScalingGroupName=fleet.group, ProtectedFromScaleIn=False
    )
    delete(aws, stack)
    groups = {"AutoScalingGroupNames": [fleet.group]}
    assert fleet.autoscaling.describe_auto_scaling_groups(**groups)["AutoScalingGroups"] == []
    assert {i["State"]["Name"] for i in fleet.instances(ids)} == {"terminated"}
    templates = {"LaunchTemplateIds": [outputs(stack)["Template"]]}
    assert fleet.ec2.describe_launch_templates(**templates)["LaunchTemplates"] == []
    profiles = aws.client("iam").list_instance_profiles()["InstanceProfiles"]
    assert outputs(stack)["Profile"] not in {p["InstanceProfileName"] for p in profiles}


def test_every_property_of_a_group_can_be_changed_and_taken_back(aws: LocalAws) -> None:
    fleet = Fleet(aws)
    topic = fleet.topic()
    little = {"MinSize": 0, "MaxSize": 1}
    much = {
        "MinSize": 1,
        "MaxSize": 3,
        "DesiredCapacity": 2,
        "NewInstancesProtectedFromScaleIn": True,
        "HealthCheckType": "ELB",
        "HealthCheckGracePeriod": 30,
        "Cooldown": 10,
        "MetricsCollection": [{"Granularity": "1Minute", "Metrics": ["GroupMaxSize"]}],
        "NotificationConfigurations": [
            {"TopicARN": topic, "NotificationTypes": ["autoscaling:EC2_INSTANCE_TERMINATE"]}
        ],
        "Tags": [{"Key": "team", "Value": "blue", "PropagateAtLaunch": False}],
        "VPCZoneIdentifier": [fleet.subnets[1]["SubnetId"]],
    }
    stack = create(aws, group_template(fleet, little))
    fleet.group = outputs(stack)["Group"]

    def told_of() -> dict[str, Any]:
        described = fleet.describe()
        found = {name: described[name] for name in much if name in described}
        found = {name: value for name, value in found.items() if name != "Tags"}
        found["DefaultCooldown"] = described["DefaultCooldown"]
        notified = fleet.autoscaling.describe_notification_configurations(
            AutoScalingGroupNames=[fleet.group]
        )
        found["metrics"] = [metric["Metric"] for metric in described["EnabledMetrics"]]
        found["topics"] = [c["TopicARN"] for c in notified["NotificationConfigurations"]]
        found["tags"] = [tag["Key"] for tag in described["Tags"]]
        return found

    before = told_of()
    stack = update(aws, stack, group_template(fleet, much))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack
    assert outputs(stack)["Group"] == fleet.group
    assert told_of() == {
        "MinSize": 1,
        "MaxSize": 3,
        "DesiredCapacity": 2,
        "NewInstancesProtectedFromScaleIn": True,
        "HealthCheckType": "ELB",
        "HealthCheckGracePeriod": 30,
        "DefaultCooldown": 10,
        "VPCZoneIdentifier": fleet.subnets[1]["SubnetId"],
        "metrics": ["GroupMaxSize"],
        "topics": [topic],
        "tags": ["team"],
    }
    assert all(instance["ProtectedFromScaleIn"] for instance in fleet.describe()["Instances"])
    stack = update(aws, stack, group_template(fleet, little))
    assert told_of() == {**before, "DesiredCapacity": 1}
    delete(aws, stack)


def test_a_changed_launch_template_has_a_new_version_and_the_old_default(aws: LocalAws) -> None:
    fleet = Fleet(aws)
    group = {"MinSize": 1, "MaxSize": 2}
    stack = create(aws, group_template(fleet, group))
    fleet.group = outputs(stack)["Group"]

    stack = update(aws, stack, group_template(fleet, group, {"InstanceType": "m5.large"}))

    assert (outputs(stack)["Latest"], outputs(stack)["Default"]) == ("2", "1")
    assert fleet.describe()["LaunchTemplate"]["Version"] == "2"
    assert [i["InstanceType"] for i in fleet.instances()] == ["t3.micro"]
    fleet.want(2)
    assert {i["InstanceType"] for i in fleet.instances()} == {"t3.micro", "m5.large"}
    (version,) = fleet.ec2.describe_launch_template_versions(
        LaunchTemplateId=outputs(stack)["Template"], Versions=["2"]
    )["LaunchTemplateVersions"]
    user_data = base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()
    assert user_data.startswith("#!/bin/sh")
    delete(aws, stack)


def test_a_scaling_policy_of_a_group_is_made_changed_and_deleted(aws: LocalAws) -> None:
    fleet = Fleet(aws)
    fleet.create(most=5)

    def template(**settings: Any) -> str:
        policy = {"AutoScalingGroupName": fleet.group, "AdjustmentType": "ChangeInCapacity"}
        resources = {
            "Policy": {
                "Type": "AWS::AutoScaling::ScalingPolicy",
                "Properties": {**policy, **settings},
            }
        }
        names = {
            "Arn": {"Value": {"Fn::GetAtt": "Policy.Arn"}},
            "Ref": {"Value": _ref("Policy")},
            "Name": {"Value": {"Fn::GetAtt": "Policy.PolicyName"}},
        }
        return json.dumps({"Resources": resources, "Outputs": names})

    stack = create(aws, template(PolicyType="SimpleScaling", ScalingAdjustment=1, Cooldown="300"))
    made = outputs(stack)
    assert made["Arn"] == made["Ref"]
    assert made["Arn"].endswith(f":autoScalingGroupName/{fleet.group}:policyName/{made['Name']}")
    fleet.ring(fleet.alarm(made["Ref"]))
    assert len(fleet.ids()) == 1
    steps = [{"MetricIntervalLowerBound": "0", "ScalingAdjustment": "2"}]
    stack = update(aws, stack, template(PolicyType="StepScaling", StepAdjustments=steps))
    assert outputs(stack)["Ref"] == made["Ref"]
    fleet.ring(fleet.alarm(made["Ref"]))
    assert len(fleet.ids()) == 3
    delete(aws, stack)
    assert fleet.autoscaling.describe_policies(PolicyNames=[made["Ref"]])["ScalingPolicies"] == []
    fleet.delete()
