"""What the demo tells: a service on v1, and three images with how each has to end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from localaws import seed

REPOSITORY, SERVICE, ALARM = "shop/api", "production/api", "api-5xx"
PLAN = {
    "routes": [
        {
            "tags": ["v*"],
            "stages": [
                {
                    "name": "production",
                    "services": [
                        {
                            "service": SERVICE,
                            "alarms": [ALARM],
                            "bake_seconds": 3,
                            "timeout_seconds": 60,
                            "poll_seconds": 1,
                        }
                    ],
                }
            ],
        }
    ]
}
# tag, how its containers behave, how the deployment has to end
STORY: list[tuple[str, dict[str, str], str]] = [
    ("v2", {}, "SUCCEEDED"),
    ("v3", {"localaws.behaviour": "crash", "localaws.exit-code": "1"}, "ROLLED_BACK"),
    (
        "v4",
        {
            "localaws.behaviour": "regression",
            "localaws.alarm": ALARM,
            "localaws.alarm-after-seconds": "1",
        },
        "ROLLED_BACK",
    ),
]


def make_service() -> None:
    """Make the repository, the service on v1 behind a load balancer, the alarm and the plan."""
    uri = seed.repository(REPOSITORY)
    digest = seed.push(REPOSITORY, "v1", seed.manifest("v1"))
    seed.service(SERVICE, f"{uri}@{digest}", behind=[seed.target_group("api")])
    seed.alarm(ALARM)
    seed.plan(REPOSITORY, PLAN)


def push_with_the_aws_cli(url: str, tag: str, behaviour: dict[str, str]) -> None:
    """Put the image as anyone would."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as manifest:
        manifest.write(seed.manifest(tag, behaviour))
        manifest.flush()
        command = [str(Path(sys.executable).parent / "aws"), "--endpoint-url", url]
        command += ["ecr", "put-image", "--repository-name", REPOSITORY, "--image-tag", tag]
        command += ["--image-manifest", f"file://{manifest.name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
