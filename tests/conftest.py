"""Distributes the tests over the workers of pytest-xdist, and reports the costs of a run at its end."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from xdist.scheduler import LoadScopeScheduling

from localaws.lambda_ import code
from tests.support.examples import register_profiles

# Each session of botocore has a loader of its own, which reads and keeps AWS's endpoints and the services'
# models: 8 MB and 50 to 100 ms for a session's first client. moto makes every mocked test begin a new
# session, so that all sessions share one loader here.
botocore.session.create_loader = cache(botocore.session.create_loader)

register_profiles()

gc.disable()  # until all modules and tests are there

# One worker runs all tests of each of these folders, because they share fixtures that are expensive to set
# up, or because a test checks what the whole folder has covered.
WHOLE = {"tests/pipeline/containers", "tests/statemachine"}
# The few tests of these folders take long, so that each may run on any worker.
SPREAD = {"tests/pipeline/faults", "tests/pipeline/upgrades"}
# The tests of these folders take minutes: only `make test-exhaustive` runs them, not `make test`.
EXHAUSTIVE = {"tests/pipeline/containers", "tests/pipeline/faults", "tests/pipeline/upgrades"}
# The files beside those of tests/pipeline and tests/statemachine that take long.
LONG = {"test_memory.py", "test_sam.py", "test_tasks.py", "test_service_deployments.py"}
WORKER_MB = 700
"""The memory at which a worker fails the run: stopped local AWSs have stayed in it."""
FAULT_RUNS = "fault runs"
"""The user property in which a test records how many deployments it ran with a fault."""


class ByPlace(LoadScopeScheduling):
    """Keeps the tests of a folder of WHOLE on one worker, and those of a file that is not in SPREAD."""

    def _split_scope(self, nodeid: str) -> str:
        file = _file(nodeid)
        folder = file.rpartition("/")[0]
        if folder in SPREAD:
            return nodeid
        return folder if folder in WHOLE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlace:
    gc.enable()  # this process distributes the tests, and never comes to the end of a collection
    return ByPlace(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = _order({_file(item.nodeid) for item in items})
    items.sort(key=lambda item: order[_file(item.nodeid)])
    for item in items:
        if _file(item.nodeid).rpartition("/")[0] in EXHAUSTIVE:
            item.add_marker("exhaustive")


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_collection_finish() -> None:
    # All modules and tests are there for good now. To search them for garbage again and again would take a
    # tenth of the unit tests' time, and to search them once a third of a second of each worker.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def _order(files: set[str]) -> dict[str, tuple[int, int, bool]]:
    """The turn of each file; xdist hands out work in this order.

    What takes minutes comes first, so that all workers end at the same time. The folders take turns, and of
    each turn, tests/pipeline is last: all of it waits until one worker has packaged with the SAM CLI.
    """
    turns: dict[str, tuple[int, int, bool]] = {}
    count: Counter[str] = Counter()
    for file in sorted(files):
        folder, _, name = file.rpartition("/")
        part = file.split("/")[1]
        long = part in {"pipeline", "statemachine"} or name in LONG
        # test_calls.py has hundreds of short pieces.
        when = 2 if name == "test_calls.py" else 0 if long else 1
        turns[file] = (when, count[folder], part == "pipeline")
        count[folder] += 1
    return turns


class Costs:
    """The costs of a run: the tests and their seconds by folder, the fault runs, and the workers' memory."""

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
    # A job that a shell runs in the background ignores SIGINT, and so does every process that it starts. But
    # the tests stop some of those as a person does, with Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Costs(), "costs")
        unpacked = Path(tempfile.mkdtemp(prefix="localaws-lambda-"))
        os.environ[code.SHARED] = str(unpacked)
        config.add_cleanup(lambda: code.remove(unpacked))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["megabytes"] = resident_megabytes()
        gc.freeze()  # else pytest would search all of it for garbage again


def resident_megabytes() -> int:
    """The megabytes that this process needs now: neither its peak nor memory that it has freed."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000
