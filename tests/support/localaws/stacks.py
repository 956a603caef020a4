"""Deploys stacks for the tests of CloudFormation, and waits for the end of each operation."""

from __future__ import annotations

import io
import uuid
import zipfile
from pathlib import Path
from typing import Any

from localaws.server import LocalAws
from tests.support.waiting import wait_for

HERE = Path(__file__).with_name("packaged")
BUCKET = "cloudformation-tests"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def stack_name() -> str:
    return f"s{uuid.uuid4().hex[:8]}"


def packaged_template(aws: LocalAws) -> str:
    """The template as `sam package` writes it; the files that it refers to are uploaded to S3."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as module:
        module.write(HERE / "functions/app.py", "app.py")
    s3.put_object(Bucket=BUCKET, Key="functions/", Body=archive.getvalue())
    template = (HERE / "template.yaml").read_text()
    for name in ("outer.asl.yaml", "inner.asl.json", "functions/"):
        template = template.replace(f"Uri: {name}", f"Uri: s3://{BUCKET}/{name}")
        if not name.endswith("/"):
            s3.put_object(Bucket=BUCKET, Key=name, Body=(HERE / name).read_bytes())
    return template


def parameters(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def change(
    aws: LocalAws, stack: str, template: str, values: dict[str, str], kind: str = "CREATE"
) -> dict[str, Any]:
    """Create a change set and execute it to its end; the stack.

    Args:
        template: its text, or its URL in S3.
    """
    cloudformation = aws.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName="change",
        ChangeSetType=kind,
        Parameters=parameters(values),
        Capabilities=CAPABILITIES,
        **{"TemplateURL" if template.startswith("https://") else "TemplateBody": template},
    )
    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    return finished(aws, made["StackId"])


def create(aws: LocalAws, template: str, **arguments: Any) -> dict[str, Any]:
    """Create a stack under a new name, and wait for the end; the stack."""
    made = aws.client("cloudformation").create_stack(
        StackName=stack_name(), TemplateBody=template, Capabilities=CAPABILITIES, **arguments
    )
    return finished(aws, made["StackId"])


def update(aws: LocalAws, stack: dict[str, Any], template: str, **arguments: Any) -> dict[str, Any]:
    """Update a stack, and wait for the end; the stack."""
    made = aws.client("cloudformation").update_stack(
        StackName=stack["StackName"], TemplateBody=template, Capabilities=CAPABILITIES, **arguments
    )
    return finished(aws, made["StackId"])


def delete(aws: LocalAws, stack: dict[str, Any]) -> None:
    """Delete a stack, and wait until it is gone."""
    aws.client("cloudformation").delete_stack(StackName=stack["StackName"])
    finished(aws, stack["StackId"])


def finished(aws: LocalAws, stack_id: str) -> dict[str, Any]:
    def described() -> dict[str, Any] | None:
        stack = aws.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    return wait_for(described, f"the end of the operation on {stack_id}", seconds=120)


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def reasons(aws: LocalAws, stack: dict[str, Any]) -> dict[str, str]:
    """The reasons for which resources failed, by logical id."""
    events = aws.client("cloudformation").describe_stack_events(StackName=stack["StackId"])
    return {
        event["LogicalResourceId"]: event["ResourceStatusReason"]
        for event in events["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED")
    }
