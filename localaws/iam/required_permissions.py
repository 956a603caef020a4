"""The permissions that a request needs: IAM actions, with their resources and condition keys.

This is a table of the calls that Slipway's functions make, and of those that its managed policies allow to
people, or must not allow. It follows
https://docs.aws.amazon.com/service-authorization/latest/reference/ and, where AWS's error messages show
stricter rules, those. A call that is not in the table is NotImplemented: add a line for it.
"""

from __future__ import annotations

import re
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends

from localaws.aws import ACCOUNT, REGION, listed
from localaws.iam.access import Access, Parameters, Rule, arn
from localaws.iam.secrets import get_parameter, get_secret_value


def rule_for(action: str) -> Rule:
    """The rule of an action such as ``ecs:UpdateService``."""
    if action not in RULES:
        raise NotImplementedError(
            f"{action} by a function or a role: localaws/iam/required_permissions.py has no rule"
        )
    return RULES[action]


def _on_everything(action: str, _parameters: Parameters) -> list[Access]:
    return [Access(action, "*")]


def _on_each(service: str, prefix: str, parameter: str) -> Rule:
    """An action on the resources that a parameter names, or on "*" if it names none."""

    def rule(action: str, parameters: Parameters) -> list[Access]:
        names = listed(parameters.get(parameter, "*"))
        return [Access(action, arn(service, prefix, name)) for name in names]

    return rule


def _in_cluster(kind: str, parameter: str) -> Rule:
    """An ECS action on the resources in one cluster that a parameter names."""

    def rule(action: str, parameters: Parameters) -> list[Access]:
        cluster = _cluster(parameters)
        prefix = f"{kind}/{cluster.rpartition('/')[2]}/"
        context = {"ecs:cluster": cluster}
        names = listed(parameters[parameter])
        return [Access(action, arn("ecs", prefix, name), context) for name in names]

    return rule


def _list_service_deployments(action: str, parameters: Parameters) -> list[Access]:
    service = parameters["service"]
    if service.startswith("arn:") and service.count("/") == 2:  # names its cluster
        parameters = {**parameters, "cluster": service.split("/")[1]}
    return _in_cluster("service", "service")(action, parameters)


def _of_service(parameter: str) -> Rule:
    """An ECS action on service deployments or revisions. Each needs permission for its service, too."""

    def rule(action: str, parameters: Parameters) -> list[Access]:
        needed: dict[str, Access] = {}
        for name in listed(parameters[parameter]):
            cluster, service = name.split("/")[1:3] if name.count("/") == 3 else ("*", "*")
            context = {"ecs:cluster": arn("ecs", "cluster/", cluster)}
            service_arn = arn("ecs", "service/", f"{cluster}/{service}")
            needed.setdefault(service_arn, Access(action, service_arn, context))
            needed[name] = Access(action, name, {**context, "ecs:service": service_arn})
        return list(needed.values())

    return rule


def _invoke(_action: str, parameters: Parameters) -> list[Access]:
    # The permission has another name than the call: Actions of Lambda in AWS's service authorization
    # reference.
    name, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
    function = arn("lambda", "function:", name)
    return [Access("lambda:InvokeFunction", f"{function}:{qualifier}" if qualifier else function)]


def _list_tasks(action: str, parameters: Parameters) -> list[Access]:
    # AWS's table has container-instance. Without one in the request AWS's error says "on resource: *".
    return [Access(action, "*", {"ecs:cluster": _cluster(parameters)})]


def _register_task_definition(action: str, parameters: Parameters) -> list[Access]:
    # AWS's table has task-definition, but its error says "on resource: *", and so do its own policies:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECS.html
    needed = [Access(action, "*")]
    if parameters.get("tags"):
        family = arn("ecs", "task-definition/", f"{parameters['family']}:*")
        context = {"ecs:CreateAction": action.partition(":")[2]}
        needed.append(Access("ecs:TagResource", family, context))
    for field_name in ("taskRoleArn", "executionRoleArn"):
        if role := parameters.get(field_name):
            role_arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
            passed = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            needed.append(Access("iam:PassRole", role_arn, passed))
    return needed


def _describe_alarms(action: str, parameters: Parameters) -> list[Access]:
    needed = [Access(action, arn("cloudwatch", "alarm:", "*"))]
    if "CompositeAlarm" in parameters.get("AlarmTypes", []):
        # Without this permission AWS silently leaves composite alarms out of the answer.
        needed.append(Access(action, "*"))
    return needed


def _get_log_events(action: str, parameters: Parameters) -> list[Access]:
    return [Access(action, f"{_log_group(parameters)}:log-stream:{parameters['logStreamName']}")]


def _filter_log_events(action: str, parameters: Parameters) -> list[Access]:
    # A policy has to name the group with ":*" at the end. Errors of AWS show an empty stream.
    return [Access(action, f"{_log_group(parameters)}:log-stream:")]


def _log_group(parameters: Parameters) -> str:
    # A log group is identified by its name or, if it is in another account, by its ARN.
    group = parameters.get("logGroupName") or parameters["logGroupIdentifier"]
    return arn("logs", "log-group:", group).removesuffix(":*")


def _on_stack(action: str, parameters: Parameters) -> list[Access]:
    # A stack that exists is one resource, its ID, under its name too. In errors about one that does not
    # exist, AWS writes "*" for what only a stack has.
    name = parameters.get("StackName", "*")
    stacks = cloudformation_backends[ACCOUNT][REGION].stacks
    known = (stack_id for stack_id, stack in stacks.items() if stack.name == name)
    if name == "*" or name.startswith("arn:"):
        return [Access(action, name)]
    return [Access(action, next(known, arn("cloudformation", "stack/", f"{name}/*")))]


def _on_queue(action: str, parameters: Parameters) -> list[Access]:
    return [Access(action, arn("sqs", "", parameters["QueueUrl"].rpartition("/")[2]))]


def _on_rule(action: str, parameters: Parameters) -> list[Access]:
    if parameters.get("EventBusName", "default") != "default":
        raise NotImplementedError(f"{action} on another event bus than the default one")
    return [Access(action, arn("events", "rule/", parameters["Name"]))]


def _on_role(action: str, parameters: Parameters) -> list[Access]:
    role = iam_backends[ACCOUNT]["aws"].get_role(parameters["RoleName"])
    return [Access(action, role.arn)]


def nothing(_action: str, _parameters: Parameters) -> list[Access]:
    """The rule of a call that everybody may make.

    GetCallerIdentity: "No permissions are required", says botocore's model.
    """
    return []


def _on_parameter(parameter: str) -> Rule:
    """A Parameter Store action on a name or a path. A trailing slash is kept, as in AWS's errors."""

    def rule(action: str, parameters: Parameters) -> list[Access]:
        name = parameters[parameter].removeprefix("/")
        return [Access(action, arn("ssm", "parameter/", name))]

    return rule


def _get_parameters(action: str, parameters: Parameters) -> list[Access]:
    decrypting = {"WithDecryption": parameters.get("WithDecryption")}
    each = (get_parameter(action, {"Name": n, **decrypting}) for n in parameters["Names"])
    return [access for needed in each for access in needed]


_EQUAL = re.compile(r"(#?\w+)\s*=\s*(:\w+)")


def _on_item(action: str, parameters: Parameters) -> list[Access]:
    table = arn("dynamodb", "table/", parameters["TableName"])
    return [Access(action, table, _leading(parameters.get("Key", {})))]


def _leading(key: dict[str, Any]) -> dict[str, str]:
    # The partition key of the ledger's table. The request alone does not say which attribute that is.
    leading = key.get("pk", {}).get("S")
    return {"dynamodb:LeadingKeys": leading} if leading else {}


def _query(action: str, parameters: Parameters) -> list[Access]:
    table = arn("dynamodb", "table/", parameters["TableName"])
    index = parameters.get("IndexName")
    names = parameters.get("ExpressionAttributeNames", {})
    values = parameters.get("ExpressionAttributeValues", {})
    compared = _EQUAL.findall(parameters.get("KeyConditionExpression", ""))
    key = {names.get(name, name): values.get(value, {}) for name, value in compared}
    return [Access(action, f"{table}/index/{index}" if index else table, _leading(key))]


def _batch(action: str, parameters: Parameters) -> list[Access]:
    return [Access(action, arn("dynamodb", "table/", name)) for name in parameters["RequestItems"]]


def _transact_write_items(_action: str, parameters: Parameters) -> list[Access]:
    # A transaction has no permission of its own:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    actions = {
        "ConditionCheck": "dynamodb:ConditionCheckItem",
        "Delete": "dynamodb:DeleteItem",
        "Put": "dynamodb:PutItem",
        "Update": "dynamodb:UpdateItem",
    }
    entries = [entry for item in parameters["TransactItems"] for entry in item.items()]
    needed = [
        Access(
            actions[kind],
            arn("dynamodb", "table/", request["TableName"]),
            _leading(request.get("Key", request.get("Item", {}))),
        )
        for kind, request in entries
    ]
    return [each for n, each in enumerate(needed) if each not in needed[:n]]  # each once


RULES: dict[str, Rule] = {
    "cloudformation:DescribeStackResource": _on_stack,
    "cloudformation:DescribeStackResources": _on_stack,
    "cloudformation:DescribeStacks": _on_stack,
    "cloudwatch:DescribeAlarmHistory": _describe_alarms,
    "cloudwatch:DescribeAlarms": _describe_alarms,
    "dynamodb:BatchGetItem": _batch,
    "dynamodb:BatchWriteItem": _batch,
    "dynamodb:DeleteItem": _on_item,
    "dynamodb:DeleteTable": _on_each("dynamodb", "table/", "TableName"),
    "dynamodb:GetItem": _on_item,
    "dynamodb:PutItem": _on_each("dynamodb", "table/", "TableName"),
    "dynamodb:Query": _query,
    "dynamodb:Scan": _query,
    "dynamodb:TransactWriteItems": _transact_write_items,
    "dynamodb:UpdateItem": _on_item,
    "dynamodb:UpdateTable": _on_each("dynamodb", "table/", "TableName"),
    "ecr:DescribeImages": _on_each("ecr", "repository/", "repositoryName"),
    "ecr:DescribeRepositories": _on_each("ecr", "repository/", "repositoryNames"),
    "ecs:DescribeContainerInstances": _in_cluster("container-instance", "containerInstances"),
    "ecs:DescribeServiceDeployments": _of_service("serviceDeploymentArns"),
    "ecs:DescribeServiceRevisions": _of_service("serviceRevisionArns"),
    "ecs:DescribeServices": _in_cluster("service", "services"),
    "ecs:DescribeTaskDefinition": _on_everything,
    "ecs:DescribeTasks": _in_cluster("task", "tasks"),
    "ecs:GetTaskProtection": _in_cluster("task", "tasks"),
    "ecs:ListServiceDeployments": _list_service_deployments,
    "ecs:ListTaskDefinitions": _on_everything,
    "ecs:ListTasks": _list_tasks,
    "ecs:RegisterTaskDefinition": _register_task_definition,
    "ecs:StopServiceDeployment": _of_service("serviceDeploymentArn"),
    "ecs:UpdateService": _in_cluster("service", "service"),
    "elasticloadbalancing:DescribeTargetHealth": _on_everything,
    "events:DescribeRule": _on_rule,
    "iam:AttachRolePolicy": _on_role,
    "iam:CreatePolicyVersion": _on_each("iam", "", "PolicyArn"),
    "iam:PutRolePolicy": _on_role,
    "lambda:Invoke": _invoke,
    "logs:FilterLogEvents": _filter_log_events,
    "logs:GetLogEvents": _get_log_events,
    "secretsmanager:GetSecretValue": get_secret_value,
    "sns:Publish": _on_each("sns", "", "TopicArn"),
    "sqs:DeleteMessage": _on_queue,
    "sqs:GetQueueAttributes": _on_queue,
    "sqs:PurgeQueue": _on_queue,
    "sqs:ReceiveMessage": _on_queue,
    "sqs:SendMessage": _on_queue,
    "ssm:DeleteParameter": _on_parameter("Name"),
    "ssm:GetParameter": get_parameter,
    "ssm:GetParameterHistory": get_parameter,
    "ssm:GetParameters": _get_parameters,
    "ssm:GetParametersByPath": _on_parameter("Path"),
    "ssm:PutParameter": _on_parameter("Name"),
    "states:DescribeExecution": _on_each("states", "execution:", "executionArn"),
    "states:DescribeStateMachine": _on_each("states", "stateMachine:", "stateMachineArn"),
    "states:GetExecutionHistory": _on_each("states", "execution:", "executionArn"),
    "states:ListExecutions": _on_each("states", "stateMachine:", "stateMachineArn"),
    "states:StartExecution": _on_each("states", "stateMachine:", "stateMachineArn"),
    "states:StopExecution": _on_each("states", "execution:", "executionArn"),
    "sts:GetCallerIdentity": nothing,
}


def _cluster(parameters: Parameters) -> str:
    return arn("ecs", "cluster/", parameters.get("cluster", "default"))
