"""The permissions that a request needs: IAM actions, with their resources and condition keys.

This is a table of the calls that Slipway's functions make. It follows
https://docs.aws.amazon.com/service-authorization/latest/reference/ and, where AWS's error messages show
stricter rules, those. A call that is not in the table is NotImplemented: add a line for it.
"""

from __future__ import annotations

from localaws.aws import ACCOUNT, listed
from localaws.iam.access import Access, Parameters, Rule, arn
from localaws.iam.secrets import get_parameter, get_secret_value


def rule_for(action: str) -> Rule:
    """The rule of an action such as ``ecs:UpdateService``."""
    if action not in RULES:
        raise NotImplementedError(
            f"{action} by a function: localaws/iam/required_permissions.py has no rule"
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


def _invoke(_action: str, parameters: Parameters) -> list[Access]:
    # The permission has another name than the call: Actions of Lambda in AWS's service authorization
    # reference.
    name = parameters["FunctionName"]
    return [Access("lambda:InvokeFunction", arn("lambda", "function:", name))]


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
    # A log group is identified by its name or, if it is in another account, by its ARN.
    group = parameters.get("logGroupName") or parameters["logGroupIdentifier"]
    whole = arn("logs", "log-group:", group).removesuffix(":*")
    return [Access(action, f"{whole}:log-stream:{parameters['logStreamName']}")]


def _on_parameter(parameter: str) -> Rule:
    """A Parameter Store action on a name or a path. A trailing slash is kept, as in AWS's errors."""

    def rule(action: str, parameters: Parameters) -> list[Access]:
        name = parameters[parameter].removeprefix("/")
        return [Access(action, arn("ssm", "parameter/", name))]

    return rule


def _on_item(action: str, parameters: Parameters) -> list[Access]:
    table = arn("dynamodb", "table/", parameters["TableName"])
    # The partition key of the ledger's table. The request alone does not say which attribute that is.
    leading = parameters["Key"].get("pk", {}).get("S")
    return [Access(action, table, {"dynamodb:LeadingKeys": leading} if leading else {})]


def _query(action: str, parameters: Parameters) -> list[Access]:
    table = arn("dynamodb", "table/", parameters["TableName"])
    index = parameters.get("IndexName")
    return [Access(action, f"{table}/index/{index}" if index else table)]


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
        (actions[kind], arn("dynamodb", "table/", request["TableName"]))
        for kind, request in entries
    ]
    return [Access(action, table) for action, table in dict.fromkeys(needed)]  # each once


RULES: dict[str, Rule] = {
    "cloudwatch:DescribeAlarms": _describe_alarms,
    "dynamodb:DeleteItem": _on_each("dynamodb", "table/", "TableName"),
    "dynamodb:GetItem": _on_item,
    "dynamodb:PutItem": _on_each("dynamodb", "table/", "TableName"),
    "dynamodb:Query": _query,
    "dynamodb:TransactWriteItems": _transact_write_items,
    "dynamodb:UpdateItem": _on_item,
    "ecr:DescribeImages": _on_each("ecr", "repository/", "repositoryName"),
    "ecr:DescribeRepositories": _on_each("ecr", "repository/", "repositoryNames"),
    "ecs:DescribeContainerInstances": _in_cluster("container-instance", "containerInstances"),
    "ecs:DescribeServices": _in_cluster("service", "services"),
    "ecs:DescribeTaskDefinition": _on_everything,
    "ecs:DescribeTasks": _in_cluster("task", "tasks"),
    "ecs:ListTaskDefinitions": _on_everything,
    "ecs:ListTasks": _list_tasks,
    "ecs:RegisterTaskDefinition": _register_task_definition,
    "ecs:UpdateService": _in_cluster("service", "service"),
    "elasticloadbalancing:DescribeTargetHealth": _on_everything,
    "logs:GetLogEvents": _get_log_events,
    "secretsmanager:GetSecretValue": get_secret_value,
    "lambda:Invoke": _invoke,
    "sns:Publish": _on_each("sns", "", "TopicArn"),
    "ssm:DeleteParameter": _on_parameter("Name"),
    "ssm:GetParameter": get_parameter,
    "ssm:GetParametersByPath": _on_parameter("Path"),
    "ssm:PutParameter": _on_parameter("Name"),
    "states:DescribeExecution": _on_each("states", "execution:", "executionArn"),
    "states:StartExecution": _on_each("states", "stateMachine:", "stateMachineArn"),
}


def _cluster(parameters: Parameters) -> str:
    return arn("ecs", "cluster/", parameters.get("cluster", "default"))
