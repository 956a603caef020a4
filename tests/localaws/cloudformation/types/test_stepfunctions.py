"""State machines in stacks whose definitions are YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.stacks import BUCKET, create, outputs, reasons

ALIAS = """
StartAt: A
States:
  A: &wait {Type: Wait, Seconds: 1, End: true}
  B: *wait
"""
MERGE = """
StartAt: A
States:
  A:
    <<: {Type: Wait, Seconds: 1}
    End: true
"""


def template(**definition: Any) -> str:
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/any", **definition}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    return json.dumps(
        {"Resources": {"Machine": machine}, "Outputs": {"Arn": {"Value": {"Ref": "Machine"}}}}
    )


def stored(aws: LocalAws, definition: str) -> dict[str, str]:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="machine.asl.yaml", Body=definition.encode())
    return {"Bucket": BUCKET, "Key": "machine.asl.yaml"}


@pytest.mark.parametrize(
    ("definition", "what"), [(ALIAS, "an alias"), (MERGE, "a merge key")], ids=["alias", "merge"]
)
@pytest.mark.parametrize("source", ["DefinitionS3Location", "DefinitionString"])
def test_an_alias_in_a_definition_fails_the_stack_with_its_line(
    aws: LocalAws, source: str, definition: str, what: str
) -> None:
    given = stored(aws, definition) if source == "DefinitionS3Location" else definition
    stack = create(aws, template(**{source: given}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = reasons(aws, stack)["Machine"]
    assert reason == (
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: YAML aliases are not allowed:"
        f" line 5 has {what}'"
    )


def test_an_anchor_that_no_alias_names_and_a_date_are_taken(aws: LocalAws) -> None:
    definition = (
        "StartAt: A\nStates:\n  A: &a {Type: Wait, Timestamp: 2016-03-14T01:59:00Z, End: true}\n"
    )
    stack = create(aws, template(DefinitionS3Location=stored(aws, definition)))
    machine = aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=outputs(stack)["Arn"]
    )
    assert json.loads(machine["definition"])["States"]["A"]["Timestamp"] == "2016-03-14T01:59:00Z"
