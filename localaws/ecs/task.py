"""A task and its states: PROVISIONING, PENDING, RUNNING, DEACTIVATING, STOPPED.

moto's services have no tasks. Here a task is the record that DescribeTasks returns. The scheduler
moves it on, and its images decide how.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from localaws import clock, elbv2
from localaws.ecs import awslogs, events
from localaws.ecs.containers import container_record, network_bindings
from localaws.ecs.images import Behaviour, StartError, behaviour_of
from localaws.ecs.placement import Placement
from localaws.ecs.service_discovery import Registration
from localaws.ecs.state import CONTAINER_CHECK, CRASH, PENDING, PROVISIONING, SETTLED, arn, utcnow
from localaws.ecs.task_definitions import LiveTaskDefinition


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
        self.behaviours: dict[str, Behaviour] = {}
        self.targets: list[tuple[str, elbv2.Target]] = []
        self.since = clock.monotonic()  # when it got its status
        self.healthy_since: float | None = None
        self.checked = {
            container["name"]
            for container in definition.record["containerDefinitions"]
            if container.get("healthCheck") and container["essential"]
        }
        self.failed = False  # it ended through its own fault and was never healthy
        self.record: dict[str, Any] = {
            "taskArn": self.task_arn,
            "clusterArn": arn(f"cluster/{placement.cluster}"),
            "taskDefinitionArn": definition.arn,
            "availabilityZone": placement.zone,
            "attachments": [placement.attachment] if placement.attachment else [],
            "containers": [
                container_record(self.task_arn, c, placement)
                for c in definition.record["containerDefinitions"]
            ],
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
        self._enter("PROVISIONING")

    @property
    def status(self) -> str:
        """The last known status."""
        return str(self.record["lastStatus"])

    @property
    def stopping(self) -> bool:
        """Whether it is stopping or has stopped."""
        return bool(self.record["desiredStatus"] == "STOPPED")

    def snapshot(self) -> dict[str, Any]:
        """The record as DescribeTasks returns it now."""
        return {**deepcopy(self.record), "tags": list(self.tags)}

    def advance(self, now: float) -> None:
        """Go on to the next status if it is due."""
        age = now - self.since
        if self.status == "PROVISIONING" and age >= PROVISIONING:
            self._pull()
        elif self.status == "PENDING" and age >= self._start_seconds():
            self._start()
        elif self.status == "RUNNING":
            self._run(age)
        elif self.status == "DEACTIVATING" and not self._draining():
            self._end()

    def stop(self, reason: str, code: str, *, failed: bool = False) -> None:
        """Stop the task. A running task drains first."""
        if self.stopping:
            return
        self.failed = failed and self.healthy_since is None
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

    def _pull(self) -> None:
        self.record["pullStartedAt"] = utcnow()
        for container in self.record["containers"]:
            try:
                behaviour = behaviour_of(container["image"])
            except StartError as error:
                self._fail_to_start(container, error)
                return
            self.behaviours[container["name"]] = behaviour
            if behaviour.digest:
                container["imageDigest"] = behaviour.digest
        self._enter("PENDING")

    def _fail_to_start(self, container: dict[str, Any], error: StartError) -> None:
        container["reason"] = str(error)
        self.stop(str(error), "TaskFailedToStart", failed=True)

    def _start_seconds(self) -> float:
        return max([PENDING, *(b.start_seconds for b in self.behaviours.values())])

    def _start(self) -> None:
        for container, definition in self._containers():
            runtime_id = f"{self.id}-{uuid.uuid4().int % 10**10}"
            log = self.behaviours[container["name"]].log
            try:
                awslogs.start(
                    definition,
                    self.id,
                    runtime_id,
                    log,
                    on_instance=bool(self.placement.instance),
                )
            except StartError as error:
                self._fail_to_start(container, error)
                return
            container["runtimeId"] = runtime_id
        for container in self.record["containers"]:
            container["lastStatus"] = "RUNNING"
            container["networkBindings"] = network_bindings(container["name"], self.placement)
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
        container = next(c for c in self.record["containers"] if c["name"] == container_name)
        if container["lastStatus"] != "RUNNING":
            raise ConnectionRefusedError
        behaviour = self.behaviours[container_name]
        return behaviour.health_status if behaviour.kind == "unhealthy" else None

    def _run(self, age: float) -> None:
        for container, definition in self._containers():
            behaviour = self.behaviours[container["name"]]
            if behaviour.kind == "crash" and age >= CRASH and "exitCode" not in container:
                container.update(lastStatus="STOPPED", exitCode=behaviour.exit_code)
                if definition["essential"]:
                    reason = "Essential container in task exited"
                    self.stop(reason, "EssentialContainerExited", failed=True)
                    return
            elif definition.get("healthCheck") and age >= CONTAINER_CHECK:
                passed = behaviour.kind != "unhealthy"
                container["healthStatus"] = "HEALTHY" if passed else "UNHEALTHY"
        self._sum_up_health()

    def _sum_up_health(self) -> None:
        containers = self.record["containers"]
        seen = {c["healthStatus"] for c in containers if c["name"] in self.checked}
        for status in ("UNHEALTHY", "UNKNOWN", "HEALTHY"):
            if status in seen:
                self.record["healthStatus"] = status
                self.registration.report_health(healthy=status == "HEALTHY")
                return

    def _containers(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The record of each container with its definition."""
        definitions = self.definition.record["containerDefinitions"]
        return zip(self.record["containers"], definitions, strict=True)

    def _draining(self) -> bool:
        return any(elbv2.health(group, target)[0] == "draining" for group, target in self.targets)

    def _end(self) -> None:
        now = utcnow()
        for container in self.record["containers"]:
            if "startedAt" in self.record:
                container.setdefault("exitCode", 0)
            container["lastStatus"] = "STOPPED"
        self.placement.release()
        self.record.update(executionStoppedAt=now, stoppedAt=now)
        self._enter("STOPPED")
