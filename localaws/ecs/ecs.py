"""ECS whose services start tasks, deploy, and emit events.

moto's ECS is static: UpdateService never changes a deployment, a service has no tasks, and fields of
task definitions and services are dropped. Here these actions work on a simulated cluster, which one
scheduler thread moves on.

    clusters, capacity_providers, task_definitions, service_actions, task_actions, task_protection
                                                    the actions of the API
    service, deployment, scheduler, service_tasks   a service and its deployments
    service_deployment_actions, service_deployment_states, service_deployment, service_revision
                                                    the history of a service's deployments
    replicas, daemons                               the two strategies of the scheduler
    task, containers, dependencies, dependency_checks, placement, images, awslogs
                                                    a task: its states, place, behaviour and logs
    container_instances                             instances of Auto Scaling groups
    alarms, service_discovery, events               what ECS reads and causes in other services
    stale_answers                                   what was so before the latest change
    state                                           the lock, the backend and the times that all share

Task sets, StartTask, lifecycle hooks with ContinueServiceDeployment, every strategy but ROLLING, and
managed instances are refused. Placement strategies and constraints, Availability
Zone rebalancing of running tasks and ECS Exec are recorded only.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
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
    service_deployment_actions,
    stale_answers,
    task_actions,
    task_definitions,
    task_protection,
)
from localaws.ecs import scheduler as ecs_scheduler
from localaws.ecs.state import LOCK, TICK
from localaws.faults import stale

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
    "list_service_deployments": service_deployment_actions.list_briefs,
    "describe_service_deployments": service_deployment_actions.describe,
    "describe_service_revisions": service_deployment_actions.describe_revisions,
    "stop_service_deployment": service_deployment_actions.stop,
    "run_task": task_actions.run,
    "list_tasks": task_actions.list_arns,
    "describe_tasks": task_actions.describe,
    "stop_task": task_actions.stop,
    "update_task_protection": task_protection.update,
    "get_task_protection": task_protection.get,
}

# Actions that are not simulated, and methods of moto's that would work on its static records.
STATIC_ACTIONS = (
    "start_task",
    "create_task_set",
    "update_task_set",
    "delete_task_set",
    "update_service_primary_task_set",
    "continue_service_deployment",
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
    stale.ACTIONS.update(f"ecs:{name}" for name in stale_answers.ACTIONS)
    for name, action in ACTIONS.items():
        setattr(EC2ContainerServiceResponse, name, _locked(action))
    for name in STATIC_ACTIONS:
        setattr(EC2ContainerServiceResponse, name, _refused(f"{name} is not simulated"))
    for name in STATIC_BACKEND:
        # Other parts of moto must not create static records either.
        reason = f"{name} of moto's backend drops fields: call the API"
        setattr(EC2ContainerServiceBackend, name, _refused(reason))


def start() -> None:
    """Start the scheduler and the delivery of events."""
    _stopping.clear()
    scheduler = threading.Thread(target=_schedule, name="ecs-scheduler", daemon=True)
    scheduler.start()
    _threads[:] = [scheduler, events.start()]


def stop() -> None:
    """Stop both, and wait for them."""
    _stopping.set()
    scheduler, delivery = _threads
    scheduler.join()
    events.stop()
    delivery.join(timeout=10)  # a bus that hangs must not block the stop


def _schedule() -> None:
    while not _stopping.wait(TICK):
        try:
            with LOCK:
                ecs_scheduler.tick()
        except Exception:  # noqa: BLE001 - a broken service must not stop the others
            print(f"localaws: the ECS scheduler failed\n{traceback.format_exc()}", file=sys.stderr)  # noqa: T201


def _locked(action: Action) -> Callable[[EC2ContainerServiceResponse], ActionResult]:
    def respond(self: EC2ContainerServiceResponse) -> ActionResult:
        if (self.current_account, self.region) != (ACCOUNT, REGION):
            raise NotImplementedError(f"ecs: {self._get_action()}: only {ACCOUNT} in {REGION}")
        with LOCK:  # the answer is a copy, as it is serialized without the lock
            return ActionResult(stale_answers.answer(action, self._get_params()))

    return respond


def _refused(reason: str) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError(f"ecs: {reason}")

    return refuse
