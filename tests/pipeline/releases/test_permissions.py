"""What the template allows each step, against what the steps do; and what becomes of a refusal."""

from __future__ import annotations

import json

import requests

from localaws.aws import REGION
from localaws.faults import faults
from tests.support.account import Account, Shop
from tests.support.policies import Statement, actions, changed, inline_policy, without
from tests.support.sweeps import ended, let_the_lease_run_out, sweep
from tests.support.waiting import wait_for

UNUSED = {
    # Only if a newer release took over before the last stage (test_stages.py).
    ("Notify", "dynamodb:Query"),
    # Only if another stack has the prefix, and when the stack gives it up (test_second_stack.py).
    ("ReservePrefix", "ssm:GetParameter"),
    ("ReservePrefix", "ssm:DeleteParameter"),
    # Only to find the targets of tasks on EC2 that share their instance's network; here is Fargate.
    ("CheckDeployment", "ecs:DescribeContainerInstances"),
    # Only to say who has the service, where another deployment took it meanwhile.
    ("CheckDeployment", "dynamodb:Query"),
    ("RollBack", "dynamodb:Query"),
    # Only if something newer than its own update may be on the service, or an alarm has changed its state.
    ("CheckDeployment", "ecs:ListServiceDeployments"),
    ("CheckDeployment", "ecs:DescribeServiceDeployments"),
    ("CheckDeployment", "ecs:DescribeServiceRevisions"),
    ("CheckDeployment", "cloudwatch:DescribeAlarmHistory"),
    # Only for a target that was deleted in ECS, of which the ledger has a copy.
    ("ResolveRollback", "dynamodb:GetItem"),
    # Only with a good version that leaves the full list of those whose image is quarantined.
    ("BeginDeployment", "dynamodb:DeleteItem"),
    ("Operate", "dynamodb:DeleteItem"),
    # Only for a manual rollback, if the service was changed since it was asked for.
    ("BeginDeployment", "ecr:DescribeImages"),
}


def give_roles_and_a_log_to(shop: Shop) -> None:
    """A task role, an execution role and a log in the service's task definition."""
    ecs, cluster = shop.account.aws.client("ecs"), shop.service.partition("/")[0]
    running = shop.described()["taskDefinition"]
    definition = ecs.describe_task_definition(taskDefinition=running)["taskDefinition"]
    kept = ("family", "networkMode", "cpu", "memory", "requiresCompatibilities")
    (container,) = definition["containerDefinitions"]
    group = f"/ecs/{shop.service}"
    shop.account.aws.client("logs").create_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "app"}
    log = {"logDriver": "awslogs", "options": options}
    revision = ecs.register_task_definition(
        **{field: definition[field] for field in kept},
        containerDefinitions=[{**container, "logConfiguration": log}],
        taskRoleArn="arn:aws:iam::123456789012:role/shop-task",
        executionRoleArn="arn:aws:iam::123456789012:role/shop-execution",
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=cluster, service=shop.name, taskDefinition=revision)
    assert shop.running() == shop.v1


def protect(shop: Shop, *, enabled: bool) -> None:
    """Protect the tasks of the service from being stopped, or end their protection."""
    ecs = shop.account.aws.client("ecs")
    tasks = ecs.list_tasks(cluster=shop.cluster, serviceName=shop.name)["taskArns"]
    ecs.update_task_protection(cluster=shop.cluster, tasks=tasks, protectionEnabled=enabled)


def test_the_template_allows_each_step_what_it_does_and_nothing_else(account: Account) -> None:
    shop = account.shop(alarms=("permissions",))
    give_roles_and_a_log_to(shop)
    ssm, kept = account.aws.client("ssm"), f"/slipway/images/{shop.service}"
    ssm.put_parameter(Name=kept, Value="the first image", Type="String")
    # Only of old tasks that stay for long is it asked whether they are protected.
    protect(shop, enabled=True)
    v2 = shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    protect(shop, enabled=False)
    assert ssm.get_parameter(Name=kept)["Parameter"]["Value"] == f"{shop.uri}@{v2}"
    # What it goes back to has to be registered anew.
    good = shop.record().last_good
    assert good is not None
    account.aws.client("ecs").deregister_task_definition(taskDefinition=good.task_definition)
    shop.push("v3", behaviour="crash", log="DB_PASSWORD=hunter2\npanic: no database")
    assert shop.deployed("v3").outcome == "ROLLED_BACK"
    lines = shop.mails()[-1]["text"].splitlines()
    assert [line for line in lines if line.startswith("  | ")] == [
        "  | DB_PASSWORD=*****",
        "  | panic: no database",
    ]
    assert ssm.get_parameter(Name=kept)["Parameter"]["Value"] == f"{shop.uri}@{v2}"
    assert shop.roll_back(to="v1").outcome == "ROLLED_BACK"
    assert ssm.get_parameter(Name=kept)["Parameter"]["Value"] == f"{shop.uri}@{shop.v1}"
    faults.add(state="WaitForTasks", how="stop", containing="-v4-")
    shop.push("v4")
    wait_for(lambda: "v4" in shop.outcomes(), "the recovery of v4")
    ended(shop)
    with account.disabled("aws.states"):
        faults.add(state="WaitForTasks", how="stop", containing="-v5-")
        shop.push("v5")
        shop.released("v5")
    let_the_lease_run_out(shop)
    sweep(account)
    ended(shop)
    for action in (
        {"action": "quarantine", "service": shop.service, "digest": v2},
        {"action": "sweep"},
    ):
        given = json.dumps({"by": "jo", "why": "to try it", **action})
        answer = account.aws.client("lambda").invoke(
            FunctionName=account.outputs["OperateFunction"], Payload=given
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    steps = {name: step for step, name in account.functions().items()}
    calls = requests.get(f"{account.aws.url}/_localaws/calls", timeout=10).json()
    used = {
        (steps[call["function"]], needed)
        for call in calls
        if call["function"] in steps  # others may be of another stack
        for needed in call["permissions"]
    }
    allowed = {
        (step, action)
        for step in steps.values()
        for statement in inline_policy(account, step)[2]
        for action in actions(statement)
    }
    assert used - allowed == set()
    assert allowed - used <= UNUSED


def test_a_refused_update_changes_nothing_and_the_email_says_what_was_refused(
    account: Account,
) -> None:
    shop = account.shop()
    with changed(account, "UpdateService", without("ecs:UpdateService")):
        shop.push("v2")
        deployment = shop.deployed("v2")
    assert deployment.outcome == "FAILED"
    assert "AccessDeniedException from ecs:UpdateService on service" in deployment.reason
    assert f":service/{shop.service} because no identity-based policy allows" in deployment.reason
    assert shop.running() == shop.v1
    (mail,) = shop.mails()
    assert mail["attributes"]["outcome"] == "FAILED"
    assert "not authorized to perform: ecs:UpdateService" in mail["text"]


def test_a_service_whose_alarms_cannot_be_read_is_rolled_back(account: Account) -> None:
    shop = account.shop(alarms=("unreadable",))
    # Its time is over after a few checks, each of which is refused.
    policy = shop.planned(shop.service, timeout_seconds=5)
    shop.plan([{"name": "production", "services": [policy]}])
    with changed(account, "CheckDeployment", without("cloudwatch:DescribeAlarms")):
        shop.push("v2")
        deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "AccessDenied from cloudwatch:DescribeAlarms on alarms unreadable" in deployment.reason
    assert shop.running() == shop.v1
    (mail,) = shop.mails()
    assert "AccessDenied from cloudwatch:DescribeAlarms on alarms unreadable" in mail["text"]


def test_a_service_whose_targets_cannot_be_read_is_rolled_back_though_nobody_can_see_it(
    account: Account,
) -> None:
    shop = account.shop()
    policy = shop.planned(shop.service, timeout_seconds=3)
    shop.plan([{"name": "production", "services": [policy]}])
    with changed(account, "CheckDeployment", without("elasticloadbalancing:DescribeTargetHealth")):
        shop.push("v2")
        deployment = shop.deployed("v2")
    # The look at the rollback is refused just as well, so that it is not reported as done.
    assert deployment.outcome == "ROLLBACK_FAILED"
    assert shop.running() == shop.v1
    (mail,) = shop.mails()
    group = shop.described()["loadBalancers"][0]["targetGroupArn"]
    refused = f"AccessDenied from elasticloadbalancing:DescribeTargetHealth on target group {group}"
    assert refused in " ".join(mail["text"].split())


def test_a_service_of_another_cluster_than_the_named_ones_is_refused(account: Account) -> None:
    def other_cluster(statement: Statement) -> Statement:
        if "Condition" not in statement:
            return statement
        return {
            **statement,
            "Condition": {"ArnLike": {"ecs:cluster": "arn:*:ecs:*:*:cluster/other"}},
        }

    shop = account.shop()
    with changed(account, "BeginDeployment", other_cluster):
        shop.push("v2")
        deployment = shop.deployed("v2")
    assert deployment.outcome == "FAILED"
    assert "AccessDeniedException from ecs:DescribeServices" in deployment.reason
    assert f":service/{shop.service} because no identity-based policy allows" in deployment.reason
    assert shop.running() == shop.v1


def test_a_task_role_that_the_template_does_not_name_is_not_passed(account: Account) -> None:
    def other_roles(statement: Statement) -> Statement:
        if "iam:PassRole" not in actions(statement):
            return statement
        return {**statement, "Resource": ["arn:aws:iam::123456789012:role/other-*"]}

    shop = account.shop()
    give_roles_and_a_log_to(shop)
    with changed(account, "RegisterTaskDefinition", other_roles):
        shop.push("v2")
        deployment = shop.deployed("v2")
    assert deployment.outcome == "FAILED"
    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/shop-" in deployment.reason
    assert shop.running() == shop.v1
