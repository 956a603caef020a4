"""Deploys Slipway and its environment to a local AWS, pushes three images, and shows how each one ends.

Exits 0 only if each ended as it should.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from localaws.server import LocalAws
from localaws.sns import sns
from tools import sam
from tools.demo.follow import Ended, follow
from tools.demo.story import REPO, REPOSITORY, SERVICE, STORY, deploy, push_with_the_aws_cli


def main() -> int:
    """Run the demo; return the exit code."""
    console = Console()
    began = time.monotonic()
    with LocalAws() as aws:
        with console.status("[bold]sam build[/] packs the functions"):
            sam.build(REPO)
        with console.status(f"[bold]sam deploy[/] deploys Slipway to the local AWS on {aws.url}"):
            outputs = deploy(aws)
        console.print(
            f"The SAM CLI has deployed Slipway to the local AWS ({time.monotonic() - began:.0f} s), with a "
            f"network, a load balancer, a cluster and the service [bold]{SERVICE}[/], which runs nginx.\n"
        )
        ends = []
        for tag, behaviour, _ in STORY:
            push_with_the_aws_cli(aws.url, tag, behaviour)
            ends.append(
                follow(
                    console, outputs["DeploymentStateMachineArn"], SERVICE, f"{REPOSITORY}:{tag}"
                )
            )
        right = [end.outcome == expected for end, (_, _, expected) in zip(ends, STORY, strict=True)]
        _print_ends(console, ends, right)
        for mail in sns.mails():
            console.print(Panel(mail["text"], title=f"{mail['subject']}", subtitle=mail["to"]))
    console.print(f"That took {time.monotonic() - began:.0f} s. Nothing is left running.")
    return 0 if all(right) else 1


def _print_ends(console: Console, ends: list[Ended], right: list[bool]) -> None:
    table = Table("image", "outcome", "why", "seconds")
    for end, as_it_should in zip(ends, right, strict=True):
        outcome = end.outcome if as_it_should else f"[red]{end.outcome}, which it should not[/]"
        table.add_row(end.image, outcome, end.reason, f"{end.seconds:.1f}")
    console.print("", table)


if __name__ == "__main__":
    sys.exit(main())
