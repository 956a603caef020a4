"""What nested stacks need, what they cannot be, and how their failures are told."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.nested import (
    IMPOSSIBLE,
    QUEUE,
    ROLE,
    TOPIC,
    events,
    nested,
    note,
    template,
)
from tests.support.localaws.stacks import create, finished, reasons, stack_name


@pytest.mark.parametrize(
    ("body", "capability"),
    [
        (template({"Role": ROLE}), "CAPABILITY_IAM"),
        (template({"T": TOPIC}, Transform="AWS::Serverless-2016-10-31"), "CAPABILITY_AUTO_EXPAND"),
    ],
)
def test_the_caller_of_the_parent_acknowledges_the_capabilities_of_a_nested_template(
    aws, body, capability
):
    made = aws.client("cloudformation").create_stack(
        StackName=stack_name(), TemplateBody=template({"Child": nested(aws, body)})
    )
    stack = finished(aws, made["StackId"])
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"Requires capabilities : [{capability}]" in reasons(aws, stack)["Child"]


def test_a_nested_failure_fails_the_parent_and_nothing_is_left(aws):
    failing = nested(aws, template({"Role": IMPOSSIBLE, "Queue": QUEUE}))
    resources = {"First": nested(aws, note()), "Child": {**failing, "DependsOn": "First"}}
    stack = create(aws, template(resources))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    listed = aws.client("cloudformation").list_stacks()["StackSummaries"]
    ours = {item["StackId"]: item for item in listed if item.get("ParentId") == stack["StackId"]}
    assert {item["StackStatus"] for item in ours.values()} == {"DELETE_COMPLETE"}
    (failed,) = (arn for arn in ours if "-Child-" in arn)
    assert reasons(aws, stack)["Child"] == (
        f"Embedded stack {failed} was not successfully created: "
        "The following resource(s) failed to create: [Role]. "
    )
    statuses = [status for name, status in events(aws, {"StackId": failed}) if "-Child-" in name]
    assert statuses == [
        "CREATE_IN_PROGRESS",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {"Parameters": {"Text": ["a", "b"]}},
            "Value of property Parameters must be an object with String (or simple type) properties",
        ),
        ({"Parameters": "a"}, "Value of property Parameters must be an object"),
        ({"Parameters": {"Other": "a"}}, "Parameters: [Other] do not exist in the template"),
        ({"NotificationARNs": ["arn"]}, "AWS::CloudFormation::Stack: NotificationARNs"),
        ({"TemplateURL": "http://localhost/none/at-all"}, "S3 error: there is no template at"),
    ],
)
def test_a_wrong_nested_stack_fails_with_the_reason_at_its_declaration(aws, properties, reason):
    stack = create(aws, template({"Child": nested(aws, note(), **properties)}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["Child"]


def output(aws: LocalAws, attribute: str) -> str:
    shown = {"It": {"Value": {"Fn::GetAtt": f"Child.{attribute}"}}}
    return template({"Child": nested(aws, note())}, Outputs=shown)


def test_an_output_that_is_not_there_is_named(aws):
    stack = create(aws, output(aws, "Outputs.Colour"))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    told = aws.client("cloudformation").describe_stack_events(StackName=stack["StackId"])
    whys = " ".join(event.get("ResourceStatusReason", "") for event in told["StackEvents"])
    assert "Output 'Colour' not found in stack 'arn:aws:cloudformation:" in whys


def test_a_nested_stack_has_no_attributes_but_its_outputs(aws):
    with pytest.raises(ClientError, match="does not support attribute type Arn in Fn::GetAtt"):
        create(aws, output(aws, "Arn"))
