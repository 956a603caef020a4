"""The tasks of a service: their capacity provider, placement, load balancers and tags, and their stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from localaws.ecs.capacity_providers import choose
from localaws.ecs.deployment import Deployment
from localaws.ecs.placement import NO_FARGATE, PlacementError, place
from localaws.ecs.service import LiveService
from localaws.ecs.service_validation import on_fargate
from localaws.ecs.state import THROTTLE, backend
from localaws.ecs.task import Task
from localaws.ecs.task_actions import placements


def start(
    service: LiveService, deployment: Deployment, instances: Sequence[Any], now: float
) -> None:
    """Start tasks of a deployment, as many as can be placed.

    There is one for each container instance; None stands for any that has room, and for Fargate.
    """
    tasks = backend().tasks.setdefault(service.cluster_name, {})
    started = []
    for instance in instances:
        try:
            task = _new_task(service, deployment, instance)
        except PlacementError as error:
            _report_no_place(service, deployment, error, now)
            if instance is None:  # nor is there room for another one
                break
            continue
        service.tasks.append(task)
        tasks[task.task_arn] = task  # type: ignore[assignment]
        started.append(task)
    if started:
        names = " ".join(f"(task {task.id})" for task in started)
        service.add_event(f"has started {len(started)} tasks: {names}.")
        service.resolve("place")


def stop(service: LiveService, tasks: Sequence[Task]) -> None:
    """Stop tasks that the primary deployment has no place for."""
    if not tasks:
        return
    for task in tasks:
        reason = f"Scaling activity initiated by (deployment {service.deployments[0].id})"
        task.stop(reason, "ServiceSchedulerInitiated")
    for deployment in service.deployments:
        surplus = sum(task.record["startedBy"] == deployment.id for task in tasks)
        deployment.desired_count = max(0, deployment.desired_count - surplus)
    names = " ".join(f"(task {task.id})" for task in tasks)
    service.add_event(f"has stopped {len(tasks)} running tasks: {names}.")
    service.act("TASKS_STOPPED")


def _report_no_place(
    service: LiveService, deployment: Deployment, error: PlacementError, now: float
) -> None:
    if deployment.settings.get("capacityProviderStrategy") and error.reason != NO_FARGATE:
        # On AWS the task is PROVISIONING until the capacity provider has launched an instance. That
        # does not count as a failed task.
        deployment.not_before = now + THROTTLE
    else:
        deployment.count_failure(now)
    service.report(
        "place",
        f"{error} For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        "SERVICE_TASK_PLACEMENT_FAILURE",
        **error.where,
        reason=error.reason,
    )


def _new_task(service: LiveService, deployment: Deployment, instance: Any) -> Task:
    settings, definition = deployment.settings, deployment.definition
    siblings = [
        task
        for task in service.tasks
        if task.record["startedBy"] == deployment.id and not task.stopping
    ]
    options: dict[str, Any] = {
        "startedBy": deployment.id,
        "group": f"service:{service.name}",
        "launchType": settings.get("launchType"),
        "platformVersion": settings.get("platformVersion"),
        "enableExecuteCommand": service.settings["enableExecuteCommand"],
    }
    fargate = on_fargate(settings)
    provider = None
    if strategy := settings.get("capacityProviderStrategy"):
        running = Counter(task.record["capacityProviderName"] for task in siblings)
        provider = choose(strategy, running)
        options["capacityProviderName"] = provider
        options["launchType"] = "FARGATE" if fargate else "EC2"
    placement = place(
        definition,
        service.cluster_name,
        settings.get("networkConfiguration"),
        fargate=fargate,
        neighbours=placements(service.cluster_name),
        siblings=[task.placement for task in siblings],
        provider=provider,
        instance=instance,
    )
    return Task(
        definition,
        placement,
        settings.get("loadBalancers") or [],
        _tags(service, deployment),
        options,
        settings.get("serviceRegistries"),
    )


def _tags(service: LiveService, deployment: Deployment) -> list[dict[str, str]]:
    propagated = {"SERVICE": service.tags, "TASK_DEFINITION": deployment.definition.tags}
    tags = list(propagated.get(service.settings["propagateTags"]) or [])
    if service.settings["enableECSManagedTags"]:
        tags.append({"key": "aws:ecs:clusterName", "value": service.cluster_name})
        tags.append({"key": "aws:ecs:serviceName", "value": service.name})
    return tags
