"""The notice: what people are notified of about one event of a deployment or a release, before it has a form.

Mails, Slack's messages and those of Amazon Q Developer are made of it, and whoever subscribes with a
function or an HTTPS endpoint gets it as it is; its JSON Schema is docs/notice.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from slipway.health.cause import Cause
from slipway.health.outcome import Facts, Outcome
from slipway.image import Image
from slipway.model import Model
from slipway.release.release import StartedBy

TITLE_LENGTH = 200


class Kind(StrEnum):
    """What it is about."""

    START = "start"  # a deployment starts
    PROGRESS = "progress"  # another check found something new; only Slack's bot is notified
    END = "end"  # a deployment has ended, or a release without coming to one
    STAGE = "stage"  # the next stage of a release starts
    ALARM = "alarm"  # one of Slipway's own alarms changed its state


class Tasks(Model):
    """The tasks of a deployment."""

    desired: int
    healthy: int
    """Running, and healthy in every target group."""


class Running(Model):
    """What the service runs at this moment."""

    task_definition: str
    """``family:revision``."""
    images: Mapping[str, str]
    """By container, without the registry: ``{"app": "shop/api@sha256:..."}``."""
    tasks: Tasks | None = None
    """Here ``healthy`` is ECS's running count: what the load balancer says is in the evidence."""


class ContainerLog(Model):
    """The last lines that a failed container wrote."""

    container: str
    task: str
    """ID."""
    region: str = ""
    """Of the log group; empty where it is not known."""
    group: str
    stream: str
    lines: tuple[str, ...]
    """Oldest first; what looks like a secret is blotted out."""
    problem: str = ""
    """Why there are no lines, where they could not be read."""


class LinkKind(StrEnum):
    """What a link leads to."""

    EXECUTION = "execution"
    SERVICE = "service"
    LOG = "log"
    ALARM = "alarm"


class Link(Model):
    """Where to look on."""

    kind: LinkKind
    title: str
    url: str


class Command(Model):
    """What to type, for the one who is called at night."""

    title: str
    """What it does: ``Roll back to api:41``."""
    command: str
    """One shell command, which may go over several lines that end with a backslash."""


class Notice(Model):
    """One event."""

    version: Literal["1"] = "1"
    kind: Kind
    about: str
    """Equal for every notice of one deployment (``production/api#<its id>``), of one release
    (``release#<its id>``), or of one alarm (its name)."""
    at: AwareDatetime
    """When it was found out: of two about the same, the later one is right."""
    outcome: Annotated[Outcome | str, Field(union_mode="left_to_right")] | None = None
    """Of an end, an outcome of docs/outcomes.md; of an alarm its state: OK, ALARM or INSUFFICIENT_DATA."""
    title: str
    """In one line, as the subject of a mail: ``ROLLED_BACK: production/api, shop/api:v2``."""
    meaning: str = ""
    """What the outcome means for the service, in a few words."""
    reason: str = ""
    """Why, in a sentence."""
    cause: Cause | None = None
    """Why, as one of the causes of docs/outcomes.md; none where all is as it should be."""
    evidence: tuple[str, ...] = ()
    """One fact each, the strongest first."""
    log: ContainerLog | None = None
    service: str | None = None
    """``cluster/service``; None for a release and for an alarm."""
    stage: str | None = None
    repository: str | None = None
    image: Image | None = None
    tag: str | None = None
    started_by: StartedBy | None = None
    by: str | None = None
    """Who started it manually, in their own words."""
    task_definition: str | None = None
    """``family:revision`` of this deployment."""
    rollback_target: str | None = None
    """``family:revision`` that it replaces, and goes back to if it fails."""
    rollback_target_images: Mapping[str, str] = {}
    """As `Running.images`."""
    running: Running | None = None
    """Known at an end."""
    gates: tuple[str, ...] = ()
    """What it passed before it was allowed to start, one sentence each."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of its policy that fired before it began, and so don't guard it."""
    tasks: Tasks | None = None
    """Of a progress."""
    execution: str | None = None
    """ARN."""
    links: tuple[Link, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def manual_rollback(self) -> bool:
        """Whether it is of a manual rollback, whose image is the one that it abandons."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    @property
    def starter(self) -> str:
        """What or who started it: ``push``, ``manual start by jo``."""
        return " by ".join(filter(None, [self.started_by, self.by]))

    @property
    def facts(self) -> Facts | None:
        """What follows from its outcome; None where it has none, as the state of an alarm is none."""
        if self.kind is not Kind.END or not isinstance(self.outcome, Outcome):
            return None
        return self.outcome.of(manual_rollback=self.manual_rollback, release=self.service is None)
