"""A task and its states: PROVISIONING, PENDING, RUNNING, DEACTIVATING, STOPPING, STOPPED.

moto's services have no tasks. Here a task is the record that DescribeTasks returns. The scheduler
moves it on, and its images decide how.
"""

from __future__ import annotations

import uuid
from copy import copy, deepcopy
from datetime import datetime
from functools import partial
from typing import Any

from localaws import clock, elbv2
from localaws.ecs import awslogs, dependencies, events
from localaws.ecs.containers import Container, defined_container, injected_container
from localaws.ecs.images import Behaviour, StartError
from localaws.ecs.placement import Placement
from localaws.ecs.service_discovery import Registration
from localaws.ecs.state import PENDING_MOST, PROVISIONING, SETTLED, arn, utcnow
from localaws.ecs.task_definitions import LiveTaskDefinition
from localaws.faults.stale import Past


class Task:
    """A task with its place. ``options`` are further fields of its record."""

    def __init__(
        self,
        definition: LiveTaskDefinition,
        placement: Placement,
        load_balancers: list[dict[str, Any]],
        tags: list[dict[str, str]],
        options: dict[str, Any],
        registries: list[dict[str, Any]] | None = None,
    ) -> None:
        self.definition = definition
        self.placement = placement
        self.load_balancers = load_balancers
        self.tags = tags
        self.id = uuid.uuid4().hex
        self.task_arn = arn(f"task/{placement.cluster}/{self.id}")
        self.containers = [
            defined_container(self.task_arn, c, placement)
            for c in definition.record["containerDefinitions"]
        ]
        self.targets: list[tuple[str, elbv2.Target]] = []
        self.since = clock.monotonic()  # when it got its status
        self.healthy_since: float | None = None
        self.protected_until = 0.0  # from scale-in and deployments
        self.protection_expires_at: datetime | None = None
        self.checked = [
            c for c in self.containers if c.definition.get("healthCheck") and c.essential
        ]
        self.failed = False  # it ended through its own fault and was never healthy
        self.record: dict[str, Any] = {
            "taskArn": self.task_arn,
            "clusterArn": arn(f"cluster/{placement.cluster}"),
            "taskDefinitionArn": definition.arn,
            "availabilityZone": placement.zone,
            "attachments": [placement.attachment] if placement.attachment else [],
            "containers": [container.record for container in self.containers],
            "cpu": definition.record.get("cpu"),
            "memory": definition.record.get("memory"),
            "overrides": {"containerOverrides": []},
            "createdAt": utcnow(),
            "desiredStatus": "RUNNING",
            "healthStatus": "UNKNOWN",
            "version": 0,
            **options,
        }
        if placement.instance:
            self.record["containerInstanceArn"] = placement.instance.container_instance_arn
        self.registration = Registration(
            self.id,
            definition.family,
            self.record["group"],
            placement,
            registries or [],
            reports_health=bool(self.checked),
        )
        self.past: Past[Task | None] = Past()
        """The task in its former status; None before it was created."""
        self.past.keep(None)
        self._remembered = ""  # the status in which it was kept last
        self._enter("PROVISIONING")

    @property
    def status(self) -> str:
        """The last known status."""
        return str(self.record["lastStatus"])

    @property
    def stopping(self) -> bool:
        """Whether it is stopping or has stopped."""
        return bool(self.record["desiredStatus"] == "STOPPED")

    @property
    def behaviours(self) -> list[Behaviour]:
        """The behaviours of its images."""
        return [container.behaviour for container in self.containers]

    def is_protected(self, now: float) -> bool:
        """Whether neither a scale-in nor a deployment stops it."""
        return now < self.protected_until

    def snapshot(self) -> dict[str, Any]:
        """The record as DescribeTasks returns it now."""
        return {**deepcopy(self.record), "tags": list(self.tags)}

    def advance(self, now: float) -> None:
        """Go on to the next status if it is due."""
        age = now - self.since
        if self.status == "PROVISIONING" and age >= PROVISIONING:
            self._pull(now)
        elif self.status == "PENDING" and age >= PENDING_MOST:
            self.stop("Task failed to start", "TaskFailedToStart", failed=True)
        elif self.status in ("PENDING", "RUNNING"):
            self._progress(now)
        elif self.status == "DEACTIVATING" and not self._draining():
            self._terminate()
        elif self.status == "STOPPING" and age >= self._exits_within():
            self._end()

    def stop(self, reason: str, code: str, *, failed: bool = False) -> None:
        """Stop the task. A running task drains first."""
        if self.stopping:
            return
        self.failed = failed and self.healthy_since is None
        self._remember()
        self.record.update(
            desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppingAt=utcnow()
        )
        if self.status != "RUNNING":
            self._end()
            return
        for group, target in self.targets:
            elbv2.deregister(group, target)
        self.registration.deregister()
        self._enter("DEACTIVATING")

    def serving(self, now: float) -> bool:
        """Whether it counts as healthy: it has run for a while, and passes all its health checks."""
        if self.status != "RUNNING" or now - self.since < SETTLED:
            return False
        if len(self.targets) < len(self.load_balancers):  # a target group was deleted
            return False
        if self.checked and self.record["healthStatus"] != "HEALTHY":
            return False
        return all(elbv2.health(group, target)[0] == "healthy" for group, target in self.targets)

    def unhealthy_targets(self) -> list[tuple[str, elbv2.Target, str]]:
        """The targets that fail their health check, with the description of the failure."""
        found = []
        for group, target in self.targets:
            state, _, description = elbv2.health(group, target)
            if state == "unhealthy":
                found.append((group, target, description or ""))
        return found

    def _enter(self, status: str) -> None:
        self.since = clock.monotonic()
        self.record["lastStatus"] = status
        self.record["version"] += 1
        events.task_changed(self.record)

    def _remember(self) -> None:
        """Keep the task as it is, right before it leaves its status."""
        if self._remembered != self.status:  # or else something of the change has been made
            self._remembered = self.status
            former = copy(self)
            former.record = deepcopy(self.record)
            self.past.keep(former)

    def _pull(self, now: float) -> None:
        self._remember()
        self.record["pullStartedAt"] = utcnow()
        for container in self.containers:
            try:
                container.pull()
            except StartError as error:
                self._fail_to_start(container, str(error))
                return
        self._inject_containers()
        for container in self.containers:
            if container.behaviour.pull_error:
                container.give_up(container.behaviour.pull_error)
        for container in self.containers:
            if container.ended and container.essential:
                self._fail_to_start(container, container.behaviour.pull_error)
                return
        self._enter("PENDING")
        self._progress(now)

    def _inject_containers(self) -> None:
        """Add the containers that AWS adds to the task, each one once."""
        named = {i.name: i for behaviour in self.behaviours for i in behaviour.injections}
        first: list[Container] = []
        last: list[Container] = []
        for injection in named.values():
            container = injected_container(self.task_arn, injection, self.placement)
            (first if injection.first else last).append(container)
        self.containers = [*first, *self.containers, *last]
        self.record["containers"] = [container.record for container in self.containers]

    def _fail_to_start(self, container: Container, reason: str) -> None:
        self._remember()
        container.give_up(reason)
        self.stop(reason, "TaskFailedToStart", failed=True)

    def _progress(self, now: float) -> None:
        """Go on with each container."""
        for container in self.containers:
            if container.running:
                self._run(container, now)
            elif not container.ended:
                self._start_if_due(container, now)
            if self.stopping:
                return
        self._sum_up_health()
        if self.status == "PENDING" and all(c.running or c.ended for c in self.containers):
            self._start_to_run()

    def _start_if_due(self, container: Container, now: float) -> None:
        if container.may_start_since is None:
            try:
                if not dependencies.may_start(container, self.containers, now):
                    return
            except dependencies.NeverResolvedError as reason:
                container.give_up(f"CannotStartContainerError: {reason}", exit_code=143)
                if container.essential:
                    self.stop("Task failed to start", "TaskFailedToStart", failed=True)
                return
            container.may_start_since = now
        if now - container.may_start_since >= container.behaviour.start_seconds:
            self._start(container, now)

    def _start(self, container: Container, now: float) -> None:
        runtime_id = f"{self.id}-{uuid.uuid4().int % 10**10}"
        try:
            awslogs.start(
                container.definition,
                self.id,
                runtime_id,
                container.behaviour.log,
                on_instance=bool(self.placement.instance),
            )
        except StartError as error:
            self._fail_to_start(container, str(error))
        else:
            container.start(now, runtime_id, self.placement)

    def _start_to_run(self) -> None:
        self._remember()
        self.record.update(pullStoppedAt=utcnow(), startedAt=utcnow(), connectivity="CONNECTED")
        self._enter("RUNNING")
        for balancer in self.load_balancers:
            self._register(balancer)
        self.registration.register()

    def _register(self, balancer: dict[str, Any]) -> None:
        group = elbv2.find(balancer["targetGroupArn"])
        if group is None:
            return
        name, port = balancer["containerName"], balancer["containerPort"]
        target = elbv2.Target(
            self.placement.target_id(group.target_type),
            self.placement.ports[(name, port)],
            partial(self._answer, name),
        )
        elbv2.register(group.arn, target)
        self.targets.append((group.arn, target))

    def _answer(self, container_name: str) -> int | None:
        container = next(c for c in self.containers if c.name == container_name)
        if not container.running:
            raise ConnectionRefusedError
        behaviour = container.behaviour
        return behaviour.health_status if behaviour.kind == "unhealthy" else None

    def _run(self, container: Container, now: float) -> None:
        if not container.is_due_to_exit(now):
            container.check_health(now)
        elif container.is_restarted(now):
            self._start(container, now)
        else:
            if container.essential:
                self._remember()
            container.stop(container.behaviour.exit_code)
            if container.essential:
                reason = "Essential container in task exited"
                self.stop(reason, "EssentialContainerExited", failed=True)

    def _sum_up_health(self) -> None:
        seen = {container.record["healthStatus"] for container in self.checked}
        for status in ("UNHEALTHY", "UNKNOWN", "HEALTHY"):
            if status in seen:
                self.record["healthStatus"] = status
                self.registration.report_health(healthy=status == "HEALTHY")
                return

    def _draining(self) -> bool:
        return any(elbv2.health(group, target)[0] == "draining" for group, target in self.targets)

    def _exits_within(self) -> float:
        return max(container.exits_within() for container in self.containers)

    def _terminate(self) -> None:
        """Send SIGTERM to the containers."""
        if self._exits_within():
            self._remember()
            self._enter("STOPPING")
        else:
            self._end()

    def _end(self) -> None:
        self._remember()
        now = utcnow()
        for container in self.containers:
            container.terminate()
        self.placement.release()
        self.record.update(executionStoppedAt=now, stoppedAt=now)
        self._enter("STOPPED")
