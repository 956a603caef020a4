"""News, the input of Notify: that something started, or how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from slipway.aws import resource_name
from slipway.errors import reason_of
from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed
from slipway.health.outcome import Facts, Outcome
from slipway.image import Image, short_digest
from slipway.ledger.records import ClaimId
from slipway.model import IfReadable, Model
from slipway.release.release import StartedBy


class News(Model):
    """That a deployment or a stage started, or how a deployment or a release ended."""

    kind: Literal["start", "stage", "end"] = "end"
    outcome: Outcome | None
    """Of an end; None of a start."""
    claim: ClaimId | None = None
    """In the ledger; None for a release, and where the ledger could not be written."""
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
    cause: Cause | None = None
    alarms_fired: tuple[str, ...] = ()
    """The alarms behind the outcome."""
    evidence: tuple[str, ...] = ()
    """One fact each, or likewise the Cause of a failed task."""
    failed: Annotated[Failed | None, IfReadable] = None
    """The container whose log is to be shown."""
    execution: str
    """ARN."""
    release: Annotated[str | None, IfReadable] = None
    """Of a release and its stages: the id of the event, or the name of an execution started manually."""
    service: Annotated[str | None, IfReadable] = None
    """``cluster/service``; None for a release."""
    services: tuple[str, ...] = ()
    """Of a stage."""
    stage: Annotated[str | None, IfReadable] = None
    stage_number: int = 0
    """The first is 1."""
    stage_count: int = 0
    image: Annotated[Image | None, IfReadable] = None
    """None where the release failed before it was known; of a manual rollback the one that it abandons."""
    repository: Annotated[str | None, IfReadable] = None
    tag: Annotated[str | None, IfReadable] = None
    """What the release was started with, where its image is not known."""
    started_by: Annotated[StartedBy | None, IfReadable] = None
    by: Annotated[str | None, IfReadable] = None
    """Who started it manually."""
    task_definition: str | None = None
    """ARN of the task definition of this deployment; None where it got none."""
    rollback_target: str | None = None
    """ARN of the task definition to go back to."""
    rollback_target_images: Annotated[dict[str, str], Field(default_factory=dict)]
    gates: tuple[str, ...] = ()
    """What it passed before it was allowed to start."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that were in ALARM before it began, and so could not guard it."""

    @model_validator(mode="after")
    def _has_an_outcome_if_it_is_an_end(self) -> News:
        if (self.kind == "end") != (self.outcome is not None):
            raise ValueError("an end has an outcome, and nothing else has one")
        return self

    @property
    def sentence(self) -> str:
        """Why it ended so, for people."""
        return reason_of(self.reason)

    @property
    def about(self) -> str:
        """What the notice is about: equal for every notice of one deployment, or of one release.

        An event that is delivered twice makes two executions of one release.
        """
        if self.claim:
            return f"{self.claim.service}#{self.claim.deployment}"
        return f"release#{self.release}" if self.release else self.execution

    @property
    def event(self) -> str:
        """Which of the events of what it is about; people are notified of each once."""
        return f"stage_{self.stage_number}" if self.kind == "stage" else self.kind

    @property
    def facts(self) -> Facts | None:
        """What follows from its outcome; None of a start."""
        if self.outcome is None:
            return None
        return self.outcome.of(manual_rollback=self.manual_rollback, release=self.service is None)

    @property
    def manual_rollback(self) -> bool:
        """Whether it is a manual rollback."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    @property
    def rollback_target_name(self) -> str | None:
        """``family:revision`` that it goes back to, or would."""
        # A manual rollback may have to register it first.
        arn = self.rollback_target or (self.task_definition if self.manual_rollback else None)
        return resource_name(arn) if arn else None

    @property
    def what(self) -> str:
        """The image as people call it, ``shop/api:v2``; empty where nothing is known of it."""
        repository = self.image.repository if self.image else self.repository or ""
        tag = self.image.tag if self.image else self.tag
        if tag:
            return f"{repository}:{tag}" if repository else tag
        digest = short_digest(self.image.digest) if self.image else ""
        return f"{repository}@{digest}" if digest else repository


def images(by_container: Mapping[str, str]) -> dict[str, str]:
    """Image references without their registry."""
    return {name: _without_registry(image) for name, image in by_container.items()}


def _without_registry(reference: str) -> str:
    # As Docker reads it: a first part is a registry if it looks like a host, else a part of the name.
    host, slash, name = reference.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return name if is_host else reference
