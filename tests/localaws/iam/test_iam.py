"""What localaws/iam/iam.py refuses, seen with the SDK's eyes by a Lambda function."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from localaws.server import LocalAws
from tests.support.localaws.iam import (
    HERE,
    SERVICE,
    Function,
    Statement,
    allow,
    deny,
    document,
    register,
    update,
)


@pytest.mark.parametrize(
    ("service", "call", "parameters", "code", "what"),
    [
        (
            "ecs",
            "update_service",
            {"cluster": "production", "service": "api"},
            "AccessDeniedException 400",
            f"ecs:UpdateService on resource: {SERVICE}",
        ),
        (
            "ecs",
            "list_tasks",
            {"cluster": "production"},
            "AccessDeniedException 400",
            "ecs:ListTasks on resource: *",
        ),
        (
            "ssm",
            "get_parameter",
            {"Name": "/slipway/repositories/api"},
            "AccessDeniedException 400",
            f"ssm:GetParameter on resource: arn:aws:ssm:{HERE}:parameter/slipway/repositories/api",
        ),
        (
            "dynamodb",
            "get_item",
            {"TableName": "ledger", "Key": {"pk": {"S": "p"}}},
            "AccessDeniedException 400",
            f"dynamodb:GetItem on resource: arn:aws:dynamodb:{HERE}:table/ledger",
        ),
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:release"},
            "AccessDeniedException 400",
            f"states:StartExecution on resource: arn:aws:states:{HERE}:stateMachine:release",
        ),
        (
            "ecr",
            "describe_repositories",
            {},
            "AccessDeniedException 400",
            f"ecr:DescribeRepositories on resource: arn:aws:ecr:{HERE}:repository/*",
        ),
        (
            "cloudwatch",
            "describe_alarms",
            {"AlarmNames": ["a"]},
            "AccessDenied 403",
            f"cloudwatch:DescribeAlarms on resource: arn:aws:cloudwatch:{HERE}:alarm:*",
        ),
        (
            "elbv2",
            "describe_target_health",
            {"TargetGroupArn": f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/api/1"},
            "AccessDenied 403",
            "elasticloadbalancing:DescribeTargetHealth",
        ),
        (
            "sns",
            "publish",
            {"TopicArn": f"arn:aws:sns:{HERE}:told", "Message": "m"},
            "AuthorizationError 403",
            f"SNS:Publish on resource: arn:aws:sns:{HERE}:told",
        ),
    ],
)
def test_a_call_that_no_policy_allows_is_refused_as_the_service_words_it(
    aws: LocalAws, service: str, call: str, parameters: dict[str, Any], code: str, what: str
) -> None:
    function = Function(aws, allow("s3:*"))
    assert function.refusal(service, call, **parameters) == (
        f"{code} User: {function.session} is not authorized to perform: {what}"
        f" because no identity-based policy allows the {what.split()[0]} action"
    )


def test_a_call_that_a_policy_allows_is_done(aws: LocalAws) -> None:
    aws.client("ssm").put_parameter(Name="/allowed", Value="plan", Type="String")
    function = Function(aws, allow("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/allowed"))
    found = function.client("ssm").get_parameter(Name="/allowed")
    assert found["Parameter"]["Value"] == "plan"


def test_an_explicit_deny_wins(aws: LocalAws) -> None:
    function = Function(aws, deny("ecs:UpdateService", SERVICE), allow("*"))
    assert update(function) == (
        f"AccessDeniedException 400 User: {function.session} is not authorized to perform:"
        f" ecs:UpdateService on resource: {SERVICE} with an explicit deny in an identity-based policy"
    )
    assert update(function, service="other") == ""


@pytest.mark.parametrize("action", ["*", "ecs:*", "ecs:Update?ervice", "ECS:updateSERVICE"])
def test_an_action_has_wildcards_and_no_case(aws: LocalAws, action: str) -> None:
    assert update(Function(aws, allow(["s3:GetObject", action]))) == ""


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (SERVICE, True),
        (f"arn:aws:ecs:{HERE}:service/*", True),
        (f"arn:aws:ecs:{HERE}:service/production/a?i", True),
        ("arn:*:ecs:*:*:service/production/*", True),
        ([f"arn:aws:ecs:{HERE}:cluster/production", SERVICE], True),
        (f"arn:aws:ecs:{HERE}:service/staging/*", False),
        (f"arn:aws:ecs:{HERE}:SERVICE/*", False),
        (f"arn:aws:ecs:{HERE}:service/production/ap", False),
        ("arn:aws:ecs:*:service/production/api", False),  # a wildcard stays in its part
    ],
)
def test_a_resource_has_wildcards_and_case(aws: LocalAws, resource: Any, allowed: bool) -> None:
    assert (update(Function(aws, allow("ecs:UpdateService", resource))) == "") is allowed


@pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals", "StringLike"])
def test_ecs_cluster_is_the_cluster_that_the_call_names(aws: LocalAws, operator: str) -> None:
    condition = {
        operator: {"ECS:Cluster": [f"arn:aws:ecs:{HERE}:cluster/{n}" for n in ("a*", "default")]}
    }
    function = Function(aws, allow("ecs:*", Condition=condition))
    assert update(function, cluster="acceptance") == ""
    assert update(function, cluster=f"arn:aws:ecs:{HERE}:cluster/acceptance") == ""
    assert function.refusal("ecs", "update_service", service="api") == ""  # the cluster default
    assert "ecs:UpdateService on resource" in update(function, cluster="production")
    listing = function.refusal("ecs", "list_tasks", cluster="production")
    assert "ecs:ListTasks on resource: * because" in listing


def test_all_conditions_of_a_statement_have_to_hold(aws: LocalAws) -> None:
    condition = {
        "ArnLike": {"ecs:cluster": "arn:*:ecs:*:*:cluster/production"},
        "StringEquals": {"ecs:CreateAction": "UpdateService"},  # a key that the call does not have
    }
    assert update(Function(aws, allow("ecs:*", Condition=condition))) != ""


def test_a_change_of_the_policy_counts_for_the_next_call(aws: LocalAws) -> None:
    function = Function(aws)
    assert update(function) != ""
    function.may(allow("ecs:UpdateService"))
    assert update(function) == ""
    function.iam.delete_role_policy(RoleName=function.role, PolicyName="inline")
    assert update(function) != ""


def test_attached_policies_count_in_their_default_version(aws: LocalAws) -> None:
    function = Function(aws)
    policy = function.iam.create_policy(
        PolicyName=function.role, PolicyDocument=document(allow("ecs:UpdateService"))
    )["Policy"]["Arn"]
    function.iam.attach_role_policy(RoleName=function.role, PolicyArn=policy)
    assert update(function) == ""
    function.iam.create_policy_version(
        PolicyArn=policy, PolicyDocument=document(allow("ecs:ListTasks")), SetAsDefault=True
    )
    assert update(function) != ""


def test_policies_of_aws_count(aws: LocalAws) -> None:
    function = Function(aws)
    policy = "arn:aws:iam::aws:policy/AmazonECS_FullAccess"
    function.iam.attach_role_policy(RoleName=function.role, PolicyArn=policy)
    function.iam.detach_role_policy(RoleName=function.role, PolicyArn=policy)
    assert update(function) != ""
    policy = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"
    function.iam.attach_role_policy(RoleName=function.role, PolicyArn=policy)
    assert function.refusal("ssm", "get_parameter", Name="none") == ""


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, "policy element NotAction"),
        ({"Effect": "Allow", "Action": "*", "NotResource": "*"}, "policy element NotResource"),
        (
            allow("*", Condition={"Null": {"aws:SecureTransport": "true"}}),
            "condition operator Null",
        ),
        (
            allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}),
            "condition key aws:ResourceTag/team",
        ),
        (allow("*", "arn:aws:ecs:*:*:service/${aws:username}"), "policy variables"),
    ],
)
def test_a_policy_that_cannot_be_judged_is_not_implemented(
    aws: LocalAws, statement: Statement, what: str
) -> None:
    refusal = update(Function(aws, statement))
    assert refusal.startswith("NotImplemented 501 the local AWS: ecs UpdateService: IAM: ")
    assert what in refusal


@pytest.mark.parametrize(("secure", "refused"), [("true", False), (False, True)])
def test_every_request_counts_as_one_by_https(
    aws: LocalAws, secure: object, *, refused: bool
) -> None:
    statement = allow("*", Condition={"Bool": {"aws:SecureTransport": secure}})
    assert ("not authorized" in update(Function(aws, statement))) is refused


def test_a_permissions_boundary_is_not_implemented(aws: LocalAws) -> None:
    function = Function(aws, allow("*"))
    function.iam.put_role_permissions_boundary(
        RoleName=function.role, PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess"
    )
    assert f"IAM: PermissionsBoundary of role {function.role}" in update(function)


def test_a_call_with_any_other_access_key_is_not_checked(aws: LocalAws) -> None:
    assert "clusterArns" in aws.client("ecs").list_clusters()


def test_a_call_is_recorded_with_the_permissions_that_it_needs(aws: LocalAws) -> None:
    function = Function(aws)
    register(function, tags=[{"key": "k", "value": "v"}], taskRoleArn="task")
    calls = requests.get(f"{aws.url}/_localaws/calls", timeout=10).json()
    ours = [call for call in calls if call["function"] == function.name]
    assert all(call.pop("ms") > 0 for call in ours)
    assert ours == [
        {
            "function": function.name,
            "service": "ecs",
            "action": "RegisterTaskDefinition",
            "permissions": ["ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"],
        }
    ]
