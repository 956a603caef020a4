"""The ledger's records of services and deployments, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, Json

from slipway.ecs.service import Update
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image, digest_of, version_name
from slipway.model import Model
from slipway.reasons import Evidence, Reason
from slipway.release.named import NamedRelease, NamedRollback
from slipway.release.plan import ServiceName
from slipway.release.release import Deployment, Release, ReleaseStage, StartedBy
from slipway.release.semver import Version

# DynamoDB refuses an item of more than 400 KB, so these lists have to have a limit.
GOOD_KEPT = 10
QUARANTINED_KEPT = 100
# How far the clocks of two functions may differ.
CLOCKS_APART_SECONDS = 5
# Each takeover may leave one more version. Only the newest ones can come back: ECS's circuit breaker goes
# back to the last one that it completed.
UNPROVEN_KEPT = 10


def _with_a_time(order: str) -> str:
    _time_of(order)
    return order


def _time_of(order: str) -> datetime:
    return datetime.fromisoformat(order.partition("#")[0])


Order = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z#"),
    AfterValidator(_with_a_time),
]
"""A text as `release_order` makes it."""


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
    images: Mapping[str, str] = {}
    """The image references of its task definition that name a digest, by container; none if they are not
    known."""

    @property
    def digests(self) -> frozenset[str]:
        """The digests of its images, as far as they are known."""
        return frozenset(filter(None, (self.digest, *map(digest_of, self.images.values()))))

    def has_images_of(self, other: Good) -> bool:
        """Whether both have the same images in the same containers, as far as they are known."""
        if self.images and other.images:
            return self.images == other.images
        return self.digest == other.digest

    def __str__(self) -> str:
        """As people call it: ``v1 (api:41)``."""
        return version_name(self.tag, self.task_definition)


class Copy(Model):
    """The ledger's copy of a good task definition."""

    content: Json[dict[str, Any]]
    """As RegisterTaskDefinition takes it."""


class Quarantined(Model):
    """Why a digest may not be deployed to a service again."""

    at: AwareDatetime
    reason: str
    deployment: str | None = None
    """Id of the deployment that failed, or that abandoned the image; None if a person quarantined it."""

    def stands_against(self, decided_at: datetime | None) -> bool:
        """Whether a person has quarantined the image, and nobody has decided for it since.

        Args:
            decided_at: when a person has decided for the image; None if nobody has.
        """
        return self.deployment is None and (decided_at is None or decided_at < self.at)


class Claim(Model):
    """A deployment's exclusive right to change a service."""

    deployment: str
    """Id of the deployment."""
    execution: str
    """ARN of its running execution, which is the fencing token."""
    lane: str = ""
    """Its `lane_of`."""
    deploys: str = ""
    """What it deploys, as `deployed_by` says it; empty for a manual rollback."""
    claimed_at: AwareDatetime
    lease_until: AwareDatetime
    """When the deployment has to have given its next sign of life."""
    changing_until: AwareDatetime | None = None
    """The change mark: until then, no other deployment can claim the service. None between changes."""

    def has_expired(self, now: datetime) -> bool:
        """Whether its execution may have died, because it has given no sign of life for so long."""
        return self.lease_until < now - timedelta(seconds=CLOCKS_APART_SECONDS)


class Waiting(Model):
    """The release of a lane that waits for its turn on a service: see `ServiceRecord.ahead_of`."""

    deployment: str
    """Id of its deployment."""
    image: Image
    order: Order
    """Its `release_order`."""
    since: AwareDatetime
    """When the lane began to wait. A newer release that comes in the meantime keeps the place."""
    until: AwareDatetime
    """The place lapses at this time, unless the release has asked again."""
    deploys: str = ""
    """What it deploys, as `deployed_by` says it."""
    version: Version | None = None
    """Its version, if its route orders images by SemVer."""


class Claimant(Model):
    """What has claimed a service: a release, or a manual rollback."""

    image: Image
    """The image of a manual rollback is the one that it abandons."""
    started_by: StartedBy
    by: str | None = None
    """Who started it, as that person wrote it."""

    @classmethod
    def of(cls, release: Release) -> Claimant:
        """What claims a service for this release."""
        return cls(image=release.image, started_by=release.started_by, by=release.by)

    @property
    def manual_rollback(self) -> bool:
        """Whether it is a manual rollback."""
        return self.started_by is StartedBy.MANUAL_ROLLBACK

    def __str__(self) -> str:
        """As people call it: ``release shop/api:v2 (0123456789ab)``, ``a manual rollback by jo``."""
        if not self.manual_rollback:
            return f"release {self.image}"
        return f"a manual rollback by {self.by}" if self.by else "a manual rollback"


class LastClaim(Claimant):
    """What has claimed a service last, whether it still has the claim or not."""

    deployment: str
    """Id of the deployment."""


class GoneBack(Model):
    """That the last deployment which changed a service ended with a rollback."""

    task_definition: str
    """ARN of what the service went back to."""
    at: AwareDatetime
    deployment: str
    """Id of the deployment."""


class Freeze(Model):
    """A freeze that a person has set with the function Operate, of one service or of the whole pipeline."""

    at: AwareDatetime
    until: AwareDatetime | None = None
    """None until a person unfreezes it."""
    by: str
    why: str


class Audit(Model):
    """What a person has done with the function Operate."""

    id: str
    """The id of the invocation."""
    at: AwareDatetime
    action: str
    service: ServiceName | None
    """None for the whole pipeline."""
    digest: str | None = None
    until: AwareDatetime | None = None
    by: str
    """Who, as that person wrote it."""
    why: str
    expires_at: int
    """When DynamoDB may delete it, in seconds since 1970."""


def _undecided(_digest: str) -> None:
    """Nobody has decided for an image."""


class ServiceRecord(Model):
    """The ledger's record of a service."""

    service: ServiceName
    claim: Claim | None = None
    last_claimed: LastClaim | None = None
    newest: Mapping[str, Order] = {}
    """The `release_order` of the newest release that was accepted, by lane."""
    deploys: Mapping[str, str] = {}
    """What the newest release that was accepted deploys, as `deployed_by` says it, by lane."""
    versions: Mapping[str, Version] = {}
    """The version of the newest release that was accepted and has one, by lane."""
    claimant: Mapping[str, Claimant] = {}
    """Which release that was, by lane: it may be a manual rollback."""
    waiting: Mapping[str, Waiting] = {}
    """The release that waits for its turn, by lane. It may have stopped waiting: see ``until``."""
    good: tuple[Good, ...] = ()
    """The versions that have passed every gate, the newest first. Those with an image that is quarantined
    since stay, so that a person can go back to them; `all_good` leaves them out."""
    quarantined: Mapping[str, Quarantined] = {}
    """The quarantined images, by digest."""
    freeze: Freeze | None = None
    """Set by a person; there may be others in the plan and for the whole pipeline."""
    gone_back: GoneBack | None = None
    """Set by a deployment that ended ROLLED_BACK, until another one ends SUCCEEDED."""
    writes: int = 0
    """How often good and quarantined versions were written, which detects a write in between."""
    baseline: str | None = None
    """ARN of what the service ran when it was last free. It is the rollback target if nothing is good yet."""
    unproven: tuple[str, ...] = ()
    """ARNs of what was put on the service, or may have been, and no deployment has ended since."""
    left: tuple[str, ...] = ()
    """ARNs of what deployments may have left on the service, without a proof that it is good."""

    def good_of(self, arn: str) -> Good | None:
        """The good version with this task definition, if it is one."""
        return next((good for good in self.good if good.task_definition == arn), None)

    def tag_of(self, digest: str) -> str | None:
        """The tag with which this digest was released on the service, if that is known."""
        released = [(good.digest, good.tag) for good in self.good]
        if self.last_claimed:
            image = self.last_claimed.image
            released.append((image.digest, image.tag))
        return next((tag for known, tag in released if tag and known == digest), None)

    def tag_in(self, good: Good | None, image: Image, container: str | None = None) -> str | None:
        """The tag of a good version's image of the same repository as this one, if that is known.

        A good version has the tag of the image that was released with it, which may be one of another
        repository, or for another container.

        Args:
            container: the one that the policy of the image names, or None.
        """
        if good is None or not good.images:
            return good.tag if good else None
        own = [digest_of(each) for each in image.versions_in(good.images, container).values()]
        if good.digest in own:
            return good.tag
        if container is None:
            return next((tag for digest in own if (tag := self.tag_of(digest))), None)
        released = (g for g in self.good if g.tag and g.digest in own)
        there = (g.tag for g in released if digest_of(g.images.get(container, "")) == g.digest)
        return next(there, None)

    def last_claimed_by(self, deployment: str) -> bool:
        """Whether the deployment with this id has claimed the service last."""
        return self.last_claimed is not None and self.last_claimed.deployment == deployment

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

    def left_behind(self) -> tuple[str, ...]:
        """What deployments have left on the service, once one has ended that has proved nothing good."""
        return tuple(dict.fromkeys((*self.left, *self.unproven)))[-UNPROVEN_KEPT:]

    @property
    def all_good(self) -> tuple[Good, ...]:
        """The good versions of which no image is quarantined, the newest first."""
        return tuple(good for good in self.good if not self.quarantines_of(good))

    def quarantines_of(self, good: Good) -> dict[str, Quarantined]:
        """The quarantined images of a good version, by digest."""
        return _in(self.quarantined, good)

    @property
    def last_good(self) -> Good | None:
        """The newest good version of which no image is quarantined, or None."""
        return next(iter(self.all_good), None)

    def refusal(self, release: Release) -> Quarantined | None:
        """Why the image of a release may not be on the service; None if it may.

        A forced start overrides what was quarantined before it, and what a deployment has quarantined.
        """
        if release.force:
            return self.standing(release)
        return self.quarantined.get(release.image.digest)

    def standing(self, release: Release) -> Quarantined | None:
        """A person's quarantine of the image of a release, for which nobody has decided since; else None."""
        found = self.quarantined.get(release.image.digest)
        return found if found and found.stands_against(release.decided_at) else None

    def lanes_of(self, repository: str, container: str | None = None) -> tuple[str, ...]:
        """The lanes of a repository of which a release was accepted, or waits.

        Args:
            container: the one that the plan names, or None. The policy of the service may name one although
                the plan does not, so that None finds all lanes of the repository.
        """
        return tuple(
            key
            for key in {**self.newest, **self.waiting}
            if key == lane(repository, container)
            or (container is None and key.startswith(lane(repository, "")))
        )

    def newest_order(self, lane: str) -> str:
        """The `release_order` of a lane's newest release, accepted or waiting; empty if there is none."""
        waiting = self.waiting.get(lane)
        return max(self.newest.get(lane, ""), waiting.order if waiting else "")

    def newest_at(self, repository: str, container: str | None = None) -> datetime | None:
        """The time of the newest release in `lanes_of`, or None if there is none."""
        lanes = self.lanes_of(repository, container)
        return max((_time_of(self.newest_order(lane)) for lane in lanes), default=None)

    def accepted_lane(self, lane: str) -> str:
        """The lane that has the order of this one: itself or, if it is new, the one it was before.

        A plan or a policy may have begun, or ceased, to name the container.
        """
        if lane in self.newest:
            return lane
        repository, _, container = lane.partition("#")
        former = [repository] if container else self.lanes_of(repository)
        return max(former, key=lambda key: self.newest.get(key, ""), default=lane)

    def versions_of(self, lane: str, now: datetime) -> tuple[str, ...]:
        """The versions that a pushed one of this lane must not be lower than: accepted, or waiting."""
        waiting = self.waiting.get(lane)
        waits = waiting.version if waiting and waiting.until >= now else None
        known = (self.versions.get(self.accepted_lane(lane)), waits)
        return tuple(version for version in known if version)

    def baseline_for(self, completed: str) -> str:
        """What a deployment goes back to if nothing is good.

        Args:
            completed: ARN of the task definition that ECS has completed last. If it may be unproven, the
                baseline stays what it was.
        """
        return (self.baseline if self.before or completed in self.left else None) or completed

    def ahead_of(self, claim: ClaimId, deployment: Deployment, now: datetime) -> str:
        """Which deployment a release has to wait for, in words for people; empty if it is its turn.

        Only a newer release of the same lane takes a claim over, so that each lane is proven, and blamed, by
        itself. But it takes nothing over while a release of another lane has waited for longer, because the
        other one would never come to its turn. A deployment of the very same image is waited for, too: its
        end counts for both. An execution whose lease has expired may have died, and is not waited for.
        """
        held, lane = self.claim, lane_of(deployment)
        if held and held.deployment == claim.deployment:
            return ""
        same = held is not None and held.deploys == deployed_by(deployment.release)
        if held and not held.has_expired(now) and (held.lane != lane or same):
            return f"{self.last_claimed} has claimed service {self.service}"
        own = self.place_of(lane, now)
        others = [
            (other.since, key, other)
            for key, other in self.waiting.items()
            if key != lane and other.until >= now and (other.since, key) < (own, lane)
        ]
        if not others:
            return ""
        return f"release {min(others)[2].image} has waited for service {self.service} for longer"

    def place_of(self, lane: str, now: datetime) -> datetime:
        """Since when a lane has waited for its turn; ``now`` if it has no place, or one that has lapsed."""
        waiting = self.waiting.get(lane)
        return waiting.since if waiting and waiting.until >= now else now

    def with_unproven(self, task_definition: str) -> tuple[str, ...]:
        """The unproven versions, after this one was put on the service; the oldest are dropped."""
        others = [arn for arn in dict.fromkeys(self.unproven) if arn != task_definition]
        return (*others, task_definition)[-UNPROVEN_KEPT:]

    def learning(
        self,
        digest: str,
        good: Good | None,
        quarantine: Quarantined | None,
        gone_back: GoneBack | None = None,
        abandoned: str | None = None,
        decided_for: Callable[[str], datetime | None] = _undecided,
    ) -> ServiceRecord:
        """The record after a deployment has ended.

        Args:
            digest: the digest that was deployed.
            good: the newest good version from now on; None if the deployment proved none.
            quarantine: why the digest is quarantined; None if it is not.
            gone_back: that the deployment rolled itself back; None if it did not.
            abandoned: ARN of the task definition from which a person goes back; None if none does. It is
                forgotten, unless the digest leaves the service with it and is quarantined: it is good again
                when that is lifted.
            decided_for: when a person has decided for the image with a digest; None if nobody has. A person's
                quarantine is lifted or replaced by a later decision only, of that person or another one.
        """
        known, quarantined = self.good, dict(self.quarantined)
        leaves = digest if quarantine else ""
        if good:
            # The same version may have been registered anew, under another ARN. It is then recognized by
            # its images and the time when it was found good.
            others = (
                g
                for g in known
                if g.task_definition != good.task_definition
                and not (g.at == good.at and g.has_images_of(good))
            )
            known = (good, *others)
            for passed, why in _in(quarantined, good).items():
                if not why.stands_against(decided_for(passed)):
                    del quarantined[passed]
        standing = quarantined.get(digest)
        by_person = quarantine is not None and quarantine.deployment is None
        if standing and standing.stands_against(decided_for(digest)) and not by_person:
            quarantine = None
        if quarantine and digest:
            quarantined.pop(digest, None)  # a forced start of a quarantined image failed again
            # Those of people come first: only a person lifts them.
            first = sorted(
                quarantined.items(),
                key=lambda item: (item[1].deployment is None, item[1].at),
                reverse=True,
            )
            quarantined = {digest: quarantine, **dict(first[: QUARANTINED_KEPT - 1])}
            forgotten = {failed for failed, _ in first[QUARANTINED_KEPT - 1 :]}
            known = tuple(g for g in known if g.digests.isdisjoint(forgotten))
        known = tuple(g for g in known if g.task_definition != abandoned or leaves in g.digests)
        back = gone_back or (None if good else self.gone_back)
        learnt = {"good": _kept(known, quarantined), "quarantined": quarantined, "gone_back": back}
        return self.model_copy(update=learnt)


def _kept(known: Sequence[Good], quarantined: Mapping[str, Quarantined]) -> tuple[Good, ...]:
    """The newest of these versions, GOOD_KEPT of those that count as good, and as many in quarantine."""
    good = [g for g in known if not _in(quarantined, g)][:GOOD_KEPT]
    others = [g for g in known if _in(quarantined, g)][:GOOD_KEPT]
    return tuple(g for g in known if g in good or g in others)


def _in(quarantined: Mapping[str, Quarantined], good: Good) -> dict[str, Quarantined]:
    """The images of this version that are quarantined, by digest."""
    digests = good.digests
    return {digest: why for digest, why in quarantined.items() if digest in digests}


class End(Model):
    """How a deployment ended, and why."""

    outcome: Outcome
    reason: Reason
    """Why it ended so, in a sentence for people."""
    cause: Cause | None = None
    """Why it ended so, as data; None if the deployment went well."""
    evidence: Evidence = ()
    """The facts behind the reason, one in each text."""
    alarms_fired: tuple[str, ...] = ()
    """Names of the alarms that fired during the deployment."""


class Recovery(Model):
    """The execution that has to finish a deployment whose execution died."""

    attempt: int
    """The first recovery of a deployment is 1."""
    execution: str
    """ARN of the execution. No other one may carry out this recovery."""
    why: Reason
    """How the last execution ended, in words for people."""
    start: NamedRelease | NamedRollback
    """The input of the first execution."""


class DeploymentRecord(Model):
    """The ledger's record of a deployment."""

    deployment: Deployment | None = None
    """What was asked for; None if only a notice or a recovery was recorded."""
    recovery: Recovery | None = None
    """The newest recovery; None if the deployment never needed one."""
    steps: Mapping[str, AwareDatetime] = {}
    """When each step was done. ``HEALTHY`` is when the service was first found healthy."""
    rollback_target: str | None = None
    """ARN of the rollback target."""
    task_definition: str | None = None
    """ARN of what is put on the service. For a manual rollback, ARN of what it abandons."""
    changing: bool = False
    """Whether the service may have been changed."""
    update: Update | None = None
    """The service deployment, once UpdateService is known to have been done."""
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


class Progress(Model):
    """How far a release has come on one service of one stage."""

    deployment: str
    """Id of the deployment that carries it out."""
    execution: str
    """ARN of that deployment's first execution."""
    outcome: Outcome | None = None
    """None until the deployment has ended."""


class ReleaseRecord(Model):
    """The ledger's record of a release, which ResolveRelease writes."""

    release: Release
    stages: tuple[ReleaseStage, ...]
    execution: str
    """ARN of the release's execution."""
    expires_at: int
    """When DynamoDB may delete it and its progress, in seconds since 1970."""
    progress: Mapping[str, Progress] = {}
    """By `progress_key`."""

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments of all stages."""
        return tuple(
            Deployment(
                release=self.release,
                stage=stage.name,
                service=planned.service,
                policy=planned.policy,
            )
            for stage in self.stages
            for planned in stage.services
        )

    def deployment(self, stage: str, service: str) -> Deployment | None:
        """The deployment to a service in a stage; None if the release's plan does not name it."""
        named = (d for d in self.deployments if (d.stage, d.service) == (stage, service))
        return next(named, None)

    def progress_of(self, named: NamedRelease) -> Progress | None:
        """How far the release has come on a service of a stage; None if nothing has begun there."""
        return self.progress.get(progress_key(named.stage, named.service))

    def has_come(self, stage: str) -> bool:
        """Whether the stage may start: every deployment of each stage before it went well."""
        names = [known.name for known in self.stages]
        if stage not in names:
            return False
        before = self.stages[: names.index(stage)]
        ended = [
            self.progress.get(progress_key(known.name, planned.service))
            for known in before
            for planned in known.services
        ]
        return all(each and each.outcome and each.outcome.facts.goes_on for each in ended)


class Swept(Model):
    """That the sweep releases an image whose event was lost."""

    name: str
    """Of the release's execution."""


class RollbackRecord(Model):
    """The ledger's record of a manual rollback, which ResolveRollback writes."""

    deployment: Deployment
    """The rollback as a deployment, whose release has the image that the service ran."""
    running: str
    """ARN of the task definition that the service ran."""
    good: Good | None = None
    """The rollback target, if it is a known task definition."""
    image: Image | None = None
    """The rollback target, if it is an image that no known task definition has."""
    images: dict[str, str] = Field(default_factory=dict)
    """The image references of the rollback target, by container; none without a target."""
    leaves: bool = True
    """Whether the image of the release leaves the service. Otherwise the target has it, too, with other
    settings or in another container."""
    also: Evidence = ()
    """A sentence for each other image that leaves the service, too."""
    passed_over: Evidence = ()
    """Why each newer good version is not the target, in a sentence."""
    refusal: Reason = ""
    """Why there is no target; empty if there is one."""
    cause: Cause | None = None
    """The refusal as data."""
    execution: str
    """ARN of the execution of the rollback state machine."""
    expires_at: int
    """When DynamoDB may delete it, in seconds since 1970."""
    carried_out_by: str | None = None
    """Id of the deployment that carries it out; None until it has begun."""
    carried_out_in: str | None = None
    """ARN of that deployment's first execution."""


def progress_key(stage: str, service: str) -> str:
    """The key of a release's progress on one service of one stage."""
    return f"{stage}#{service}"


def deployment_id(started_at: datetime, execution: str) -> str:
    """The id of a deployment: the start of its first execution, and that execution's name.

    The time has milliseconds, as Step Functions gives it to a state (the context object). DescribeExecution
    may show another one, so who knows only that finds the id in the ledger, by the execution's ARN.

    Args:
        started_at: when the first execution started.
        execution: ARN of the first execution.
    """
    moment = started_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{moment}#{execution.rpartition(':')[2]}"


def release_order(release: Release) -> str:
    """The text by which releases are ordered: the time of the release, then its id."""
    return f"{timestamp(release.released_at)}#{release.id}"


def lane_of(deployment: Deployment) -> str:
    """The lane of a deployment on its service: its repository and, if the policy names it, the container.

    The releases of a lane are ordered, and a newer one takes over from an older one. Those of another lane
    replace another image, so that neither makes the other one superfluous.
    """
    return lane(deployment.release.image.repository, deployment.policy.container)


def lane(repository: str, container: str | None) -> str:
    """As `lane_of`, of a repository and the container that gets its images, if one is named."""
    return repository if container is None else f"{repository}#{container}"


def deployed_by(release: Release) -> str:
    """The repository and the digest that a release deploys, under whatever tag.

    Empty for a manual rollback: the image of its release is the one that it abandons.
    """
    image = release.image
    return "" if release.manual_rollback else f"{image.repository}@{image.digest}"


def timestamp(moment: datetime) -> str:
    """The time as the ledger writes it: in UTC with microseconds, so that text order is the order of time."""
    # isoformat gives every year four digits; strftime does not.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
