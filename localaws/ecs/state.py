"""What the modules of the local ECS share: the lock, the backend, and the duration of each step.

Requests run on many threads, the scheduler on its own. LOCK guards every service, deployment, task and
target. Events and alarms, which leave this process, are never sent while it is held.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from moto.ecs.exceptions import ClusterNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, ecs_backends

from localaws.aws import ACCOUNT, REGION

LOCK = threading.RLock()
_thread = threading.local()  # .seen: what this thread takes for the backend

TICK = 0.05  # seconds between two rounds of the scheduler

# The durations of steps here, in seconds, and about how long they take on AWS. Only ECS's own pace is
# shortened; durations that a caller sets (a grace period, an image's start-seconds) are kept.
PROVISIONING = 0.05  # attaching a network interface: 5 to 20 s
PENDING = 0.15  # pulling the image and starting the containers: 10 to 60 s
PENDING_MOST = 3 * 3600.0  # a task whose containers wait for each other is stopped then, as on AWS
CRASH = 0.1  # from the start to the exit of an image that crashes
CONTAINER_CHECK = 0.15  # the first result of a container health check: its interval, 30 s
SETTLED = 0.25  # how long a task must run before it counts as healthy; longer than CRASH
REGISTRATION = 0.05  # until a service deployment exists, and until it starts: 1.6 s each
THROTTLE = 0.1  # the pause after a failed task, doubled by each further one in a row
THROTTLE_MOST = 10.0  # AWS: 27 minutes
STOPPED_TASKS_STAY = 3600.0  # stopped tasks stay listed for about an hour, as on AWS


def backend() -> EC2ContainerServiceBackend:
    """moto's ECS backend, which holds the clusters, services, tasks and task definitions."""
    return cast(
        "EC2ContainerServiceBackend", getattr(_thread, "seen", ecs_backends[ACCOUNT][REGION])
    )


class _Seen:
    """The backend with other things in some of its fields."""

    def __init__(self, **others: Any) -> None:
        vars(self).update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(ecs_backends[ACCOUNT][REGION], name)


@contextmanager
def seeing(**others: Any) -> Iterator[None]:
    """Let this thread see these services, tasks or task definitions in the backend."""
    _thread.seen = _Seen(**others)
    try:
        yield
    finally:
        del _thread.seen


def active_cluster(name: str) -> Cluster:
    """The cluster with this name or ARN, unless it was deleted."""
    cluster = backend()._get_cluster(name)
    if cluster.status != "ACTIVE":
        raise ClusterNotFoundException
    return cluster


def arn(resource: str) -> str:
    """The ARN of an ECS resource such as ``cluster/demo``."""
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}"


def utcnow() -> datetime:
    """The present time for the API. Intervals are measured with localaws/clock.py."""
    return datetime.now(UTC)


def digits() -> str:
    """The 19 digits in the id of a deployment."""
    return str(random.randint(10**18, 10**19 - 1))


def refuse(action: str, params: dict[str, Any], fields: tuple[str, ...]) -> None:
    """Refuse a request with fields that aren't simulated."""
    for field in fields:
        if params.get(field):
            raise NotImplementedError(f"ecs: {action}: {field} is not simulated")


def page(params: dict[str, Any], name: str, items: list[Any]) -> dict[str, Any]:
    """One page of a List action. The token is the offset of the next page."""
    start = int(params.get("nextToken") or 0)
    end = start + min(int(params.get("maxResults") or 100), 100)
    result: dict[str, Any] = {name: items[start:end]}
    if end < len(items):
        result["nextToken"] = str(end)
    return result
