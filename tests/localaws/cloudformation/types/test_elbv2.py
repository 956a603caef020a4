"""Load balancers, target groups, listeners and their rules in CloudFormation."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloudformation.types.elbv2 import LOAD_BALANCER_ATTRIBUTES
from localaws.cloudformation.types.elbv2_target_groups import HEALTH_CHECK, TARGET_GROUP_ATTRIBUTES
from tests.support.localaws.elbv2 import TLS, World, attributes, forward
from tests.support.localaws.stacks import create, delete, outputs, update


@pytest.fixture
def world(aws) -> World:
    return World(aws)


def test_the_defaults_of_load_balancers_and_target_groups_are_those_of_aws(world):
    stack = create(world.aws, world.template(Group={"Protocol": "HTTPS"}))
    balancer, group = world.balancer(stack), world.group(stack)
    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    assert balancer["SecurityGroups"] == [world.default_group]
    assert world.attributes(balancer["LoadBalancerArn"]) == LOAD_BALANCER_ATTRIBUTES
    assert {name: group[name] for name in HEALTH_CHECK} == HEALTH_CHECK
    assert world.attributes(group["TargetGroupArn"]) == TARGET_GROUP_ATTRIBUTES


def test_a_load_balancer_gets_every_property_and_goes_back_to_the_defaults(world):
    group = world.security_group()
    asked = {
        "Type": "application",
        "Scheme": "internal",
        "SecurityGroups": [group],
        "IpAddressType": "dualstack",
        "LoadBalancerAttributes": attributes(
            routing__http__drop_invalid_header_fields__enabled="true",
            idle_timeout__timeout_seconds="9",
        ),
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    stack = create(world.aws, world.template(Balancer=asked))
    seen, published = world.balancer(stack), outputs(stack)
    arn = seen["LoadBalancerArn"]
    assert (seen["Type"], seen["Scheme"], seen["IpAddressType"]) == (
        "application",
        "internal",
        "dualstack",
    )
    assert seen["SecurityGroups"] == [group]
    assert {zone["SubnetId"] for zone in seen["AvailabilityZones"]} == set(world.subnets[:2])
    assert world.attributes(arn)["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert world.attributes(arn)["idle_timeout.timeout_seconds"] == "9"
    assert world.tags(arn) == {"team": "a"}
    assert published["BalancerDNSName"] == seen["DNSName"]
    assert published["BalancerLoadBalancerFullName"] == arn.split(":loadbalancer/")[1]
    assert published["BalancerCanonicalHostedZoneID"] == seen["CanonicalHostedZoneId"]

    kept = {"Type": "application", "Scheme": "internal"}
    changed = {**kept, "Subnets": world.subnets[1:3]}
    stack = update(world.aws, stack, world.template(Balancer=changed))
    seen = world.balancer(stack)
    assert seen["LoadBalancerArn"] == arn
    assert (seen["SecurityGroups"], seen["IpAddressType"]) == ([world.default_group], "ipv4")
    assert {zone["SubnetId"] for zone in seen["AvailabilityZones"]} == set(world.subnets[1:3])
    assert world.attributes(arn)["routing.http.drop_invalid_header_fields.enabled"] == "false"
    assert world.attributes(arn)["idle_timeout.timeout_seconds"] == "60"
    assert world.tags(arn) == {}


def test_a_target_group_gets_every_property_and_goes_back_to_the_defaults(world):
    asked = {
        "TargetType": "ip",
        "ProtocolVersion": "HTTP2",
        "HealthCheckPath": "/health",
        "HealthCheckProtocol": "HTTPS",
        "HealthCheckPort": "8080",
        "HealthCheckIntervalSeconds": 7,
        "HealthCheckTimeoutSeconds": 3,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 4,
        "Matcher": {"HttpCode": "200-204"},
    }
    more = {
        "TargetGroupAttributes": attributes(
            deregistration_delay__timeout_seconds="3600", slow_start__duration_seconds="30"
        ),
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    stack = create(world.aws, world.template(Group={**asked, **more}))
    seen = world.group(stack)
    arn, published = seen["TargetGroupArn"], outputs(stack)
    assert {name: seen[name] for name in asked} == asked
    assert seen["LoadBalancerArns"] == [published["BalancerLoadBalancerArn"]]
    assert published["GroupTargetGroupFullName"] == f"targetgroup/{arn.split(':targetgroup/')[1]}"
    assert published["GroupTargetGroupName"] == seen["TargetGroupName"]
    assert world.attributes(arn)["deregistration_delay.timeout_seconds"] == "3600"
    assert world.attributes(arn)["slow_start.duration_seconds"] == "30"
    assert world.tags(arn) == {"team": "a"}

    algorithm = attributes(load_balancing__algorithm__type="least_outstanding_requests")
    kept = {"TargetType": "ip", "ProtocolVersion": "HTTP2", "TargetGroupAttributes": algorithm}
    stack = update(world.aws, stack, world.template(Group=kept))
    seen = world.group(stack)
    assert seen["TargetGroupArn"] == arn
    assert (seen["HealthCheckPath"], seen["HealthCheckProtocol"]) == ("/", "HTTP")
    assert (seen["HealthCheckPort"], seen["Matcher"]) == ("traffic-port", {"HttpCode": "200"})
    assert (seen["HealthCheckIntervalSeconds"], seen["HealthCheckTimeoutSeconds"]) == (30, 5)
    assert (seen["HealthyThresholdCount"], seen["UnhealthyThresholdCount"]) == (5, 2)
    now = world.attributes(arn)
    assert now["deregistration_delay.timeout_seconds"] == "300"
    assert now["slow_start.duration_seconds"] == "0"
    assert now["load_balancing.algorithm.type"] == "least_outstanding_requests"
    assert world.tags(arn) == {}


def test_a_target_group_of_another_port_is_another_target_group(world):
    stack = create(world.aws, world.template())
    before = world.group(stack)["TargetGroupArn"]
    stack = update(world.aws, stack, world.template(Group={"Port": 82}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert world.group(stack)["Port"] == 82
    with pytest.raises(ClientError, match="TargetGroupNotFound"):
        world.api.describe_target_groups(TargetGroupArns=[before])


def test_a_listener_gets_every_property_and_all_of_it_can_change(world):
    first, second = world.certificate(), world.certificate()
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": first}]}
    tagged = {"Tags": [{"Key": "team", "Value": "a"}]}
    stack = create(world.aws, world.template(Listener={**secure, **tagged, "SslPolicy": TLS}))
    seen = world.listener(stack)
    arn = seen["ListenerArn"]
    assert (seen["Protocol"], seen["Port"], seen["SslPolicy"]) == ("HTTPS", 443, TLS)
    assert seen["Certificates"] == [{"CertificateArn": first}]
    assert seen["DefaultActions"][0]["TargetGroupArn"] == outputs(stack)["GroupTargetGroupArn"]
    assert world.tags(arn) == {"team": "a"}

    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    changed = {"Certificates": [{"CertificateArn": second}], "DefaultActions": [fixed]}
    stack = update(world.aws, stack, world.template(Listener={**secure, **changed}))
    seen = world.listener(stack)
    assert (seen["ListenerArn"], seen["SslPolicy"]) == (arn, "ELBSecurityPolicy-2016-08")
    assert (seen["Certificates"], seen["DefaultActions"]) == (changed["Certificates"], [fixed])
    assert world.tags(arn) == {}

    to = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    redirect = {"DefaultActions": [{"Type": "redirect", "RedirectConfig": to}]}
    stack = update(world.aws, stack, world.template(Listener=redirect))
    seen = world.listener(stack)
    assert (seen["ListenerArn"], seen["Protocol"], seen["Port"]) == (arn, "HTTP", 80)
    assert seen["DefaultActions"] == redirect["DefaultActions"]
    assert "Certificates" not in seen
    assert "SslPolicy" not in seen


def test_a_rule_gets_every_property_and_all_of_it_can_change(world):
    first = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/a/*"]}}
    second = {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example.com"]}}
    asked = {"Conditions": [first, second], "Priority": 7, "Tags": [{"Key": "team", "Value": "a"}]}
    stack = create(world.aws, world.template(Rule=asked))
    seen = world.rule(stack)
    arn = seen["RuleArn"]
    assert (seen["Conditions"], seen["Priority"]) == ([first, second], "7")
    assert seen["Actions"][0]["TargetGroupArn"] == outputs(stack)["OtherTargetGroupArn"]
    assert outputs(stack)["RuleIsDefault"] == "false"
    assert world.tags(arn) == {"team": "a"}

    plain = {"Field": "host-header", "Values": ["b.example.com"]}
    changed = {"Conditions": [plain], "Priority": "9", "Actions": forward("Group")}
    stack = update(world.aws, stack, world.template(Rule=changed))
    seen = world.rule(stack)
    assert (seen["RuleArn"], seen["Priority"], seen["Conditions"]) == (arn, "9", [plain])
    assert seen["Actions"][0]["TargetGroupArn"] == outputs(stack)["GroupTargetGroupArn"]
    assert world.tags(arn) == {}


def test_actions_may_share_requests_between_target_groups(world):
    weighted = [
        {"TargetGroupArn": {"Ref": group}, "Weight": weight}
        for group, weight in (("Group", "3"), ("Other", 1))
    ]
    shared = [{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}]
    stack = create(world.aws, world.template(Listener={"DefaultActions": shared}))
    (action,) = world.listener(stack)["DefaultActions"]
    assert [group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]] == [3, 1]


def test_a_target_group_that_only_a_rule_forwards_to_is_in_use(world):
    stack = create(world.aws, world.template())
    arn = outputs(stack)["OtherTargetGroupArn"]

    def health() -> str:
        targets = world.api.describe_target_health(TargetGroupArn=arn)
        return targets["TargetHealthDescriptions"][0]["TargetHealth"].get("Reason", "")

    world.api.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.0.1"}])
    assert health() != "Target.NotInUse"
    with pytest.raises(ClientError, match="ResourceInUse"):
        world.api.delete_target_group(TargetGroupArn=arn)
    stack = update(world.aws, stack, world.template(Rule={"Actions": forward("Group")}))
    assert health() == "Target.NotInUse"
    (group,) = world.api.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert group["LoadBalancerArns"] == []
    world.api.delete_target_group(TargetGroupArn=arn)


def test_deletion_leaves_nothing(world):
    before = world.there()
    stack = create(world.aws, world.template())
    assert world.there() == (before[0] + 1, before[1] + 2)
    delete(world.aws, stack)
    assert world.there() == before
    with pytest.raises(ClientError, match="ListenerNotFound"):
        world.listener(stack)
    with pytest.raises(ClientError, match="RuleNotFound"):
        world.rule(stack)


def test_a_stack_is_deleted_though_somebody_else_has_deleted_resources_of_it(world):
    stack = create(world.aws, world.template())
    world.api.delete_load_balancer(LoadBalancerArn=outputs(stack)["BalancerLoadBalancerArn"])
    world.api.delete_target_group(TargetGroupArn=outputs(stack)["OtherTargetGroupArn"])
    delete(world.aws, stack)
    stacks = world.aws.client("cloudformation").describe_stacks(StackName=stack["StackId"])
    assert stacks["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
