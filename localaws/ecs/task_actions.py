"""ListTasks, DescribeTasks, StopTask and RunTask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from moto.ecs.exceptions import InvalidParameterException

from localaws.ecs.capacity_providers import choose
from localaws.ecs.placement import PlacementError, place
from localaws.ecs.service import find as find_service
from localaws.ecs.service_validation import check_capacity, check_network, on_fargate, with_capacity
from localaws.ecs.state import active_cluster, arn, backend, page, refuse
from localaws.ecs.task import Task
from localaws.ecs.task_definitions import deployable

_NOT_SIMULATED = ("placementConstraints", "placementStrategy", "volumeConfigurations")


def tasks_of(cluster: str) -> dict[str, Task]:
    """Every task that a cluster lists, by ARN."""
    name = backend()._get_cluster(cluster).name
    tasks: dict[str, Task] = backend().tasks.setdefault(name, {})  # type: ignore[assignment]
    return tasks


def list_arns(params: dict[str, Any]) -> dict[str, Any]:
    """ListTasks. As on AWS the default desired status is RUNNING."""
    refuse("ListTasks", params, ("daemonName",))
    cluster = params.get("cluster", "default")
    wanted = {"desiredStatus": params.get("desiredStatus", "RUNNING")}
    wanted |= {k: params[k] for k in ("startedBy", "launchType") if params.get(k)}
    if name := params.get("serviceName"):
        wanted["group"] = f"service:{find_service(cluster, name).name}"
    family, instance = params.get("family"), params.get("containerInstance")
    found = [
        task.task_arn
        for task in tasks_of(cluster).values()
        if all(task.record.get(k) == v for k, v in wanted.items())
        and family in (None, task.definition.family)
        and (not instance or instance in task.record.get("containerInstanceArn", ""))
    ]
    return page(params, "taskArns", found)


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeTasks, for a hundred tasks at most."""
    names = params.get("tasks", [])
    if not names:
        raise InvalidParameterException("Tasks cannot be empty.")
    if len(names) > 100:
        raise InvalidParameterException("Tasks cannot have more than 100 elements.")
    cluster = params.get("cluster", "default")
    found, failures = [], []
    for name in names:
        if task := find(cluster, name):
            record = task.snapshot()
            if "TAGS" not in params.get("include", []):
                del record["tags"]
            found.append(record)
        else:
            missing = name if name.startswith("arn:") else arn(f"task/{cluster}/{name}")
            failures.append({"arn": missing, "reason": "MISSING"})
    return {"tasks": found, "failures": failures}


def stop(params: dict[str, Any]) -> dict[str, Any]:
    """StopTask. A service replaces the task."""
    task = find(params.get("cluster", "default"), params["task"])
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    task.stop(params.get("reason") or "Task stopped by user", "UserInitiated")
    return {"task": task.snapshot()}


def run(params: dict[str, Any]) -> dict[str, Any]:
    """RunTask: tasks without a service, which end when an essential container exits."""
    refuse("RunTask", params, _NOT_SIMULATED)
    cluster = active_cluster(params.get("cluster", "default"))
    definition = deployable(params["taskDefinition"], refusal=InvalidParameterException)
    check_network(params, definition)
    check_capacity(params, cluster)
    params = with_capacity(params, cluster)
    strategy, fargate = params.get("capacityProviderStrategy"), on_fargate(params)
    options = {
        "startedBy": params.get("startedBy"),
        "group": params.get("group") or f"family:{definition.family}",
        "launchType": "FARGATE" if fargate else "EC2",
        "enableExecuteCommand": params.get("enableExecuteCommand", False),
        "overrides": params.get("overrides") or {"containerOverrides": []},
    }
    tags = list(params.get("tags") or [])
    if params.get("propagateTags") == "TASK_DEFINITION":
        tags += definition.tags
    started: list[Task] = []
    failures = []
    for _ in range(int(params.get("count") or 1)):
        running = Counter(str(task.record.get("capacityProviderName")) for task in started)
        provider = choose(strategy, running) if strategy else None
        try:
            placement = place(
                definition,
                cluster.name,
                params.get("networkConfiguration"),
                fargate=fargate,
                neighbours=placements(cluster.name),
                siblings=[task.placement for task in started],
                provider=provider,
            )
        except PlacementError as error:
            failures.append(error.failure())
            continue
        given = {**options, "capacityProviderName": provider} if provider else options
        task = Task(definition, placement, [], tags, given)
        tasks_of(cluster.name)[task.task_arn] = task
        started.append(task)
    return {"tasks": [task.snapshot() for task in started], "failures": failures}


def placements(cluster: str) -> Iterator[Any]:
    """The places that are taken in a cluster."""
    return (t.placement for t in tasks_of(cluster).values() if t.status != "STOPPED")


def find(cluster: str, name: str) -> Task | None:
    """The task with this id or ARN, stopped or not; None if there is none."""
    wanted = name.rpartition("/")[2]
    return next((task for task in tasks_of(cluster).values() if task.id == wanted), None)
