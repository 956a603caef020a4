"""Web ACLs, what they are before, and where they log, in CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.stacks import create, delete, outputs, reasons, stack_name, update
from tests.support.localaws.templates import template

SEEN = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True}
COMMON = {
    "Name": "Common",
    "Priority": 1,
    "OverrideAction": {"None": {}},
    "Statement": {
        "ManagedRuleGroupStatement": {
            "VendorName": "AWS",
            "Name": "AWSManagedRulesCommonRuleSet",
        }
    },
    "VisibilityConfig": {"MetricName": "Common", **SEEN},
}
TAGS = {"Tags": [{"Key": "team", "Value": "a"}]}
COUNTED = {key: item for key, item in COMMON.items() if key != "OverrideAction"}
COUNTED["Action"] = {"Count": {}}


def acl(**properties: Any) -> tuple[str, dict[str, Any]]:
    needed = {"DefaultAction": {"Allow": {}}, "VisibilityConfig": {"MetricName": "Acl", **SEEN}}
    return "WAFv2::WebACL", {"Scope": "REGIONAL", **needed, **properties}


def balancer(aws) -> str:
    subnets = aws.client("ec2").describe_subnets()["Subnets"][:2]
    made = aws.client("elbv2").create_load_balancer(
        Name=stack_name(), Subnets=[subnet["SubnetId"] for subnet in subnets]
    )
    return made["LoadBalancers"][0]["LoadBalancerArn"]


def test_a_web_acl_gets_every_property_and_keeps_none_that_its_template_loses(aws):
    waf = aws.client("wafv2")
    full = acl(Description="Common rules", Rules=[COMMON], **TAGS)
    stack = create(aws, template("Acl.Arn", "Acl.Id", "Acl.LabelNamespace", Acl=full))
    published = outputs(stack)
    name, identity, scope = published["It"].split("|")
    assert (identity, scope) == (published["AclId"], "REGIONAL")

    def seen() -> dict[str, Any]:
        return waf.get_web_acl(Name=name, Id=identity, Scope=scope)["WebACL"]

    def tags() -> list[dict[str, str]]:
        answer = waf.list_tags_for_resource(ResourceARN=published["AclArn"])
        return answer["TagInfoForResource"]["TagList"]

    assert (seen()["ARN"], seen()["Description"]) == (published["AclArn"], "Common rules")
    assert seen()["DefaultAction"] == {"Allow": {}}
    assert seen()["VisibilityConfig"] == {"MetricName": "Acl", **SEEN}
    (rule,) = seen()["Rules"]
    assert rule == {**COMMON, **rule}
    assert tags() == TAGS["Tags"]
    changed = acl(DefaultAction={"Block": {}}, VisibilityConfig={"MetricName": "B", **SEEN})
    stack = update(aws, stack, template(Acl=changed))
    assert outputs(stack)["It"] == published["It"]
    assert seen()["DefaultAction"] == {"Block": {}}
    assert seen()["VisibilityConfig"]["MetricName"] == "B"
    assert (seen()["Rules"], seen().get("Description", ""), tags()) == ([], "", [])
    delete(aws, stack)
    with pytest.raises(ClientError, match="WAFNonexistentItemException"):
        seen()


def test_a_load_balancer_is_behind_the_web_acl_that_was_associated_last(aws):
    waf, arn = aws.client("wafv2"), balancer(aws)

    def behind() -> str | None:
        return waf.get_web_acl_for_resource(ResourceArn=arn).get("WebACL", {}).get("ARN")

    def associated(name: str) -> str:
        properties = {"ResourceArn": arn, "WebACLArn": {"Fn::GetAtt": f"{name}.Arn"}}
        association = ("WAFv2::WebACLAssociation", properties)
        return template("One.Arn", "Two.Arn", Both=association, One=acl(), Two=acl())

    stack = create(aws, associated("One"))
    published = outputs(stack)
    assert behind() == published["OneArn"]
    assert published["It"] == f"{arn}|{published['OneArn']}"
    stack = update(aws, stack, associated("Two"))
    assert behind() == published["TwoArn"]
    name, identity = published["TwoArn"].split("/")[-2:]
    token = waf.get_web_acl(Name=name, Id=identity, Scope="REGIONAL")["LockToken"]
    with pytest.raises(ClientError, match="WAFAssociatedItemException"):
        waf.delete_web_acl(Name=name, Id=identity, Scope="REGIONAL", LockToken=token)
    delete(aws, stack)
    assert behind() is None


def test_a_web_acl_logs_where_its_logging_configuration_says(aws):
    waf, logs = aws.client("wafv2"), "arn:aws:logs:us-east-1:123456789012:log-group"
    only = {"DefaultBehavior": "DROP", "Filters": []}
    only["Filters"] = [
        {
            "Behavior": "KEEP",
            "Requirement": "MEETS_ANY",
            "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
        }
    ]

    def logging(name: str, **more: Any) -> str:
        properties = {"ResourceArn": {"Fn::GetAtt": "Acl.Arn"}, **more}
        to = {"LogDestinationConfigs": [f"{logs}:{name}"]}
        return template(Logging=("WAFv2::LoggingConfiguration", {**properties, **to}), Acl=acl())

    def seen() -> dict[str, Any]:
        answer = waf.get_logging_configuration(ResourceArn=outputs(stack)["It"])
        return answer["LoggingConfiguration"]

    redacted = [{"SingleHeader": {"Name": "authorization"}}]
    stack = create(aws, logging("aws-waf-logs-a", LoggingFilter=only, RedactedFields=redacted))
    assert seen()["LogDestinationConfigs"] == [f"{logs}:aws-waf-logs-a"]
    assert (seen()["LoggingFilter"], seen()["RedactedFields"]) == (only, redacted)
    stack = update(aws, stack, logging("aws-waf-logs-b"))
    assert seen()["LogDestinationConfigs"] == [f"{logs}:aws-waf-logs-b"]
    assert not seen().get("LoggingFilter")
    delete(aws, stack)
    with pytest.raises(ClientError, match="WAFNonexistentItemException"):
        seen()
    stack = create(aws, logging("elsewhere"))
    assert "must begin with aws-waf-logs-" in reasons(aws, stack)["Logging"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Scope": "CLOUDFRONT"}, "Scope CLOUDFRONT"),
        ({"Rules": [COMMON, {**COMMON, "Priority": 2}]}, "two have the same Name"),
        ({"Rules": [COMMON, {**COMMON, "Name": "Other"}]}, "two have the same Priority"),
        ({"Rules": [COUNTED]}, "Common needs OverrideAction and no Action"),
    ],
)
def test_a_web_acl_that_is_wrong_is_not_made_nor_is_one_changed_to_it(aws, properties, reason):
    waf = aws.client("wafv2")
    before = waf.list_web_acls(Scope="REGIONAL")["WebACLs"]
    failed = create(aws, template(Acl=acl(**properties)))
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, failed)["Acl"]
    assert waf.list_web_acls(Scope="REGIONAL")["WebACLs"] == before
    if "Rules" not in properties:  # another scope is another web ACL
        return
    stack = create(aws, template(Acl=acl(Rules=[COMMON])))
    stack = update(aws, stack, template(Acl=acl(**properties)))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    name, identity, scope = outputs(stack)["It"].split("|")
    now = waf.get_web_acl(Name=name, Id=identity, Scope=scope)["WebACL"]
    assert [rule["Name"] for rule in now["Rules"]] == ["Common"]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (
            "arn:aws:apigateway:us-east-1::/restapis/a/stages/b",
            "AssociateWebACL with arn:aws:apigat",
        ),
        (
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/none/0123456789",
            "WAFNonexistentItemException",
        ),
    ],
)
def test_a_web_acl_is_associated_with_a_load_balancer_that_is_there(aws, resource, reason):
    properties = {"ResourceArn": resource, "WebACLArn": {"Fn::GetAtt": "Acl.Arn"}}
    stack = create(aws, template(Both=("WAFv2::WebACLAssociation", properties), Acl=acl()))
    assert reason in reasons(aws, stack)["Both"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
