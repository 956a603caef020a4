"""A deployment of a service: its counts, its circuit breaker and the causes of its failure.

moto has a single deployment per service that never changes. Here every change that needs new tasks
creates a PRIMARY deployment, and the previous one stays ACTIVE until its tasks have stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws.ecs.service_revision import ServiceRevision
from localaws.ecs.state import THROTTLE, THROTTLE_MOST, digits, utcnow
from localaws.ecs.task_definitions import LiveTaskDefinition

#: The settings of a service that need new tasks when they change, besides the task definition.
REVISION_FIELDS = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "gatewayConnectors",  # recorded only: there is no gateway, and no task is its target
)


#: Those of them whose change alone begins a deployment. The capacity can be changed with
#: forceNewDeployment only.
TRIGGERING_FIELDS = tuple(
    name for name in REVISION_FIELDS if name not in ("launchType", "capacityProviderStrategy")
)


@dataclass(frozen=True)
class Cause:
    """Why a deployment ends early: the setting that says whether to roll back, and ECS's wording.

    The wording of events about alarms is published. That of reasons follows the circuit breaker's.
    """

    setting: str
    who: str
    what: str
    why: str
    """The end of a service deployment's statusReason."""


BREAKER = Cause(
    "deploymentCircuitBreaker",
    "circuit breaker",
    "tasks failed to start",
    "because the circuit breaker threshold was exceeded",
)
ALARMS = Cause("alarms", "alarms", "alarm detected", "because an alarm was triggered")
USER = Cause("", "user", "Service deployment rolled back by user", "by user")


@dataclass
class Deployment:
    """A deployment. Decisions use times of the monotonic clock; the other times are for the API."""

    revision: ServiceRevision
    desired_count: int
    alarms: list[str] = field(default_factory=list)
    is_rollback: bool = False
    cause: Cause | None = None  # why it ended early
    rolls_back: bool = False  # whether that is to be rolled back
    triggered: list[str] = field(default_factory=list)  # the alarms that ended it
    rollback: Deployment | None = None  # what replaced it when it was rolled back
    id: str = field(default_factory=lambda: f"ecs-svc/{digits()}")
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    not_before: float = 0.0  # no task starts before: ECS throttles tasks that keep failing
    running_count: int = 0
    pending_count: int = 0
    created_at: datetime = field(default_factory=utcnow)
    updated_at: datetime = field(default_factory=utcnow)

    @property
    def definition(self) -> LiveTaskDefinition:
        """The task definition that it deploys."""
        return self.revision.definition

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the service that it deploys."""
        return self.revision.settings

    def record(self) -> dict[str, Any]:
        """The deployment as in DescribeServices."""
        hidden = ("loadBalancers", "serviceRegistries", "gatewayConnectors")
        return {
            **{name: value for name, value in self.settings.items() if name not in hidden},
            "id": self.id,
            "status": self.status,
            "taskDefinition": self.definition.arn,
            "desiredCount": self.desired_count,
            "pendingCount": self.pending_count,
            "runningCount": self.running_count,
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "rolloutState": self.rollout_state,
            "rolloutStateReason": self.reason,
        }

    def count_failure(self, now: float) -> None:
        """Count a task that failed before it was ever healthy, and delay the next one."""
        self.failed_tasks += 1
        self.not_before = now + min(THROTTLE * 2 ** (self.failed_tasks - 1), THROTTLE_MOST)
        self.updated_at = utcnow()

    def count_success(self, breaker: dict[str, Any]) -> None:
        """Reset the count of failed tasks after a healthy one."""
        if breaker.get("resetOnHealthyTask", True):
            self.failed_tasks = 0
            self.not_before = 0.0


def threshold(breaker: dict[str, Any], desired_count: int) -> int:
    """The number of consecutive failed tasks that triggers the circuit breaker."""
    configuration = breaker.get("thresholdConfiguration", {})
    value, kind = configuration.get("value", 50), configuration.get("type", "BOUNDED_PERCENT")
    if kind == "COUNT":
        return int(value)
    share: int = math.ceil(desired_count * value / 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else max(3, min(200, share))
