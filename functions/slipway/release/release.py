"""A release, its stages and their deployments, as values, and the names of their executions."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime

from slipway.image import Image
from slipway.model import Model
from slipway.release.named import NamedRelease
from slipway.release.plan import Policy, ServiceName
from slipway.release.semver import Version

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
    """The `pushed_id` of a push; of a manual start or a manual rollback, its `started_id`."""
    image: Image
    released_at: AwareDatetime
    """When it was pushed or started manually. This time orders releases, not the order of their arrival."""
    started_by: StartedBy
    by: str | None = None
    """Who started it manually, as that person wrote it."""
    force: bool = False
    """Whether the release may deploy an image that is quarantined."""
    target: str | None = None
    """What a person has named as the target of a manual rollback: the digest of an image, or the ARN of a
    task definition. None without a name, and for any other release."""
    version: Version | None = None
    """The version that its tag names, if its route orders images by SemVer; otherwise None."""

    @property
    def pushed(self) -> bool:
        """Whether a push started it, and no person; also a push whose event was lost."""
        return self.started_by in (StartedBy.PUSH, StartedBy.SWEEP)

    @property
    def manual_rollback(self) -> bool:
        """Whether this is a manual rollback; its image is then the one that the service abandons."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    @property
    def decided_at(self) -> datetime | None:
        """When a person has decided for the image in spite of its quarantine; None if nobody has."""
        return self.released_at if self.force or self.manual_rollback else None

    def decided_for(self, digest: str) -> datetime | None:
        """When a person has decided for the image with this digest; None if nobody has.

        A forced release is a decision for its own image only, and a manual rollback one for the image that a
        person has named, or for all those of a named task definition.
        """
        named = digest == self.image.digest
        if self.manual_rollback:
            named = self.target is not None and (
                self.target == digest or self.target.startswith("arn:")
            )
        return self.decided_at if named else None


class Deployment(Model):
    """One release or manual rollback on one service."""

    release: Release
    stage: str | None
    """None for a manual rollback."""
    service: ServiceName
    policy: Policy


class PlannedDeployment(Model):
    """A service of a stage, and how it is deployed."""

    service: ServiceName
    policy: Policy


class ReleaseStage(Model):
    """The services of one stage, which are deployed at the same time."""

    name: str
    services: tuple[PlannedDeployment, ...]


class Resolved(Model):
    """The release that a push or a manual start leads to, with its stages; or why it is ignored."""

    ignored: str | None = None
    """Why nothing is deployed; None if there is a release."""
    release: Release | None = None
    stages: tuple[ReleaseStage, ...] = ()


class NamedDeployment(Model):
    """The input of a deployment, and the name of its execution."""

    name: str
    """Equal for every delivery of the same event, so that a repeated delivery starts no second execution."""
    input: NamedRelease


class NamedStage(Model):
    """The deployments of one stage, as the release state machine starts them."""

    name: str
    deployments: tuple[NamedDeployment, ...]


class Resolution(Model):
    """The answer of ResolveRelease: a Resolved in which each deployment is only named."""

    ignored: str | None = None
    release: Release | None = None
    stages: tuple[NamedStage, ...] = ()

    @classmethod
    def of(cls, resolved: Resolved) -> Resolution:
        """Name the deployments."""
        stages = [
            NamedStage(
                name=stage.name,
                deployments=tuple(
                    _named(resolved.release, stage.name, planned.service)
                    for planned in stage.services
                ),
            )
            for stage in resolved.stages
            if resolved.release
        ]
        return cls(ignored=resolved.ignored, release=resolved.release, stages=tuple(stages))


def _named(release: Release, stage: str, service: str) -> NamedDeployment:
    return NamedDeployment(
        name=execution_name(release, stage, service),
        input=NamedRelease(release=release.id, stage=stage, service=service),
    )


class Started(Model):
    """The input of ResolveRelease and ResolveRollback: what came in by the front door, and when."""

    start: dict[str, Any]
    """The input of the release or the rollback state machine."""
    execution: str
    """ARN of that machine's execution."""
    started_at: AwareDatetime


def pushed_id(event: str, time: datetime, image: Image) -> str:
    """The id of a release by a push: equal for each delivery of one event.

    An event with the id of another one, but with another image or time, is another release. Whoever may start
    the release state machine may send it any event, and must not have a real one taken for a second delivery.

    Args:
        event: the event's id.
        time: the event's time.
    """
    return unique_name(
        event, f"{event} {time.timestamp()} {image.repository}:{image.tag}@{image.digest}"
    )


def started_id(execution: str, started_at: datetime) -> str:
    """The id of what a person has started: a manual start of a release, or a manual rollback.

    Step Functions allows the name of an execution again after 90 days, so that the id depends on the time.

    Args:
        execution: ARN.
        started_at: when the execution started.
    """
    name = execution.rpartition(":")[2]
    return unique_name(name, f"{execution} {started_at.timestamp():.3f}")


def execution_name(release: Release, stage: str, service: str) -> str:
    """The name of a deployment's execution: readable, and equal only for the same release, stage and service.

    Step Functions refuses a second execution of the same name for 90 days (StartExecution's API reference),
    so a repeated event can't deploy twice.
    """
    key = f"{release.id} {release.image.digest} {stage} {service}"
    return unique_name(f"{service}-{release.image.tag or 'digest'}", key)


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
