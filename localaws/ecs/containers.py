"""The containers of a task: what they do, and how DescribeTasks shows them."""

from __future__ import annotations

import uuid
from typing import Any

from localaws.ecs.images import Behaviour, Injection, behaviour_of
from localaws.ecs.placement import Placement
from localaws.ecs.state import CONTAINER_CHECK

PROXY = "ecs-service-connect"
"""Service Connect's proxy, the only container that AWS adds and without which the task stops."""

RESTART_ATTEMPT_PERIOD = 300
"""The seconds that a container has to run before its restart policy restarts it, by default."""


STOP_TIMEOUT = 30
"""The seconds after which a container is killed that does not exit when it is told to, by default."""


class Container:
    """A container with its definition, and its record as DescribeTasks returns it."""

    def __init__(self, definition: dict[str, Any], record: dict[str, Any]) -> None:
        self.definition = definition
        self.record = record
        self.behaviour = Behaviour()  # that of its image once it is pulled
        self.may_start_since: float | None = None  # when nothing that it depends on was left
        self._started_at: float | None = None

    def __str__(self) -> str:
        code = "" if self.exit_code is None else f" - Exit: {self.exit_code}"
        return f"{self.name} ({self.record['lastStatus']}){code}"

    @property
    def name(self) -> str:
        """Its name in the task."""
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        """Whether the task stops with it."""
        return bool(self.definition["essential"])

    @property
    def started(self) -> bool:
        """Whether it runs or ran."""
        return self._started_at is not None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return bool(self.record["lastStatus"] == "RUNNING")

    @property
    def ended(self) -> bool:
        """Whether it exited, or will never start."""
        return bool(self.record["lastStatus"] == "STOPPED")

    @property
    def exit_code(self) -> int | None:
        """The code with which it exited."""
        return self.record.get("exitCode")

    @property
    def healthy(self) -> bool:
        """Whether it passes its health check."""
        return bool(self.record.get("healthStatus") == "HEALTHY")

    def ran_for(self, now: float) -> float:
        """The seconds since its last start; 0 before."""
        return now - self._started_at if self._started_at is not None else 0.0

    def pull(self) -> None:
        """Pull its image. Raises StartError."""
        self.behaviour = behaviour_of(self.record["image"])
        if self.behaviour.digest:
            self.record["imageDigest"] = self.behaviour.digest

    def start(self, now: float, runtime_id: str, placement: Placement) -> None:
        """Start it, or start it again."""
        self._started_at = now
        self.record.pop("exitCode", None)
        self.record.update(
            lastStatus="RUNNING",
            runtimeId=runtime_id,
            networkBindings=_network_bindings(self.name, placement),
        )
        if "healthStatus" in self.record:
            self.record["healthStatus"] = "UNKNOWN"

    def give_up(self, reason: str, exit_code: int | None = None) -> None:
        """It will never start."""
        self.record.update(lastStatus="STOPPED", reason=reason)
        if exit_code is not None:
            self.record["exitCode"] = exit_code

    def exits_within(self) -> float:
        """The seconds from SIGTERM until it has exited, or is killed."""
        if not self.running:
            return 0.0
        timeout = float(self.definition.get("stopTimeout", STOP_TIMEOUT))
        return min(self.behaviour.stop_seconds, timeout)

    def terminate(self) -> None:
        """End it after SIGTERM, with the exit code of SIGKILL if it took too long."""
        self.stop(137 if self.exits_within() < self.behaviour.stop_seconds else 0)

    def stop(self, exit_code: int) -> None:
        """End it, if it has not ended yet. What never ran has no exit code."""
        self.record["lastStatus"] = "STOPPED"
        if self.started:
            self.record.setdefault("exitCode", exit_code)

    def is_due_to_exit(self, now: float) -> bool:
        """Whether its image makes it exit now."""
        crashes = self.running and self.behaviour.kind == "crash"
        return crashes and self.ran_for(now) >= self.behaviour.exit_seconds

    def is_restarted(self, now: float) -> bool:
        """Whether its restart policy restarts it after it has exited with the code of its image."""
        policy = self.definition.get("restartPolicy") or {}
        ignored = self.behaviour.exit_code in (policy.get("ignoredExitCodes") or [])
        period = policy.get("restartAttemptPeriod", RESTART_ATTEMPT_PERIOD)
        return bool(policy.get("enabled")) and not ignored and self.ran_for(now) >= period

    def check_health(self, now: float) -> None:
        """Run the health check of its definition, if it is due."""
        if (
            self.definition.get("healthCheck")
            and self.running
            and self.ran_for(now) >= CONTAINER_CHECK
        ):
            passed = self.behaviour.kind != "unhealthy"
            self.record["healthStatus"] = "HEALTHY" if passed else "UNHEALTHY"


def defined_container(task_arn: str, definition: dict[str, Any], placement: Placement) -> Container:
    """A container of a task definition, whose image is not pulled yet."""
    record = {
        **_record(task_arn, definition["name"], placement),
        "image": definition["image"],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition["cpu"]),
    }
    for size in ("memory", "memoryReservation"):
        if size in definition:
            record[size] = str(definition[size])
    return Container(definition, record)


def injected_container(task_arn: str, injection: Injection, placement: Placement) -> Container:
    """A container that AWS adds. DescribeTasks tells neither its image nor its health."""
    name = f"{injection.name}-{uuid.uuid4().hex[:6]}"
    definition = {"name": name, "essential": injection.name == PROXY}
    container = Container(definition, _record(task_arn, name, placement))
    container.behaviour = Behaviour(
        kind=injection.kind,
        pull_error="CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to"
        f" resolve ref {injection.name}: unexpected status from HEAD request: 403 Forbidden"
        if injection.kind == "unpullable"
        else "",
    )
    return container


def _record(task_arn: str, name: str, placement: Placement) -> dict[str, Any]:
    record: dict[str, Any] = {
        "containerArn": f"{task_arn.replace(':task/', ':container/')}/{uuid.uuid4()}",
        "taskArn": task_arn,
        "name": name,
        "lastStatus": "PENDING",
        "networkBindings": [],
        "networkInterfaces": [],
    }
    if placement.attachment:
        interface = {
            "attachmentId": placement.attachment["id"],
            "privateIpv4Address": placement.address,
        }
        record["networkInterfaces"] = [interface]
    return record


def _network_bindings(name: str, placement: Placement) -> list[dict[str, Any]]:
    """The ports of a running container on its instance. There are none in network mode awsvpc."""
    if placement.eni:
        return []
    return [
        {"bindIP": "0.0.0.0", "containerPort": port, "hostPort": host_port, "protocol": "tcp"}
        for (container, port), host_port in placement.ports.items()
        if container == name
    ]
