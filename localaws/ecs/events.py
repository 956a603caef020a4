"""What ECS tells EventBridge, in the published shapes of its events.

Events leave on a thread of their own, in order: the scheduler holds its lock while it decides, and
a bus that is slow, or a rule whose target calls ECS, must not hold it up.
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

_outbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()


def later(effect: Callable[[], None]) -> None:
    """Run an effect outside of the lock, after those queued before it."""
    _outbox.put(effect)


def deployment_changed(service_arn: str, name: str, deployment_id: str, reason: str) -> None:
    """Publish an "ECS Deployment State Change"."""
    detail = {
        "eventType": "ERROR" if name == "SERVICE_DEPLOYMENT_FAILED" else "INFO",
        "eventName": name,
        "deploymentId": deployment_id,
        "updatedAt": _iso(utcnow()),
        "reason": reason,
    }
    later(lambda: aws.emit("aws.ecs", "ECS Deployment State Change", detail, [service_arn]))


def task_changed(record: dict[str, Any]) -> None:
    """Publish an "ECS Task State Change": the task as DescribeTasks shows it now."""
    now = _iso(utcnow())
    detail = json.loads(json.dumps({**record, "updatedAt": now}, default=_iso))
    later(lambda: aws.emit("aws.ecs", "ECS Task State Change", detail, [record["taskArn"]]))


def start() -> threading.Thread:
    """Start the thread that delivers."""
    thread = threading.Thread(target=_deliver, name="ecs-events", daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """End it once everything queued so far is delivered."""
    _outbox.put(None)


def _deliver() -> None:
    while effect := _outbox.get():
        try:
            effect()
        except Exception:  # noqa: BLE001 - one lost event must not end the delivery of the others
            print(f"localaws: an ECS event was lost\n{traceback.format_exc()}", file=sys.stderr)  # noqa: T201


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
