"""The real SAM CLI deploys to the local AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.localaws.stacks import BUCKET, HERE, stack_name


def sam_deploy(aws, stack: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return subprocess.run(
        [
            *(Path(sys.executable).parent / "sam", "deploy", "--stack-name", stack),
            *("--template", HERE / "template.yaml", "--s3-bucket", BUCKET),
            *("--capabilities", "CAPABILITY_IAM", "--region", "us-east-1"),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            *(("--parameter-overrides", *overrides) if overrides else ()),
        ],
        cwd=HERE,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


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
