"""UpdateTaskProtection and GetTaskProtection: the tasks that neither a scale-in nor a deployment stops.

moto has neither. ECS's words for the requests that it refuses are not published.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.ecs.exceptions import InvalidParameterException

from localaws import clock
from localaws.ecs.service import LiveService, live_services
from localaws.ecs.state import arn, backend, utcnow
from localaws.ecs.task import Task
from localaws.ecs.task_actions import find as find_task

_DEFAULT_MINUTES = 120
_MOST_MINUTES = 2880


def update(params: dict[str, Any]) -> dict[str, Any]:
    """UpdateTaskProtection, for ten tasks at most."""
    minutes = params.get("expiresInMinutes", _DEFAULT_MINUTES)
    if not 1 <= minutes <= _MOST_MINUTES:
        raise InvalidParameterException(f"expiresInMinutes must be 1 to {_MOST_MINUTES}.")
    seconds = minutes * 60.0 if params["protectionEnabled"] else 0.0
    return _for_each(params, 10, seconds)


def get(params: dict[str, Any]) -> dict[str, Any]:
    """GetTaskProtection, for a hundred tasks at most."""
    if "tasks" not in params:
        raise NotImplementedError("ecs: GetTaskProtection without tasks is not simulated")
    return _for_each(params, 100, None)


def _for_each(params: dict[str, Any], most: int, seconds: float | None) -> dict[str, Any]:
    """Protect the tasks for so long, if that is given, and describe their protection."""
    names = params["tasks"]
    if not 1 <= len(names) <= most:
        raise InvalidParameterException(f"tasks must have 1 to {most} elements.")
    cluster = backend()._get_cluster(params["cluster"]).name
    now = clock.monotonic()
    described, failures = [], []
    for name in names:
        task = find_task(cluster, name)
        reason = _refusal(task, seconds, now)
        if task is None or reason:
            missing = name if name.startswith("arn:") else arn(f"task/{cluster}/{name}")
            failures.append({"arn": task.task_arn if task else missing, "reason": reason})
            continue
        if seconds is not None:
            task.protected_until = now + seconds
            task.protection_expires_at = utcnow() + timedelta(seconds=seconds)
        described.append(_description(task, now))
    return {"protectedTasks": described, "failures": failures}


def _refusal(task: Task | None, seconds: float | None, now: float) -> str:
    """Why a task can't be protected; nothing if it can."""
    if task is None:
        return "MISSING"
    service = _service_of(task)
    if service is None or task.stopping:
        return "TASK_NOT_VALID"
    protected = sum(each.is_protected(now) for each in service.tasks)
    return "DEPLOYMENT_BLOCKED" if seconds and protected > service.desired_count else ""


def _service_of(task: Task) -> LiveService | None:
    return next((service for service in live_services() if task in service.tasks), None)


def _description(task: Task, now: float) -> dict[str, Any]:
    if not task.is_protected(now):
        return {"taskArn": task.task_arn, "protectionEnabled": False}
    return {
        "taskArn": task.task_arn,
        "protectionEnabled": True,
        "expirationDate": task.protection_expires_at,
    }
