"""The ledger's records of services and deployments, as values."""

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

# DynamoDB refuses an item of more than 400 KB, so these lists have to have a limit.
GOOD_KEPT = 10
QUARANTINED_KEPT = 100


class ClaimId(Model):
    """Identifies the claim under which a step works: service, deployment and execution."""

    service: ServiceName
    deployment: str
    """The deployment's id, as `deployment_id` makes it of its first execution."""
    execution: str
    """ARN of the running execution. After a recovery, this is not the first one of the deployment."""


class Good(Model):
    """A version that passed every gate and its bake on a service."""

    task_definition: str
    """ARN of its task definition."""
    digest: str = ""
    """Digest of the image that was released with it; empty if it is not known."""
    tag: str | None = None
    """Tag of that image."""
    at: AwareDatetime
    """When it was found good."""


class Quarantined(Model):
    """Why a digest may not be deployed to a service again."""

    at: AwareDatetime
    reason: str
    deployment: str
    """Id of the deployment that failed, or that abandoned the image."""


class Claim(Model):
    """A deployment's exclusive right to change a service."""

    deployment: str
    """Id of the deployment."""
    execution: str
    """ARN of its running execution, which is the fencing token."""
    release: str
    """The release as people know it: its image."""
    claimed_at: AwareDatetime
    lease_until: AwareDatetime
    """When the deployment has to have given its next sign of life."""
    changing_until: AwareDatetime | None = None
    """The change mark: until then, no other deployment can claim the service. None between changes."""


class ServiceRecord(Model):
    """The ledger's record of a service."""

    service: ServiceName
    claim: Claim | None = None
    newest: str = ""
    """The `release_order` of the newest release that was accepted; empty if none was."""
    good: tuple[Good, ...] = ()
    """The good versions, the newest first."""
    quarantined: Mapping[str, Quarantined] = {}
    """The quarantined images, by digest."""
    baseline: str | None = None
    """ARN of what the service ran when it was last free. It is the rollback target if nothing is good yet."""
    unproven: tuple[str, ...] = ()
    """ARNs of what was put on the service, or may have been, and no deployment has ended since."""

    @property
    def before(self) -> str | None:
        """The baseline, if the service is claimed or runs something unproven; otherwise None.

        What the service runs in these cases says nothing of what it ran before Slipway changed it.
        """
        return self.baseline if self.claim or self.unproven else None

    def rollback_target(self, opened: DeploymentRecord | None) -> str | None:
        """ARN of the rollback target of a deployment, or None.

        Args:
            opened: the deployment's record. If it has no rollback target, because the execution died
                before it recorded one, the last good version is the target, or else the baseline.
        """
        good = self.last_good.task_definition if self.last_good else self.baseline
        return (opened.rollback_target if opened else None) or good

    def abandoned(self, rollback_target: str | None) -> tuple[str, ...]:
        """ARNs of the unproven versions that must not stay on the service.

        Args:
            rollback_target: ARN of the deployment's rollback target, which may stay even if it is unproven.
        """
        return tuple(arn for arn in dict.fromkeys(self.unproven) if arn != rollback_target)

    @property
    def all_good(self) -> tuple[Good, ...]:
        """The good versions whose image is not quarantined, the newest first."""
        return tuple(good for good in self.good if good.digest not in self.quarantined)

    @property
    def last_good(self) -> Good | None:
        """The newest good version whose image is not quarantined, or None."""
        return next(iter(self.all_good), None)

    @property
    def newest_at(self) -> datetime | None:
        """The time of the newest release that was accepted, or None if none was."""
        return datetime.fromisoformat(self.newest.partition("#")[0]) if self.newest else None

    def learning(
        self, digest: str, good: Good | None, quarantine: Quarantined | None
    ) -> dict[str, Any]:
        """The new values of the attributes ``good`` and ``quarantined``, as far as they change.

        Args:
            digest: the digest that was deployed.
            good: the newest good version from now on; None if the deployment proved none.
            quarantine: why the digest is quarantined; None if it is not.
        """
        kept, quarantined = self.good, dict(self.quarantined)
        if good:
            # The same version may have been registered anew, under another ARN. It is then recognized by
            # its image and the time when it was found good.
            others = (
                g
                for g in kept
                if g.task_definition != good.task_definition
                and (g.digest, g.at) != (good.digest, good.at)
            )
            kept = (good, *others)[:GOOD_KEPT]
            quarantined.pop(good.digest, None)  # a forced start of a quarantined image succeeded
        if quarantine and digest:
            kept = tuple(g for g in kept if g.digest != digest)
            quarantined.pop(digest, None)  # a forced start of a quarantined image failed again
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
    """Why it ended so, in a sentence for people."""
    cause: Cause | None = None
    """Why it ended so, as data; None if the deployment went well."""
    evidence: tuple[str, ...] = ()
    """The facts behind the reason, one in each text."""
    alarms_fired: tuple[str, ...] = ()
    """Names of the alarms that fired during the deployment."""


class DeploymentRecord(Model):
    """The ledger's record of a deployment."""

    deployment: Deployment | None = None
    """The input of the deployment; None if only a notice was recorded, or if the input was not valid."""
    steps: Mapping[str, AwareDatetime] = {}
    """When each step was done. ``HEALTHY`` is when the service was first found healthy."""
    rollback_target: str | None = None
    """ARN of the rollback target."""
    task_definition: str | None = None
    """ARN of what is put on the service. For a manual rollback, ARN of what it abandons."""
    changing: bool = False
    """Whether the service may have been changed."""
    ecs_deployment: str | None = None
    """Id of the service deployment, once UpdateService is known to have been done."""
    good_target: Good | None = None
    """The good version behind ``rollback_target``; None if nothing was good yet."""
    outcome: Outcome | None = None
    """How the deployment ended; None until that is recorded. See `End`, also for the four fields below."""
    reason: str = ""
    cause: Cause | None = None
    evidence: tuple[str, ...] = ()
    alarms_fired: tuple[str, ...] = ()
    notified: Mapping[str, AwareDatetime] = {}
    """When people were notified of the ``start`` and of the ``end``."""

    @property
    def end(self) -> End | None:
        """How the deployment ended, or None until that is recorded."""
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
        """Whether the deployment's image was on the service, or may have been.

        This is always so for a manual rollback, whose image is the one that the service ran.
        """
        manual = self.deployment is not None and self.deployment.release.manual_rollback
        return manual or "UpdateService" in self.steps


def deployment_id(started_at: datetime, execution: str) -> str:
    """The id of a deployment: the start of its first execution, and that execution's name.

    The time has milliseconds, because Step Functions gives it so both to a state (the context object) and
    by DescribeExecution. So both lead to the same id.

    Args:
        started_at: when the first execution started.
        execution: ARN of the first execution.
    """
    moment = started_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{moment}#{execution.rpartition(':')[2]}"


def release_order(release: Release) -> str:
    """The text by which releases are ordered: the time of the release, then its id."""
    return f"{timestamp(release.released_at)}#{release.id}"


def timestamp(moment: datetime) -> str:
    """The time as the ledger writes it: in UTC with microseconds, so that text order is the order of time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
