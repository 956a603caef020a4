"""A service deployment: the rollout of a service revision, with the rollback if there is one.

It has another life than the entries of a service's ``deployments``. It appears some time after the request
that causes it, its rollback is a part of it while ``deployments`` gets a new entry, and it stays listed
after its end.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws import clock
from localaws.ecs.deployment import ALARMS, BREAKER, Cause, Deployment, threshold
from localaws.ecs.service_revision import ServiceRevision
from localaws.ecs.state import utcnow

FINISHED = frozenset({"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})


@dataclass(eq=False)
class ServiceDeployment:
    """A service deployment. Until it has ``created_at`` nobody sees it."""

    deployment: Deployment
    sources: list[ServiceRevision]
    """What the service ran when it began."""
    arn: str = ""
    status: str = ""
    reason: str = ""
    since: float = field(default_factory=clock.monotonic)  # when it got its status
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    final: dict[str, Any] = field(default_factory=dict)
    """The record at its end. What the service's tasks do later does not change it."""

    def __post_init__(self) -> None:
        kind = ":service-deployment/"
        service = self.target.service_arn.replace(":service/", kind)
        self.arn = f"{service}/{secrets.token_urlsafe(16)[:21]}"

    @property
    def target(self) -> ServiceRevision:
        """The revision that it deploys."""
        return self.deployment.revision

    @property
    def ongoing(self) -> bool:
        """Whether it was created and has not ended."""
        return self.created_at is not None and self.status not in FINISHED

    def enter(self, status: str, reason: str = "") -> None:
        """Get a status, and the reason for it if it is a new one."""
        now = utcnow()
        self.status, self.reason = status, reason or self.reason
        self.since, self.updated_at = clock.monotonic(), now
        if status == "PENDING":
            self.created_at = now
        elif status == "IN_PROGRESS":
            self.started_at = now
        elif status in FINISHED:
            self.finished_at = now

    def begin_rollback(self, cause: Cause, target: ServiceRevision | None) -> None:
        """Note the rollback. There is no target if no revision was ever deployed successfully."""
        self.rollback = {"reason": _rolled_back(cause), "startedAt": utcnow()}
        if target is None:
            self.enter("ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
        else:
            self.rollback["serviceRevisionArn"] = target.arn
            self.enter("ROLLBACK_IN_PROGRESS", _rolled_back(cause))

    def brief(self) -> dict[str, Any]:
        """The service deployment as in ListServiceDeployments."""
        return {
            **self._identity(),
            "targetServiceRevisionArn": self.target.arn,
        }

    def record(
        self, deployments: Iterable[Deployment], configuration: dict[str, Any], desired_count: int
    ) -> dict[str, Any]:
        """The service deployment as in DescribeServiceDeployments.

        Args:
            deployments: those of the service at present.
            configuration: the service's present deployment configuration.
            desired_count: the service's present one.
        """
        if self.final:
            return self.final
        optional = {"stoppedAt": self.stopped_at, "rollback": self.rollback}
        return {
            **self._identity(),
            **{name: value for name, value in optional.items() if value},
            "updatedAt": self.updated_at,
            "sourceServiceRevisions": [summary(deployments, source) for source in self.sources],
            "targetServiceRevision": summary(deployments, self.target),
            "deploymentConfiguration": deepcopy(configuration),
            "deploymentCircuitBreaker": self._breaker(configuration, desired_count),
            "alarms": self._alarms(),
        }

    def _identity(self) -> dict[str, Any]:
        optional = {
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "statusReason": self.reason,
        }
        return {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.target.service_arn,
            "clusterArn": self.target.cluster_arn,
            "createdAt": self.created_at,
            "status": self.status,
            **{name: value for name, value in optional.items() if value},
        }

    def _breaker(self, configuration: dict[str, Any], desired_count: int) -> dict[str, Any]:
        breaker = configuration["deploymentCircuitBreaker"]
        if not breaker.get("enable"):
            return {"status": "DISABLED"}
        return {
            "status": self._monitoring(BREAKER),
            "failureCount": self.deployment.failed_tasks,
            "threshold": threshold(breaker, desired_count),
        }

    def _alarms(self) -> dict[str, Any]:
        names, triggered = self.deployment.alarms, self.deployment.triggered
        if not names:  # or one of them was in ALARM at the beginning
            return {"status": "DISABLED"}
        alarms = {"status": self._monitoring(ALARMS), "alarmNames": list(names)}
        return {**alarms, "triggeredAlarmNames": list(triggered)} if triggered else alarms

    def _monitoring(self, cause: Cause) -> str:
        if self.deployment.cause is cause:
            return "TRIGGERED"
        watching = self.status in ("PENDING", "IN_PROGRESS")
        return "MONITORING" if watching else "MONITORING_COMPLETE"


def stopped(cause: Cause) -> str:
    """The reason of a service deployment that is stopped without a rollback."""
    return f"Service deployment stopped {cause.why}."


def summary(deployments: Iterable[Deployment], revision: ServiceRevision) -> dict[str, Any]:
    """The tasks of a revision, which several deployments have if it was rolled back to."""
    of_it = [d for d in deployments if d.revision.arn == revision.arn]
    return {
        "arn": revision.arn,
        "requestedTaskCount": sum(d.desired_count for d in of_it),
        "runningTaskCount": sum(d.running_count for d in of_it),
        "pendingTaskCount": sum(d.pending_count for d in of_it),
    }


def _rolled_back(cause: Cause) -> str:
    return f"Service deployment rolled back {cause.why}."
