"""Measures deployments on the local AWS, and simulates a large sweep.

JSON goes to stdout, tables and progress to stderr.

Exits 1 if a deployment did not end as it should, because its numbers mean nothing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from localaws.server import LocalAws
from tools import sam
from tools.bench import (
    UnexpectedError,
    containers,
    reading,
    report,
    results,
    storm,
    sweep,
    upsets,
)
from tools.bench.runs import Account

REPO = Path(__file__).parent.parent.parent
RUNS = 5  # of each kind of deployment
# the part of a poll that has passed when something happens
SHARES = [number / RUNS for number in range(RUNS)]
NO_SWEEP = {"SweepMinutes": "480"}


def main() -> int:
    """Measure; return the exit code."""
    console = Console(stderr=True)
    try:
        measured = _measure(console)
    except UnexpectedError as error:
        console.print(error, style="red", markup=False)
        return 1
    report.show(console, measured)
    sys.stdout.write(json.dumps(measured, indent=2) + "\n")
    return 0


def _measure(console: Console) -> dict[str, Any]:
    load_before = os.getloadavg()[0]
    with LocalAws() as aws, console.status("sam build") as status:
        times = [time.monotonic()]
        sam.build(REPO)
        times.append(time.monotonic())
        status.update("sam deploy")
        account = Account(sam.deploy(aws, REPO, NO_SWEEP))
        times.append(time.monotonic())
        account.prepare()
        account.crashing()  # warms up every function
        status.update("newer images during a bake")
        # starts a second environment of the functions that run for both deployments
        upsets.taken_over(account, 0)
        overtaken = [upsets.taken_over(account, share) for share in SHARES]
        status.update("healthy images")
        healthy = [account.healthy() for _ in range(RUNS)]
        good = [*healthy, account.baking()]
        status.update("executions that are stopped")
        stopped = [upsets.stopped(account, share) for share in SHARES]
        status.update("images that crash")
        crashing = [account.crashing() for _ in range(RUNS)]
        status.update("images whose alarm fires")
        alarmed = [account.alarmed(share) for share in SHARES]
        status.update("cold starts")
        cooled = [account.cooled() for _ in range(RUNS)]
        memory_mb = reading.memory_mb()
        status.update("a storm")
        stormed = storm.measure(account, RUNS)
    with console.status("cold starts in containers"):
        contained = containers.measure()
    with console.status("a sweep of ten million images"):
        swept = sweep.measure()
    rolled_back = [*crashing, *alarmed]
    timings = results.functions(
        invocation for run in [*good, *rolled_back, *cooled] for invocation in run.invocations
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "load before": load_before,
            "load after": os.getloadavg()[0],
            "platform": platform.platform(),
            "python": platform.python_version(),
        },
        "seconds": results.seconds(
            [*(run.seconds for run in [*good, *rolled_back]), *overtaken, *stopped]
        ),
        "once": {"sam build": times[1] - times[0], "sam deploy": times[2] - times[1]},
        "storm": stormed,
        "sweep": swept,
        "functions": timings,
        "containers": contained,
        "ledger": {"good": results.ledger(good), "rolled back": results.ledger(rolled_back)},
        "deployments": {
            "good": results.deployments(good, timings, memory_mb),
            "rolled back": results.deployments(rolled_back, timings, memory_mb),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
