"""What the parts of the local ECS share: one lock, one backend, and how long things take here.

Requests come on many threads while the scheduler runs on its own. LOCK guards every service,
deployment, task and target; nothing that leaves the process (an event, an alarm) happens under it.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from typing import Any

from moto.ecs.exceptions import ClusterNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, ecs_backends

from localaws.aws import ACCOUNT, REGION

LOCK = threading.RLock()

TICK = 0.05  # seconds between two looks of the scheduler

# How long a step takes here, in seconds, and about how long on AWS. What a caller asks for (a grace
# period, an image's start-seconds) is honoured as asked; only ECS's own pace is shortened.
PROVISIONING = 0.05  # attaching a network interface: 5 to 20 s
PENDING = 0.15  # pulling the image and starting the containers: 10 to 60 s
CRASH = 0.1  # from RUNNING to the exit of an image that crashes
CONTAINER_CHECK = 0.15  # the first result of a container health check: its interval, 30 s
SETTLED = 0.25  # how long a task runs before its deployment trusts it; longer than CRASH
THROTTLE = 0.1  # the pause after a failed task, doubled by each further one in a row
THROTTLE_MOST = 10.0  # AWS: 27 minutes
STOPPED_TASKS_STAY = 3600.0  # stopped tasks stay listed for about an hour, as on AWS


def backend() -> EC2ContainerServiceBackend:
    """Moto's ECS of the account: it still keeps the clusters, services and task definitions."""
    return ecs_backends[ACCOUNT][REGION]


def active_cluster(name: str) -> Cluster:
    """The cluster that a name or an ARN names, unless it was deleted."""
    cluster = backend()._get_cluster(name)
    if cluster.status != "ACTIVE":
        raise ClusterNotFoundException
    return cluster


def arn(resource: str) -> str:
    """The ARN of an ECS resource, e.g. of ``cluster/demo``."""
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}"


def utcnow() -> datetime:
    """The time as the API tells it; intervals are measured with the clock."""
    return datetime.now(UTC)


def digits() -> str:
    """The 19 digits that name a deployment."""
    return str(random.randint(10**18, 10**19 - 1))


def refuse(action: str, params: dict[str, Any], fields: tuple[str, ...]) -> None:
    """Fail loudly when a request asks for something that isn't simulated."""
    for field in fields:
        if params.get(field):
            raise NotImplementedError(f"ecs: {action}: {field} is not simulated")


def page(params: dict[str, Any], name: str, items: list[str]) -> dict[str, Any]:
    """One page of a List action; the token is the offset of the next."""
    start = int(params.get("nextToken") or 0)
    end = start + min(int(params.get("maxResults") or 100), 100)
    result: dict[str, Any] = {name: items[start:end]}
    if end < len(items):
        result["nextToken"] = str(end)
    return result
