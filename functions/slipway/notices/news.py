"""News, the input of Notify, and the notice that is made of it: every rule about notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from slipway.aws import resource_name
from slipway.errors import reason_of
from slipway.health.failed_tasks import Failed
from slipway.image import Image, short_digest
from slipway.ledger.records import ClaimId
from slipway.model import IfReadable, Model
from slipway.notices.next_steps import commands_of, links_of
from slipway.notices.notice import MANUAL_ROLLBACK, ContainerLog, Kind, Notice, Running
from slipway.notices.sanitize import harmless
from slipway.notices.wording import meaning_of, title_of
from slipway.text import one_line, truncate

TITLE_LENGTH = 200


class News(Model):
    """That a deployment or a stage started, or how a deployment or a release ended."""

    kind: Literal["start", "stage", "end"] = "end"
    outcome: str
    """STARTED where it is no end."""
    claim: ClaimId | None = None
    """In the ledger; None for a release, and where the ledger could not be written."""
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
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
    started_by: Annotated[str | None, IfReadable] = None
    """What or who started it."""
    task_definition: str | None = None
    """ARN of the task definition of this deployment; None where it got none."""
    rollback_target: str | None = None
    """ARN of the task definition to go back to."""
    rollback_target_images: Annotated[dict[str, str], Field(default_factory=dict)]
    gates: tuple[str, ...] = ()
    """What it passed before it was allowed to start."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that were in ALARM before it began, and so could not guard it."""

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
    def manual_rollback(self) -> bool:
        """Whether it is a manual rollback."""
        return (self.started_by or "").startswith(MANUAL_ROLLBACK)

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


class CurrentState(Model):
    """What Notify read; None where there was nothing to read, or it could not be read."""

    running: Running | None = None
    log: ContainerLog | None = None


def notice_of(news: News, state: CurrentState, now: datetime, ledger: str) -> Notice:
    """The notice of the news, with all text from outside made harmless.

    Args:
        now: when it was found out.
        ledger: the table's name, for the commands.
    """
    ended = news.kind == "end"
    notice = Notice(
        kind=Kind(news.kind),
        about=news.about,
        at=now,
        outcome=news.outcome if ended else None,
        title=truncate(one_line(title_of(news)), TITLE_LENGTH),
        meaning=meaning_of(news),
        reason=news.sentence if ended else "",
        evidence=tuple(reason_of(fact) for fact in news.evidence),
        log=state.log,
        service=news.service,
        stage=news.stage,
        repository=news.image.repository if news.image else news.repository,
        image=news.image,
        tag=(news.image.tag if news.image else None) or news.tag,
        started_by=news.started_by,
        task_definition=_name(news.task_definition),
        rollback_target=_name(news.rollback_target),
        rollback_target_images=images(news.rollback_target_images),
        running=state.running,
        gates=news.gates,
        alarms_firing=news.alarms_firing,
        execution=news.execution,
        links=links_of(news, state.log),
        commands=commands_of(news, ledger),
    )
    return harmless(notice)


def images(by_container: Mapping[str, str]) -> dict[str, str]:
    """Image references without their registry."""
    return {name: _without_registry(image) for name, image in by_container.items()}


def _name(arn: str | None) -> str | None:
    return resource_name(arn) if arn else None


def _without_registry(reference: str) -> str:
    # As Docker reads it: a first part is a registry if it looks like a host, else a part of the name.
    host, slash, name = reference.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return name if is_host else reference
