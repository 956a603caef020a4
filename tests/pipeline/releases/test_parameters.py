"""What the template's parameters do to what is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.account import Account
from tests.support.deployed import deploy

STACK = "narrow"
ROLES = [f"arn:aws:iam::123456789012:role/{name}" for name in ("narrow-*", "ecs/execution")]


@pytest.fixture(scope="module")
def narrow(account: Account) -> Iterator[dict[str, str]]:
    """A second stack, for two clusters and one prefix; what it creates, by logical ID."""
    overrides = {
        "ClusterNames": "production,other",
        "RepositoryPrefix": "narrow",
        "ParameterPrefix": "/narrow-parameters",
        "TaskRoles": ",".join(ROLES),
        "LogGroupPrefix": "/ecs/narrow",
        "ServicePolicies": "required",
        "SettleSeconds": "7",
        "NotificationEmail": "",
    }
    deploy(account.aws, overrides, STACK)
    cloudformation = account.aws.client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    yield {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }
    cloudformation.delete_stack(StackName=STACK)


def statements(account: Account, role: str) -> list[dict[str, Any]]:
    iam = account.aws.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=n)["PolicyDocument"] for n in names]
    return [statement for document in documents for statement in document["Statement"]]


def test_the_rule_takes_pushes_of_the_prefix_only(account: Account, narrow: dict[str, str]) -> None:
    rule = account.aws.client("events").describe_rule(Name=narrow["ReleaseStateMachineImagePushed"])
    pattern = json.loads(rule["EventPattern"])
    assert pattern["detail"]["repository-name"] == [{"prefix": "narrow/"}, "narrow"]


def test_a_push_that_the_rule_can_not_deliver_goes_to_the_queue(
    account: Account, narrow: dict[str, str]
) -> None:
    targets = account.aws.client("events").list_targets_by_rule(
        Rule=narrow["ReleaseStateMachineImagePushed"]
    )
    (target,) = targets["Targets"]
    queue = narrow["UndeliveredPushes"].rpartition("/")[2]
    assert target["DeadLetterConfig"]["Arn"].endswith(f":{queue}")
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 185


@pytest.mark.parametrize(
    "step",
    ["BeginDeployment", "RegisterTaskDefinition", "UpdateService", "CheckDeployment", "RollBack"],
)
def test_a_step_may_touch_services_of_the_named_clusters_only(
    account: Account, narrow: dict[str, str], step: str
) -> None:
    found = statements(account, narrow[f"{step}Role"])
    touching = [s for s in found if any("Service" in a or "Tasks" in a for a in actions(s))]
    assert touching
    for statement in touching:
        clusters = statement["Condition"]["ArnLike"]["ecs:cluster"]
        assert clusters == ["arn:*:ecs:*:*:cluster/production", "arn:*:ecs:*:*:cluster/other"]


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else action


def test_plans_and_images_of_the_prefix_only_may_be_read(
    account: Account, narrow: dict[str, str]
) -> None:
    found = statements(account, narrow["ResolveReleaseRole"])
    assert all(
        [resource.rpartition("/narrow")[2] for resource in statement["Resource"]] == ["", "/*"]
        for statement in found
        if statement["Sid"] not in ("ReadServicePolicies", "RecordReleases")
    )


@pytest.mark.parametrize("step", ["ResolveRelease", "BeginDeployment", "FinishDeployment", "Sweep"])
def test_a_step_may_touch_parameters_below_the_prefix_of_its_stack_only(
    account: Account, narrow: dict[str, str], step: str
) -> None:
    found = statements(account, narrow[f"{step}Role"])
    touching = [s["Resource"] for s in found if any("ssm:" in action for action in actions(s))]
    assert touching
    resources = [r for some in touching for r in (some if isinstance(some, list) else [some])]
    assert {r.split(":parameter/")[1].split("/")[0] for r in resources} == {"narrow-parameters"}


@pytest.mark.parametrize("step", ["RegisterTaskDefinition", "RollBack"])
def test_a_step_may_pass_the_named_roles_only_and_to_tasks_only(
    account: Account, narrow: dict[str, str], step: str
) -> None:
    found = statements(account, narrow[f"{step}Role"])
    (passing,) = [statement for statement in found if "iam:PassRole" in actions(statement)]
    assert passing["Resource"] == ROLES
    assert passing["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }


def test_policies_are_required_of_services(account: Account, narrow: dict[str, str]) -> None:
    found = account.aws.client("lambda").get_function_configuration(
        FunctionName=narrow["ResolveRelease"]
    )
    assert found["Environment"]["Variables"]["SERVICE_POLICIES"] == "required"


def test_logs_of_the_named_groups_only_may_be_read(
    account: Account, narrow: dict[str, str]
) -> None:
    found = statements(account, narrow["NotifyRole"])
    (reading,) = [statement for statement in found if "logs:GetLogEvents" in actions(statement)]
    assert reading["Resource"].endswith(":log-group:/ecs/narrow*:log-stream:*")


def test_the_settle_time_is_in_the_state_machine(account: Account, narrow: dict[str, str]) -> None:
    machine = account.aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=narrow["ReleaseStateMachine"]
    )
    wait = json.loads(machine["definition"])["States"]["WaitForPushToSettle"]
    assert wait["Seconds"] == "{% 7 %}"


def test_without_an_address_nobody_is_subscribed(account: Account, narrow: dict[str, str]) -> None:
    assert "NotificationEmailSubscription" not in narrow
    subscriptions = account.aws.client("sns").list_subscriptions_by_topic(
        TopicArn=narrow["Notifications"]
    )
    assert subscriptions["Subscriptions"] == []
