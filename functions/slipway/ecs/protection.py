"""Reads which tasks have asked ECS not to stop them for now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slipway.aws import calling
from slipway.ecs.service import split_service_name

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

LIMIT = 100  # of GetTaskProtection


def protected_tasks(service: str, tasks: Sequence[str], ecs: ECSClient) -> set[str]:
    """Those of the tasks that are protected from being scaled in.

    Args:
        service: ``cluster/service``.
        tasks: ARNs of tasks of the service.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, _ = split_service_name(service)
    protected: set[str] = set()
    for start in range(0, len(tasks), LIMIT):
        with calling("ecs:GetTaskProtection", f"service {service}"):
            found = ecs.get_task_protection(
                cluster=cluster, tasks=list(tasks[start : start + LIMIT])
            )
        protected |= {
            task["taskArn"] for task in found["protectedTasks"] if task["protectionEnabled"]
        }
    return protected
