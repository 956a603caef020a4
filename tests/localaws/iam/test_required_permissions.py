"""What localaws/iam/required_permissions.py says a call needs."""

from __future__ import annotations

import contextlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.iam import required_permissions
from localaws.server import LocalAws
from tests.support.localaws.ecs import unique
from tests.support.localaws.iam import HERE, SERVICE, TRUST, Function, allow, deny, register
from tests.support.localaws.stacks import create, delete


def test_each_of_the_resources_of_a_call_has_to_be_allowed(aws: LocalAws) -> None:
    function = Function(aws, allow("ecs:DescribeServices", SERVICE))
    services = ["api", f"arn:aws:ecs:{HERE}:service/production/other"]
    refusal = function.refusal("ecs", "describe_services", cluster="production", services=services)
    assert f"on resource: {services[1]} because" in refusal


SERVICE_DEPLOYMENT = f"arn:aws:ecs:{HERE}:service-deployment/production/api/Yz0-_a"


@pytest.mark.parametrize(
    ("call", "parameters", "resource"),
    [
        (
            "describe_service_deployments",
            {"serviceDeploymentArns": [SERVICE_DEPLOYMENT]},
            SERVICE_DEPLOYMENT,
        ),
        (
            "describe_service_revisions",
            {"serviceRevisionArns": [f"arn:aws:ecs:{HERE}:service-revision/production/api/12"]},
            f"arn:aws:ecs:{HERE}:service-revision/production/api/12",
        ),
        (
            "stop_service_deployment",
            {"serviceDeploymentArn": SERVICE_DEPLOYMENT},
            SERVICE_DEPLOYMENT,
        ),
    ],
)
def test_a_service_deployment_or_revision_needs_permission_for_its_service_too(
    aws: LocalAws, call: str, parameters: dict[str, Any], resource: str
) -> None:
    action = "ecs:" + "".join(word.capitalize() for word in call.split("_"))
    function = Function(aws, allow(action, resource))
    assert f"{action} on resource: {SERVICE} because" in function.refusal("ecs", call, **parameters)
    function.may(allow(action, SERVICE))
    refusal = function.refusal("ecs", call, **parameters)
    assert f"{action} on resource: {resource} because" in refusal
    kind = resource.split(":")[5].partition("/")[0]
    of_service = {"ArnEquals": {"ecs:service": SERVICE}}
    function.may(
        allow(action, SERVICE),
        allow(action, f"arn:aws:ecs:{HERE}:{kind}/*", Condition=of_service),
    )
    assert function.refusal("ecs", call, **parameters) == ""


def test_listing_service_deployments_needs_permission_for_the_service(aws: LocalAws) -> None:
    in_production = {"ArnEquals": {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/production"}}
    function = Function(aws)
    for parameters in ({"cluster": "production", "service": "api"}, {"service": SERVICE}):
        function.may(allow("ecs:ListServiceDeployments", SERVICE_DEPLOYMENT))
        refusal = function.refusal("ecs", "list_service_deployments", **parameters)
        assert f"ecs:ListServiceDeployments on resource: {SERVICE} because" in refusal
        function.may(allow("ecs:ListServiceDeployments", SERVICE, Condition=in_production))
        assert function.refusal("ecs", "list_service_deployments", **parameters) == ""


def test_an_action_that_aws_does_not_narrow_to_a_resource_needs_every_resource(
    aws: LocalAws,
) -> None:
    function = Function(aws, allow("ecs:*", f"arn:aws:ecs:{HERE}:task-definition/*"))
    assert "ecs:RegisterTaskDefinition on resource: * because" in register(function)
    function.may(allow("ecs:*"))
    assert register(function) == ""


def test_registering_with_tags_needs_tag_resource(aws: LocalAws) -> None:
    function = Function(aws, allow("ecs:RegisterTaskDefinition"))
    tags = [{"key": "k", "value": "v"}]
    assert register(function) == ""
    family = f"arn:aws:ecs:{HERE}:task-definition/api:*"
    assert f"ecs:TagResource on resource: {family} because" in register(function, tags=tags)
    on_creation = {"StringEquals": {"ecs:CreateAction": ["RunTask", "RegisterTaskDefinition"]}}
    tagging = allow("ecs:TagResource", family, Condition=on_creation)
    function.may(allow("ecs:RegisterTaskDefinition"), tagging)
    assert register(function, tags=tags) == ""


def test_registering_with_roles_needs_pass_role_on_each(aws: LocalAws) -> None:
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    task = "arn:aws:iam::123456789012:role/app/task"
    passing = allow("iam:PassRole", task, Condition=to_tasks)
    function = Function(aws, allow("ecs:RegisterTaskDefinition"), passing)
    assert register(function, taskRoleArn=task) == ""
    execution = "arn:aws:iam::123456789012:role/execution"
    assert f"iam:PassRole on resource: {execution} because" in register(
        function, taskRoleArn=task, executionRoleArn="execution"
    )


@pytest.mark.parametrize(
    ("action", "method", "more"),
    [
        ("DescribeAlarms", "describe_alarms", {}),
        ("DescribeAlarmHistory", "describe_alarm_history", {"HistoryItemType": "StateUpdate"}),
    ],
)
def test_composite_alarms_need_every_alarm(
    aws: LocalAws, action: str, method: str, more: dict[str, Any]
) -> None:
    metric_alarms = allow(f"cloudwatch:{action}", f"arn:aws:cloudwatch:{HERE}:alarm:*")
    function = Function(aws, metric_alarms)
    assert function.refusal("cloudwatch", method, AlarmTypes=["MetricAlarm"], **more) == ""
    refusal = function.refusal("cloudwatch", method, AlarmTypes=["CompositeAlarm"], **more)
    assert f"cloudwatch:{action} on resource: * because" in refusal


TABLE = f"arn:aws:dynamodb:{HERE}:table/ledger"
ITEM = {"TableName": "ledger", "Key": {"pk": {"S": "p"}}}


OTHERS = {"ForAllValues:StringNotLike": {"dynamodb:LeadingKeys": ["secret#*"]}}
THESE = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["secret#*"]}}


def of_key(call: str, pk: str) -> dict[str, Any]:
    """A call on the items with this partition key."""
    key = {"pk": {"S": pk}, "sk": {"S": "a"}}
    if call == "get_item":
        return {"TableName": TABLE, "Key": key}
    if call == "transact_write_items":
        return {"TransactItems": [{"Delete": {"TableName": TABLE, "Key": key}}]}
    return {
        "TableName": TABLE,
        "KeyConditionExpression": "#pk = :pk AND begins_with(#sk, :sk)",
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":sk": {"S": "a"}},
    }


@pytest.mark.parametrize(
    ("call", "action"),
    [("get_item", "GetItem"), ("query", "Query"), ("transact_write_items", "DeleteItem")],
)
def test_a_permission_may_be_for_some_partition_keys_only(
    aws: LocalAws, call: str, action: str
) -> None:
    statement = allow(f"dynamodb:{action}", TABLE)
    function = Function(aws, statement | {"Condition": OTHERS})
    assert f"dynamodb:{action} on resource: " in function.refusal(
        "dynamodb", call, **of_key(call, "secret#1")
    )
    assert function.refusal("dynamodb", call, **of_key(call, "api")).startswith("ResourceNotFound")
    function.may(statement | {"Condition": THESE})
    assert f"dynamodb:{action} on resource: " in function.refusal(
        "dynamodb", call, **of_key(call, "api")
    )
    refusal = function.refusal("dynamodb", call, **of_key(call, "secret#1"))
    assert refusal.startswith("ResourceNotFound")


def transact(function: Function) -> str:
    update = {**ITEM, "UpdateExpression": "REMOVE a"}
    put = {"TableName": TABLE, "Item": {"pk": {"S": "q"}}}
    items = [{"Update": update}, {"Put": put}, {"Update": {**update, "TableName": TABLE}}]
    return function.refusal("dynamodb", "transact_write_items", TransactItems=items)


def test_a_transaction_needs_what_each_of_its_writes_needs(aws: LocalAws) -> None:
    function = Function(aws, allow("dynamodb:UpdateItem", TABLE))
    assert f"dynamodb:PutItem on resource: {TABLE} because" in transact(function)
    function.may(allow(["dynamodb:UpdateItem", "dynamodb:PutItem"], TABLE))
    assert transact(function).startswith("ResourceNotFoundException 400")
    (first, second) = (call for call in calls(aws) if call["function"] == function.name)
    assert min(first.pop("ms"), second.pop("ms")) > 0
    assert (
        first
        == second
        == {
            "function": function.name,
            "service": "dynamodb",
            "action": "TransactWriteItems",
            "permissions": ["dynamodb:UpdateItem", "dynamodb:PutItem"],
        }
    )


def test_a_query_of_an_index_needs_the_index(aws: LocalAws) -> None:
    function = Function(aws, allow("dynamodb:Query", TABLE))
    asked = {
        "TableName": "ledger",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "p"}},
    }
    let_through = function.refusal("dynamodb", "query", **asked)
    assert let_through.startswith("ResourceNotFoundException 400")
    refusal = function.refusal("dynamodb", "query", IndexName="by-time", **asked)
    assert f"dynamodb:Query on resource: {TABLE}/index/by-time because" in refusal


@pytest.mark.parametrize(
    ("path", "resource"),
    [("/slipway/plans", "slipway/plans"), ("/slipway/plans/", "slipway/plans/"), ("/", "")],
)
def test_a_path_of_parameters_is_a_resource_with_its_slash_at_the_end(
    aws: LocalAws, path: str, resource: str
) -> None:
    function = Function(aws)
    refusal = function.refusal("ssm", "get_parameters_by_path", Path=path)
    arn = f"arn:aws:ssm:{HERE}:parameter/{resource}"
    assert f"ssm:GetParametersByPath on resource: {arn} because" in refusal
    function.may(allow("ssm:GetParametersByPath", arn))
    assert function.refusal("ssm", "get_parameters_by_path", Path=path) == ""


def test_an_execution_is_a_resource_of_its_own(aws: LocalAws) -> None:
    machine = f"arn:aws:states:{HERE}:stateMachine:release"
    execution = f"arn:aws:states:{HERE}:execution:release:one"
    function = Function(aws, allow("states:*", machine))
    start = function.refusal("stepfunctions", "start_execution", stateMachineArn=machine)
    assert start.startswith("StateMachineDoesNotExist 400")
    described = function.refusal("stepfunctions", "describe_execution", executionArn=execution)
    assert f"states:DescribeExecution on resource: {execution} because" in described
    function.may(allow("states:DescribeExecution", f"arn:aws:states:{HERE}:execution:release:*"))
    described = function.refusal("stepfunctions", "describe_execution", executionArn=execution)
    assert described.startswith("ExecutionDoesNotExist 400")
    recorded = [call for call in calls(aws) if call["function"] == function.name]
    assert [(call["service"], call["permissions"]) for call in recorded] == [
        ("states", ["states:StartExecution"]),
        ("states", ["states:DescribeExecution"]),
        ("states", ["states:DescribeExecution"]),
    ]


def calls(aws: LocalAws) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = requests.get(f"{aws.url}/_localaws/calls", timeout=10).json()
    return listed


@pytest.mark.parametrize(
    ("service", "call"), [("ecs", "list_clusters"), ("lambda", "list_functions")]
)
def test_a_call_without_a_rule_is_not_implemented(aws: LocalAws, service: str, call: str) -> None:
    refusal = Function(aws, allow("*")).refusal(service, call)
    assert refusal.startswith("NotImplemented 501")
    assert "by a function or a role: localaws/iam/required_permissions.py has no rule" in refusal


@pytest.mark.parametrize(
    ("name", "qualifier", "resource"),
    [
        ("sweep", {}, "function:sweep"),
        ("sweep", {"Qualifier": "live"}, "function:sweep:live"),
        ("sweep:3", {}, "function:sweep:3"),
        (f"arn:aws:lambda:{HERE}:function:sweep:3", {}, "function:sweep:3"),
    ],
)
def test_to_invoke_a_version_or_an_alias_needs_that_very_one(
    aws: LocalAws, name: str, qualifier: dict[str, str], resource: str
) -> None:
    function = Function(
        aws, allow("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:other")
    )
    refusal = function.refusal("lambda", "invoke", FunctionName=name, **qualifier)
    assert refusal.startswith("AccessDeniedException 403 ")
    wanted = f"arn:aws:lambda:{HERE}:{resource}"
    assert f"lambda:InvokeFunction on resource: {wanted} because" in refusal
    function.may(allow("lambda:InvokeFunction", wanted))
    refusal = function.refusal("lambda", "invoke", FunctionName=name, **qualifier)
    assert refusal.startswith("ResourceNotFoundException 404 ")


def test_filtering_a_log_needs_the_group_with_its_wildcard(aws: LocalAws) -> None:
    group = f"arn:aws:logs:{HERE}:log-group:steps"
    function = Function(aws, allow("logs:FilterLogEvents", group))
    refusal = function.refusal("logs", "filter_log_events", logGroupName="steps")
    assert f"logs:FilterLogEvents on resource: {group}:log-stream: because" in refusal
    function.may(allow("logs:FilterLogEvents", f"{group}:*"))
    refusal = function.refusal("logs", "filter_log_events", logGroupName="steps")
    assert refusal.startswith("ResourceNotFoundException 400")


def test_a_stack_that_exists_is_the_resource_with_its_id(aws: LocalAws) -> None:
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    stack = create(aws, json.dumps(topic))
    name, stack_id = stack["StackName"], stack["StackId"]
    function = Function(aws, allow("cloudformation:*", f"{stack_id}x"))
    for named in (name, stack_id):
        refusal = function.refusal("cloudformation", "describe_stacks", StackName=named)
        assert refusal.startswith("AccessDenied 403 ")
        assert f"cloudformation:DescribeStacks on resource: {stack_id} because" in refusal
    refusal = function.refusal("cloudformation", "describe_stacks", StackName="none")
    assert f"on resource: arn:aws:cloudformation:{HERE}:stack/none/* because" in refusal
    assert "on resource: * because" in function.refusal("cloudformation", "describe_stacks")
    function.may(allow("cloudformation:Describe*", stack_id))
    for call in ("describe_stacks", "describe_stack_resources"):
        assert function.refusal("cloudformation", call, StackName=name) == ""
    delete(aws, stack)


def test_a_queue_refuses_in_small_letters(aws: LocalAws) -> None:
    queue = aws.client("sqs").create_queue(QueueName=unique("undelivered"))["QueueUrl"]
    arn = f"arn:aws:sqs:{HERE}:{queue.rpartition('/')[2]}"
    function = Function(aws, allow("sqs:ReceiveMessage", arn))
    assert function.refusal("sqs", "receive_message", QueueUrl=queue) == ""
    assert function.refusal("sqs", "purge_queue", QueueUrl=queue) == (
        f"AccessDenied 403 User: {function.session} is not authorized to perform: sqs:purgequeue on"
        f" resource: {arn} because no identity-based policy allows the sqs:purgequeue action"
    )


def test_each_of_several_parameters_has_to_be_allowed(aws: LocalAws) -> None:
    first, second = (f"arn:aws:ssm:{HERE}:parameter/{name}" for name in ("first", "second"))
    function = Function(aws, allow("ssm:GetParameters", first))
    refusal = function.refusal("ssm", "get_parameters", Names=["/first", "/second"])
    assert f"ssm:GetParameters on resource: {second} because" in refusal
    function.may(allow("ssm:GetParameters", [first, second]))
    assert function.refusal("ssm", "get_parameters", Names=["/first", "/second"]) == ""


def test_a_role_is_the_resource_with_its_path(aws: LocalAws) -> None:
    name = unique("role")
    made = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Path="/a/")
    function = Function(aws, allow("s3:*"))
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    refusal = function.refusal("iam", "attach_role_policy", RoleName=name, PolicyArn=policy)
    assert refusal.startswith("AccessDenied 403 ")
    assert f"iam:AttachRolePolicy on resource: {made['Role']['Arn']} because" in refusal


def test_a_rule_of_the_default_event_bus_is_the_resource_with_its_name(aws: LocalAws) -> None:
    name = unique("rule")
    rule = aws.client("events").put_rule(Name=name, ScheduleExpression="rate(480 minutes)")
    function = Function(aws, allow("events:DescribeRule", f"{rule['RuleArn']}-other"))
    refusal = function.refusal("events", "describe_rule", Name=name)
    assert f"events:DescribeRule on resource: {rule['RuleArn']} because" in refusal
    function.may(allow("events:DescribeRule", rule["RuleArn"]))
    assert function.refusal("events", "describe_rule", Name=name) == ""
    elsewhere = function.refusal("events", "describe_rule", Name=name, EventBusName="other")
    assert elsewhere.startswith("NotImplemented 501")


def test_everybody_may_ask_who_they_are(aws: LocalAws) -> None:
    function = Function(aws, deny("*"))
    assert function.refusal("sts", "get_caller_identity") == ""


SAMPLES: dict[str, dict[str, Any]] = {
    "cloudformation:DescribeStackResource": {"StackName": "s"},
    "cloudformation:DescribeStackResources": {"StackName": "s"},
    "cloudformation:DescribeStacks": {"StackName": "s"},
    "cloudwatch:DescribeAlarmHistory": {},
    "cloudwatch:DescribeAlarms": {},
    "dynamodb:BatchGetItem": {"RequestItems": {"t": {}}},
    "dynamodb:BatchWriteItem": {"RequestItems": {"t": []}},
    "dynamodb:DeleteItem": {"TableName": "t"},
    "dynamodb:DeleteTable": {"TableName": "t"},
    "dynamodb:UpdateTable": {"TableName": "t"},
    "dynamodb:GetItem": {"TableName": "t", "Key": {"pk": {"S": "slack"}}},
    "dynamodb:PutItem": {"TableName": "t"},
    "dynamodb:Query": {"TableName": "t", "IndexName": "i"},
    "dynamodb:Scan": {"TableName": "t"},
    "dynamodb:TransactWriteItems": {
        "TransactItems": [
            {kind: {"TableName": "t"}} for kind in ("ConditionCheck", "Delete", "Put", "Update")
        ]
    },
    "dynamodb:UpdateItem": {"TableName": "t", "Key": {"id": {"S": "1"}}},
    "ecr:DescribeImages": {"repositoryName": "a/b"},
    "ecr:DescribeRepositories": {"repositoryNames": ["a/b"]},
    "ecs:DescribeContainerInstances": {"containerInstances": ["0"]},
    "ecs:GetTaskProtection": {"tasks": ["0"]},
    "ecs:DescribeServiceDeployments": {"serviceDeploymentArns": [SERVICE_DEPLOYMENT]},
    "ecs:DescribeServiceRevisions": {
        "serviceRevisionArns": [SERVICE_DEPLOYMENT.replace("-deployment/", "-revision/")]
    },
    "ecs:DescribeServices": {"services": ["s"]},
    "ecs:ListServiceDeployments": {"service": "api", "cluster": "production"},
    "ecs:StopServiceDeployment": {"serviceDeploymentArn": SERVICE_DEPLOYMENT},
    "ecs:DescribeTaskDefinition": {},
    "ecs:DescribeTasks": {"tasks": ["0"]},
    "ecs:ListTaskDefinitions": {},
    "ecs:ListTasks": {},
    "ecs:RegisterTaskDefinition": {"family": "f", "tags": [{}], "taskRoleArn": "r"},
    "ecs:UpdateService": {"service": "s"},
    "elasticloadbalancing:DescribeTargetHealth": {},
    "events:DescribeRule": {"Name": "r"},
    "iam:AttachRolePolicy": {"RoleName": "sample"},
    "iam:CreatePolicyVersion": {"PolicyArn": "arn:aws:iam::123456789012:policy/p"},
    "iam:PutRolePolicy": {"RoleName": "sample"},
    "logs:FilterLogEvents": {"logGroupName": "g"},
    "logs:GetLogEvents": {"logGroupName": "g", "logStreamName": "s"},
    "secretsmanager:GetSecretValue": {"SecretId": "s"},
    "lambda:Invoke": {"FunctionName": "slipway-Sweep"},
    "sns:Publish": {"TopicArn": f"arn:aws:sns:{HERE}:t"},
    "sqs:DeleteMessage": {"QueueUrl": "http://localhost/123456789012/q"},
    "sqs:GetQueueAttributes": {"QueueUrl": "http://localhost/123456789012/q"},
    "sqs:PurgeQueue": {"QueueUrl": "http://localhost/123456789012/q"},
    "sqs:ReceiveMessage": {"QueueUrl": "http://localhost/123456789012/q"},
    "sqs:SendMessage": {"QueueUrl": "http://localhost/123456789012/q"},
    "ssm:DeleteParameter": {"Name": "/p"},
    "ssm:GetParameter": {"Name": "/p"},
    "ssm:GetParameterHistory": {"Name": "/p"},
    "ssm:GetParameters": {"Names": ["/p", "/q"]},
    "ssm:GetParametersByPath": {"Path": "/p"},
    "ssm:PutParameter": {"Name": "/p"},
    "states:DescribeExecution": {"executionArn": f"arn:aws:states:{HERE}:execution:m:e"},
    "states:DescribeStateMachine": {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m"},
    "states:GetExecutionHistory": {"executionArn": f"arn:aws:states:{HERE}:execution:m:e"},
    "states:ListExecutions": {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m"},
    "states:StopExecution": {"executionArn": f"arn:aws:states:{HERE}:execution:m:e"},
    "sts:GetCallerIdentity": {},
    "states:StartExecution": {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m"},
}
# AWS's table has a resource for them, its errors and its own policies have none.
STRICTER = {"ecs:ListTasks", "ecs:RegisterTaskDefinition"}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """AWS's reference of services, actions and resources, as cfn-lint has it."""
    cfnlint = find_spec("cfnlint")  # to import it would take each worker a second of a processor
    assert cfnlint
    assert cfnlint.origin
    data = Path(cfnlint.origin).with_name("data") / "AdditionalSpecs/Policies.json"
    return dict(json.loads(data.read_text()))


@pytest.mark.parametrize("action", sorted(required_permissions.RULES))
def test_the_resource_of_an_action_is_of_a_kind_that_aws_narrows_it_to(
    aws: LocalAws, reference: dict[str, Any], action: str
) -> None:
    with contextlib.suppress(ClientError):  # it exists already
        aws.client("iam").create_role(RoleName="sample", AssumeRolePolicyDocument=TRUST)
    for access in required_permissions.rule_for(action)(action, SAMPLES[action]):
        service, _, name = access.action.partition(":")
        kinds = reference[service]["Actions"][name.lower()].get("Resources", [])
        formats = [
            arn
            for kind in kinds  # written with a capital for some services
            for arn in reference[service]["Resources"][kind.lower()]["ARNFormats"]
        ]
        if access.action in STRICTER or not formats:
            assert access.resource == "*"
        else:
            assert any(re.fullmatch(_filled(arn), access.resource) for arn in formats)


def _filled(arn: str) -> str:
    values = {"Partition": "aws", "Region": "us-east-1", "Account": "123456789012"}
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], arn)
