"""What CloudFormation refuses, and what becomes of a stack when a resource fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.stacks import (
    change,
    create,
    outputs,
    parameters,
    reasons,
    stack_name,
    update,
)

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 60}}
# A role with a managed policy that does not exist.
IMPOSSIBLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"],
    },
}


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def refusal(aws, body: str, **values: str) -> str:
    """Why CreateStack refuses; nothing may be there afterwards."""
    name = stack_name()
    cloudformation = aws.client("cloudformation")
    with pytest.raises(ClientError) as refused:
        cloudformation.create_stack(
            StackName=name, TemplateBody=body, Parameters=parameters(values)
        )
    with pytest.raises(ClientError, match=f"Stack with id {name} does not exist"):
        cloudformation.describe_stacks(StackName=name)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    return str(refused.value)


def test_an_unsupported_type_is_named(aws):
    said = refusal(aws, template({"Bus": {"Type": "AWS::MSK::Cluster"}, "Topic": TOPIC}))
    assert "Bus is of type AWS::MSK::Cluster" in said


def test_an_unsupported_property_is_named(aws):
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"ArchivePolicy": {}}}
    assert "Topic (AWS::SNS::Topic) has ArchivePolicy" in refusal(aws, template({"Topic": topic}))


def test_an_unsupported_deletion_policy_is_named(aws):
    said = refusal(aws, template({"Topic": {**TOPIC, "DeletionPolicy": "Snapshot"}}))
    assert "Topic (AWS::SNS::Topic) has DeletionPolicy Snapshot" in said


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "a1", "must match pattern [a-z]+"),
        ({"Type": "String", "MinLength": 2}, "a", "must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": 2}, "abc", "must contain at most 2 characters"),
        ({"Type": "Number", "MinValue": 2}, "1", "must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "3", "must be a number not greater than 2"),
        ({"Type": "Number"}, "many", "must be a number"),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]"}, "a,1", "must match pattern"),
        ({"Type": "String", "MinLength": 2, "ConstraintDescription": "be long"}, "", "be long"),
        ({"Type": "AWS::Route53::HostedZone::Id"}, "z", "does not support the type"),
    ],
)
def test_a_parameter_is_checked_before_anything_is_made(aws, parameter, value, reason):
    body = template({"Topic": TOPIC}, Parameters={"Given": parameter})
    assert reason in refusal(aws, body, Given=value)


def test_a_missing_parameter_is_named(aws):
    body = template({"Topic": TOPIC}, Parameters={"Given": {"Type": "String"}})
    assert "Parameters: [Given] must have values" in refusal(aws, body)


def test_an_undeclared_parameter_is_named(aws):
    said = refusal(aws, template({"Topic": TOPIC}), Unknown="x")
    assert "Parameters: [Unknown] do not exist in the template" in said


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ({"Ref": "Nobody"}, "Unresolved resource dependencies [Nobody]"),
        ({"Fn::Sub": "${Nobody}"}, "Unresolved resource dependencies [Nobody]"),
        ({"Fn::GetAtt": ["Nobody", "Arn"]}, "Unresolved resource dependencies [Nobody]"),
        ({"Fn::GetAtt": "Queue.Colour"}, "resource Queue does not support attribute type Colour"),
        ({"Fn::Length": ["a", "b"]}, "does not support Fn::Length"),
        ({"Fn::Join": [{"Ref": "AWS::Region"}, ["a"]]}, "a string delimiter without functions"),
        ({"Fn::If": ["Perhaps", "a", "b"]}, "names the condition Perhaps"),
    ],
)
def test_a_template_that_refers_to_a_missing_name_is_refused(aws, name, reason):
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}
    assert reason in refusal(aws, template({"Topic": topic, "Queue": QUEUE}))


def test_a_resource_that_a_condition_rules_out_cannot_be_referred_to(aws):
    resources = {"Queue": {**QUEUE, "Condition": "Never"}}
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    exported = {"Queue": {"Value": {"Ref": "Queue"}}}
    said = refusal(aws, template(resources, Conditions=never, Outputs=exported))
    assert "Unresolved resource dependencies [Queue] in the Outputs block" in said


def test_resources_cannot_wait_for_each_other(aws):
    resources = {"A": {**TOPIC, "DependsOn": "B"}, "B": {**QUEUE, "DependsOn": ["A"]}}
    assert "Circular dependency between resources" in refusal(aws, template(resources))


def test_a_template_that_sam_cannot_translate_is_refused_in_the_words_of_sam(aws):
    resources = {"Step": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b"}}}
    said = refusal(aws, template(resources, Transform="AWS::Serverless-2016-10-31"))
    assert "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless" in said
    assert "[Step]" in said


def test_another_transform_is_refused(aws):
    said = refusal(aws, template({"Topic": TOPIC}, Transform="AWS::LanguageExtensions"))
    assert "does not support the transform AWS::LanguageExtensions" in said


def test_a_role_needs_the_callers_acknowledgement(aws):
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        aws.client("cloudformation").create_stack(
            StackName=stack_name(), TemplateBody=template({"Role": IMPOSSIBLE})
        )


def test_an_action_that_is_not_there_is_an_error(aws):
    with pytest.raises(ClientError, match="NotImplemented"):
        aws.client("cloudformation").list_stack_sets()


def test_a_failed_creation_is_rolled_back_and_says_why(aws):
    stack = create(aws, template({"Queue": QUEUE, "Role": {**IMPOSSIBLE, "DependsOn": "Queue"}}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "NoSuchPolicy does not exist" in reasons(aws, stack)["Role"]
    name = stack["StackName"]
    assert "QueueUrls" not in aws.client("sqs").list_queues(QueueNamePrefix=name)
    roles = aws.client("iam").list_roles()["Roles"]
    assert [role for role in roles if role["RoleName"].startswith(name)] == []
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        update(aws, stack, template({"Queue": QUEUE}))


def test_a_failed_creation_stays_where_rollback_is_disabled(aws):
    failing = template({"Queue": QUEUE, "Role": {**IMPOSSIBLE, "DependsOn": "Queue"}})
    stack = create(aws, failing, DisableRollback=True)
    assert stack["StackStatus"] == "CREATE_FAILED"
    mended = update(aws, stack, template({"Queue": QUEUE}))
    assert mended["StackStatus"] == "UPDATE_COMPLETE"


def test_a_failed_update_puts_the_old_resources_back(aws):
    stack = create(aws, template({"Queue": QUEUE}, Outputs={"Queue": {"Value": {"Ref": "Queue"}}}))
    changed = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 120}}
    role = {**IMPOSSIBLE, "DependsOn": ["Queue", "Topic"]}
    after = update(aws, stack, template({"Queue": changed, "Topic": TOPIC, "Role": role}))

    assert after["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(after) == outputs(stack)
    url = outputs(stack)["Queue"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["MessageRetentionPeriod"] == "60"
    listed = aws.client("cloudformation").list_stack_resources(StackName=stack["StackName"])
    assert [item["LogicalResourceId"] for item in listed["StackResourceSummaries"]] == ["Queue"]


def test_a_replacement_that_fails_leaves_the_resource_that_it_was_to_replace(aws):
    named = template({"Q": QUEUE}, Outputs={"Q": {"Value": {"Ref": "Q"}}})
    stack = create(aws, named)
    failing = {"Q": TOPIC, "Role": {**IMPOSSIBLE, "DependsOn": "Q"}}
    after = update(aws, stack, template(failing))
    assert after["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.client("sqs").get_queue_attributes(QueueUrl=outputs(after)["Q"])
    topics = aws.client("sns").list_topics()["Topics"]
    assert stack["StackName"] not in json.dumps(topics)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("Resources:\n  A: &queue {Type: 'AWS::SQS::Queue'}\n  B: *queue\n", "line 3 has an alias"),
        ("Resources:\n  A:\n    <<: {Type: 'AWS::SQS::Queue'}\n", "line 3 has a merge key"),
    ],
)
def test_a_template_with_yaml_aliases_is_refused(aws, body, what):
    message = f"YAML aliases are not allowed in CloudFormation templates: {what}"
    with pytest.raises(ClientError, match=message):
        create(aws, body)


def test_a_definition_with_a_name_that_has_no_value_fails(aws):
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": "arn:aws:iam::123456789012:role/states",
            "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "${Kind}"}}}',
            "DefinitionSubstitutions": {"Other": "Pass"},
        },
    }
    stack = create(aws, template({"Machine": machine}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "${Kind}" in reasons(aws, stack)["Machine"]


def test_a_change_set_without_changes_fails_as_the_sam_cli_expects(aws):
    name, body = stack_name(), template({"Topic": TOPIC})
    change(aws, name, body, {})
    cloudformation = aws.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName=name, ChangeSetName="again", ChangeSetType="UPDATE", TemplateBody=body
    )
    described = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert described["Status"] == "FAILED"
    assert "The submitted information didn't contain changes." in described["StatusReason"]
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName=name, TemplateBody=body)


def test_a_change_set_says_what_will_be_replaced(aws):
    name = stack_name()
    subscription = {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "a@b.c"},
    }
    change(aws, name, template({"T": TOPIC, "S": subscription, "Q": QUEUE}), {})
    renamed = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{name}-new"}}
    made = aws.client("cloudformation").create_change_set(
        StackName=name,
        ChangeSetName="rename",
        ChangeSetType="UPDATE",
        TemplateBody=template({"T": renamed, "S": subscription, "R": QUEUE}),
    )
    described = aws.client("cloudformation").describe_change_set(ChangeSetName=made["Id"])
    changes = {
        item["ResourceChange"]["LogicalResourceId"]: (
            item["ResourceChange"]["Action"],
            item["ResourceChange"].get("Replacement"),
        )
        for item in described["Changes"]
    }
    assert changes == {
        "T": ("Modify", "True"),
        "S": ("Modify", "True"),
        "R": ("Add", None),
        "Q": ("Remove", None),
    }

    aws.client("cloudformation").execute_change_set(ChangeSetName=made["Id"])
    topics = [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]]
    assert [arn.rsplit(":", 1)[1] for arn in topics if name in arn] == [f"{name}-new"]
    subscriptions = aws.client("sns").list_subscriptions()["Subscriptions"]
    (subscribed,) = [item for item in subscriptions if name in item["TopicArn"]]
    assert subscribed["TopicArn"].endswith(f"{name}-new")
