"""What every template keeps to: Slipway's own, and those of the environment."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse as parse

from slipway.ledger.ledger import CHANGE_SECONDS
from tests.support.paths import REPO

SLIPWAY = parse((REPO / "template.yaml").read_text())
FILES = sorted([REPO / "template.yaml", *REPO.glob("environment/*.yaml")])

# AWS can't narrow these to a resource, or not to the ones that are meant; the templates say which and why.
FOR_EVERY_RESOURCE = {
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricData",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
WEB = {("LoadBalancerSecurityGroup", 80, 80), ("LoadBalancerSecurityGroup", 443, 443)}


@pytest.fixture(scope="module", params=FILES, ids=lambda file: str(file.relative_to(REPO)))
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return parse(request.param.read_text())


def everything(node: Any) -> Iterator[Any]:
    """The node and all that is in it, whichever way its conditions go."""
    yield node
    children = list(node.values()) if isinstance(node, dict) else node
    for child in children if isinstance(children, list) else []:
        yield from everything(child)


def mappings(node: Any) -> list[dict[str, Any]]:
    return [part for part in everything(node) if isinstance(part, dict)]


def texts(node: Any) -> list[str]:
    return [part for part in everything(node) if isinstance(part, str)]


def allowed(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of all policies that allow something."""
    return [part for part in mappings(template["Resources"]) if part.get("Effect") == "Allow"]


def actions(statement: dict[str, Any]) -> list[str]:
    return ["*"] if "NotAction" in statement else texts(statement["Action"])


def boundless_actions(template: dict[str, Any]) -> list[str]:
    return [
        action
        for statement in allowed(template)
        for action in actions(statement)
        if action == "*" or action.endswith(":*")
    ]


def boundless_resources(template: dict[str, Any]) -> list[str]:
    return [
        action
        for statement in allowed(template)
        # A policy that names who may, is one of a resource, and its "*" is that resource.
        if "Principal" not in statement
        and ("NotResource" in statement or "*" in texts(statement["Resource"]))
        for action in actions(statement)
        if action not in FOR_EVERY_RESOURCE
    ]


def open_to_the_world(template: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The group, or the rule on its own, and the first and the last port."""
    return [
        (name, rule.get("FromPort"), rule.get("ToPort"))
        for name, resource in template["Resources"].items()
        for rule in incoming(resource)
        if lets_everybody_in(rule, template.get("Parameters", {}))
    ]


def incoming(resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource["Type"] == "AWS::EC2::SecurityGroup":
        rules = resource["Properties"].get("SecurityGroupIngress")
        return [part for part in mappings(rules) if "IpProtocol" in part]
    return [resource["Properties"]] if resource["Type"] == "AWS::EC2::SecurityGroupIngress" else []


def lets_everybody_in(rule: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Whether its addresses are all there are, or a parameter that could name them."""
    sources = [rule[key] for key in ("CidrIp", "CidrIpv6") if key in rule]
    return any(
        text.endswith("/0")
        or (text in parameters and re.fullmatch(pattern(parameters[text]), "0.0.0.0/0"))
        for source in sources
        for text in texts(source)
    )


def pattern(parameter: dict[str, Any]) -> str:
    return str(parameter.get("AllowedPattern", ".*"))


def undescribed_parameters(template: dict[str, Any]) -> list[str]:
    return [
        name
        for name, parameter in template.get("Parameters", {}).items()
        if not parameter.get("Description")
    ]


def unexplained_skips(template: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, skip["id"])
        for name, resource in template["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
        if not skip.get("comment")
    ]


def half_retained(template: dict[str, Any]) -> list[str]:
    return [
        name
        for name, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
        and resource.get("UpdateReplacePolicy") != "Retain"
    ]


def test_no_policy_allows_every_action_of_a_service(template):
    assert boundless_actions(template) == []


def test_an_action_is_allowed_on_every_resource_only_where_it_cannot_be_narrowed(template):
    assert boundless_resources(template) == []


def test_the_world_reaches_the_load_balancers_web_ports_only(template):
    assert set(open_to_the_world(template)) <= WEB


def test_each_parameter_is_described(template):
    assert undescribed_parameters(template) == []


def test_each_check_that_is_skipped_says_why(template):
    assert unexplained_skips(template) == []


def test_a_resource_that_is_kept_on_deletion_is_kept_on_replacement(template):
    assert half_retained(template) == []


BROKEN = """
Parameters:
  Described: {Type: String, Description: Something.}
  Undescribed: {Type: String}
  Anywhere: {Type: String, Description: Any addresses.}
  Somewhere: {Type: String, Description: Not all., AllowedPattern: "[0-9.]+/16"}
Conditions:
  Sometimes: !Equals [!Ref Described, ""]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Effect: Allow, Action: [s3:GetObject, "s3:*"], Resource: arn:aws:s3:::bucket/*}
              - {Effect: Allow, Action: !If [Sometimes, "*", sqs:SendMessage], Resource: arn:aws:sqs:::q}
              - {Effect: Allow, NotAction: iam:PassRole, Resource: arn:aws:iam:::role/a}
              - {Effect: Deny, Action: "ec2:*", Resource: "*"}
              - {Effect: Allow, Action: [sns:Publish, ecs:ListTasks], Resource: ["*"]}
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      PolicyDocument:
        Statement: {Effect: Allow, Principal: "*", Action: sns:Subscribe, Resource: "*"}
  Group:
    Type: AWS::EC2::SecurityGroup
    Metadata: {checkov: {skip: [{id: CKV_1, comment: It is so.}, {id: CKV_2}, {id: CKV_3, comment: ""}]}}
    Properties:
      SecurityGroupIngress: !If
        - Sometimes
        - - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
          - {IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: 10.0.0.0/8}
          - {IpProtocol: tcp, FromPort: 2, ToPort: 2, CidrIp: !Ref Somewhere}
        - - {IpProtocol: tcp, FromPort: 3, ToPort: 4, CidrIpv6: "::/0"}
          - {IpProtocol: -1, CidrIp: !Ref Anywhere}
      SecurityGroupEgress:
        - {IpProtocol: tcp, FromPort: 5, ToPort: 5, CidrIp: 0.0.0.0/0}
  Rule:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {IpProtocol: tcp, FromPort: 6, ToPort: 6, CidrIp: 0.0.0.0/0}
  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, UpdateReplacePolicy: Retain}
  HalfKept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain}
"""


@pytest.mark.parametrize(
    ("find", "found"),
    [
        (boundless_actions, ["s3:*", "*", "*"]),
        (boundless_resources, ["sns:Publish"]),
        (
            open_to_the_world,
            [("Group", 22, 22), ("Group", 3, 4), ("Group", None, None), ("Rule", 6, 6)],
        ),
        (undescribed_parameters, ["Undescribed"]),
        (unexplained_skips, [("Group", "CKV_2"), ("Group", "CKV_3")]),
        (half_retained, ["HalfKept"]),
    ],
)
def test_a_template_that_breaks_a_rule_is_found_out(find, found):
    assert find(parse(BROKEN)) == found


@pytest.mark.parametrize("function", ["UpdateService", "RollBack"])
def test_a_function_that_changes_a_service_runs_as_long_as_its_change_mark_lasts(function):
    template = SLIPWAY
    assert template["Resources"][function]["Properties"]["Timeout"] == CHANGE_SECONDS


def test_a_notice_to_slack_is_hidden_for_six_times_as_long_as_its_function_may_run():
    template = SLIPWAY
    function = template["Resources"]["NotifySlack"]["Properties"]
    timeout = function.get("Timeout", template["Globals"]["Function"]["Timeout"])
    notices = template["Resources"]["SlackNotices"]["Properties"]
    assert notices["VisibilityTimeout"] == 6 * timeout


def test_an_undelivered_notice_outlives_one_that_waits():
    resources = SLIPWAY["Resources"]
    waiting, undelivered = (
        resources[name]["Properties"]["MessageRetentionPeriod"]
        for name in ("SlackNotices", "UndeliveredSlack")
    )
    assert waiting < undelivered


# --- the sweep and its alarms -----------------------------------------------------------------------

MOST_MINUTES = SLIPWAY["Parameters"]["SweepMinutes"]["MaxValue"]


def properties(logical_id: str) -> dict[str, Any]:
    return dict(SLIPWAY["Resources"][logical_id]["Properties"])


def test_the_alarm_on_missed_runs_looks_back_over_three_however_often_the_sweep_runs() -> None:
    alarm = properties("SweepMissed")

    assert alarm["EvaluationPeriods"] == {"Ref": "SweepMinutes"}
    assert alarm["Period"] == 3 * 60
    assert alarm["Period"] * MOST_MINUTES <= 86_400  # as far as CloudWatch looks back


def test_the_alarm_on_missed_runs_warms_up_until_the_first_run_is_reported() -> None:
    warm_up = properties("SweepMissed")["WarmUpConfiguration"]["WarmUpPeriodDurationInMinutes"]

    assert warm_up > MOST_MINUTES + properties("Sweep")["Timeout"] / 60


def test_the_alarm_on_slow_runs_fires_for_a_run_that_ended_itself_and_before_lambda_ends_it() -> (
    None
):
    seconds = properties("Sweep")["Timeout"]
    threshold = properties("SweepSlow")["Threshold"] / 1000

    assert threshold < seconds - importlib.import_module("sweep").LEFT_OVER_SECONDS < seconds


@pytest.mark.parametrize("logical_id", ["SweepFailed", "SweepSlow"])
def test_an_alarm_on_runs_looks_back_longer_than_a_run_takes(logical_id: str) -> None:
    alarm = properties(logical_id)

    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 2 * properties("Sweep")["Timeout"]


def is_allowed(parameter: str, value: str) -> bool:
    template = SLIPWAY
    return re.fullmatch(pattern(template["Parameters"][parameter]), value) is not None


@pytest.mark.parametrize(
    "prefix", ["", "shop", "shop/api", "a.b_c-d/e", "shop__old", "a--b", "team/shop/x"]
)
def test_a_repository_prefix_is_a_name_that_a_repository_can_have(prefix):
    assert is_allowed("RepositoryPrefix", prefix)


@pytest.mark.parametrize("prefix", ["shop/", "/shop", "shop//api", "shop*", "Shop", "shop-", "."])
def test_a_repository_prefix_that_no_repository_can_have_is_refused(prefix):
    assert not is_allowed("RepositoryPrefix", prefix)


@pytest.mark.parametrize(
    "role", ["*", "arn:aws:iam::123456789012:role/shop-*", "arn:aws-cn:iam::123456789012:role/a/b"]
)
def test_a_task_role_is_every_one_or_the_arn_of_some(role):
    assert is_allowed("TaskRoles", role)


@pytest.mark.parametrize("role", ["", "shop-*", "arn:aws:iam::123456789012:user/ada", "arn:*"])
def test_a_task_role_that_is_no_arn_of_a_role_is_refused(role):
    assert not is_allowed("TaskRoles", role)


@pytest.mark.parametrize("prefix", ["/slipway", "/team-b.x_1", "/0"])
def test_a_parameter_prefix_is_one_level_of_the_names_in_ssm(prefix):
    assert is_allowed("ParameterPrefix", prefix)


@pytest.mark.parametrize(
    "prefix", ["", "/", "slipway", "/a/b", "/a/", "/aws", "/SSM-b", "/a b", "/*"]
)
def test_a_parameter_prefix_that_ssm_refuses_or_another_stack_could_share_is_refused(prefix):
    assert not is_allowed("ParameterPrefix", prefix)


CHINA = {
    "AWS::Region": "cn-north-1",
    "AWS::Partition": "aws-cn",
    "AWS::URLSuffix": "amazonaws.com.cn",
}


def in_china(value: Any) -> str:
    """What a text of a template is in China: its Fn::If takes the first way."""
    if "Fn::If" in value:
        condition, there, _ = value["Fn::If"]
        assert condition == "InChina"
        return in_china(there)
    return re.sub(r"\$\{([\w:]+)\}", lambda found: CHINA[found[1]], value["Fn::Sub"])


def test_the_endpoints_of_the_network_are_those_that_china_has() -> None:
    network = parse((REPO / "environment/network.yaml").read_text())
    assert network["Conditions"]["InChina"] == {
        "Fn::Equals": [{"Ref": "AWS::Partition"}, CHINA["AWS::Partition"]]
    }
    names = {
        in_china(resource["Properties"]["ServiceName"])
        for resource in network["Resources"].values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
    }
    assert names == {
        "cn.com.amazonaws.cn-north-1.ecr.api",
        "cn.com.amazonaws.cn-north-1.ecr.dkr",
        "com.amazonaws.cn-north-1.dynamodb",
        "com.amazonaws.cn-north-1.logs",
        "com.amazonaws.cn-north-1.s3",
    }


def test_a_service_that_uses_a_key_has_the_name_that_it_has_in_china(
    template: dict[str, Any],
) -> None:
    named = [
        in_china(name)
        for node in everything(template)
        if isinstance(node, dict)
        for name in node.get("kms:ViaService", [])
    ]
    assert [name for name in named if not name.endswith(".cn-north-1.amazonaws.com.cn")] == []
