"""The states of a service deployment.

    from                    to                       because
    PENDING                 IN_PROGRESS
    IN_PROGRESS             SUCCESSFUL               it is deployed, and the tasks of others have stopped
    PENDING, IN_PROGRESS    STOP_REQUESTED           a newer one begins, or it fails without rollback
    STOP_REQUESTED          STOPPED
    PENDING, IN_PROGRESS    ROLLBACK_IN_PROGRESS     it fails with rollback
    PENDING, IN_PROGRESS    ROLLBACK_REQUESTED       StopServiceDeployment
    ROLLBACK_REQUESTED      ROLLBACK_IN_PROGRESS
    ROLLBACK_REQUESTED      SUCCESSFUL, STOPPED      it was too late: all was deployed, or a newer one began
    ROLLBACK_IN_PROGRESS    ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED

What becomes of a rollback when a newer service deployment begins is not documented. Here it has failed,
because a state other than ROLLBACK_SUCCESSFUL and ROLLBACK_FAILED can't follow it.
"""

from __future__ import annotations

from datetime import timedelta

from localaws.ecs.deployment import USER
from localaws.ecs.service import LiveService
from localaws.ecs.service_deployment import FINISHED, ServiceDeployment, stopped
from localaws.ecs.state import REGISTRATION, utcnow

KEPT_FOR = timedelta(days=90)
KEPT_MOST = 100  # of those that have ended; AWS has no such limit


def advance(service: LiveService, now: float) -> None:
    """Bring the service deployments of a service to their next states."""
    revisions = {deployment.id: deployment.revision for deployment in service.deployments}
    for task in service.tasks:
        if revision := revisions.get(task.record["startedBy"]):
            revision.note_digests(task.record["containers"])
    superseded = False
    for each in list(service.service_deployments):
        if each.status not in FINISHED:
            _advance(service, each, now, superseded=superseded)
            if each.status in FINISHED:
                each.final = describe(service, each)
        superseded = superseded or each.created_at is not None
    _forget(service)


def describe(service: LiveService, each: ServiceDeployment) -> dict[str, object]:
    """A service deployment as in DescribeServiceDeployments."""
    configuration = service.settings["deploymentConfiguration"]
    return each.record(service.deployments, configuration, service.desired_count)


def _advance(
    service: LiveService, each: ServiceDeployment, now: float, *, superseded: bool
) -> None:
    completed = each.deployment.rollout_state == "COMPLETED"
    if each.created_at is None or (each.status == "PENDING" and (completed or not superseded)):
        if now - each.since >= REGISTRATION:
            each.enter("IN_PROGRESS" if each.created_at else "PENDING")
    elif each.status == "STOP_REQUESTED":
        each.enter("STOPPED")
    elif each.status == "ROLLBACK_IN_PROGRESS":
        _follow_rollback(each, superseded=superseded)
    elif each.status == "ROLLBACK_REQUESTED":
        _roll_back(service, each)
    else:
        _follow(each, superseded=superseded)


def _follow(each: ServiceDeployment, *, superseded: bool) -> None:
    deployment = each.deployment
    if deployment.rollout_state == "COMPLETED":
        each.enter("SUCCESSFUL")
    elif deployment.rolls_back:
        _begin_rollback(each)
    elif deployment.cause:
        each.stopped_at = utcnow()
        each.enter("STOP_REQUESTED", stopped(deployment.cause))
    elif superseded:
        each.enter("STOP_REQUESTED")


def _roll_back(service: LiveService, each: ServiceDeployment) -> None:
    """Carry out what StopServiceDeployment has asked for, if it is not too late."""
    deployment = each.deployment
    if deployment.rollout_state == "COMPLETED":
        each.enter("SUCCESSFUL")
    elif deployment.rollback:  # for a failure that was found in the meantime
        _begin_rollback(each)
    elif service.deployments[0] is not deployment:
        each.stopped_at = utcnow()
        each.enter("STOPPED")
    else:
        service.fail_deployment(USER)
        _begin_rollback(each)


def _begin_rollback(each: ServiceDeployment) -> None:
    deployment = each.deployment
    rollback = deployment.rollback
    each.begin_rollback(deployment.cause or USER, rollback.revision if rollback else None)


def _follow_rollback(each: ServiceDeployment, *, superseded: bool) -> None:
    rollback = each.deployment.rollback
    if rollback and rollback.rollout_state == "COMPLETED":
        each.enter("ROLLBACK_SUCCESSFUL")
    elif superseded or (rollback and rollback.rollout_state == "FAILED"):
        each.enter("ROLLBACK_FAILED")


def _forget(service: LiveService) -> None:
    """Drop those that have ended and are too old or too many."""
    oldest = utcnow() - KEPT_FOR
    ended = [each for each in service.service_deployments if each.status in FINISHED]
    dropped = [
        each
        for number, each in enumerate(ended)
        if number >= KEPT_MOST or (each.created_at and each.created_at < oldest)
    ]
    service.service_deployments = [
        each for each in service.service_deployments if each not in dropped
    ]
