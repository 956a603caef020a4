"""What the managed policies of the template allow to people, and what they don't."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from tests.support.account import Account, Shop
from tests.support.commands import Page
from tests.support.localaws.iam import HERE, TRUST, Session, allow, role
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for

PERSONAS = ("Viewer", "Operator", "Deployer", "Planner")
READERS = ("Viewer", "Operator", "Deployer")
OPERATORS = ("Operator", "Deployer")
READS = (
    "what runs where",
    "the history of a service",
    "the newest deployment of a service",
    "what is quarantined",
    "what EventBridge could not deliver",
    "what could not be recovered",
    "the last actions",
    "releases that were stopped or ran out of time",
    "the items of a service",
    "whether the schedule of the sweep is on",
    "the good versions of a service",
    "what the sweeps have done",
)
"""The commands of docs/operations.md that a Viewer may run."""
OPERATIONS = (
    "roll back",
    "roll back to",
    "lift the quarantine of a digest",
    "quarantine a digest",
    "freeze now",
    "freeze one service until a time",
    "unfreeze",
    "unfreeze one service",
    "sweep now",
    "purge a queue",
    "free a service",
    "what is under way",
)
"""The commands that an Operator may run besides."""
RELEASES = ("deploy an image that the repository has", "deploy a quarantined digest")
PLANS = ("freeze over the holidays and every weekend", "remove the planned freezes")
NOBODY = ("remove an attribute", "delete a ledger")
"""Commands that change the ledger, for whoever administers the account."""
ELSEWHERE = (
    "what the containers wrote",  # in logs that are not Slipway's
    "copy the parameters to another prefix",
    "delete old versions of the functions",
    "delete the versions of a failed update",
    "delete the stack",
    "the ledgers of all stacks",
)
"""Commands about other things than the ledger, executions and queues of this stack."""


@pytest.fixture(scope="module")
def shop(account: Account) -> Shop:
    """One that went from v1 to v2 and v3."""
    shop = account.shop(tasks=1)
    for tag in ("v2", "v3"):
        shop.push(tag)
        assert shop.released(tag).outcome == "SUCCEEDED"
    return shop


@pytest.fixture(scope="module")
def sessions(account: Account) -> dict[str, Session]:
    """A session of each persona: a role to which only that managed policy is attached."""
    return {name: persona(account, name) for name in PERSONAS}


def persona(account: Account, name: str, *statements: dict[str, Any]) -> Session:
    made = role(account.aws, *statements, policy=account.outputs[f"{name}Policy"])
    return Session(account.aws, made)


def run(session: Session, title: str, shop: Shop, **options: Any) -> str:
    """What a command of docs/operations.md prints in this session."""
    variables = {"SERVICE": shop.service, "REPOSITORY": shop.repository, "DIGEST": shop.v1}
    return page(**session.environment).run(title, **variables, **options)


@cache
def page(**credentials: str) -> Page:
    """The commands in one shell with these credentials."""
    return Page("operations.md", credentials, one_shell=True)


# ---------------------------------------------------------------- what each may


def test_every_command_of_the_docs_is_somebodys() -> None:
    somebodys = {*READS, *OPERATIONS, *RELEASES, *PLANS, *NOBODY, *ELSEWHERE}
    assert Page("operations.md").not_run == somebodys


def test_a_viewer_runs_the_commands_that_read(shop: Shop, sessions: dict[str, Session]) -> None:
    printed = {title: run(sessions["Viewer"], title, shop) for title in READS}
    assert shop.service in printed["what runs where"]
    assert "\tv3\t" in printed["the history of a service"]
    assert "state#versions" in printed["the items of a service"]


def test_an_operator_rolls_back_in_the_name_of_the_session(
    shop: Shop, sessions: dict[str, Session]
) -> None:
    before = len(shop.history())
    run(sessions["Operator"], "roll back", shop)
    wait_for(
        lambda: len(shop.history()) > before and has_ended(shop), "the rollback", PATIENCE_SECONDS
    )
    rollback = shop.history()[-1]
    assert rollback["outcome"] == "ROLLED_BACK"
    assert rollback["deployment"]["release"]["by"] == sessions["Operator"].arn
    assert shop.running() == shop.history()[0]["deployment"]["release"]["image"]["digest"]


def test_an_operator_carries_out_actions_with_operate(
    shop: Shop, sessions: dict[str, Session]
) -> None:
    operator = sessions["Operator"]
    run(operator, "freeze one service until a time", shop)
    assert shop.record().freeze is not None
    run(operator, "unfreeze one service", shop)
    assert shop.record().freeze is None
    run(operator, "quarantine a digest", shop)
    assert shop.v1 in shop.record().quarantined
    run(operator, "lift the quarantine of a digest", shop)
    assert shop.v1 not in shop.record().quarantined
    assert "under way" in run(operator, "what is under way", shop)
    assert "a sweep begins" in run(operator, "sweep now", shop)
    assert operator.arn in run(operator, "the last actions", shop)


def test_a_deployer_deploys_and_operates(account: Account, sessions: dict[str, Session]) -> None:
    shop = account.shop(tasks=1)
    shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    deployer = sessions["Deployer"]
    run(deployer, "roll back to", shop)  # to v1, and v2 is quarantined
    wait_for(lambda: len(shop.history()) > 1 and has_ended(shop), "the rollback", PATIENCE_SECONDS)
    v2 = shop.history()[0]["deployment"]["release"]["image"]["digest"]
    assert v2 in shop.record().quarantined
    commands = page(**deployer.environment)
    named = {"SERVICE": shop.service, "REPOSITORY": shop.repository, "DIGEST": v2}
    commands.run("lift the quarantine of a digest", **named)
    commands.run("deploy an image that the repository has", **named)
    wait_for(lambda: len(shop.history()) > 2 and has_ended(shop), "v2", PATIENCE_SECONDS)
    assert shop.history()[-1]["outcome"] == "SUCCEEDED"
    assert shop.running() == v2


def test_a_planner_writes_plans_policies_and_freezes(
    account: Account, shop: Shop, sessions: dict[str, Session]
) -> None:
    planner, own = sessions["Planner"], account.aws.client("ssm")
    ssm = planner.client("ssm")
    plan = f"/slipway/repositories/{shop.repository}"
    value = ssm.get_parameter(Name=plan)["Parameter"]["Value"]
    ssm.put_parameter(Name=plan, Value=value, Type="String", Overwrite=True)
    assert len(ssm.get_parameter_history(Name=plan)["Parameters"]) == 2
    policy = "/slipway/services/production/none"
    ssm.put_parameter(Name=policy, Value="{}", Type="String")
    assert len(ssm.get_parameters(Names=[plan, policy])["Parameters"]) == 2
    ssm.delete_parameter(Name=policy)
    run(planner, "freeze over the holidays and every weekend", shop, once=False)
    assert own.get_parameter(Name="/slipway/freeze")["Parameter"]["Version"] == 1
    run(planner, "remove the planned freezes", shop, once=False)
    named = {"Key": "Name", "Values": ["/slipway/freeze"]}
    assert own.describe_parameters(ParameterFilters=[named])["Parameters"] == []


# ---------------------------------------------------------------- what each may not


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("Viewer", ("roll back", "freeze now", "purge a queue", RELEASES[0], *PLANS, *NOBODY)),
        ("Operator", (*RELEASES, PLANS[0], *NOBODY)),
        ("Deployer", (*PLANS, *NOBODY)),
        ("Planner", ("what runs where",)),  # none works, because it may not read the outputs
    ],
)
def test_the_commands_for_others_are_refused(
    shop: Shop, sessions: dict[str, Session], name: str, titles: tuple[str, ...]
) -> None:
    for title in titles:
        with pytest.raises(AssertionError, match="AccessDenied"):
            run(sessions[name], title, shop)


@dataclass(frozen=True)
class World:
    """What the calls below are about."""

    account: Account
    shop: Shop
    role: str
    """The caller's own role."""

    @property
    def ledger(self) -> str:
        return self.account.outputs["LedgerTable"]

    @property
    def item(self) -> dict[str, Any]:
        return {"pk": {"S": self.shop.service}, "sk": {"S": "state#versions"}}

    def output(self, name: str) -> str:
        return self.account.outputs[name]

    def execution(self, machine: str) -> str:
        return self.account.executions(f"{machine}StateMachineArn")[0].arn

    def log(self, logical_id: str) -> str:
        cloudformation = self.account.aws.client("cloudformation")
        found = cloudformation.describe_stack_resource(
            StackName="slipway", LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])


@dataclass(frozen=True)
class Call:
    """A call of AWS, and the personas that may make it."""

    action: str
    service: str
    name: str
    parameters: Callable[[World], dict[str, Any]]
    who: tuple[str, ...] = ()


def start(machine: str, *who: str) -> Call:
    def parameters(world: World) -> dict[str, Any]:
        # Nothing comes of it: there is no such repository, service or release.
        forged = {"repository": "none", "tag": "v1", "service": "no/ne", "release": "none"}
        return {
            "stateMachineArn": world.output(f"{machine}StateMachineArn"),
            "input": json.dumps(forged),
        }

    return Call("states:StartExecution", "stepfunctions", "start_execution", parameters, who)


def of_execution(name: str, machine: str, *who: str) -> Call:
    words = "".join(word.title() for word in name.split("_"))
    return Call(
        f"states:{words}",
        "stepfunctions",
        name,
        lambda world: {"executionArn": world.execution(machine)},
        who,
    )


def put(parameter: str, *who: str) -> Call:
    return Call(
        "ssm:PutParameter",
        "ssm",
        "put_parameter",
        lambda _: {"Name": parameter, "Value": "{}", "Type": "String", "Overwrite": True},
        who,
    )


def delete(parameter: str, *who: str) -> Call:
    return Call(
        "ssm:DeleteParameter", "ssm", "delete_parameter", lambda _: {"Name": parameter}, who
    )


def of_queue(action: str, name: str, *who: str, **more: Any) -> Call:
    return Call(
        f"sqs:{action}",
        "sqs",
        name,
        lambda world: {"QueueUrl": world.output("UnrecoveredUrl"), **more},
        who,
    )


MACHINES = ("Release", "Rollback", "Deployment")
LOGS = ("StepsLogGroup", "ReleaseLogGroup", "RollbackLogGroup", "DeploymentLogGroup")
CALLS = {
    "start a release": start("Release", "Deployer"),
    "start a rollback": start("Rollback", *OPERATORS),
    "start a deployment": start("Deployment"),
    **{
        f"{call} of the {machine.lower()} state machine": of_execution(call, machine, *who)
        for machine in MACHINES
        for call, who in (
            ("describe_execution", READERS),
            ("get_execution_history", READERS),
            ("stop_execution", ()),
        )
    },
    **{
        f"{name} of the {machine.lower()} state machine": Call(
            action,
            "stepfunctions",
            name,
            lambda world, machine=machine: {  # type: ignore[misc]
                "stateMachineArn": world.output(f"{machine}StateMachineArn")
            },
            READERS,
        )
        for machine in MACHINES
        for action, name in (
            ("states:ListExecutions", "list_executions"),
            ("states:DescribeStateMachine", "describe_state_machine"),
        )
    },
    "read an item of the ledger": Call(
        "dynamodb:GetItem",
        "dynamodb",
        "get_item",
        lambda world: {"TableName": world.ledger, "Key": world.item},
        READERS,
    ),
    "query the ledger": Call(
        "dynamodb:Query",
        "dynamodb",
        "query",
        lambda world: {
            "TableName": world.ledger,
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "audit"}},
        },
        READERS,
    ),
    "read the whole ledger": Call(
        "dynamodb:Scan", "dynamodb", "scan", lambda world: {"TableName": world.ledger}
    ),
    "put an item into the ledger": Call(
        "dynamodb:PutItem",
        "dynamodb",
        "put_item",
        lambda world: {"TableName": world.ledger, "Item": world.item},
    ),
    "update an item of the ledger": Call(
        "dynamodb:UpdateItem",
        "dynamodb",
        "update_item",
        lambda world: {
            "TableName": world.ledger,
            "Key": world.item,
            "UpdateExpression": "REMOVE good",
        },
    ),
    "delete an item of the ledger": Call(
        "dynamodb:DeleteItem",
        "dynamodb",
        "delete_item",
        lambda world: {"TableName": world.ledger, "Key": world.item},
    ),
    "write several items of the ledger": Call(
        "dynamodb:BatchWriteItem",
        "dynamodb",
        "batch_write_item",
        lambda world: {"RequestItems": {world.ledger: [{"DeleteRequest": {"Key": world.item}}]}},
    ),
    "change the ledger in a transaction": Call(
        "dynamodb:DeleteItem",
        "dynamodb",
        "transact_write_items",
        lambda world: {
            "TransactItems": [{"Delete": {"TableName": world.ledger, "Key": world.item}}]
        },
    ),
    "write the plan of a repository": put("/slipway/repositories/none", "Planner"),
    "delete the plan of a repository": delete("/slipway/repositories/none", "Planner"),
    "write the policy of a service": put("/slipway/services/no/ne", "Planner"),
    "delete the policy of a service": delete("/slipway/services/no/ne", "Planner"),
    "write the image of a service": put("/slipway/images/no/ne"),
    "give up the prefix of the stack": delete("/slipway/slipway-stack"),
    "write a parameter of somebody else": put("/somebody/else"),
    **{
        f"read {group}": Call(
            "logs:FilterLogEvents",
            "logs",
            "filter_log_events",
            lambda world, group=group: {"logGroupName": world.log(group)},  # type: ignore[misc]
            READERS,
        )
        for group in LOGS
    },
    "read the log of somebody else": Call(
        "logs:FilterLogEvents", "logs", "filter_log_events", lambda _: {"logGroupName": "else"}
    ),
    "read the outputs of the stack": Call(
        "cloudformation:DescribeStacks",
        "cloudformation",
        "describe_stacks",
        lambda _: {"StackName": "slipway"},
        READERS,
    ),
    "read the resources of the stack": Call(
        "cloudformation:DescribeStackResources",
        "cloudformation",
        "describe_stack_resources",
        lambda _: {"StackName": "slipway"},
        READERS,
    ),
    "read every stack": Call(
        "cloudformation:DescribeStacks", "cloudformation", "describe_stacks", lambda _: {}
    ),
    "count what could not be recovered": of_queue(
        "GetQueueAttributes", "get_queue_attributes", *READERS
    ),
    "read what could not be recovered": of_queue("ReceiveMessage", "receive_message", *READERS),
    "purge what could not be recovered": of_queue("PurgeQueue", "purge_queue", *OPERATORS),
    "take a message out of a queue": of_queue("DeleteMessage", "delete_message", ReceiptHandle="r"),
    "have something recovered": of_queue("SendMessage", "send_message", MessageBody="{}"),
    "send a notice": Call(
        "SNS:Publish",
        "sns",
        "publish",
        lambda world: {"TopicArn": world.output("NotificationsTopicArn"), "Message": "fine"},
    ),
    "delete the ledger": Call(
        "dynamodb:DeleteTable",
        "dynamodb",
        "delete_table",
        lambda world: {"TableName": world.ledger},
    ),
    "update a service": Call(
        "ecs:UpdateService",
        "ecs",
        "update_service",
        lambda world: {"cluster": world.shop.cluster, "service": world.shop.name},
    ),
    "attach a policy to the own role": Call(
        "iam:AttachRolePolicy",
        "iam",
        "attach_role_policy",
        lambda world: {
            "RoleName": world.role,
            "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
        },
    ),
    "write a policy of the own role": Call(
        "iam:PutRolePolicy",
        "iam",
        "put_role_policy",
        lambda world: {"RoleName": world.role, "PolicyName": "all", "PolicyDocument": TRUST},
    ),
    "change the managed policy": Call(
        "iam:CreatePolicyVersion",
        "iam",
        "create_policy_version",
        lambda world: {"PolicyArn": world.output("ViewerPolicy"), "PolicyDocument": TRUST},
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_is_allowed_to_those_whom_the_docs_name_and_refused_to_others(
    account: Account, shop: Shop, sessions: dict[str, Session], what: str
) -> None:
    call = CALLS[what]
    action = call.action.lower() if call.service == "sqs" else call.action
    for name, session in sessions.items():
        world = World(account, shop, session.arn.split("/")[1])
        refused = session.refusal(call.service, call.name, **call.parameters(world))
        if name in call.who:
            assert refused == "", f"{name} may {what}"
        else:
            assert f"is not authorized to perform: {action} on resource" in refused, name


def test_operate_is_the_only_function_that_is_invoked_and_only_by_operators(
    account: Account, sessions: dict[str, Session]
) -> None:
    payload = json.dumps({"action": "running"})
    for step, function in account.functions().items():
        for name, session in sessions.items():
            refused = session.refusal("lambda", "invoke", FunctionName=function, Payload=payload)
            if step == "Operate" and name in OPERATORS:
                assert refused == ""
            else:
                wanted = (
                    f"lambda:InvokeFunction on resource: arn:aws:lambda:{HERE}:function:{function}"
                )
                assert wanted in refused, (name, step)


@pytest.mark.parametrize("name", PERSONAS)
def test_nobody_passes_a_role_not_even_who_may_register_task_definitions(
    account: Account, name: str
) -> None:
    session = persona(account, name, allow("ecs:RegisterTaskDefinition"))
    containers = [{"name": "app", "image": "i", "memory": 9}]
    register = {"family": f"by-{name}", "containerDefinitions": containers}
    assert session.refusal("ecs", "register_task_definition", **register) == ""
    passed = f"arn:aws:iam::123456789012:role/{session.arn.split('/')[1]}"
    refused = session.refusal("ecs", "register_task_definition", taskRoleArn=passed, **register)
    assert f"is not authorized to perform: iam:PassRole on resource: {passed}" in refused


@pytest.mark.parametrize("name", READERS)
def test_who_may_see_reads_single_streams_of_logs(
    account: Account, sessions: dict[str, Session], name: str
) -> None:
    logs, stack = account.aws.client("logs"), account.aws.client("cloudformation")
    group = stack.describe_stack_resource(StackName="slipway", LogicalResourceId="StepsLogGroup")
    stream = {
        "logGroupName": group["StackResourceDetail"]["PhysicalResourceId"],
        "logStreamName": f"written-for-{name}",
    }
    logs.create_log_stream(**stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": "a line"}])
    (event,) = sessions[name].client("logs").get_log_events(**stream)["events"]
    assert event["message"] == "a line"
