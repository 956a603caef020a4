"""What the ledger remembers of services and deployments, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime

from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.model import Model
from slipway.release.plan import ServiceName
from slipway.release.release import Deployment, Release

# An item of DynamoDB takes 400 KB.
GOOD_KEPT = 10
QUARANTINED_KEPT = 100


class ClaimId(Model):
    """Which claim a step works under: the service, the deployment, and the execution at work."""

    service: ServiceName
    deployment: str
    """The deployment's id: when its first execution started, and that execution's name."""
    execution: str
    """ARN of the execution at work: another one than the first where a dead one was recovered."""


class Good(Model):
    """A task definition that passed every gate on a service."""

    task_definition: str
    """ARN."""
    digest: str = ""
    """Of the image that was released with it; empty where it is not known."""
    tag: str | None = None
    at: AwareDatetime


class Quarantined(Model):
    """Why a digest may not be deployed to a service again."""

    at: AwareDatetime
    reason: str
    deployment: str


class Claim(Model):
    """A deployment's exclusive right to change a service."""

    deployment: str
    execution: str
    release: str
    """What people know the release by: its image."""
    claimed_at: AwareDatetime
    lease_until: AwareDatetime
    changing_until: AwareDatetime | None = None
    """Set while it changes the service: until then no other deployment can claim it."""


class ServiceRecord(Model):
    """What the ledger knows of a service."""

    service: ServiceName
    claim: Claim | None = None
    newest: str = ""
    """`release_order` of the newest release that was accepted."""
    good: tuple[Good, ...] = ()
    """Newest first."""
    quarantined: Mapping[str, Quarantined] = {}
    """By digest."""
    baseline: str | None = None
    """ARN of what it ran when it was last free: what there is to go back to where nothing is good yet."""
    unproven: tuple[str, ...] = ()
    """ARNs of what was put on it, or may have been, until a deployment has seen to its end."""

    @classmethod
    def of(cls, service: str, item: Mapping[str, Any]) -> ServiceRecord:
        """A service's item; empty where there is none yet."""
        known = {name: item[name] for name in cls.model_fields if name in item}
        return cls.model_validate({**known, "service": service})

    @property
    def before(self) -> str | None:
        """ARN of what it ran before it was changed, as long as nobody has seen that change to its end."""
        return self.baseline if self.claim or self.unproven else None

    def rollback_target(self, opened: DeploymentRecord | None) -> str | None:
        """ARN of what a deployment goes back to, also one that did not live to write it down."""
        good = self.last_good.task_definition if self.last_good else self.baseline
        return (opened.rollback_target if opened else None) or good

    def abandoned(self, rollback_target: str | None) -> tuple[str, ...]:
        """ARNs of what must not stay on the service, for a deployment with this rollback target."""
        return tuple(arn for arn in dict.fromkeys(self.unproven) if arn != rollback_target)

    @property
    def all_good(self) -> tuple[Good, ...]:
        """The task definitions that passed every gate and whose image is not quarantined, newest first."""
        return tuple(good for good in self.good if good.digest not in self.quarantined)

    @property
    def last_good(self) -> Good | None:
        """The newest of them."""
        return next(iter(self.all_good), None)

    @property
    def newest_at(self) -> datetime | None:
        """The time of the newest release that was accepted."""
        return datetime.fromisoformat(self.newest.partition("#")[0]) if self.newest else None

    def learning(
        self, digest: str, good: Good | None, quarantine: Quarantined | None
    ) -> dict[str, Any]:
        """The attributes that change with what a deployment of this digest has shown.

        Args:
            good: what is last good from now on, where that is new.
            quarantine: why the digest is quarantined, where it is.
        """
        kept, quarantined = self.good, dict(self.quarantined)
        if good:
            # The same one may have been registered anew: it is known by its image and when it was found good.
            others = (
                g
                for g in kept
                if g.task_definition != good.task_definition
                and (g.digest, g.at) != (good.digest, good.at)
            )
            kept = (good, *others)[:GOOD_KEPT]
            quarantined.pop(good.digest, None)  # it was started by force, and passed
        if quarantine and digest:
            kept = tuple(g for g in kept if g.digest != digest)
            quarantined.pop(digest, None)  # it was started by force, and failed anew
            newest_first = sorted(quarantined.items(), key=lambda item: item[1].at, reverse=True)
            quarantined = {digest: quarantine, **dict(newest_first[: QUARANTINED_KEPT - 1])}
        learnt: dict[str, Any] = {}
        if kept != self.good:
            learnt["good"] = [g.to_json() for g in kept]
        if quarantined != self.quarantined:
            learnt["quarantined"] = {d: q.to_json() for d, q in quarantined.items()}
        return learnt


class End(Model):
    """How a deployment ended, and why."""

    outcome: Outcome
    reason: str
    """A sentence."""
    cause: Cause | None = None
    """The same as data; None where all is as it should be."""
    evidence: tuple[str, ...] = ()
    """One fact each."""
    alarms_fired: tuple[str, ...] = ()
    """The alarms behind it, by name."""


class DeploymentRecord(Model):
    """What the ledger knows of a deployment."""

    deployment: Deployment | None = None
    """What was asked; None where only the notification was written."""
    steps: Mapping[str, AwareDatetime] = {}
    """When each step was done; `HEALTHY` is when it was first found so."""
    rollback_target: str | None = None
    """ARN of what to go back to."""
    task_definition: str | None = None
    """ARN of what was put on the service, or was about to be; of a manual rollback, what it abandons."""
    changing: bool = False
    """Whether the service may have been changed."""
    ecs_deployment: str | None = None
    """The ECS deployment, once UpdateService is known to have been done."""
    good_target: Good | None = None
    """The good one behind ``rollback_target``; None where nothing was good yet."""
    outcome: Outcome | None = None
    """This and what follows: as of `End`, once it is written."""
    reason: str = ""
    cause: Cause | None = None
    evidence: tuple[str, ...] = ()
    alarms_fired: tuple[str, ...] = ()
    notified: Mapping[str, AwareDatetime] = {}
    """When people were notified of what: ``start``, ``end``."""

    @property
    def end(self) -> End | None:
        """How it ended; None while that is not written."""
        if self.outcome is None:
            return None
        return End(
            outcome=self.outcome,
            reason=self.reason,
            cause=self.cause,
            evidence=self.evidence,
            alarms_fired=self.alarms_fired,
        )

    @property
    def was_tried(self) -> bool:
        """Whether its image was on the service, or was about to be; a manual rollback finds it there."""
        manual = self.deployment is not None and self.deployment.release.manual_rollback
        return manual or "UpdateService" in self.steps

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> DeploymentRecord:
        """A deployment's item."""
        return cls.model_validate({name: item[name] for name in cls.model_fields if name in item})


def deployment_id(started_at: datetime, execution: str) -> str:
    """The id of the deployment whose first execution has this ARN and started then.

    Step Functions gives the start in milliseconds, whether a state asks for it or DescribeExecution does.
    """
    moment = started_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{moment}#{execution.rpartition(':')[2]}"


def release_order(release: Release) -> str:
    """What releases are ordered by: their time, and where two have the same, their id."""
    return f"{timestamp(release.released_at)}#{release.id}"


def timestamp(moment: datetime) -> str:
    """A moment as the ledger writes it: UTC, always of the same width."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
