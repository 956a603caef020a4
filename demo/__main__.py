"""Deploys Slipway to a local AWS, pushes three images, and shows what becomes of them.

Exits 0 only if each ended as it should.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from demo.follow import Ended, follow
from localaws import sam, seed, sns
from localaws.server import LocalAws

REPO = Path(__file__).parent.parent
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


def main() -> int:
    """Run the demo; the exit code."""
    console = Console()
    began = time.monotonic()
    with LocalAws() as aws:
        with console.status("[bold]sam build[/], real, of template.yaml"):
            sam.build(REPO)
        with console.status(f"[bold]sam deploy[/], real, to the local AWS on {aws.url}"):
            outputs = sam.deploy(aws, REPO)
        console.print(f"Slipway is deployed to the local AWS ({time.monotonic() - began:.0f} s).")
        _make_service()
        console.print(f"Service [bold]{SERVICE}[/] runs {REPOSITORY}:v1 behind a load balancer.\n")
        ends = []
        for tag, behaviour, _ in STORY:
            _push_with_the_aws_cli(aws.url, tag, behaviour)
            ends.append(
                follow(console, outputs["ReleaseStateMachineArn"], SERVICE, f"{REPOSITORY}:{tag}")
            )
        right = [end.outcome == expected for end, (_, _, expected) in zip(ends, STORY, strict=True)]
        _print_ends(console, ends, right)
        for mail in sns.mails():
            console.print(Panel(mail["text"], title=f"{mail['subject']}", subtitle=mail["to"]))
    console.print(f"{time.monotonic() - began:.0f} s in all; nothing is left running.")
    return 0 if all(right) else 1


def _make_service() -> None:
    uri = seed.repository(REPOSITORY)
    digest = seed.push(REPOSITORY, "v1", seed.manifest("v1"))
    seed.service(SERVICE, f"{uri}@{digest}", behind=[seed.target_group("api")])
    seed.alarm(ALARM)
    seed.plan(REPOSITORY, PLAN)


def _push_with_the_aws_cli(url: str, tag: str, behaviour: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as manifest:
        manifest.write(seed.manifest(tag, behaviour))
        manifest.flush()
        command = [str(Path(sys.executable).parent / "aws"), "--endpoint-url", url]
        command += ["ecr", "put-image", "--repository-name", REPOSITORY, "--image-tag", tag]
        command += ["--image-manifest", f"file://{manifest.name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _print_ends(console: Console, ends: list[Ended], right: list[bool]) -> None:
    table = Table("image", "outcome", "why", "seconds")
    for end, as_it_should in zip(ends, right, strict=True):
        outcome = end.outcome if as_it_should else f"[red]{end.outcome}, not as it should[/]"
        table.add_row(end.image, outcome, end.reason, f"{end.seconds:.1f}")
    console.print("", table)


if __name__ == "__main__":
    sys.exit(main())
