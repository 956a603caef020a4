"""A release, and the deployments that it is made of."""

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
    """What started a release."""

    PUSH = "push"
    SWEEP = "sweep"
    MANUAL_START = "manual start"
    MANUAL_ROLLBACK = "manual rollback"


class Release(Model):
    """One image on its way through the stages."""

    id: str
    """The ECR event's id, or the execution's name for a manual start."""
    image: Image
    released_at: AwareDatetime
    """When it was pushed, or started manually: what releases are ordered by, whenever they arrive."""
    started_by: StartedBy
    by: str | None = None
    """Who started it manually, in their own words."""
    force: bool = False
    """Whether its image may be quarantined."""

    @property
    def manual_rollback(self) -> bool:
        """Whether it goes back: its image is the one that it abandons."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK


class Deployment(Model):
    """One release on one service: the input of the deployment state machine."""

    release: Release
    stage: str | None
    """None for a manual rollback."""
    service: ServiceName
    policy: Policy


class NamedDeployment(Model):
    """A deployment and the name of its execution."""

    name: str
    """The same for every delivery of the same event, so that a repeated one starts nothing twice."""
    input: Deployment


class ReleaseStage(Model):
    """The deployments of one stage."""

    name: str
    deployments: tuple[NamedDeployment, ...]


class Resolution(Model):
    """What becomes of a push or manual start: ``ignored`` says why nothing does."""

    ignored: str | None = None
    release: Release | None = None
    stages: tuple[ReleaseStage, ...] = ()


def execution_name(deployment: Deployment) -> str:
    """The name of a deployment's execution: readable, and equal only for the same release and place.

    Step Functions starts nothing for a name that is in use and remembers it for 90 days (StartExecution).
    """
    release = deployment.release
    key = f"{release.id} {release.image.digest} {deployment.stage} {deployment.service}"
    readable = f"{deployment.service}-{release.image.tag or 'digest'}"
    return unique_name(readable, key)


def unique_name(readable: str, key: str) -> str:
    """A name for an execution that begins so that people can read it, and is equal only for an equal key."""
    suffix = hashlib.sha256(key.encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", readable)[: EXECUTION_NAME_LENGTH - len(suffix) - 1]
    return f"{readable}-{suffix}"
