"""How the tests share the workers of pytest-xdist, and what a run says at its end."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import botocore.session
import pytest
from xdist.scheduler import LoadScopeScheduling

# Each session has a loader of its own, which reads and keeps AWS's endpoints and the services' models:
# 8 MB and 50 to 100 ms for a session's first client. moto has every mocked test begin a new session.
botocore.session.create_loader = cache(botocore.session.create_loader)

# Folders whose tests share what is dear to make, or are judged together: one worker takes them whole.
WHOLE = {"containers", "statemachine"}
# Folders whose tests are long and few: each may go to another worker than the one before.
SPREAD = {"faults"}
# What takes minutes: `make test` leaves these folders out, and `make test-exhaustive` runs them.
EXHAUSTIVE = {"containers", "faults"}
WORKER_MB = 700
"""How large a worker may become: a larger one keeps what ended local AWSs have left behind."""
HERE = Path(__file__).parent
FAULT_RUNS = "fault runs"
"""The user property in which a test says how many deployments it ran with a fault."""


class ByPlace(LoadScopeScheduling):
    """Keeps each folder of WHOLE on one worker, and each file outside of SPREAD."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        if file.parent.name in SPREAD:
            return nodeid
        return file.parent.name if file.parent.name in WHOLE else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlace:
    return ByPlace(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Work is handed out in this order: the shortest pieces come last, so that both workers end together.
    items.sort(key=lambda item: item.path.name == "test_calls.py")
    for item in items:
        if EXHAUSTIVE & set(item.path.relative_to(HERE).parts):
            item.add_marker("exhaustive")


class Costs:
    """What a run took: tests, processor-bound seconds and fault runs by folder; memory by worker."""

    def __init__(self) -> None:
        self.tests: defaultdict[str, set[str]] = defaultdict(set)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.fault_runs = 0
        self.megabytes: dict[str, int] = {}

    @property
    def too_large(self) -> list[str]:
        return [worker for worker, size in self.megabytes.items() if size > WORKER_MB]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        folder = "/".join(
            report.location[0].split("/")[: 3 if "pipeline" in report.location[0] else 2]
        )
        self.tests[folder].add(report.nodeid)
        self.seconds[folder] += report.duration
        if report.when == "call":
            self.fault_runs += sum(n for name, n in report.user_properties if name == FAULT_RUNS)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        if "megabytes" in output:
            self.megabytes[node.gateway.id] = output["megabytes"]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.too_large and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("costs")
        for folder, tests in sorted(self.tests.items()):
            terminalreporter.line(f"{folder:32}{len(tests):6} tests{self.seconds[folder]:8.0f} s")
        if self.fault_runs:
            terminalreporter.line(f"{self.fault_runs} deployments ran with a fault")
        for worker, size in sorted(self.megabytes.items()):
            terminalreporter.line(f"worker {worker}: {size} MB at its end")
        for worker in self.too_large:
            terminalreporter.line(f"worker {worker} is larger than {WORKER_MB} MB", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Costs(), "costs")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["megabytes"] = resident_megabytes()


def resident_megabytes() -> int:
    """The memory that this process needs now: neither its peak nor what it has freed and not given back."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000
