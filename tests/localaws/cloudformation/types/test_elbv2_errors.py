"""What load balancing refuses, and that CloudFormation then puts back what was before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.elbv2 import World, attributes, templated
from tests.support.localaws.stacks import create, delete, outputs, reasons, update

NO_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/none"
HTTPS = {"Protocol": "HTTPS", "Port": 443}
SLOWLY = attributes(
    slow_start__duration_seconds="30", load_balancing__algorithm__type="weighted_random"
)
MITIGATED = attributes(load_balancing__algorithm__anomaly_mitigation="on")
LOGGED = attributes(access_logs__s3__enabled="true", access_logs__s3__bucket="nobodys-bucket")


@pytest.fixture
def world(aws) -> World:
    return World(aws)


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Balancer", {"Type": "network"}, "Type network"),
        ("Balancer", {"Subnets": ["subnet-0"]}, "SubnetNotFound"),
        ("Balancer", {"SecurityGroups": ["sg-0"]}, "'sg-0' does not exist"),
        ("Balancer", {"LoadBalancerAttributes": attributes(no__such="1")}, "Key no.such not valid"),
        (
            "Balancer",
            {"LoadBalancerAttributes": LOGGED},
            "Access Denied for bucket: nobodys-bucket",
        ),
        ("Group", {"TargetType": "lambda"}, "TargetType lambda"),
        ("Group", {"Protocol": "TCP"}, "Protocol TCP"),
        ("Group", {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 6}, "smaller"),
        (
            "Group",
            {"TargetGroupAttributes": attributes(no__such="1")},
            "'no.such' is not recognized",
        ),
        (
            "Group",
            {"TargetGroupAttributes": attributes(deregistration_delay__timeout_seconds="3601")},
            "can't be '3601'",
        ),
        ("Group", {"TargetGroupAttributes": SLOWLY}, "Slow start goes only with round_robin"),
        ("Group", {"TargetGroupAttributes": MITIGATED}, "only with weighted_random"),
        ("Listener", HTTPS, "A certificate must be specified for HTTPS listeners"),
        (
            "Listener",
            {**HTTPS, "Certificates": [{"CertificateArn": NO_CERTIFICATE}]},
            "CertificateNotFound",
        ),
        ("Listener", {"SslPolicy": "ELBSecurityPolicy-2015-05"}, "HTTP listener has neither"),
        ("Listener", {"DefaultActions": [{"Type": "forwards"}]}, "must be one of forward"),
        ("Rule", {"Conditions": [{"Field": "path", "Values": ["/"]}]}, "Condition field 'path'"),
        (
            "Rule",
            {"Actions": [{"Type": "forward", "TargetGroupArn": "none"}]},
            "TargetGroupNotFound",
        ),
    ],
)
def test_a_wrong_load_balancing_resource_is_not_made_and_nothing_stays(
    world, name, properties, reason
):
    before = world.there()
    stack = create(world.aws, world.template(**{name: properties}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(world.aws, stack)[name]
    assert world.there() == before


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Balancer", {"LoadBalancerAttributes": attributes(no__such="1")}, "Key no.such not valid"),
        ("Group", {"HealthCheckIntervalSeconds": 5}, "smaller than the interval"),
        (
            "Group",
            {"TargetGroupAttributes": attributes(no__such="1")},
            "'no.such' is not recognized",
        ),
        ("Listener", HTTPS, "A certificate must be specified for HTTPS listeners"),
        (
            "Listener",
            {"DefaultActions": [{"Type": "forward", "TargetGroupArn": "none"}]},
            "TargetGroupNotFound",
        ),
        ("Rule", {"Priority": 2}, "PriorityInUse"),
    ],
)
def test_an_update_that_is_refused_puts_every_resource_back(world, name, properties, reason):
    def seen() -> list[Any]:
        arns = outputs(stack)
        parts = [part(stack) for part in (world.balancer, world.group, world.listener, world.rule)]
        kinds = ("BalancerLoadBalancerArn", "GroupTargetGroupArn")
        return [*parts, *(world.attributes(arns[kind]) for kind in kinds)]

    def template(**changed: Any) -> str:
        return templated({**world.resources(**changed), "Second": second})

    second = world.resources(Rule={"Priority": 2})["Rule"]
    stack = create(world.aws, template())
    before = seen()
    # The load balancer's change comes first, and is undone last.
    idle = attributes(idle_timeout__timeout_seconds="9")
    changed = {"Balancer": {"LoadBalancerAttributes": idle}, name: properties}
    stack = update(world.aws, stack, template(**changed))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in reasons(world.aws, stack)[name]
    assert seen() == before


def test_an_https_listener_has_one_certificate_and_a_policy_that_there_is(world):
    one, two = ({"CertificateArn": world.certificate()} for _ in range(2))
    wrong = {
        "TooManyCertificates": {"Certificates": [one, two]},
        "SSLPolicyNotFound": {"Certificates": [one], "SslPolicy": "none"},
    }
    for reason, properties in wrong.items():
        good = create(world.aws, world.template(Listener={**HTTPS, "Certificates": [one]}))
        before = world.listener(good)
        template = world.template(Listener={**HTTPS, **properties})
        assert reason in reasons(world.aws, create(world.aws, template))["Listener"]
        assert reason in reasons(world.aws, update(world.aws, good, template))["Listener"]
        assert world.listener(good) == before


def test_access_logs_need_a_bucket_that_the_load_balancer_may_write_to(world):
    s3, name = world.aws.client("s3"), "elb-logs"
    s3.create_bucket(Bucket=name)
    log = attributes(
        access_logs__s3__enabled="true", access_logs__s3__bucket=name, access_logs__s3__prefix="web"
    )
    logged = {"LoadBalancerAttributes": log}

    def policy(place: str) -> dict[str, Any]:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/{place}/*",
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        properties = {"Bucket": name, "PolicyDocument": document}
        return {"Type": "AWS::S3::BucketPolicy", "Properties": properties}

    def template(place: str) -> str:
        resources = world.resources(Balancer=logged)
        resources["Balancer"]["DependsOn"] = "Policy"
        return templated({**resources, "Policy": policy(place)})

    stack = create(world.aws, template("AWSLogs/123456789012"))
    assert "Access Denied for bucket" in reasons(world.aws, stack)["Balancer"]
    stack = create(world.aws, template("web/AWSLogs/123456789012"))
    kept = world.attributes(outputs(stack)["BalancerLoadBalancerArn"])
    assert {item["Key"]: item["Value"] for item in log}.items() <= kept.items()


def test_a_name_and_a_port_can_be_taken_once(world):
    named = create(world.aws, world.template(Balancer={"Name": "taken"}))
    stack = create(world.aws, world.template(Balancer={"Name": "taken"}))
    assert "DuplicateLoadBalancerName" in reasons(world.aws, stack)["Balancer"]
    again = {**world.resources()["Listener"], "DependsOn": "Listener"}
    stack = update(
        world.aws, named, templated({**world.resources(Balancer={"Name": "taken"}), "Again": again})
    )
    assert "DuplicateListener" in reasons(world.aws, stack)["Again"]


def test_two_subnets_of_one_zone_are_too_few(world):
    subnet = world.subnets[0]
    stack = create(world.aws, world.template(Balancer={"Subnets": [subnet, subnet]}))
    assert "two different Availability Zones" in reasons(world.aws, stack)["Balancer"]


def test_a_protected_load_balancer_is_not_deleted(world):
    def template(protected: str) -> str:
        wanted = attributes(deletion_protection__enabled=protected)
        return world.template(Balancer={"LoadBalancerAttributes": wanted})

    stack = create(world.aws, template("true"))
    delete(world.aws, stack)
    assert "deletion protection is enabled" in reasons(world.aws, stack)["Balancer"]
    arn = outputs(stack)["BalancerLoadBalancerArn"]
    unprotected = attributes(deletion_protection__enabled="false")
    world.api.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=unprotected)
    delete(world.aws, stack)
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        world.balancer(stack)


def test_a_load_balancer_has_no_attribute_arn(world):
    output = {"Arn": {"Value": {"Fn::GetAtt": "Balancer.Arn"}}}
    template = json.dumps({"Resources": world.resources(), "Outputs": output})
    with pytest.raises(ClientError, match="does not support attribute type Arn"):
        create(world.aws, template)
