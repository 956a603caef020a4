"""Reads ECS's own record of the service deployments of a service.

DescribeServices lists only what still has tasks. It does not say that a service deployment was rolled back,
nor in which order those came that have gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.aws import calling
from slipway.ecs.service import split_service_name
from slipway.model import Model

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

DESCRIBE_LIMIT = 20  # of DescribeServiceDeployments and of DescribeServiceRevisions
# A service deployment has a time of its own, which need not be that of the entry in DescribeServices.
APART = timedelta(minutes=1)
ROLLED_BACK = (
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
)


class RecordedDeployment(Model):
    """A service deployment, as DescribeServiceDeployments returns it."""

    arn: str
    created_at: datetime
    status: str
    """Such as IN_PROGRESS or ROLLBACK_SUCCESSFUL."""
    reason: str
    """Why ECS rolled it back or stopped it; empty if it did not."""
    task_definition: str
    """ARN of the task definition that it deploys."""
    alarms: tuple[str, ...] = ()
    """Names of the alarms of the service's own configuration that made ECS roll it back."""

    @property
    def rolled_back(self) -> bool:
        """Whether ECS has rolled it back, or is about to."""
        return self.status in ROLLED_BACK


def deployments_since(
    service: str, since: datetime, ecs: ECSClient
) -> tuple[RecordedDeployment, ...]:
    """The service deployments that were created since about this time, the oldest first, at most 20.

    Like all that ECS answers, this may be as of a moment ago: a new one may be missing.

    Args:
        service: ``cluster/service``.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    cluster, name = split_service_name(service)
    briefs: list[Any] = []
    more: dict[str, str] = {}
    while True:
        with calling("ecs:ListServiceDeployments", f"service {service}"):
            page: Any = ecs.list_service_deployments(
                cluster=cluster,
                service=name,
                createdAt={"after": since - APART},
                **more,  # type: ignore[arg-type]
            )
        briefs += page["serviceDeployments"]
        if not page.get("nextToken"):
            break
        more = {"nextToken": page["nextToken"]}
    newest = sorted(briefs, key=lambda brief: brief["createdAt"])[-DESCRIBE_LIMIT:]
    if not newest:
        return ()
    with calling("ecs:DescribeServiceDeployments", f"service {service}"):
        found: Any = ecs.describe_service_deployments(
            serviceDeploymentArns=[brief["serviceDeploymentArn"] for brief in newest]
        )
    described = sorted(found["serviceDeployments"], key=lambda each: each["createdAt"])
    revisions = _task_definitions(
        service, {each["targetServiceRevision"]["arn"] for each in described}, ecs
    )
    return tuple(
        _recorded(each, revisions[each["targetServiceRevision"]["arn"]])
        for each in described
        if each["targetServiceRevision"]["arn"] in revisions
    )


def _task_definitions(service: str, revisions: set[str], ecs: ECSClient) -> dict[str, str]:
    """The ARN of the task definition of each service revision, by the revision's ARN."""
    if not revisions:
        return {}
    with calling("ecs:DescribeServiceRevisions", f"service {service}"):
        found = ecs.describe_service_revisions(serviceRevisionArns=sorted(revisions))
    return {
        each["serviceRevisionArn"]: each["taskDefinition"] for each in found["serviceRevisions"]
    }


def _recorded(found: dict[str, Any], task_definition: str) -> RecordedDeployment:
    return RecordedDeployment(
        arn=found["serviceDeploymentArn"],
        created_at=found["createdAt"],
        status=found["status"],
        reason=found.get("rollback", {}).get("reason") or found.get("statusReason", ""),
        task_definition=task_definition,
        alarms=tuple(found.get("alarms", {}).get("triggeredAlarmNames", [])),
    )
