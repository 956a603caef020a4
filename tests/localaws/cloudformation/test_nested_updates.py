"""Updates of stacks with nested stacks: with their parent they change, and with it they are put back."""

from __future__ import annotations

import uuid

from tests.support.localaws.nested import (
    IMPOSSIBLE,
    NOTE,
    QUEUE,
    SHOWN,
    TOPIC,
    child,
    events,
    nested,
    note,
    noted,
    template,
)
from tests.support.localaws.stacks import create, outputs, reasons, update


def test_an_update_changes_what_has_changed_and_leaves_the_rest_alone(aws):
    body = note()
    one, two = nested(aws, body, Parameters={"Text": "1"}), nested(aws, body)
    stack = create(aws, template({"Child": one, "Other": two}))
    other = events(aws, child(aws, stack, "Other"))
    changed = {**one["Properties"], "Parameters": {"Text": 2}}
    stack = update(aws, stack, template({"Child": {**one, "Properties": changed}, "Other": two}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert child(aws, stack)["StackStatus"] == "UPDATE_COMPLETE"
    assert noted(aws, child(aws, stack)) == "2"
    assert events(aws, child(aws, stack, "Other")) == other
    assert ("Other", "UPDATE_COMPLETE") in events(aws, stack)


def test_a_parameter_that_is_no_longer_given_is_its_default_again(aws):
    body = note()
    stack = create(aws, template({"Child": nested(aws, body, Parameters={"Text": "1"})}))
    stack = update(aws, stack, template({"Child": nested(aws, body)}))
    assert noted(aws, child(aws, stack)) == "none"


def test_an_update_without_changes_still_looks_after_a_nested_stack(aws):
    ssm, name = aws.client("ssm"), f"/nested/{uuid.uuid4()}"
    ssm.put_parameter(Name=name, Value="old", Type="String")
    read = {"Text": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": name}}
    body = template({"Note": NOTE}, Parameters=read, Outputs=SHOWN)
    parent = template({"Child": nested(aws, body)})
    stack = create(aws, parent)
    ssm.put_parameter(Name=name, Value="new", Type="String", Overwrite=True)
    stack = update(aws, stack, parent)
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert noted(aws, child(aws, stack)) == "new"
    assert outputs(child(aws, stack))["Text"] == "new"


def test_a_change_set_says_that_a_nested_stack_is_looked_after(aws):
    parent = template({"Child": nested(aws, note()), "Topic": TOPIC})
    stack = create(aws, parent)
    made = aws.client("cloudformation").create_change_set(
        StackName=stack["StackName"], ChangeSetName="same", TemplateBody=parent
    )
    change_set = aws.client("cloudformation").describe_change_set(ChangeSetName=made["Id"])
    assert change_set["Status"] == "CREATE_COMPLETE"
    (change,) = [item["ResourceChange"] for item in change_set["Changes"]]
    assert (change["Action"], change["LogicalResourceId"]) == ("Modify", "Child")
    assert change["Details"][0]["ChangeSource"] == "Automatic"


def test_a_failed_nested_update_is_rolled_back_with_its_parent(aws):
    stack = create(aws, template({"Child": nested(aws, note())}))
    before = child(aws, stack)
    failing = note(Queue=QUEUE, Role={**IMPOSSIBLE, "DependsOn": "Queue"})
    stack = update(aws, stack, template({"Child": nested(aws, failing)}))
    after = child(aws, stack)
    assert stack["StackStatus"] == after["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(aws, stack)["Child"] == (
        f"Embedded stack {before['StackId']} was not successfully updated. Currently in "
        "UPDATE_ROLLBACK_IN_PROGRESS with reason: "
        "The following resource(s) failed to create: [Role]. "
    )
    assert outputs(after) == outputs(before)
    stack = update(aws, stack, template({"Child": nested(aws, note(Queue=QUEUE))}))
    assert stack["StackStatus"] == child(aws, stack)["StackStatus"] == "UPDATE_COMPLETE"


def test_when_the_parent_fails_later_a_nested_update_is_undone_and_nothing_was_deleted(aws):
    kept = template({"Q": QUEUE, "Note": NOTE}, Parameters={"Text": {"Type": "String"}})
    inner = nested(aws, kept, Parameters={"Text": "old"})
    outer = {"Child": nested(aws, template({"Child": inner}))}
    stack = create(aws, template(outer))
    inside = child(aws, child(aws, stack))
    queues = aws.client("sqs").list_queues(QueueNamePrefix=inside["StackName"])["QueueUrls"]

    without = template({"Note": NOTE}, Parameters={"Text": {"Type": "String"}})
    inner = nested(aws, without, Parameters={"Text": "new"})
    failing = {**IMPOSSIBLE, "DependsOn": "Child"}
    outer = {"Child": nested(aws, template({"Child": inner})), "Role": failing}
    after = update(aws, stack, template(outer))

    assert after["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    inside = child(aws, child(aws, stack))
    assert inside["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert inside["RootId"] == stack["StackId"] != inside["ParentId"]
    assert inside["Parameters"] == [{"ParameterKey": "Text", "ParameterValue": "old"}]
    statuses = [status for name, status in events(aws, inside) if name == inside["StackName"]]
    assert statuses[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    left = aws.client("sqs").list_queues(QueueNamePrefix=inside["StackName"])["QueueUrls"]
    assert left == queues
    listed = aws.client("cloudformation").list_stack_resources(StackName=inside["StackId"])
    (name,) = (
        item["PhysicalResourceId"]
        for item in listed["StackResourceSummaries"]
        if item["LogicalResourceId"] == "Note"
    )
    assert aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == "old"


def test_once_the_parent_is_through_what_a_nested_stack_has_left_over_is_deleted(aws):
    stack = create(aws, template({"Child": nested(aws, note(Queue=QUEUE))}))
    stack = update(aws, stack, template({"Child": nested(aws, note())}))
    assert child(aws, stack)["StackStatus"] == "UPDATE_COMPLETE"
    assert events(aws, child(aws, stack))[-3:] == [
        ("Queue", "DELETE_IN_PROGRESS"),
        ("Queue", "DELETE_COMPLETE"),
        (child(aws, stack)["StackName"], "UPDATE_COMPLETE"),
    ]


def test_with_rollback_disabled_a_nested_stack_stays_as_it_failed_and_can_be_mended(aws):
    failing = note(Role={**IMPOSSIBLE, "DependsOn": "Note"})
    stack = create(aws, template({"Child": nested(aws, failing)}), DisableRollback=True)
    assert stack["StackStatus"] == child(aws, stack)["StackStatus"] == "CREATE_FAILED"
    later = {**IMPOSSIBLE, "DependsOn": "Child"}
    resources = {"Child": nested(aws, note(Queue=QUEUE)), "Role": later}
    stack = update(aws, stack, template(resources), DisableRollback=True)
    assert stack["StackStatus"] == "UPDATE_FAILED"
    stack = update(aws, stack, template({"Child": nested(aws, note())}))
    assert stack["StackStatus"] == child(aws, stack)["StackStatus"] == "UPDATE_COMPLETE"
