"""A service and its deployments.

moto drops most of CreateService's parameters and never changes a deployment. Here the request is kept
as it is, and the description of a service follows from its deployments and tasks.
"""

from __future__ import annotations

import uuid
from copy import deepcopy
from typing import Any

from moto.core.utils import get_service_model
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.models import Cluster, Service

from localaws import clock
from localaws.aws import ACCOUNT
from localaws.ecs import events
from localaws.ecs.alarms import in_alarm, watched
from localaws.ecs.deployment import ALARMS, REVISION_FIELDS, USER, Cause, Deployment
from localaws.ecs.service_deployment import FINISHED, ServiceDeployment, summary
from localaws.ecs.service_revision import ServiceRevision
from localaws.ecs.state import backend, digits, utcnow
from localaws.ecs.task import Task
from localaws.ecs.task_definitions import LiveTaskDefinition
from localaws.faults.stale import Past

_TOLD_AGAIN_AFTER = 6 * 3600.0

_NAMES = ("cluster", "service", "serviceName", "taskDefinition", "desiredCount", "tags")
_ONCE = ("clientToken", "forceNewDeployment", "role")


class LiveService(Service):
    """A service with deployments and tasks. It extends moto's, so that moto's tagging and listing
    work.
    """

    def __init__(self, cluster: Cluster, params: dict[str, Any]) -> None:
        super().__init__(
            cluster,
            params["serviceName"],
            int(params.get("desiredCount") or 0),
            backend(),
            tags=params.get("tags"),
            deployment_controller=params.get("deploymentController"),
            role_arn=params.get("role"),
        )
        self.settings: dict[str, Any] = {}
        self.deployments: list[Deployment] = []  # type: ignore[assignment]
        self.service_deployments: list[ServiceDeployment] = []  # newest first
        self.tasks: list[Task] = []  # those that have not stopped
        self.seen: dict[str, str] = {}  # the tasks' statuses in the scheduler's last round
        self.last_completed: Deployment | None = None
        self.steady = True
        self.rests_until = 0.0  # unless a call or one of its tasks changes it
        self.troubles: dict[tuple[str, str], float] = {}  # when an event told them, by kind
        self.created_at = utcnow()
        self.past: Past[LiveService | None] = Past()
        """The service before the latest call that changed it, or before its latest deployment ended."""

    def remember(self) -> None:
        """Keep the service as it is, right before it changes. Its tasks have a past of their own."""
        self.rests_until = 0.0
        shared: list[Any] = [self._backend, self.past]
        shared += [each for each in self.service_deployments if each.status in FINISHED]
        for revisions in backend().task_definitions.values():
            shared += revisions.values()
        memo = {id(each): each for each in shared}
        memo[id(self.tasks)] = []
        self.past.keep(deepcopy(self, memo))

    @property
    def breaker(self) -> dict[str, Any]:
        """The deployment circuit breaker's settings."""
        breaker: dict[str, Any] = self.settings["deploymentConfiguration"][
            "deploymentCircuitBreaker"
        ]
        return breaker

    def add_event(self, message: str) -> None:
        """Add a service event. They are listed newest first, and ECS keeps the last hundred."""
        event = {
            "id": str(uuid.uuid4()),
            "createdAt": utcnow(),
            "message": f"(service {self.name}) {message}",
        }
        self.events = [event, *self.events][:100]

    def act(self, name: str, **more: Any) -> None:
        """Emit an "ECS Service Action" to EventBridge."""
        events.service_acted(self.arn, self.cluster_arn, name, **more)

    def report(self, kind: str, message: str, action: str = "", **more: Any) -> None:
        """Add an event about a trouble, with its service action: once, until it is resolved or has
        lasted for six hours.
        """
        told, now = self.troubles.get((kind, message)), clock.monotonic()
        if told is None or now - told >= _TOLD_AGAIN_AFTER:
            self.troubles[kind, message] = now
            self.add_event(message)
            if action:
                self.act(action, **more)

    def resolve(self, kind: str) -> None:
        """Forget a kind of trouble, so that the next one is told."""
        self.troubles = {known: at for known, at in self.troubles.items() if known[0] != kind}

    def settings_after(self, params: dict[str, Any]) -> dict[str, Any]:
        """The settings after a request is applied to them."""
        kept = {k: v for k, v in params.items() if k not in (*_NAMES, *_ONCE) and v is not None}
        if "deploymentConfiguration" in kept:
            former = self.settings.get("deploymentConfiguration", {})
            kept["deploymentConfiguration"] = {**former, **kept["deploymentConfiguration"]}
        before = self.settings
        if "capacityProviderStrategy" in kept:  # replaces the launch type
            before = {k: v for k, v in before.items() if k != "launchType"}
        return {**before, **kept}

    def record(self, *, tags: bool = False) -> dict[str, Any]:
        """The service as in DescribeServices."""
        shape = get_service_model("ecs").shape_for("Service")
        settings = {k: v for k, v in self.settings.items() if k in shape.members}  # type: ignore[attr-defined]
        revisions = {d.revision.arn: d.revision for d in self.deployments}
        ongoing = [each.arn for each in self.service_deployments if each.ongoing]
        return {
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            **settings,
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired_count,
            "runningCount": self.running_count,
            "pendingCount": self.pending_count,
            "taskDefinition": self.task_definition,
            "deployments": [deployment.record() for deployment in self.deployments],
            "taskSets": [],
            "events": self.events,
            "roleArn": self.role_arn,
            "createdAt": self.created_at,
            "createdBy": f"arn:aws:iam::{ACCOUNT}:root",
            **({"currentServiceDeployment": ongoing[0]} if ongoing else {}),
            **(
                {
                    "currentServiceRevisions": [
                        summary(self.deployments, r) for r in revisions.values()
                    ]
                }
                if self.is_rolling
                else {}
            ),
            **({"tags": self.tags} if tags else {}),
        }

    @property
    def is_rolling(self) -> bool:
        """Whether ECS itself deploys it, so that it has service deployments and revisions."""
        return bool(self.deployment_controller["type"] == "ECS")

    def replaces_lost_tasks_of(self, deployment: Deployment) -> bool:
        """Whether a task of a deployment that ends by itself is replaced by another one of it."""
        replicas = self.settings["schedulingStrategy"] == "REPLICA"
        return replicas and deployment.rollout_state == "COMPLETED"

    def begin_deployment(self, definition: LiveTaskDefinition) -> None:
        """Begin a PRIMARY deployment of the present settings, as a new service revision."""
        number = digits()
        revision = ServiceRevision(
            f"{self.arn.replace(':service/', ':service-revision/')}/{number}",
            self.arn,
            self.cluster_arn,
            definition,
            {k: v for k, v in self.settings.items() if k in REVISION_FIELDS},
        )
        deployment = Deployment(
            revision,
            self.desired_count,
            alarms=watched(self.settings["deploymentConfiguration"]),
            id=f"ecs-svc/{number}",
        )
        deployment.reason = f"ECS deployment {deployment.id} in progress."
        if self.is_rolling:
            sources = {former.revision.arn: former.revision for former in self.deployments}
            self.service_deployments.insert(0, ServiceDeployment(deployment, [*sources.values()]))
        self._replace_primary(deployment)

    def roll_back(self, cause: Cause) -> None:
        """Replace the PRIMARY deployment by one of the last revision that was deployed
        successfully, if there is one.
        """
        failed, good = self.deployments[0], self.last_completed
        if good is None:
            return
        others = {k: v for k, v in self.settings.items() if k not in REVISION_FIELDS}
        self.settings = {**others, **good.settings}
        failed.rollback = Deployment(
            good.revision,
            self.desired_count,
            alarms=watched(self.settings["deploymentConfiguration"]),
            is_rollback=True,
            reason=f"ECS deployment {cause.who}: rolling back to deploymentId {good.id}.",
        )
        self.add_event(f"rolling back to deployment {good.id}.")
        self._replace_primary(failed.rollback)

    def _replace_primary(self, deployment: Deployment) -> None:
        for former in self.deployments:
            former.status = "ACTIVE"
        self.deployments.insert(0, deployment)
        self.task_definition = deployment.definition.arn
        self.troubles = {}  # the scheduler begins anew
        self._tell_deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", deployment)

    def _tell_deployment(self, name: str, deployment: Deployment) -> None:
        """Emit both events that a deployment has, of which only one names it."""
        events.deployment_changed(self.arn, name, deployment.id, deployment.reason)
        self.act(name)

    def complete_deployment(self) -> None:
        """Complete the deployment: all its tasks are healthy, and those of earlier deployments
        have stopped.
        """
        self.remember()
        deployment = self.deployments[0]
        deployment.rollout_state = "COMPLETED"
        deployment.reason = f"ECS deployment {deployment.id} completed."
        deployment.updated_at = utcnow()
        self.last_completed = deployment
        self.add_event(f"(deployment {deployment.id}) deployment completed.")
        self._tell_deployment("SERVICE_DEPLOYMENT_COMPLETED", deployment)

    def fail_deployment(self, cause: Cause) -> None:
        """Fail the deployment: start no more tasks, and roll back to the last completed one if so
        configured, or if a user asks for it.
        """
        self.remember()
        deployment = self.deployments[0]
        deployment.cause = cause
        deployment.triggered = in_alarm(deployment.alarms) if cause is ALARMS else []
        deployment.rollout_state = "FAILED"
        deployment.reason = f"ECS deployment {cause.who}: {cause.what}."
        deployment.updated_at = utcnow()
        self.add_event(f"(deployment {deployment.id}) deployment failed: {cause.what}.")
        if cause is not USER:  # the event is documented for failures that ECS detects
            self._tell_deployment("SERVICE_DEPLOYMENT_FAILED", deployment)
        configured = self.settings["deploymentConfiguration"].get(cause.setting, {})
        deployment.rolls_back = cause is USER or bool(configured.get("rollback"))
        if deployment.rolls_back and not deployment.is_rollback:
            self.roll_back(cause)


def live_services() -> list[LiveService]:
    """Every service of the account."""
    return [s for s in backend().services.values() if isinstance(s, LiveService)]


def find(cluster: str, name: str) -> LiveService:
    """The service with this name or ARN. Raises ServiceNotFoundException if there is none."""
    key = f"{backend()._get_cluster(cluster).name}:{name.rpartition('/')[2]}"
    service = backend().services.get(key)
    if not isinstance(service, LiveService) or service.status == "INACTIVE":
        raise ServiceNotFoundException
    return service
