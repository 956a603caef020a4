"""The service scheduler, which brings the running tasks of all services to their desired state.

It checks every service many times a second, and one at rest a few times. Each round starts from the present
state and not from the plan of an earlier round, so a stopped task, a changed desired count or an update
during a deployment needs no special case.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from localaws import clock
from localaws.ecs import (
    container_instances,
    daemons,
    replicas,
    service_deployment_states,
    task_definitions,
)
from localaws.ecs.alarms import in_alarm, reflect_regressions
from localaws.ecs.deployment import ALARMS, BREAKER, Deployment, threshold
from localaws.ecs.service import LiveService, live_services
from localaws.ecs.service_deployment import FINISHED
from localaws.ecs.state import STOPPED_TASKS_STAY, arn, backend
from localaws.ecs.task import Task

#: The number of failed tasks in a row after which ECS says so. AWS does not publish it.
IMPAIRED_AFTER = 3
#: The seconds between two checks of a service at rest. Of many services, most are, and their checks took a
#: sixth of the local AWS's time.
REST = 0.25


def tick() -> None:
    """Run one round. The caller holds the lock."""
    now = clock.monotonic()
    container_instances.reconcile()
    for service in live_services():
        if service.deployments and (now >= service.rests_until or not _all_run(service)):
            for task in service.tasks:
                task.advance(now)
            _judge(service, now)
            if service.settings["schedulingStrategy"] == "DAEMON":
                daemons.scale(service, now)
            else:
                replicas.scale(service, now)
            _report_targets(service)
            _conclude(service, now)
            service_deployment_states.advance(service, now)
            if _is_at_rest(service):
                service.rests_until = now + REST
    tasks: list[Task] = [t for known in backend().tasks.values() for t in known.values()]  # type: ignore[misc]
    for task in tasks:
        if not task.record["group"].startswith("service:"):
            task.advance(now)
    services = Counter(s.cluster_name for s in live_services() if s.status == "ACTIVE")
    for cluster in backend().clusters.values():
        cluster.active_services_count = services[cluster.name]
        _sum_up(cluster, now)
    reflect_regressions(tasks, now)
    if task_definitions.deleting():
        services_use = {d.definition.arn for s in live_services() for d in s.deployments}
        tasks_use = {task.definition.arn for task in tasks if task.status != "STOPPED"}
        task_definitions.finish_deletions(services_use | tasks_use)


def _is_at_rest(service: LiveService) -> bool:
    """Whether all is as desired, so that the next round would most likely find nothing to do."""
    deployments = service.deployments
    return (
        service.steady
        and service.status == "ACTIVE"
        and len(deployments) == 1
        and deployments[0].rollout_state != "IN_PROGRESS"
        and all(each.status in FINISHED for each in service.service_deployments)
        and _all_run(service)
    )


def _all_run(service: LiveService) -> bool:
    return all(task.status == "RUNNING" for task in service.tasks)


def _judge(service: LiveService, now: float) -> None:
    """Count the healthy and the failed tasks, and stop tasks that fail their health checks."""
    grace = service.settings.get("healthCheckGracePeriodSeconds") or 0
    for task in list(service.tasks):
        deployment = _deployment_of(service, task)
        if task.status == "STOPPED":
            service.tasks.remove(task)
            if task.failed and deployment:
                deployment.count_failure(now)
                if deployment.failed_tasks >= IMPAIRED_AFTER:
                    message = "is unable to consistently start tasks successfully."
                    service.report("start", message, "SERVICE_TASK_START_IMPAIRED")
        elif task.serving(now):
            if task.healthy_since is None:
                task.healthy_since = now
                if deployment:
                    deployment.count_success(service.breaker)
                    service.resolve("start")
        elif task.status == "RUNNING" and now - task.since >= grace:
            _stop_if_unhealthy(service, task)


def _stop_if_unhealthy(service: LiveService, task: Task) -> None:
    for group, target, seen in task.unhealthy_targets():
        host = task.placement.instance
        where = f"(instance {host.ec2_instance_id}) " if host else ""
        service.add_event(
            f"(task {task.id}) {where}(port {target.port}) is unhealthy in (target-group {group})"
            f" due to (reason {seen})"
        )
        reason = f"Task failed ELB health checks in (target-group {group})"
        task.stop(reason, "ServiceSchedulerInitiated", failed=True)
        return
    if task.record["healthStatus"] == "UNHEALTHY":
        service.add_event(f"(task {task.id}) failed container health checks.")
        if service.settings.get("serviceRegistries"):
            service.act("SERVICE_DISCOVERY_INSTANCE_UNHEALTHY")
        reason = "Task failed container health checks"
        task.stop(reason, "ServiceSchedulerInitiated", failed=True)


def _report_targets(service: LiveService) -> None:
    """Add service events for the targets that were registered or deregistered since the last
    round.
    """
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    for task in service.tasks:
        was, groups = service.seen.get(task.id), [group for group, _ in task.targets]
        if task.status == "RUNNING" and was != "RUNNING":
            came.update(groups)
        elif task.status == "DEACTIVATING" and was == "RUNNING":
            went.update(groups)
    service.seen = {task.id: task.status for task in service.tasks}
    for group, count in came.items():
        service.add_event(f"registered {count} targets in (target-group {group})")
    for group, count in went.items():
        service.add_event(f"deregistered {count} targets in (target-group {group})")
        service.add_event(f"has begun draining connections on {count} tasks.")


def _count(service: LiveService) -> None:
    """Update the counts of the service and its deployments."""
    for deployment in service.deployments:
        mine = [t for t in service.tasks if t.record["startedBy"] == deployment.id]
        deployment.running_count = sum(task.status == "RUNNING" for task in mine)
        deployment.pending_count = sum(t.status in ("PROVISIONING", "PENDING") for t in mine)
        if deployment.status == "PRIMARY":
            deployment.desired_count = service.desired_count
        elif not service.replaces_lost_tasks_of(deployment):
            deployment.desired_count = sum(not task.stopping for task in mine)
    service.running_count = sum(d.running_count for d in service.deployments)
    service.pending_count = sum(d.pending_count for d in service.deployments)


def _conclude(service: LiveService, now: float) -> None:
    """Update the counts, and end the deployment if it has completed or failed."""
    _count(service)
    used = {task.record["startedBy"] for task in service.tasks}
    primary = service.deployments[0]
    service.deployments = [
        d for d in service.deployments if d is primary or d.id in used or d.desired_count
    ]
    if service.status == "DRAINING":
        if not service.tasks:
            service.status, service.deployments = "INACTIVE", []
        return
    serving = sum(task.serving(now) for task in service.tasks)
    steady = serving == len(service.tasks) == service.desired_count and used <= {primary.id}
    if primary.rollout_state == "IN_PROGRESS":
        limit = threshold(service.breaker, service.desired_count)
        # Alarms are watched for a while after the last task is healthy. On AWS this bake time is some
        # minutes, which depend on the periods of the alarms; here it ends with the next round.
        baked = service.steady or not primary.alarms
        if in_alarm(primary.alarms):
            service.fail_deployment(ALARMS)
            steady = False
        elif steady and baked:
            service.complete_deployment()
            service.steady = False
        elif service.breaker.get("enable") and primary.failed_tasks >= limit:
            service.fail_deployment(BREAKER)
    if steady and not service.steady and primary.rollout_state != "IN_PROGRESS":
        _tell_steady_state(service, primary)
    service.steady = steady


def _tell_steady_state(service: LiveService, primary: Deployment) -> None:
    service.add_event("has reached a steady state.")
    service.act("SERVICE_STEADY_STATE")
    if providers := primary.settings.get("capacityProviderStrategy"):
        arns = [arn(f"capacity-provider/{each['capacityProvider']}") for each in providers]
        service.act("CAPACITY_PROVIDER_STEADY_STATE", capacityProviderArns=arns)


def _deployment_of(service: LiveService, task: Task) -> Deployment | None:
    started_by = task.record["startedBy"]
    return next((d for d in service.deployments if d.id == started_by), None)


def _sum_up(cluster: Any, now: float) -> None:
    """Update the task counts of a cluster, and remove tasks that stopped long ago."""
    tasks: dict[str, Task] = backend().tasks.get(cluster.name, {})  # type: ignore[assignment]
    cluster.running_tasks_count = sum(task.status == "RUNNING" for task in tasks.values())
    cluster.pending_tasks_count = sum(
        task.status in ("PROVISIONING", "PENDING") for task in tasks.values()
    )
    for task in list(tasks.values()):
        if task.status == "STOPPED" and now - task.since > STOPPED_TASKS_STAY:
            del tasks[task.task_arn]
