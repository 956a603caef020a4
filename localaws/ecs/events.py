"""The EventBridge events of ECS, in their published shapes.

A thread of its own emits them in order. The scheduler must not wait for a slow bus, or for a rule
whose target calls ECS, while it holds its lock.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localaws import aws
from localaws.ecs.state import utcnow

#: The type of each service action that can occur here.
SERVICE_ACTIONS = {
    "SERVICE_STEADY_STATE": "INFO",
    "CAPACITY_PROVIDER_STEADY_STATE": "INFO",
    "TASKS_STOPPED": "INFO",
    "SERVICE_DEPLOYMENT_IN_PROGRESS": "INFO",
    "SERVICE_DEPLOYMENT_COMPLETED": "INFO",
    "SERVICE_TASK_START_IMPAIRED": "WARN",
    "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY": "WARN",
    "SERVICE_TASK_PLACEMENT_FAILURE": "ERROR",
    "SERVICE_DEPLOYMENT_FAILED": "ERROR",
}

_outbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()


def later(effect: Callable[[], None]) -> None:
    """Run an effect outside of the lock, after those that were queued before it."""
    _outbox.put(effect)


def deployment_changed(service_arn: str, name: str, deployment_id: str, reason: str) -> None:
    """Emit an "ECS Deployment State Change"."""
    detail = {
        "eventType": "ERROR" if name == "SERVICE_DEPLOYMENT_FAILED" else "INFO",
        "eventName": name,
        "deploymentId": deployment_id,
        "updatedAt": _iso(utcnow()),
        "reason": reason,
    }
    later(lambda: aws.emit("aws.ecs", "ECS Deployment State Change", detail, [service_arn]))


def service_acted(service_arn: str, cluster_arn: str, name: str, **more: Any) -> None:
    """Emit an "ECS Service Action"."""
    detail = {
        "eventType": SERVICE_ACTIONS[name],
        "eventName": name,
        "clusterArn": cluster_arn,
        **more,
        "createdAt": _iso(utcnow()),
    }
    later(lambda: aws.emit("aws.ecs", "ECS Service Action", detail, [service_arn]))


def task_changed(record: dict[str, Any]) -> None:
    """Emit an "ECS Task State Change" with the task as in DescribeTasks."""
    now = _iso(utcnow())
    detail = json.loads(json.dumps({**record, "updatedAt": now}, default=_iso))
    later(lambda: aws.emit("aws.ecs", "ECS Task State Change", detail, [record["taskArn"]]))


def start() -> threading.Thread:
    """Start the thread that emits the events."""
    thread = threading.Thread(target=_deliver, name="ecs-events", daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """End the thread once everything queued so far is emitted."""
    _outbox.put(None)


def _deliver() -> None:
    while effect := _outbox.get():
        try:
            effect()
        except Exception:  # noqa: BLE001 - a lost event must not stop the others
            print(f"localaws: an ECS event was lost\n{traceback.format_exc()}", file=sys.stderr)  # noqa: T201


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
