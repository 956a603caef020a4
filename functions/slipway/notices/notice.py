"""The notice: one event of a deployment, a release or an alarm, with what people need to know of it.

Emails and the messages in Slack and Amazon Q Developer are made from it. Functions, queues and HTTP
endpoints that subscribe get the notice itself. Its JSON Schema is docs/notice.schema.json.
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
from slipway.reasons import and_more
from slipway.release.release import StartedBy

TITLE_LENGTH = 200
SERVICES_NAMED = 11


class Kind(StrEnum):
    """What kind of event the notice is about."""

    START = "start"  # a deployment starts
    PROGRESS = "progress"  # a check found something new; only Slack's bot shows it
    END = "end"  # a deployment has ended, or a release that started none or stopped before its last stage
    STAGE = "stage"  # the next stage of a release starts
    ALARM = "alarm"  # one of Slipway's own alarms changed its state


class Tasks(Model):
    """The tasks of a deployment."""

    desired: int
    healthy: int
    """Running, and healthy in every target group."""


class Running(Model):
    """What the service ran when the notice was made."""

    task_definition: str
    """``family:revision``."""
    images: Mapping[str, str]
    """By container, without the registry: ``{"app": "shop/api@sha256:..."}``."""
    tasks: Tasks | None = None
    """Here ``healthy`` is ECS's running count, which leaves out the health of targets."""


class ContainerLog(Model):
    """The last lines of a failed container's log."""

    container: str
    task: str
    """The task's ID."""
    region: str = ""
    """The region of the log group; empty if it is not known."""
    group: str
    stream: str
    lines: tuple[str, ...]
    """Oldest first. What looks like a secret is masked."""
    problem: str = ""
    """Why there are no lines; empty if there are some."""


class LinkKind(StrEnum):
    """What a link leads to."""

    EXECUTION = "execution"
    SERVICE = "service"
    LOG = "log"
    ALARM = "alarm"


class Link(Model):
    """A page of AWS's console."""

    kind: LinkKind
    title: str
    url: str


class Command(Model):
    """A command that a person can type as it is."""

    title: str
    """What it does: ``Roll back to api:41``."""
    command: str
    """One shell command. It may have several lines; all but the last then end with a backslash."""


class RemainingStage(Model):
    """A stage that does not start, because the release stopped before it."""

    name: str
    services: tuple[str, ...]

    @property
    def line(self) -> str:
        """The stage in one line: ``stage production: production/api, production/worker``."""
        return f"stage {self.name}: {', '.join(and_more(list(self.services), SERVICES_NAMED))}"


class Notice(Model):
    """One message to people, about one event."""

    version: Literal["1"] = "1"
    kind: Kind
    about: str
    """Equal for every notice of one deployment (``production/api#<its id>``), of one release
    (``release#<its id>``), or of one alarm (its name)."""
    at: AwareDatetime
    """When Slipway learnt of the event. Of two notices with the same ``about``, the later one is right."""
    outcome: Annotated[Outcome | str, Field(union_mode="left_to_right")] | None = None
    """The outcome of an end (docs/outcomes.md), or the state of an alarm: OK, ALARM or INSUFFICIENT_DATA."""
    title: str
    """One line, also the subject of an email: ``ROLLED_BACK: production/api, shop/api:v2``."""
    meaning: str = ""
    """What the outcome means for the service, in a few words."""
    reason: str = ""
    """Why, in a sentence."""
    cause: Cause | None = None
    """Why, as one of the causes of docs/outcomes.md; None if nothing went wrong."""
    evidence: tuple[str, ...] = ()
    """One fact each, the strongest first."""
    log: ContainerLog | None = None
    remaining_stages: tuple[RemainingStage, ...] = ()
    """The stages that do not start, if a release stopped before its last one."""
    service: str | None = None
    """``cluster/service``; None for a release and for an alarm."""
    stage: str | None = None
    """The stage in the plan; of a release that stopped, the one that it stopped in."""
    repository: str | None = None
    image: Image | None = None
    tag: str | None = None
    started_by: StartedBy | None = None
    by: str | None = None
    """Who started it manually, in their own words."""
    task_definition: str | None = None
    """``family:revision`` that this deployment puts on the service."""
    rollback_target: str | None = None
    """``family:revision`` that the deployment rolls back to, at once if it is a manual rollback."""
    rollback_target_images: Mapping[str, str] = {}
    """The images of the rollback target, in the form of `Running.images`."""
    running: Running | None = None
    """What the service runs now; only in the notice of an end."""
    gates: tuple[str, ...] = ()
    """The gates that the deployment passed, one sentence each."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that were in ALARM before the deployment began, so that they don't guard it."""
    tasks: Tasks | None = None
    """Only in a notice of progress."""
    execution: str | None = None
    """ARN; None for an alarm."""
    links: tuple[Link, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def manual_rollback(self) -> bool:
        """Whether it is about a manual rollback. Its image is then the one that the rollback abandons."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    @property
    def starter(self) -> str:
        """What or who started it: ``push``, ``manual start by jo``."""
        return " by ".join(filter(None, [self.started_by, self.by]))

    @property
    def facts(self) -> Facts | None:
        """What follows from the outcome; None if there is none. The state of an alarm is not an outcome."""
        if self.kind is not Kind.END or not isinstance(self.outcome, Outcome):
            return None
        return self.outcome.of(manual_rollback=self.manual_rollback, release=self.service is None)
