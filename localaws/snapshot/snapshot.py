"""Saves the state of a local AWS to a file, and restores it in another local AWS and another process.

The state is moto's backends and the module variables in _KEPT. It can be saved only while the local AWS
is at rest: an execution, a delivery or an operation on a stack is a thread, and threads can't be saved.

After a restore intervals continue where they were, and the interval of a schedule begins again. Lambda
starts without processes.
"""

from __future__ import annotations

import pickle
import threading
import time
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

from moto.core.base_backend import BackendDict
from moto.ec2.models import ec2_backends
from moto.s3.models import s3_backends

from localaws import clock
from localaws.cloudformation.types import custom
from localaws.cloudwatch import datapoints
from localaws.faults import faults
from localaws.lambda_ import awslambda
from localaws.snapshot.pickling import SnapshotError, dump, load
from localaws.sns import sns

_REST_SECONDS = 60.0  # the time that work in progress has to end
_KEPT: tuple[tuple[ModuleType, str], ...] = (
    (sns, "_mails"),
    (awslambda, "_invocations"),
    (datapoints, "_reported"),
    (custom, "_answers"),
)
"""The state outside of moto's backends: lists and dicts in module variables."""
_SERVING = ("localaws", "ecs-scheduler", "ecs-events", "alarms", "schedules", "event-sources")
"""The threads of a local AWS at rest, apart from one for each connection."""


def wait_for_rest(others: set[threading.Thread]) -> None:
    """Wait until no work is in progress. ``others`` are threads that do not belong to the local AWS.

    Raises SnapshotError if the work does not end in time.
    """
    if asked := faults.everything():
        raise SnapshotError(f"there is a fault: {asked[0]}")
    deadline = time.monotonic() + _REST_SECONDS
    while busy := [thread for thread in threading.enumerate() if _works(thread, others)]:
        busy[0].join(max(0.0, deadline - time.monotonic()))
        if busy[0].is_alive():
            names = ", ".join(sorted(thread.name for thread in busy))
            raise SnapshotError(f"still in progress: {names}")


def _works(thread: threading.Thread, others: set[threading.Thread]) -> bool:
    return (
        thread not in others
        and thread.name not in _SERVING
        and "process_request_thread" not in thread.name
    )


def save(file: Path, url: str, calls: list[dict[str, Any]]) -> None:
    """Write the state of the local AWS, which has stopped."""
    backends = [
        (named, account, region, backend)
        for named in BackendDict._instances  # type: ignore[misc]
        for account, region, backend in named.iter_backends()
    ]
    kept = [getattr(module, name).copy() for module, name in _KEPT]
    state = {"backends": backends, "kept": kept, "calls": calls, "now": clock.monotonic()}
    data, blobs = dump(state, url)
    with file.open("wb") as opened:
        pickle.dump((data, blobs), opened, pickle.HIGHEST_PROTOCOL)


def restore(file: Path, url: str) -> list[dict[str, Any]]:
    """Restore a state in the local AWS at ``url``, and return the calls of functions that it had
    recorded.
    """
    with file.open("rb") as opened:
        data, blobs = pickle.load(opened)
    state = load(data, blobs, url)
    clock.go_on_from(state["now"])
    for named, account, region, backend in state["backends"]:
        dict.__setitem__(named[account], region, backend)
        if named is ec2_backends:
            _register(backend)
        if named is s3_backends:
            # Otherwise CreateBucket would replace a bucket that exists by an empty one.
            owner = (backend.partition, account)
            s3_backends.bucket_accounts.update(dict.fromkeys(backend.buckets, owner))
    for (module, name), value in zip(_KEPT, state["kept"], strict=True):
        kept = getattr(module, name)
        kept.clear()
        (kept.update if isinstance(kept, dict) else kept.extend)(value)
    calls: list[dict[str, Any]] = state["calls"]
    return calls


def _register(backend: Any) -> None:
    """Add a backend to EC2's registries, in which it finds VPCs of other accounts, as __init__
    does.
    """
    for registry in (backend.vpc_refs, backend.vpc_pcx_refs, backend.backend_refs):
        registry[type(backend)].add(weakref.ref(backend))
