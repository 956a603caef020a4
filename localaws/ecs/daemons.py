"""The service scheduler's strategy DAEMON: one task on each active container instance.

There is never a second one beside it, because maximumPercent is 100: the old task of an instance stops
before the new one starts, on as many instances at once as minimumHealthyPercent allows.
"""

from __future__ import annotations

import math

from localaws.ecs.placement import instances_for
from localaws.ecs.service import LiveService
from localaws.ecs.service_tasks import start, stop


def scale(service: LiveService, now: float) -> None:
    """Stop tasks without an instance and those of former deployments, and start missing ones."""
    primary = service.deployments[0]
    network = primary.settings.get("networkConfiguration")
    instances = []
    if service.status == "ACTIVE":  # a deleted service has no place on any
        instances = instances_for(primary.definition, service.cluster_name, network)
    service.desired_count = len(instances)
    live = [task for task in service.tasks if not task.stopping]
    stopped = [task for task in live if task.placement.instance not in instances]
    if primary.rollout_state == "FAILED":
        stop(service, stopped)
        return
    percent = service.settings["deploymentConfiguration"]["minimumHealthyPercent"]
    serving = {task.id for task in live if task not in stopped and task.serving(now)}
    spare = len(serving) - math.ceil(len(instances) * percent / 100)
    former = [t for t in live if t not in stopped and t.record["startedBy"] != primary.id]
    old = [task for task in former if not task.is_protected(now)]
    idle = [task for task in old if task.id not in serving]
    busy = [task for task in old if task.id in serving]
    stop(service, [*stopped, *idle, *busy[: max(0, spare)]])
    taken = [task.placement.instance for task in service.tasks]
    free = [instance for instance in instances if instance not in taken]
    if free and now >= primary.not_before:
        start(service, primary, free, now)
