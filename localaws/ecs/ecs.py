"""Live ECS: services that start tasks, roll out, and say what happened.

Moto's ECS is a static record: UpdateService never changes a deployment, a service has no tasks, and
fields are dropped from task definitions and services. This replaces those actions by ones that act
on a simulated cluster, moved on by one scheduler thread:

* ecs_clusters, ecs_capacity_providers, ecs_services, ecs_task_definitions, ecs_task_api: the actions;
* ecs_scheduler, ecs_deployments, ecs_starting: the rollout;
* ecs_tasks, ecs_placement, ecs_images: a task's life, place, and what its images do;
* ecs_alarms, ecs_discovery, ecs_events: what ECS causes and heeds elsewhere.

Not simulated, and refused: task sets, StartTask, DAEMON services, lifecycle hooks, any rollout that
isn't a rolling update, managed instances, and service deployments and revisions. Recorded only:
placement strategies and constraints, Availability Zone rebalancing of tasks that run, ECS Exec.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from localaws.aws import ACCOUNT, REGION
from localaws.ecs import (
    capacity_providers,
    clusters,
    events,
    service_actions,
    task_actions,
    task_definitions,
)
from localaws.ecs import scheduler as ecs_scheduler
from localaws.ecs.state import LOCK, TICK

Action = Callable[[dict[str, Any]], dict[str, Any]]

ACTIONS: dict[str, Action] = {
    "create_cluster": clusters.create,
    "delete_cluster": clusters.delete,
    "put_cluster_capacity_providers": clusters.put_capacity_providers,
    "create_capacity_provider": capacity_providers.create,
    "update_capacity_provider": capacity_providers.update,
    "delete_capacity_provider": capacity_providers.delete,
    "describe_capacity_providers": capacity_providers.describe,
    "register_task_definition": task_definitions.register,
    "describe_task_definition": task_definitions.describe,
    "list_task_definitions": task_definitions.list_arns,
    "deregister_task_definition": task_definitions.deregister,
    "delete_task_definitions": task_definitions.delete,
    "create_service": service_actions.create,
    "update_service": service_actions.update,
    "delete_service": service_actions.delete,
    "describe_services": service_actions.describe,
    "list_services": service_actions.list_arns,
    "run_task": task_actions.run,
    "list_tasks": task_actions.list_arns,
    "describe_tasks": task_actions.describe,
    "stop_task": task_actions.stop,
}

# What of moto would write or move its static records beside the live ones.
STATIC_ACTIONS = (
    "start_task",
    "create_task_set",
    "update_task_set",
    "delete_task_set",
    "update_service_primary_task_set",
)
STATIC_BACKEND = (
    "register_task_definition",
    "create_service",
    "update_service",
    "delete_service",
    "run_task",
    "stop_task",
)

_stopping = threading.Event()
_threads: list[threading.Thread] = []


def install() -> None:
    """Replace moto's static actions."""
    for name, action in ACTIONS.items():
        setattr(EC2ContainerServiceResponse, name, _locked(action))
    for name in STATIC_ACTIONS:
        setattr(EC2ContainerServiceResponse, name, _refused(f"{name} is not simulated"))
    for name in STATIC_BACKEND:
        # A caller inside of this process would get a record that never lives.
        reason = f"{name} of moto's backend drops fields: call the API"
        setattr(EC2ContainerServiceBackend, name, _refused(reason))


def start() -> None:
    """Start the scheduler and the delivery of its events."""
    _stopping.clear()
    scheduler = threading.Thread(target=_schedule, name="ecs-scheduler", daemon=True)
    scheduler.start()
    _threads[:] = [scheduler, events.start()]


def stop() -> None:
    """Stop both, and wait until they have."""
    _stopping.set()
    scheduler, delivery = _threads
    scheduler.join()
    events.stop()
    delivery.join(timeout=10)  # a bus that hangs must not hang the end


def _schedule() -> None:
    while not _stopping.wait(TICK):
        try:
            with LOCK:
                ecs_scheduler.tick()
        except Exception:  # noqa: BLE001 - a broken service must not end the life of the others
            print(f"localaws: the ECS scheduler failed\n{traceback.format_exc()}", file=sys.stderr)  # noqa: T201


def _locked(action: Action) -> Callable[[EC2ContainerServiceResponse], ActionResult]:
    def respond(self: EC2ContainerServiceResponse) -> ActionResult:
        if (self.current_account, self.region) != (ACCOUNT, REGION):
            raise NotImplementedError(f"ecs: {self._get_action()}: only {ACCOUNT} in {REGION}")
        with LOCK:  # the answer is serialized later, while the scheduler moves on: a copy
            return ActionResult(deepcopy(action(self._get_params())))

    return respond


def _refused(reason: str) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError(f"ecs: {reason}")

    return refuse
