"""The real SAM CLI deploys to the local AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.stacks import BUCKET, HERE, stack_name

NESTING = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
MANAGED = "aws-sam-cli-managed-default"
"""The stack in which `sam deploy --guided` makes a bucket for itself."""


def sam(*arguments: str, where: Path, answers: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "sam", *arguments],
        cwd=where,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2"},
        input=answers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def sam_deploy(aws, stack: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return sam(
        *("deploy", "--stack-name", stack, "--template", "template.yaml", "--s3-bucket", BUCKET),
        *("--capabilities", "CAPABILITY_IAM", "--region", "us-east-1"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *(("--parameter-overrides", *overrides) if overrides else ()),
        where=HERE,
    )


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A folder with an application that nests another one."""
    (tmp_path / "child.yaml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    properties = "{Location: child.yaml}"
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        f"Resources: {{Child: {{Type: AWS::Serverless::Application, Properties: {properties}}}}}"
    )
    return tmp_path


def test_sam_deploy_creates_then_updates_then_finds_nothing_to_do(aws):
    stack = stack_name()
    created = sam_deploy(aws, stack)
    assert created.returncode == 0, created.stdout
    assert f"Successfully created/updated stack - {stack}" in created.stdout

    updated = sam_deploy(aws, stack, "RuleState=DISABLED")
    assert updated.returncode == 0, updated.stdout
    assert "UPDATE_COMPLETE" in updated.stdout
    (rule,) = aws.client("events").list_rules(NamePrefix=f"{stack}-")["Rules"]
    assert rule["State"] == "DISABLED"

    again = sam_deploy(aws, stack, "RuleState=DISABLED")
    assert again.returncode == 0, again.stdout
    assert "No changes to deploy" in again.stdout


def test_sam_deploy_fails_where_a_resource_fails_and_shows_why(aws):
    failed = sam_deploy(aws, stack_name(), "RuleState=SLEEPING")
    assert failed.returncode != 0
    assert "ROLLBACK_COMPLETE" in failed.stdout
    assert "SLEEPING" in failed.stdout


def test_a_guided_deployment_uploads_to_the_bucket_that_it_makes_and_sam_delete_undoes_it(
    aws, application
):
    stack, file = stack_name(), "deploy.toml"
    # name, region, confirm, may create roles, disable rollback, save, file, environment
    answers = "\n".join([stack, "us-east-1", "n", "y", "n", "y", file, "", ""])
    deployed = sam("deploy", "--guided", *NESTING, where=application, answers=answers)
    assert deployed.returncode == 0, deployed.stdout
    (managed,) = aws.client("cloudformation").describe_stacks(StackName=MANAGED)["Stacks"]
    (bucket,) = (output["OutputValue"] for output in managed["Outputs"])
    assert f's3_prefix = "{stack}"' in (application / file).read_text()
    assert uploads(aws, bucket, stack)

    deleted = sam("delete", "--no-prompts", "--config-file", file, where=application)

    assert deleted.returncode == 0, deleted.stdout
    with pytest.raises(ClientError, match="does not exist"):
        aws.client("cloudformation").describe_stacks(StackName=stack)
    assert not uploads(aws, bucket, stack)


def uploads(aws, bucket: str, prefix: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def test_sam_delete_deletes_a_stack_with_the_template_that_it_nests(aws, application):
    stack, bucket = stack_name(), f"{stack_name()}-templates"
    aws.client("s3").create_bucket(Bucket=bucket)
    deployed = sam(
        *("deploy", "--stack-name", stack, "--s3-bucket", bucket, "--region", "us-east-1"),
        *NESTING,
        where=application,
    )
    assert deployed.returncode == 0, deployed.stdout
    assert len(uploads(aws, bucket, "")) == 2

    deleted = sam(
        *("delete", "--stack-name", stack, "--region", "us-east-1", "--no-prompts"),
        where=application,
    )

    assert deleted.returncode == 0, deleted.stdout
    assert "Deleted successfully" in deleted.stdout
    # The SAM CLI finds the template of the stack itself by a hash of what GetTemplate returns.
    assert len(uploads(aws, bucket, "")) == 1
