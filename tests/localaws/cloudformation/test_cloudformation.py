"""A SAM template of the shape of Slipway's own: everything that it says is there, in the services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.stacks import (
    change,
    delete,
    outputs,
    packaged_template,
    stack_name,
)
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def template(aws: LocalAws) -> str:
    return packaged_template(aws)


@pytest.fixture(scope="module")
def stack(aws: LocalAws, template: str) -> dict[str, Any]:
    return change(aws, stack_name(), template, {"Email": "oncall@example.com"})


@pytest.fixture(scope="module")
def made(stack: dict[str, Any]) -> dict[str, str]:
    return outputs(stack)


def run(aws: LocalAws, machine: str, name: str) -> dict[str, Any]:
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, name=name, input='{"name": "x"}')

    def ended() -> dict[str, Any] | None:
        described = states.describe_execution(executionArn=execution["executionArn"])
        return None if described["status"] == "RUNNING" else described

    return wait_for(ended, "the end of the execution", seconds=60)


def test_a_stack_is_complete_and_has_its_outputs(stack, made):
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Description"].startswith("A small template")
    name = stack["StackName"]
    assert made["Outer"] == f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}-outer"
    assert made["Inner"].endswith(f":{made['InnerName']}")
    assert made["Alerts"].endswith(f":{made['AlertsName']}")


def test_every_resource_has_its_own_events(aws, stack):
    events = aws.client("cloudformation").describe_stack_events(StackName=stack["StackName"])
    seen = [
        (event["LogicalResourceId"], event["ResourceStatus"])
        for event in reversed(events["StackEvents"])
    ]
    assert seen[-1] == (stack["StackName"], "CREATE_COMPLETE")
    assert seen.index(("Greet", "CREATE_COMPLETE")) < seen.index(("Inner", "CREATE_IN_PROGRESS"))
    times = [event["Timestamp"] for event in events["StackEvents"]]
    assert times == sorted(set(times), reverse=True)


def test_a_stacks_state_machines_run_its_functions(aws, made):
    ended = run(aws, made["Outer"], "first")
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"]) == {"hello": "outer"}


def test_a_state_machine_has_its_definition_logging_and_tracing(aws, stack, made):
    machine = aws.client("stepfunctions").describe_state_machine(stateMachineArn=made["Outer"])
    wait = json.loads(machine["definition"])["States"]["Wait"]
    assert wait["Seconds"] == 0
    assert machine["tracingConfiguration"] == {"enabled": True}
    assert machine["loggingConfiguration"]["level"] == "ALL"
    group = machine["loggingConfiguration"]["destinations"][0]["cloudWatchLogsLogGroup"]
    assert group["logGroupArn"].endswith(f"log-group:/aws/vendedlogs/states/{stack['StackName']}:*")


def test_a_function_has_its_whole_configuration(aws, made):
    function = aws.client("lambda").get_function(FunctionName=made["Greet"])
    configuration = function["Configuration"]
    assert configuration["Architectures"] == ["x86_64"]
    assert configuration["Environment"]["Variables"] == {"CLUSTERS": "blue green"}
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": made["StepsLogGroup"],
    }
    assert (configuration["Timeout"], configuration["MemorySize"]) == (20, 256)
    assert configuration["TracingConfig"] == {"Mode": "Active"}
    assert function["Tags"]["lambda:createdBy"] == "SAM"


def test_a_function_has_its_permission_and_its_invoke_config(aws, made):
    functions = aws.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=made["Greet"])["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": made["Alerts"]}}
    config = functions.get_function_event_invoke_config(FunctionName=made["Greet"])
    assert config["MaximumRetryAttempts"] == 1


def test_a_role_has_its_policies_with_the_functions_in_them_resolved(aws, made):
    iam = aws.client("iam")
    attached = iam.list_attached_role_policies(RoleName=made["GreetRole"])["AttachedPolicies"]
    assert {policy["PolicyName"] for policy in attached} == {
        "AWSLambdaBasicExecutionRole",
        "AWSXRayDaemonWriteAccess",
        "AWSXrayWriteOnlyAccess",
    }
    (name,) = iam.list_role_policies(RoleName=made["GreetRole"])["PolicyNames"]
    policy = iam.get_role_policy(RoleName=made["GreetRole"], PolicyName=name)["PolicyDocument"]
    assert policy["Statement"][0]["Resource"] == [
        "arn:aws:ecs:us-east-1:123456789012:service/blue/*",
        "arn:*:ecs:*:*:service/green/*",
    ]


def test_a_rule_has_its_target_whole(aws, made):
    rule = aws.client("events").describe_rule(Name=made["Rule"])
    assert rule["State"] == "ENABLED"
    assert json.loads(rule["EventPattern"])["source"] == ["aws.ecr"]
    (target,) = aws.client("events").list_targets_by_rule(Rule=made["Rule"])["Targets"]
    assert target["Arn"] == made["Outer"]
    assert target["RoleArn"].startswith("arn:aws:iam::123456789012:role/")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 5}
    assert target["DeadLetterConfig"] == {"Arn": made["Undelivered"]}


def test_a_queue_has_its_attributes_and_its_policy(aws, made):
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=made["Kept"], AttributeNames=["All"])
    attributes = answer["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "1209600"
    assert attributes["SqsManagedSseEnabled"] == "true"
    policy = json.loads(attributes["Policy"])
    assert policy["Version"] == "2012-10-17"
    assert policy["Statement"][0]["Resource"] == attributes["QueueArn"]


def test_a_topic_has_its_key_its_policy_and_its_subscription(aws, made):
    sns = aws.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=made["Alerts"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == "alias/aws/sns"
    assert attributes["DisplayName"] == "Slipway"
    principal = json.loads(attributes["Policy"])["Statement"][0]["Principal"]
    assert principal == {"Service": "cloudwatch.amazonaws.com"}
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=made["Alerts"])["Subscriptions"]
    assert subscription["Endpoint"] == "oncall@example.com"
    filtered = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])
    assert json.loads(filtered["Attributes"]["FilterPolicy"]) == {"outcome": ["FAILED"]}


def test_a_stacks_alarm_and_log_group_exist(aws, made):
    name = made["Failures"].rsplit(":", 1)[1]
    (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["AlarmActions"] == [made["Alerts"]]
    assert alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": made["Outer"]}]
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=made["StepsLogGroup"])
    assert groups["logGroups"][0]["retentionInDays"] == 14


def test_a_template_is_given_back_as_it_was_and_as_it_became(aws, stack, template):
    get = aws.client("cloudformation").get_template
    assert get(StackName=stack["StackName"])["TemplateBody"] == template
    processed = get(StackName=stack["StackName"], TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["GreetRole"]["Type"] == "AWS::IAM::Role"


def test_changed_parameters_and_definitions_change_the_existing_resources(aws, template):
    name = stack_name()
    before = outputs(change(aws, name, template, {"Email": "a@example.com"}))
    values = {"RetentionDays": "30", "RuleState": "DISABLED", "ClusterNames": "red"}
    changed = template.replace("1209600", "3600").replace("Timeout: 20", "Timeout: 9")
    changed = changed.replace("Level, !Ref AWS::Region, Log]", "Level, us-east-1, Less]")
    changed = changed.replace("{Log: ALL}", "{Log: ALL, Less: ERROR}")
    stack = change(aws, name, changed, values, "UPDATE")

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs(stack) == before
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=before["StepsLogGroup"])
    assert groups["logGroups"][0]["retentionInDays"] == 30
    assert aws.client("events").describe_rule(Name=before["Rule"])["State"] == "DISABLED"
    function = aws.client("lambda").get_function_configuration(FunctionName=before["Greet"])
    assert function["Timeout"] == 9
    assert function["Environment"]["Variables"] == {"CLUSTERS": "red"}
    machine = aws.client("stepfunctions").describe_state_machine(stateMachineArn=before["Outer"])
    assert machine["loggingConfiguration"]["level"] == "ERROR"
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=before["Kept"], AttributeNames=["All"])
    assert queue["Attributes"]["MessageRetentionPeriod"] == "3600"
    assert "Policy" in queue["Attributes"]
    subscriptions = aws.client("sns").list_subscriptions_by_topic(TopicArn=before["Alerts"])
    assert subscriptions["Subscriptions"] == []


def test_a_deleted_stack_takes_its_resources_along_but_those_to_retain(aws, template):
    cloudformation = aws.client("cloudformation")
    name = stack_name()
    stack = change(aws, name, template, {"Email": "a@example.com"})
    resources = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    assert len(resources) == 20
    delete(aws, stack)

    gone = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    left = {
        "alarms": aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"],
        "machines": aws.client("stepfunctions").list_state_machines()["stateMachines"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "functions": aws.client("lambda").list_functions()["Functions"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "queues": aws.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []),
        "rules": aws.client("events").list_rules(NamePrefix=name)["Rules"],
        "groups": aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"],
    }
    assert {
        kind: found for kind, found in left.items() if name in json.dumps(found, default=str)
    } == {}
    kept = aws.client("logs").describe_log_groups(
        logGroupNamePrefix=f"/aws/vendedlogs/states/{name}"
    )
    assert len(kept["logGroups"]) == 1
