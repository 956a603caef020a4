"""The service scheduler's strategy REPLICA: as many tasks as are desired, anywhere in the cluster.

During a deployment the new tasks and the old ones stay within minimumHealthyPercent and maximumPercent. A
task that is lost is replaced by one of its own revision, so the old revision does not dwindle if the new
one can't run. Only a revision that was deployed completely is worth that.
"""

from __future__ import annotations

import math

from localaws.ecs.service import LiveService
from localaws.ecs.service_tasks import start, stop
from localaws.ecs.task import Task

_STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment"
    " configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
)


def scale(service: LiveService, now: float) -> None:
    """Stop surplus tasks, and start missing ones, those of the old revision first."""
    primary, desired = service.deployments[0], service.desired_count
    live = [task for task in service.tasks if not task.stopping]
    serving = {task.id for task in live if task.serving(now)}
    new = [task for task in live if task.record["startedBy"] == primary.id]
    old = [task for task in live if task.record["startedBy"] != primary.id]
    configuration = service.settings["deploymentConfiguration"]
    minimum = math.ceil(desired * configuration["minimumHealthyPercent"] / 100)
    maximum = math.floor(desired * configuration["maximumPercent"] / 100)

    missing = max(0, desired - len(new)) if primary.rollout_state != "FAILED" else 0
    not_replaced = max(0, desired - sum(task.id in serving for task in new))
    # If maximumPercent leaves no room for new tasks, old ones stop as far as the minimum allows.
    needed = max(0, missing + len(live) - maximum) if missing else 0
    surplus = len(old) - not_replaced
    stopped = [
        *_least_useful(new, serving, now)[: max(0, len(new) - desired)],
        *_stoppable(service, old, serving, max(surplus, needed), minimum, now),
    ]
    stop(service, stopped)
    _report_protection(service, "new", new, desired, now)
    _report_protection(service, "old", old, not_replaced, now)

    room = maximum - sum(not task.stopping for task in service.tasks)
    room -= _replace_lost(service, room, not_replaced, now)
    if missing and room > 0 and now >= primary.not_before:
        start(service, primary, [None] * min(missing, room), now)
    if not missing or room > 0 or stopped:
        service.resolve("percentages")
    elif len(serving) == len(service.tasks):  # or else a task that comes or goes may make room
        service.report("percentages", _STUCK)


def _least_useful(tasks: list[Task], serving: set[str], now: float) -> list[Task]:
    """The tasks that may stop, first those that are not healthy."""
    return sorted(
        (task for task in tasks if not task.is_protected(now)), key=lambda task: task.id in serving
    )


def _stoppable(
    service: LiveService, old: list[Task], serving: set[str], wanted: int, minimum: int, now: float
) -> list[Task]:
    """Old tasks to stop, as many as are wanted and the minimum allows.

    One that has just been started to replace another counts as healthy: it stops only if a healthy one
    could.
    """
    completed = {d.id for d in service.deployments if service.replaces_lost_tasks_of(d)}
    counted = serving | {
        task.id
        for task in old
        if task.healthy_since is None and task.record["startedBy"] in completed
    }
    spare = len(counted) - minimum
    candidates = _least_useful(old, serving, now)
    candidates.sort(key=lambda task: task.id in counted)
    idle = [task for task in candidates if task.id not in counted]
    return [*idle, *candidates[len(idle) :][: max(0, spare)]][: max(0, wanted)]


def _replace_lost(service: LiveService, room: int, not_replaced: int, now: float) -> int:
    """Replace the old revision's tasks that ended without the scheduler's will. Returns their number."""
    replaced = 0
    for deployment in service.deployments[1:]:
        if not service.replaces_lost_tasks_of(deployment):
            continue
        live = [task for task in service.tasks if not task.stopping]
        old = [t for t in live if t.record["startedBy"] != service.deployments[0].id]
        mine = [t for t in live if t.record["startedBy"] == deployment.id]
        # What new tasks have taken over in the meantime is not owed any more.
        lost = min(deployment.desired_count - len(mine), max(0, not_replaced - len(old)))
        deployment.desired_count = len(mine) + max(0, lost)
        count = min(lost, room - replaced)
        if count > 0 and now >= deployment.not_before:
            before = len(service.tasks)
            start(service, deployment, [None] * count, now)
            replaced += len(service.tasks) - before
    return replaced


def _report_protection(
    service: LiveService, which: str, tasks: list[Task], wanted: int, now: float
) -> None:
    """Say which deployment can't scale in because more of its tasks are protected than are wanted."""
    held = [task.record["startedBy"] for task in tasks if task.is_protected(now)]
    if len(held) <= wanted:
        service.resolve(f"protection of {which}")
        return
    for task_set in sorted(set(held)):
        service.report(
            f"protection of {which}",
            f"was unable to reach steady state because task set ({task_set}) was unable to scale in."
            " Reason: The number of protected tasks are more than the desired count of tasks.",
        )
