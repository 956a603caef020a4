"""A release, its stages and their deployments, as values, and the names of their executions."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from pydantic import AwareDatetime

from slipway.image import Image
from slipway.model import Model
from slipway.release.plan import Policy, ServiceName

EXECUTION_NAME_LENGTH = 80  # StartExecution's limit


class StartedBy(StrEnum):
    """The kind of event that started a release."""

    PUSH = "push"
    SWEEP = "sweep"
    MANUAL_START = "manual start"
    MANUAL_ROLLBACK = "manual rollback"


class Release(Model):
    """One image on its way through the stages of its repository's plan."""

    id: str
    """The id of the event from ECR; for a manual start, the name of the execution."""
    image: Image
    released_at: AwareDatetime
    """When it was pushed or started manually. This time orders releases, not the order of their arrival."""
    started_by: StartedBy
    by: str | None = None
    """Who started it manually, as that person wrote it."""
    force: bool = False
    """Whether the release may deploy an image that is quarantined."""

    @property
    def manual_rollback(self) -> bool:
        """Whether this is a manual rollback; its image is then the one that the service abandons."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK


class Deployment(Model):
    """One release or manual rollback on one service.

    A release starts the deployment state machine with this value as its input.
    """

    release: Release
    stage: str | None
    """None for a manual rollback."""
    service: ServiceName
    policy: Policy


class NamedDeployment(Model):
    """The input of a deployment, and the name of its execution."""

    name: str
    """Equal for every delivery of the same event, so that a repeated delivery starts no second execution."""
    input: Deployment


class ReleaseStage(Model):
    """The deployments of one stage, which start at the same time."""

    name: str
    deployments: tuple[NamedDeployment, ...]


class Resolution(Model):
    """The release that a push or a manual start leads to, with its stages; or why it is ignored."""

    ignored: str | None = None
    """Why nothing is deployed; None if there is a release."""
    release: Release | None = None
    stages: tuple[ReleaseStage, ...] = ()


def execution_name(deployment: Deployment) -> str:
    """The name of a deployment's execution: readable, and equal only for the same release, stage and service.

    Step Functions refuses a second execution of the same name for 90 days (StartExecution's API reference),
    so a repeated event can't deploy twice.
    """
    release = deployment.release
    key = f"{release.id} {release.image.digest} {deployment.stage} {deployment.service}"
    readable = f"{deployment.service}-{release.image.tag or 'digest'}"
    return unique_name(readable, key)


def unique_name(readable: str, key: str) -> str:
    """The name of an execution, at most 80 characters: a readable beginning and a hash of the key.

    Args:
        readable: the beginning. It is cut if it is too long, and ``-`` replaces every character that is
            not allowed in a name.
        key: what tells executions apart. Names are equal only if their keys are.
    """
    suffix = hashlib.sha256(key.encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", readable)[: EXECUTION_NAME_LENGTH - len(suffix) - 1]
    return f"{readable}-{suffix}"
