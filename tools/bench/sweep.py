"""Simulates sweeps of many images: how many calls they make, how fast, and how long they take.

The Sweeper is the deployed one. ECR, SSM and the ledger are stubs, and time is simulated. ECR does not say
how long a page takes, so several times are tried. The processor's time for a page is measured with boto3's
real client, on an answer that no network brings, and one thread at a time spends it, as in Python.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from tools.bench.threads import SimulatedThreads

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "functions"))

PREFIX = "/slipway"
REPOSITORIES, IMAGES = 1000, 10_000
PAGE_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""How long ECR may take for a page of 1,000 images."""
RUN_SECONDS = 840  # of the function's 900, see functions/sweep.py
NOW = datetime(2026, 11, 30, tzinfo=UTC)
RECENT = 100
"""How many images of a repository were pushed within the last week. Only their tags are matched."""
PLAN = json.dumps(
    {
        "routes": [
            {
                "tags": [pattern],
                "stages": [{"name": "production", "services": [{"service": "production/api"}]}],
            }
            for pattern in ("release-*", "v*", "main-*")
        ]
    }
)


@dataclass
class Run:
    """What one run of the sweep did."""

    seconds: float
    calls: Counter[str]
    least_gap: float
    """The shortest time between two calls, in seconds."""
    swept: int
    """The number of repositories that were read to their end."""


@dataclass
class _Account:
    """Answers like SSM, ECR and the ledger, in simulated time."""

    threads: SimulatedThreads
    repositories: int
    images: int
    page_seconds: float
    cpu_seconds: float
    cursor_at: str = ""
    cpu_free_at: float = 0
    calls: list[tuple[float, str]] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.details = details(self.images)

    # --- SSM

    def get_parameters_by_path(self, **asked: Any) -> dict[str, Any]:
        self.calls.append((self.threads.clock(), "ssm:GetParametersByPath"))
        start = int(asked.get("NextToken", 0))
        end = start + asked["MaxResults"]
        numbers = range(start, min(end, self.repositories))
        page: dict[str, Any] = {"Parameters": [_parameter(f"shop/{each:05}") for each in numbers]}
        return page | ({"NextToken": str(end)} if end < self.repositories else {})

    # --- ECR

    def describe_images(self, **asked: Any) -> dict[str, Any]:
        self.calls.append((self.threads.clock(), "ecr:DescribeImages"))
        self.threads.sleep(self.page_seconds)
        begins = max(self.threads.clock(), self.cpu_free_at)
        self.cpu_free_at = begins + self.cpu_seconds
        self.threads.sleep(self.cpu_free_at - self.threads.clock())
        start = int(asked.get("nextToken", 0))
        end = start + asked["maxResults"]
        page: dict[str, Any] = {"imageDetails": self.details[start:end]}
        if end < self.images:
            return page | {"nextToken": str(end)}
        self.read.add(asked["repositoryName"])
        return page

    # --- the ledger

    def claimed(self) -> tuple[list[Any], list[str]]:
        return [], []

    def cursor(self) -> str:
        return self.cursor_at

    def keep_cursor(self, repository: str) -> None:
        self.cursor_at = repository

    def service(self, _service: str) -> Any:
        """The service has accepted a release newer than every image, so that none was missed."""
        return self._record

    @cached_property
    def _record(self) -> Any:
        from slipway.ledger.records import ServiceRecord, timestamp

        order = f"{timestamp(NOW)}#newest"
        newest = {f"shop/{each:05}": order for each in range(self.repositories)}
        return ServiceRecord(service="production/api", newest=newest)


def measure() -> dict[str, Any]:
    """The sweep of REPOSITORIES with IMAGES each, for every time that ECR may take for a page."""
    os.environ.setdefault("PARAMETER_PREFIX", PREFIX)  # which the template gives the deployed one
    cpu = page_cpu_seconds()
    rounds = {each: simulate(REPOSITORIES, IMAGES, each, cpu) for each in PAGE_SECONDS}
    return {
        "repositories": REPOSITORIES,
        "images": REPOSITORIES * IMAGES,
        "page_cpu_ms": cpu * 1000,
        "calls": {each: sum_of_calls(runs) for each, runs in rounds.items()},
        "calls_per_second": {
            each: max(sum(run.calls.values()) / run.seconds for run in runs)
            for each, runs in rounds.items()
        },
        "seconds": {each: [run.seconds for run in runs] for each, runs in rounds.items()},
    }


def simulate(
    repositories: int,
    images: int,
    page_seconds: float,
    cpu_seconds: float,
    run_seconds: float = RUN_SECONDS,
) -> list[Run]:
    """The runs that it takes until every repository was swept."""
    from slipway.aws import ECR_THREADS
    from slipway.deployment.pace import Pace
    from slipway.deployment.sweep import CALLS_PER_SECOND, Sweeper

    threads = SimulatedThreads(ECR_THREADS)
    account: Any = _Account(threads, repositories, images, page_seconds, cpu_seconds)
    runs: list[Run] = []
    while len(account.read) < repositories:
        begun, known = threads.clock(), len(account.read)
        account.calls.clear()
        done = Sweeper(
            ledger=account,
            ssm=account,
            ecr=account,
            stepfunctions=account,
            release_machine="",
            deployment_machine="",
            repository_prefix="",
            maturity=timedelta(minutes=10),
            pace=Pace(CALLS_PER_SECOND, threads.clock, threads.sleep),
            in_parallel=threads.map,
            clock=threads.clock,
            deadline=begun + run_seconds,
        ).sweep(NOW)
        if done["problems"] or done["released"]:
            raise AssertionError(done)
        moments = [at for at, _ in account.calls]
        gaps = [later - sooner for sooner, later in pairwise(moments)]
        calls = Counter(action for _, action in account.calls)
        swept = len(account.read) - known
        runs.append(Run(threads.clock() - begun, calls, min(gaps), swept))
    return runs


def sum_of_calls(runs: list[Run]) -> dict[str, int]:
    """The calls of all runs together, by action."""
    return dict(sum((run.calls for run in runs), Counter()))


def details(images: int) -> list[dict[str, Any]]:
    """The images of a repository, a few of them from the last week."""
    return [
        {
            "imageDigest": f"sha256:{number:064x}",
            "imageTags": [f"main-{number}"],
            "imagePushedAt": NOW - timedelta(days=1 if number < RECENT else 100, seconds=number),
        }
        for number in range(images)
    ]


def page_cpu_seconds(pages: int = 20) -> float:
    """The processor's time for one page: boto3 reads ECR's answer, and the newest images are found."""
    from slipway.deployment.sweep import newest_of_each_route
    from slipway.release.plan import parse_plan
    from slipway.release.registry import PAGE, tagged_images

    made = {
        "registryId": "123456789012",
        "repositoryName": "shop/api",
        "imageSizeInBytes": 123_456_789,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "lastRecordedPullTime": NOW.timestamp(),
        "imageStatus": "ACTIVE",
    }
    answer = [
        {**made, **each, "imagePushedAt": each["imagePushedAt"].timestamp()}
        for each in details(PAGE)
    ]
    left = iter(range(pages - 1, -1, -1))

    def answered(request: Any, **_: Any) -> Any:
        more = {"nextToken": "more"} if next(left) else {}
        body = json.dumps({"imageDetails": answer, **more}).encode()
        raw: Any = BytesIO(body)
        raw.stream = lambda: iter([body])
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)

    config = Config(signature_version=UNSIGNED)
    client: Any = boto3.client("ecr", region_name="eu-west-1", config=config)
    client.meta.events.register("before-send.ecr.DescribeImages", answered)
    plan = parse_plan(PLAN, "shop/api")
    begun = time.process_time()
    images = tagged_images("shop/api", client, lambda: None)
    newest = newest_of_each_route(plan, images, NOW - timedelta(days=7))
    used = time.process_time() - begun
    if len(newest) != 1 or next(left, None) is not None:
        raise AssertionError("not every page was read")
    return used / pages


def _parameter(repository: str) -> dict[str, Any]:
    return {
        "Name": f"{PREFIX}/repositories/{repository}",
        "Value": PLAN,
        "LastModifiedDate": NOW - timedelta(days=365),
    }
