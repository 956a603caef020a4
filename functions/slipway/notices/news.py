"""News, the input of Notify: that something started, or how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from slipway.aws import resource_name
from slipway.errors import reason_of
from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed
from slipway.health.outcome import Facts, Outcome
from slipway.image import Image, RepositoryName, Tag, short_digest, version_name
from slipway.ledger.records import ClaimId
from slipway.model import IfReadable, Model
from slipway.notices.notice import RemainingStage
from slipway.redaction import masked
from slipway.release.plan import ServiceName
from slipway.release.release import StartedBy
from slipway.text import one_line


class StoppedBy(Model):
    """A deployment for which a release stopped before its last stage."""

    service: str
    outcome: str
    """Its outcome or, if its execution came to none, how that execution ended."""
    reason: Annotated[str, AfterValidator(reason_of)]
    """A sentence; it may be given as the Cause of a failed task."""


IDENTIFYING = {
    "kind",
    "outcome",
    "cause",
    "started_by",
    "claim",
    "execution",
    "release",
    "service",
    "failed",
    "digest",
    "task_definition",
    "rollback_target",
}
"""The fields that AWS or Slipway has made or checked, and that are looked up by what they hold."""


class News(Model):
    """That a deployment or a stage started, or how a deployment or a release ended."""

    kind: Literal["start", "stage", "end"] = "end"
    outcome: Outcome | None
    """Of an end; None of a start."""
    claim: ClaimId | None = None
    """The deployment's claim; None for a release, and if the ledger could not be written."""
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it: see `sentence`."""
    cause: Cause | None = None
    alarms_fired: tuple[str, ...] = ()
    """The alarms behind the outcome."""
    evidence: tuple[str, ...] = ()
    """One fact each; a fact, too, may be the Cause of a failed task."""
    failed: Annotated[Failed | None, IfReadable] = None
    """The container that failed; the notice shows the end of its log."""
    execution: str
    """ARN."""
    release: Annotated[str | None, IfReadable] = None
    """The release's id; if its input could not be resolved, time and name of its execution. None for a
    deployment."""
    service: Annotated[ServiceName | None, IfReadable] = None
    """``cluster/service``; None for a release."""
    services: tuple[str, ...] = ()
    """The services of a stage; otherwise empty."""
    stopped_by: tuple[StoppedBy, ...] = ()
    """The deployments for which the release stopped; empty if this is about something else."""
    remaining_stages: tuple[RemainingStage, ...] = ()
    """The stages that do not start because of them."""
    stage: Annotated[str | None, IfReadable] = None
    stage_number: int = 0
    """1 for the first stage; 0 if this is neither about a stage nor about a release that stopped in one."""
    stage_count: int = 0
    image: Annotated[Image | None, IfReadable] = None
    """None if it is not known, as in a release with an invalid plan. A manual rollback abandons it."""
    repository: Annotated[RepositoryName | None, IfReadable] = None
    tag: Annotated[Tag | None, IfReadable] = None
    """What the release was started with, if its image is not known."""
    started_by: Annotated[StartedBy | None, IfReadable] = None
    by: Annotated[str | None, IfReadable] = None
    """Who started it manually."""
    task_definition: str | None = None
    """ARN of the deployment's task definition; None if it ended before it had one."""
    rollback_target: str | None = None
    """ARN of the task definition that the deployment rolls back to."""
    rollback_target_tag: str | None = None
    """The tag of the image that was released with it."""
    rollback_target_images: Annotated[dict[str, str], Field(default_factory=dict)]
    gates: tuple[str, ...] = ()
    """The gates that the deployment passed, one sentence each."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that were in ALARM before the deployment began, so that they can't guard it."""

    @model_validator(mode="after")
    def _has_an_outcome_if_it_is_an_end(self) -> News:
        if (self.kind == "end") != (self.outcome is not None):
            raise ValueError("an end must have an outcome, and nothing else may have one")
        return self

    @property
    def sentence(self) -> str:
        """The reason, as a sentence for people; if the release stopped, a line for each such deployment."""
        if not self.stopped_by:
            return reason_of(self.reason)
        return "\n".join(
            f"{each.service} {each.outcome}: {one_line(each.reason)}" for each in self.stopped_by
        )

    @property
    def about(self) -> str:
        """An id of what the notice is about, equal in every notice of one deployment or of one release.

        For a release it is not the execution, because an event that is delivered twice starts two executions.
        """
        if self.claim:
            return f"{self.claim.service}#{self.claim.deployment}"
        return f"release#{self.release}" if self.release else self.execution

    @property
    def event(self) -> str:
        """Which event this is in the life of what ``about`` names. People are notified of each event once."""
        return f"stage_{self.stage_number}" if self.kind == "stage" else self.kind

    @property
    def facts(self) -> Facts | None:
        """What follows from the outcome; None if there is no outcome."""
        if self.outcome is None:
            return None
        return self.outcome.of(manual_rollback=self.manual_rollback, release=self.service is None)

    @property
    def manual_rollback(self) -> bool:
        """Whether this is about a manual rollback."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    @property
    def rollback_revision(self) -> str | None:
        """``family:revision`` of the version that the deployment rolls back to, or would if it failed."""
        arn = self._rollback_arn
        return resource_name(arn) if arn else None

    @property
    def rollback_target_name(self) -> str:
        """The same version as people call it, ``v1 (api:41)``; empty if it is not known."""
        return version_name(self.rollback_target_tag, self._rollback_arn)

    @property
    def _rollback_arn(self) -> str | None:
        # A manual rollback may have registered its target anew. The target is then its own task definition.
        return self.rollback_target or (self.task_definition if self.manual_rollback else None)

    @property
    def image_name(self) -> str:
        """The image as people call it, ``shop/api:v2``, or as much of that as is known."""
        repository = self.image.repository if self.image else self.repository or ""
        tag = self.image.tag if self.image else self.tag
        if tag:
            return f"{repository}:{tag}" if repository else tag
        digest = short_digest(self.image.digest) if self.image else ""
        return f"{repository}@{digest}" if digest else repository


def without_secrets(news: News) -> News:
    """The news with every text masked in which people write, and with Causes turned into sentences.

    Nothing has checked what a person wrote if a release or a rollback was refused for it.
    """
    reason, *evidence = masked([news.sentence, *map(reason_of, news.evidence)])
    clean = _masked({**news.model_dump(mode="json"), "reason": "", "evidence": ()})
    return News.model_validate({**clean, "reason": reason, "evidence": evidence})


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        [clean] = masked([value])
        return clean
    if isinstance(value, dict):
        return {field: of if field in IDENTIFYING else _masked(of) for field, of in value.items()}
    if isinstance(value, list):
        # Each for itself: in a list, what comes after a private key would be searched for the rest of it.
        return [_masked(each) for each in value]
    return value


def without_registries(images: Mapping[str, str]) -> dict[str, str]:
    """Image references by container, without their registries: ``{"app": "shop/api@sha256:..."}``."""
    return {container: _without_registry(image) for container, image in images.items()}


def _without_registry(reference: str) -> str:
    # Docker's rule: the first part is a registry if it looks like a host, otherwise a part of the name.
    host, slash, name = reference.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return name if is_host else reference
