"""The demo's story: the environment's service, and three images with the outcome that each must have."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from localaws import seed
from localaws.server import LocalAws
from tools import sam

REPO = Path(__file__).parent.parent.parent
REPOSITORY, SERVICE, ALARM = "shop/api", "production/api", "production-api-5xx"
TIMES = {"bake_seconds": 3, "timeout_seconds": 60, "poll_seconds": 1}
# The tag, how its containers behave, and the outcome that its deployment must have.
STORY: list[tuple[str, dict[str, str], str]] = [
    ("v1", {}, "SUCCEEDED"),
    ("v2", {"localaws.behaviour": "crash", "localaws.exit-code": "1"}, "ROLLED_BACK"),
    (
        "v3",
        {
            "localaws.behaviour": "regression",
            "localaws.alarm": ALARM,
            "localaws.alarm-after-seconds": "1",
        },
        "ROLLED_BACK",
    ),
]


def deploy(aws: LocalAws, more: dict[str, str] | None = None) -> dict[str, str]:
    """Deploy Slipway and its environment, shorten the times of the service's plan, and return the
    outputs.

    Args:
        more: parameters in addition to the demo's.
    """
    outputs = sam.deploy(aws, REPO, {"WithEnvironment": "true", "NatGateways": "1", **(more or {})})
    seed.quicken_plan(REPOSITORY, TIMES)
    return outputs


def push_with_the_aws_cli(url: str, tag: str, behaviour: dict[str, str]) -> None:
    """Push the image as any user of the AWS CLI would."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as manifest:
        manifest.write(seed.manifest(tag, behaviour))
        manifest.flush()
        command = [str(Path(sys.executable).parent / "aws"), "--endpoint-url", url]
        command += ["ecr", "put-image", "--repository-name", REPOSITORY, "--image-tag", tag]
        command += ["--image-manifest", f"file://{manifest.name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
