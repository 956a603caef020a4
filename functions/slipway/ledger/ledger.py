"""The ledger records who has claimed a service, what is good and quarantined on it, and every deployment.

It is one DynamoDB table. This module owns every read and every write of a deployment, and `operations` what a
person changes.

====================  =============================  =======================================================
pk                    sk                             the item
====================  =============================  =======================================================
``production/api``    ``state#claim``                claim, last_claimed
``production/api``    ``state#before``               baseline, unproven, left
``production/api``    ``state#newest#shop/api``      the newest release of that lane
``production/api``    ``state#waiting#shop/api``     the release of that lane that waits for its turn; expires
``production/api``    ``state#versions``             good, quarantined, gone_back
``production/api``    ``state#freeze``               a freeze that a person has set
``freeze``            ``freeze``                     the same for the whole pipeline
``definitions#...``   an ARN                         the copy of a good task definition of that service
``audit``             ``2026-11-25T...#<id>``        what a person has done with the function Operate; expires
``production/api``    ``deployment#2026-11-25T...``  one deployment: what was asked for, when each step was
                                                     done, its recovery, how it ended and why; expires
``services``          ``production/api``             what runs there, and the deployment under way
``release#<id>``      ``release``                    one release: image, stages, execution; expires
``release#<id>``      ``progress#staging#...``       of a stage and service: the deployment that carries
                                                     it out, and its outcome; expires
``rollback#<id>``     ``rollback``                   one manual rollback and its target; expires
``notified``          an execution's ARN, an         when people were notified of an event without a
                      event's id                     deployment: of a release, of an alarm; expires
``swept``             ``shop/api:v2@sha256:...``     that the sweep releases an image; expires
``sweep``             ``cursor``                     the repository at which the last sweep ended
====================  =============================  =======================================================

Each service has a partition of its own. Its claim, which every check renews, has an item of its own,
because a write costs as much as its item is large. One query of ``services`` lists what runs where. Times
are UTC text of a fixed width, so that DynamoDB's comparison of text orders them as times.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from slipway.errors import (
    AwsUnavailable,
    InvalidInput,
    Refused,
    SlipwayError,
    Superseded,
    SupersededByPerson,
)
from slipway.ledger.items import Deletion, Items, Key, NoLonger, Update
from slipway.ledger.records import (
    CLOCKS_APART_SECONDS,
    Claimant,
    ClaimId,
    Copy,
    DeploymentRecord,
    Freeze,
    GoneBack,
    Good,
    LastClaim,
    Quarantined,
    Recovery,
    ReleaseRecord,
    RollbackRecord,
    ServiceRecord,
    Swept,
    deployed_by,
    lane_of,
    progress_key,
    release_order,
    timestamp,
)
from slipway.model import Model, parse
from slipway.release.named import NamedRelease, NamedRollback
from slipway.release.plan import ServiceName
from slipway.release.release import Deployment, Release
from slipway.release.semver import is_lower

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

R = TypeVar("R", bound=Model)
SERVICES = "services"
"""The pk of the list of all services."""
STATE, NEWEST, WAITING = "state#", "state#newest#", "state#waiting#"
DEPLOYMENT, PROGRESS = "deployment#", "progress#"
CLAIM, BEFORE, VERSIONS = "state#claim", "state#before", "state#versions"
FREEZE = "state#freeze"
DEFINITIONS = "definitions#"
"""With the service's name, the pk of the copies of its good task definitions. They are not in the service's
partition, because they have environment variables, which not everybody may see who may read the ledger."""
ATTRIBUTES = {
    CLAIM: ("claim", "last_claimed"),
    BEFORE: ("baseline", "unproven", "left"),
    VERSIONS: ("good", "quarantined", "gone_back", "writes"),
    FREEZE: ("freeze",),
}
"""The fields of ServiceRecord in each item of a service's state."""
WHOLE: Key = ("freeze", "freeze")
"""The key of the freeze of the whole pipeline."""
NOTIFIED = "notified"
"""The pk of the items about notices that belong to no deployment."""
CURSOR = ("sweep", "cursor")
"""The key of the item that says how far the last sweep has come."""

# Longer than the longest time between two signs of life: the longest poll (300 s), then a check that is
# tried seven times (70 s each) with the pauses between the attempts (61 s together).
LEASE_SECONDS = 900
# How long UpdateService and RollBack may take to change a service: the timeout of their functions in
# template.yaml. After it, neither of them can still be running.
CHANGE_SECONDS = 30
# A place among those that wait lapses so many times its pause, and so many seconds, after the release has
# asked: the state machine waits up to three times the pause after retries, and tries BeginDeployment seven
# times.
LATE_SECONDS, LATE_FACTOR = 120, 3
NO_LONGER_WAITING = "2000-01-01T00:00:00.000000Z"
"""The ``until`` of a place that has ended. The item stays until it expires, because the roles of the steps
may delete only copies of task definitions."""


# --- the conditions -------------------------------------------------------------------------------
#
#                     the newest release of its lane that was accepted
#                                   |
#   release time  ------------------+----------------------------------------------------------->
#                  older: SUPERSEDED | the same or newer: may claim the service, if it is at rest
#
#   life of a claim -made---+====== changing ======+----------------------+=== changing ===+-----
#                           |  mark set    mark    |   between changes, a |                |
#                           |              removed |   newer release      |                |
#                           |  a newer release     |   takes over at once |                |
#                           |  waits until the mark is removed, or until CHANGE_SECONDS and
#                           |  CLOCKS_APART_SECONDS have passed: the function that set it is dead then
#
# Every write to a service's state has the condition _OURS, with three exceptions: the claim itself; `free`,
# for a deployment whose end is recorded; and what a person changes with the function Operate. The execution's
# ARN is the fencing token. An execution that takes over writes its own ARN into the claim, so every later
# write of the former one to the service fails; the former one may still write to its own deployment's item.
# An expired lease transfers nothing by itself. It makes the sweep check whether the execution is still
# running, and lets a release that waits for its turn claim the service.

_NEVER_BACKWARDS = "attribute_not_exists(#newest) OR #newest <= :order"
_SAME_VERSION = "attribute_not_exists(#version) OR #version = :seen"
# As `ServiceRecord.ahead_of` has it, but for the lanes that wait, which are in other items. For DynamoDB a
# comparison with a missing attribute is false, but `<>` is true.
_ITS_TURN = (
    "attribute_not_exists(#claim) OR (#claim.#lane = :lane AND #claim.#deploys <> :deploys) "
    "OR #claim.#deployment = :deployment OR #claim.#lease_until < :surely_past"
)
_FIRST_OF_ITS_LANE = (
    "attribute_not_exists(#order) OR #order <= :newest OR #until < :now OR #deploys = :same"
)
_SAME_IMAGE = "#deploys = :deploys"
_OURS = "#claim.#execution = :execution"
_AT_REST = (  # a free service is at rest, too: it has no claim and so no change mark
    "attribute_not_exists(#claim.#changing_until) OR #claim.#changing_until < :surely_past"
)
_OURS_LAST = "#last_claimed.#deployment = :deployment"
_NOT_ENDED = "attribute_not_exists(#outcome)"
# Of the good and the quarantined versions: nobody has written them since they were read.
_UNWRITTEN = "attribute_not_exists(#writes) OR #writes = :seen"
# A person may lift a quarantine in the moment in which a deployment ends.
WRITES_TRIED = 5


TAKEN_UP = "another execution carries out what the input of this execution names"


class Unreadable(SlipwayError):  # noqa: N818 - as AwsRefused
    """An item of the ledger can't be read, because someone else has written to it.

    A retry fails until a person has mended the item. Only the item's service is affected.
    """


class Busy(Exception):  # noqa: N818 - not an error: the caller of `claim` tries again in a moment
    """Another deployment is changing the service, or has it, so that it is not this one's turn any more."""


class _Listed(Model):
    """An item of the list of all services."""

    sk: ServiceName


class Ledger:
    """Every read and every write of the ledger's table.

    Every method raises AwsUnavailable if DynamoDB does not answer or throttles, AwsRefused if it refuses, and
    Unreadable if an item can't be read.
    ``now`` is the current time, with an offset.
    """

    def __init__(self, table: Table) -> None:
        self._items = Items(table)

    # --- reading ----------------------------------------------------------------------------------

    def service(self, service: str) -> ServiceRecord:
        """The record of a service, read consistently; empty if the ledger does not know the service."""
        return _service_record(service, self._items.query(service, STATE))

    def definition(self, service: str, arn: str) -> dict[str, Any] | None:
        """The copy of a good task definition, as RegisterTaskDefinition takes it; None if there is none."""
        key = _definition(service, arn)
        found = self._items.get(key)
        return _read(Copy, found, key).content if "content" in found else None

    def standing(self, service: str, release: Release) -> Quarantined | None:
        """As `ServiceRecord.standing`, with no more to read than the item that has it."""
        key = (service, VERSIONS)
        found = {name: value for item in self._items.query(*key) for name, value in item.items()}
        known = {name: found[name] for name in ATTRIBUTES[VERSIONS] if name in found}
        return _read(ServiceRecord, {"service": service, **known}, key).standing(release)

    def deployment(self, claim: ClaimId) -> DeploymentRecord | None:
        """The record of a deployment, or None if nothing has been written of it."""
        found = self._items.get(_history(claim))
        return _read(DeploymentRecord, found, _history(claim)) if found else None

    def deployment_of(self, claim: ClaimId) -> str | None:
        """The id of the service's deployment that the ledger has of this execution, or None."""
        values = {":execution": claim.execution}
        found = self._items.query(claim.service, DEPLOYMENT, "#execution = :execution", values)
        return found[0]["sk"].removeprefix(DEPLOYMENT) if found else None

    def release(self, release: str) -> ReleaseRecord | None:
        """The record of a release, given by its id, or None if ResolveRelease has not recorded it."""
        pk = f"release#{release}"
        items = {item["sk"]: item for item in self._items.query(pk)}
        if "release" not in items:
            return None
        progress = {
            sk.removeprefix(PROGRESS): item for sk, item in items.items() if sk.startswith(PROGRESS)
        }
        return _read(ReleaseRecord, {**items["release"], "progress": progress}, (pk, "release"))

    def lower_version(self, deployments: Iterable[Deployment], now: datetime) -> str:
        """Why the release must not be deployed: a service has accepted a higher version; or else empty.

        A service whose items can't be read is left to the check at the beginning of its deployment.

        Args:
            deployments: those of one release.
        """
        for deployment in deployments:
            release, service, lane = deployment.release, deployment.service, lane_of(deployment)
            if not (release.pushed and release.version):
                continue
            found = [self._items.get((service, f"{kind}{lane}")) for kind in (NEWEST, WAITING)]
            with suppress(Unreadable):
                record = _service_record(service, [item for item in found if item])
                if lower := _lower_version(record, release, lane, now):
                    return lower
        return ""

    def rollback(self, rollback: str) -> RollbackRecord | None:
        """The record of a manual rollback, given by its id, or None if the ledger has none."""
        key = _rollback(rollback)
        found = self._items.get(key)
        return _read(RollbackRecord, found, key) if found else None

    def claimed(self) -> tuple[list[ServiceRecord], list[str]]:
        """The records of all services that are claimed, and what is wrong with items that can't be read."""
        records, problems = [], []
        for item in self._items.query(SERVICES, condition="attribute_exists(#claimed_by)"):
            try:
                listed = _read(_Listed, item, (SERVICES, item["sk"]))
                records.append(self.service(listed.sk))
            except Unreadable as unreadable:
                problems.append(str(unreadable))
        return records, problems

    def freeze(self) -> Freeze | None:
        """The freeze of the whole pipeline that a person has set, or None."""
        item = self._items.get(WHOLE)
        return _read(Freeze, item["freeze"], WHOLE) if "freeze" in item else None

    def knows(self, service: str, digest: str) -> bool:
        """Whether the service has a deployment of this digest in its history, whatever its outcome."""
        path = "#deployment.#release.#image.#digest = :digest"
        return bool(self._items.query(service, DEPLOYMENT, path, {":digest": digest}))

    def last_released(self, service: str, digests: Collection[str]) -> str | None:
        """Which of these digests a release has put on the service last, or None if the history has none.

        An item of the history that can't be read is passed over.
        """
        released = []
        for item in self._items.query(service, DEPLOYMENT):
            with suppress(Unreadable):
                record = _read(DeploymentRecord, item, (service, item["sk"]))
                put = record.steps.get("UpdateService")
                if record.deployment and put and not record.deployment.release.manual_rollback:
                    released.append((put, record.deployment.release.image.digest))
        return next((d for _, d in sorted(released, reverse=True) if d in digests), None)

    def notified(self, about: str, kind: str) -> bool:
        """Whether people were notified of an event that belongs to no deployment.

        Args:
            about: ARN of the release's execution, or the id of the alarm's event.
            kind: which event it is, such as ``end`` or ``stage_1``.
        """
        return kind in self._items.get((NOTIFIED, about))

    # --- what comes in by the front door ----------------------------------------------------------

    def record_release(self, record: ReleaseRecord) -> ReleaseRecord:
        """Record a release, unless an earlier delivery of the same event, or an earlier attempt, has.

        Returns:
            What the ledger has, which the earlier one may have recorded.
        """
        key = (f"release#{record.release.id}", "release")
        facts = record.model_dump(mode="json", exclude={"progress"})
        self._record(key, facts)
        return _read(ReleaseRecord, self._items.get(key), key)

    def record_rollback(self, rollback: str, record: RollbackRecord) -> None:
        """Record a manual rollback under its id; does nothing if an earlier attempt has."""
        facts = record.model_dump(mode="json", exclude={"carried_out_by", "carried_out_in"})
        self._record(_rollback(rollback), facts)

    def _record(self, key: Key, facts: Mapping[str, Any]) -> None:
        with suppress(NoLonger):
            self._items.update(Update.setting(key, facts, "attribute_not_exists(#execution)"))

    def take_up(self, claim: ClaimId, named: NamedRelease | NamedRollback, expires_at: int) -> None:
        """Bind the part of a release, or the rollback, to the one deployment that carries it out.

        Args:
            expires_at: when DynamoDB may delete what is known of a release's progress.

        Raises:
            Refused: another deployment carries it out.
        """
        facts: dict[str, Any] = {}
        if isinstance(named, NamedRelease):
            key, owner = _progress(named), "deployment"
            facts = {"execution": claim.execution, "expires_at": expires_at}
        else:
            key, owner = _rollback(named.rollback), "carried_out_by"
            facts = {"carried_out_in": claim.execution}
        nobody = f"attribute_not_exists(#{owner})"
        try:
            self._items.update(Update.setting(key, {owner: claim.deployment, **facts}, nobody))
        except NoLonger:
            if self._items.get(key).get(owner) != claim.deployment:
                raise Refused(TAKEN_UP) from None

    def note_outcome(self, claim: ClaimId, named: NamedRelease, outcome: str) -> None:
        """Record in the release how its deployment ended; does nothing for one that did not take it up."""
        ours = Update(
            _progress(named),
            "SET #outcome = :outcome",
            "#deployment = :deployment",
            {":outcome": outcome, ":deployment": claim.deployment},
        )
        with suppress(NoLonger):
            self._items.update(ours)

    def note_recovery(self, claim: ClaimId, recovery: Recovery, last: Recovery | None) -> bool:
        """Record the recovery of a deployment; False if another one was recorded since ``last`` was read."""
        facts: dict[str, Any] = {":recovery": recovery.to_json()}
        if last is None:
            condition = "attribute_not_exists(#recovery)"
        else:
            condition = "#recovery.#execution = :last"
            facts[":last"] = last.execution
        try:
            self._items.update(
                Update(_history(claim), "SET #recovery = :recovery", condition, facts)
            )
        except NoLonger:
            # botocore repeats a write whose answer was lost, and the second one then finds the first.
            known = self.deployment(claim)
            return known is not None and known.recovery == recovery
        return True

    # --- claiming a service, and signs of life ----------------------------------------------------

    def claim(
        self,
        claim: ClaimId,
        deployment: Deployment,
        baseline: str,
        now: datetime,
        *,
        recovering: bool = False,
        version: str | None = None,
        waited: bool = False,
    ) -> None:
        """Claim the service, and record the release as the newest one of its lane that was accepted.

        A retry of the same execution may claim the service again; that changes only the times. A manual
        rollback claims the service whatever was accepted: it is older than a release only if clocks differ.

        Args:
            baseline: ARN of the task definition that the service ran when it was last free.
            recovering: whether the service may be claimed only if this deployment was the last to claim it.
            version: the version that a manual rollback goes back to; None if it is not known.
            waited: whether the lane has a place among those that wait, which this claim ends.

        Raises:
            Superseded: a newer release of the same lane was accepted on the service, or a higher version
                than a pushed one; or another deployment has claimed it since this one.
            Busy: another deployment is changing the service, or it is not this one's turn any more.
        """
        release = deployment.release
        deploys, lane = deployed_by(release), lane_of(deployment)
        item = {
            "deployment": claim.deployment,
            "execution": claim.execution,
            "claimed_at": timestamp(now),
            "lease_until": _after(now, LEASE_SECONDS),
            "lane": lane,
            "deploys": deploys,
        }
        claimant = Claimant.of(deployment.release)
        last = LastClaim(deployment=claim.deployment, **dict(claimant))
        condition, values = _may_claim(claim, deployment, now, recovering)
        values |= {":claim": item, ":last_claimed": last.to_json()}
        expression = "SET #claim = :claim, #last_claimed = :last_claimed"
        claiming = [
            Update(_claim(claim), expression, condition, values),
            Update.setting((claim.service, BEFORE), {"baseline": baseline}),
            Update.setting((SERVICES, claim.service), {"claimed_by": claim.deployment}),
        ]
        facts: dict[str, Any] = {
            "newest": release_order(release),
            "claimant": claimant.to_json(),
            "deploys": deploys,
        }
        condition, ordered = _NEVER_BACKWARDS, {":order": release_order(release)}
        if version := version or release.version:
            facts["version"] = version
        if release.pushed and release.version:
            # DynamoDB can't compare versions, so that the one which was compared must still be there.
            record = self.service(claim.service)
            refuse_older(record, deployment, now)
            condition = f"({condition}) AND ({_SAME_VERSION})"
            ordered[":seen"] = record.versions.get(lane, "")
        newest = (claim.service, f"{NEWEST}{lane}")
        ordering = Update.setting(newest, facts, condition, ordered)
        if waited:
            over = {"until": NO_LONGER_WAITING}
            claiming.append(Update.setting((claim.service, f"{WAITING}{lane}"), over))
        try:
            self._items.update_all([*claiming, ordering])
        except NoLonger:
            record = self.service(claim.service)
            if recovering and not record.last_claimed_by(claim.deployment):
                raise superseded_by(record) from None
            if not release.manual_rollback:
                refuse_older(record, deployment, now)
            if _was_pushed_before(deployment, record):
                if not release.manual_rollback:
                    claiming.append(Update(newest, "", _SAME_IMAGE, {":deploys": deploys}))
                with suppress(NoLonger):
                    self._items.update_all(claiming)
                    return
            raise Busy(
                f"{record.last_claimed} is changing service {claim.service} right now"
            ) from None

    def wait(
        self,
        claim: ClaimId,
        deployment: Deployment,
        record: ServiceRecord,
        now: datetime,
        seconds: int,
    ) -> None:
        """Record that a release waits for its turn, which keeps the place of its lane.

        Args:
            record: the record of the service, by which it has to wait.
            seconds: the pause until it asks again.

        Raises:
            Superseded: a newer release of the same lane waits already.
        """
        release, lane = deployment.release, lane_of(deployment)
        until = now + timedelta(seconds=LATE_FACTOR * seconds + LATE_SECONDS)
        facts = {
            "deployment": claim.deployment,
            "image": release.image.to_json(),
            "deploys": deployed_by(release),
            "order": self._order_to_wait_with(record, deployment),
            **({"version": release.version} if release.version else {}),
            "since": timestamp(record.place_of(lane, now)),
            "until": timestamp(until),
            "expires_at": int(until.timestamp()),
        }
        values = {
            ":newest": facts["order"],
            ":now": timestamp(now),
            ":same": facts["deploys"],
        }
        key = (claim.service, f"{WAITING}{lane}")
        try:
            self._items.update(Update.setting(key, facts, _FIRST_OF_ITS_LANE, values))
        except NoLonger:
            raise Superseded(
                f"a newer release of repository {release.image.repository} waits for service {claim.service}"
            ) from None

    @staticmethod
    def _order_to_wait_with(record: ServiceRecord, deployment: Deployment) -> str:
        """The order of the release or, if one of the same image under another tag waits, the later one."""
        own, waiting = release_order(deployment.release), record.waiting.get(lane_of(deployment))
        same = waiting is not None and waiting.deploys == deployed_by(deployment.release)
        return max(own, waiting.order) if waiting and same else own

    def _stop_waiting(self, claim: ClaimId, deployment: Deployment, record: ServiceRecord) -> None:
        lane = lane_of(deployment)
        waiting = record.waiting.get(lane)
        if waiting and waiting.deployment == claim.deployment:
            ours = "#deployment = :deployment"
            key, over = (claim.service, f"{WAITING}{lane}"), {"until": NO_LONGER_WAITING}
            with suppress(NoLonger):
                self._items.update(
                    Update.setting(key, over, ours, {":deployment": claim.deployment})
                )

    def renew(self, claim: ClaimId, now: datetime) -> None:
        """Give a sign of life: the lease begins anew.

        Raises:
            Superseded: another execution has claimed the service.
        """
        values = {":lease": _after(now, LEASE_SECONDS), ":execution": claim.execution}
        try:
            self._items.update(
                Update(_claim(claim), "SET #claim.#lease_until = :lease", _OURS, values)
            )
        except NoLonger:
            raise self.superseded(claim) from None

    # --- what a deployment does -------------------------------------------------------------------

    def open(
        self,
        claim: ClaimId,
        deployment: Deployment,
        rollback_target: str | None,
        good_target: Good | None,
        task_definition: str | None,
        now: datetime,
    ) -> None:
        """Create the record of a deployment that has claimed its service.

        The arguments become the fields of the same names of DeploymentRecord. If the record was opened
        before, it stays as it is. So does the record of a deployment that has ended, which a slow try of
        BeginDeployment may outlive.
        """
        facts = {
            "rollback_target": rollback_target,
            "good_target": good_target.to_json() if good_target else None,
            "task_definition": task_definition,
            "steps": {"BeginDeployment": timestamp(now)},
            **_asked(claim, deployment),
        }
        not_yet = f"attribute_not_exists(#steps) AND {_NOT_ENDED}"
        with suppress(NoLonger):  # an earlier attempt opened it, and its answer was lost
            self._items.update(Update.setting(_history(claim), facts, not_yet))

    def note(self, claim: ClaimId, step: str, now: datetime, **facts: str) -> None:
        """Record that a step is done, and the attributes of the deployment's item that it sets."""
        self._items.update(
            Update.setting(_history(claim), {f"steps.{step}": timestamp(now), **facts})
        )

    def start_change(
        self, claim: ClaimId, step: str, now: datetime, unproven: str | None = None, **facts: Any
    ) -> None:
        """Set the change mark, so that no other deployment takes over during the change.

        Args:
            unproven: ARN of the version that is put on the service, if it is unproven. It stays recorded
                until a deployment has ended on the service. Until then, whoever claims the service knows
                that this version must not stay on it as it is.

        Raises:
            Superseded: another execution has claimed the service, so this one must not change it.
        """
        marking = "SET #claim.#changing_until = :until, #claim.#lease_until = :lease"
        values: dict[str, Any] = {
            ":until": _after(now, CHANGE_SECONDS),
            ":lease": _after(now, LEASE_SECONDS),
        }
        more = []
        if unproven:
            # The others stay, because the service may run what another deployment left on it until the update
            # of this one is done. Only the owner of the claim changes the list.
            versions = self.service(claim.service).with_unproven(unproven)
            more = [Update.setting((claim.service, BEFORE), {"unproven": list(versions)})]
        done = {f"steps.{step}": timestamp(now), "changing": True, **facts}
        self._write_both(claim, marking, values, done, *more)

    def end_change(self, claim: ClaimId, step: str, now: datetime, **facts: Any) -> None:
        """Remove the change mark after the change.

        Raises:
            Superseded: the change took so long that another execution has claimed the service.
        """
        removing = "SET #claim.#lease_until = :lease REMOVE #claim.#changing_until"
        values = {":lease": _after(now, LEASE_SECONDS)}
        self._write_both(claim, removing, values, {f"steps.{step}": timestamp(now), **facts})

    def note_notified(self, claim: ClaimId, kind: str, now: datetime) -> None:
        """Record that people were notified of the deployment's ``start`` or ``end``."""
        first = Update.setting(
            _history(claim),
            {"notified": {kind: timestamp(now)}},
            "attribute_not_exists(#notified)",
        )
        try:
            self._items.update(first)
        except NoLonger:  # nothing removes it any more
            at = {f"notified.{kind}": timestamp(now)}
            self._items.update(Update.setting(_history(claim), at))

    def note_notified_of(self, about: str, kind: str, now: datetime, expires: datetime) -> None:
        """Record that people were notified of an event that belongs to no deployment.

        Args:
            about, kind: as for `notified`.
            expires: when DynamoDB may delete this record.
        """
        facts = {kind: timestamp(now), "expires_at": int(expires.timestamp())}
        self._items.update(Update.setting((NOTIFIED, about), facts))

    def quarantine(
        self, claim: ClaimId, digest: str, why: Quarantined | None, abandoned: str | None = None
    ) -> None:
        """Quarantine what a manual rollback abandons, before it changes anything.

        Args:
            digest: of the image that is abandoned.
            why: why it is quarantined; None if it is not, because it stays or is unknown.
            abandoned: ARN of the task definition that the service runs, which is not good any more.

        Raises:
            Superseded: another execution has claimed the service.
        """
        for _ in range(WRITES_TRIED):
            record = self.service(claim.service)
            if record.claim is None or record.claim.execution != claim.execution:
                raise self.superseded(claim)
            after = record.learning(digest, None, why, abandoned=abandoned)
            with suppress(NoLonger):
                self._items.update_all([_still_ours(claim), *learn(record, after)])
                return
        raise never_still(claim.service)

    # --- leaving a service ------------------------------------------------------------------------

    def finish(
        self,
        claim: ClaimId,
        deployment: Deployment,
        ending: Mapping[str, Any],
        good: Good | None,
        quarantine: Quarantined | None,
        gone_back: GoneBack | None = None,
        copy: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record how the deployment ended and free the service, in one transaction.

        Args:
            ending: the attributes that describe the end: outcome, reason, evidence, when the item expires.
            good: the newest good version from now on; None if the deployment proved none.
            quarantine: why the deployment's digest is quarantined; None if it is not.
            gone_back: that the deployment rolled itself back; None if it did not.
            copy: the good version's task definition, as RegisterTaskDefinition takes it. It is kept as long
                as the version is good, in case that ECS's own is deleted.

        Returns:
            True if the end was written. False if the execution has no claim on the service or the
            deployment's end was recorded before; nothing was written then.
        """
        digest = deployment.release.image.digest
        facts = {**_asked(claim, deployment), **ending}
        for _ in range(WRITES_TRIED):
            record = self.service(claim.service)
            if record.claim is None or record.claim.execution != claim.execution:
                return False
            found = self.deployment(claim)
            if found and found.outcome:
                return False
            release = deployment.release
            refusal = record.refusal(release)
            proves_image = (
                good is not None and not release.manual_rollback and good.digest == digest
            )
            if proves_image and refusal and refusal.stands_against(release.decided_at):
                # The next try of FinishDeployment begins anew, with a quarantine that it can see.
                raise AwsUnavailable(
                    f"image {digest} has been quarantined by a person just now on service {claim.service}"
                )
            after = record.learning(
                digest, good, quarantine, gone_back, decided_for=release.decided_for
            )
            listed = {"runs": good.to_json()} if good else {}
            left = [] if good else list(record.left_behind())
            freeing = Update(_claim(claim), "REMOVE #claim", _OURS, {":execution": claim.execution})
            with suppress(NoLonger):
                self._items.update_all(
                    [
                        freeing,
                        Update.setting(
                            (claim.service, BEFORE), {"left": left}, removing=("unproven",)
                        ),
                        *learn(record, after),
                        *(
                            [_keeping(claim.service, good.task_definition, copy)]
                            if good and copy
                            else []
                        ),
                        _unlisting(claim, listed),
                        Update.setting(_history(claim), facts, _NOT_ENDED),
                    ]
                )
                self._stop_waiting(claim, deployment, record)  # of a slow try of BeginDeployment
                return True
        raise never_still(claim.service)

    def finish_without_service(
        self, claim: ClaimId, deployment: Deployment, ending: Mapping[str, Any]
    ) -> DeploymentRecord | None:
        """Record how a deployment without a claim on its service ended, if no end is recorded yet.

        Returns:
            The deployment's record, whose end may be from an earlier attempt. None if another execution
            has claimed the service for this deployment, as a recovery does; nothing was written then.
        """
        record = self.service(claim.service)
        self._stop_waiting(claim, deployment, record)
        current = record.claim
        if (
            current
            and current.deployment == claim.deployment
            and current.execution != claim.execution
        ):
            return None
        return self.end(claim, deployment, ending)

    def end(
        self, claim: ClaimId, deployment: Deployment, ending: Mapping[str, Any]
    ) -> DeploymentRecord | None:
        """Record how a deployment ended, if no end is recorded yet, whatever the service's item says.

        Returns:
            The deployment's record, whose end may be from an earlier attempt.
        """
        facts = {**_asked(claim, deployment), **ending}
        with suppress(NoLonger):
            self._items.update(Update.setting(_history(claim), facts, _NOT_ENDED))
        return self.deployment(claim)

    def free(self, claim: ClaimId) -> None:
        """Free the service of a deployment whose end is recorded, whichever execution claimed it."""
        values = {":deployment": claim.deployment}
        freeing = Update(_claim(claim), "REMOVE #claim", "#claim.#deployment = :deployment", values)
        with suppress(NoLonger):
            self._items.update_all([freeing, _unlisting(claim, {})])

    # --- the sweep --------------------------------------------------------------------------------

    def record_swept(self, image: str, name: str, expires_at: int) -> str:
        """Record the name of the execution that releases an image, unless an earlier sweep has given it one.

        Args:
            image: repository, tag and digest.
            expires_at: when DynamoDB may delete the record, in seconds since 1970.

        Returns:
            The name that the ledger has.
        """
        key = ("swept", image)
        facts = {"name": name, "expires_at": expires_at}
        with suppress(NoLonger):
            self._items.update(Update.setting(key, facts, "attribute_not_exists(#name)"))
        return _read(Swept, self._items.get(key), key).name

    def cursor(self) -> str:
        """The repository at which the last sweep ended; empty before the first one."""
        return str(self._items.get(CURSOR).get("repository", ""))

    def keep_cursor(self, repository: str) -> None:
        """Record the repository at which this sweep ends."""
        self._items.update(Update.setting(CURSOR, {"repository": repository}))

    def _write_both(
        self,
        claim: ClaimId,
        on_service: str,
        values: Mapping[str, Any],
        facts: Mapping[str, Any],
        *more: Update,
    ) -> None:
        """Write to the service and to the deployment in one transaction, if the execution has the claim."""
        ours = {**values, ":execution": claim.execution}
        try:
            self._items.update_all(
                [
                    Update(_claim(claim), on_service, _OURS, ours),
                    Update.setting(_history(claim), facts),
                    *more,
                ]
            )
        except NoLonger:
            raise self.superseded(claim) from None

    def superseded(self, claim: ClaimId) -> Superseded:
        """Why this execution has no claim on its service any more."""
        record = self.service(claim.service)
        if record.claim is None and record.last_claimed_by(claim.deployment):
            return SupersededByPerson(f"a person has freed service {claim.service}")
        return superseded_by(record)


def _may_claim(
    claim: ClaimId, deployment: Deployment, now: datetime, recovering: bool
) -> tuple[str, dict[str, Any]]:
    """The condition on the item of the claim under which a deployment may claim its service."""
    values: dict[str, Any] = {":surely_past": _after(now, -CLOCKS_APART_SECONDS)}
    ours = {":deployment": claim.deployment}
    if recovering:
        return f"({_AT_REST}) AND {_OURS_LAST}", values | ours
    if deployment.release.manual_rollback:
        return _AT_REST, values
    lane = {":lane": lane_of(deployment), ":deploys": deployed_by(deployment.release)}
    return f"({_AT_REST}) AND ({_ITS_TURN})", values | ours | lane


def never_still(service: str) -> AwsUnavailable:
    """That each of WRITES_TRIED writes of a service's versions found that another one had come before it."""
    return AwsUnavailable(f"the quarantined images of service {service} change all the time")


def superseded_by(record: ServiceRecord) -> Superseded:
    """What the deployment that has claimed the service last says to any other one."""
    last, service = record.last_claimed, record.service
    if last and last.manual_rollback:
        return SupersededByPerson(f"{_person(last)} has rolled service {service} back manually")
    return Superseded(f"{last or 'another deployment'} has claimed service {service}")


def _person(claimant: Claimant) -> str:
    return claimant.by or "a person"


def _was_pushed_before(deployment: Deployment, record: ServiceRecord) -> bool:
    """Whether the service has accepted a release of the same lane that was pushed later."""
    lane = record.accepted_lane(lane_of(deployment))
    return record.newest.get(lane, "") > release_order(deployment.release)


def _lower_version(record: ServiceRecord, release: Release, lane: str, now: datetime) -> str:
    """That a pushed release is a lower version than another one, as a sentence; or else empty."""
    version = release.version
    if not (release.pushed and version):
        return ""
    higher = [known for known in record.versions_of(lane, now) if is_lower(version, known)]
    if not higher:
        return ""
    return (
        f"version {version} of repository {release.image.repository} is lower than {higher[-1]}, which "
        f"service {record.service} has accepted; if you want it nevertheless, deploy it manually"
    )


def refuse_older(record: ServiceRecord, deployment: Deployment, now: datetime) -> None:
    """Check the deployment's release against the newest one of its lane that the service has accepted.

    Raises:
        Superseded: a newer release of another image was accepted, or a later manual rollback; or this one
            was pushed and is a lower version.
    """
    release = deployment.release
    if lower := _lower_version(record, release, lane_of(deployment), now):
        raise Superseded(lower)
    lane = record.accepted_lane(lane_of(deployment))
    repository = release.image.repository
    # The same image under another tag takes nothing from this release, which goes on to its own stages.
    another = record.deploys.get(lane) != deployed_by(release)
    if another and _was_pushed_before(deployment, record):
        later = record.newest[lane].partition("#")[0]
        newest = record.claimant.get(lane)
        if newest and newest.manual_rollback:
            raise SupersededByPerson(
                f"{_person(newest)} has rolled service {record.service} back manually ({later}), after this "
                f"release was pushed or started ({timestamp(release.released_at)})"
            )
        raise Superseded(
            f"a newer release of repository {repository} was pushed or started later ({later}) than this one "
            f"({timestamp(release.released_at)})"
        )


def _service_record(service: str, items: Sequence[Mapping[str, Any]]) -> ServiceRecord:
    of_each = {
        "newest": "newest",
        "claimant": "claimant",
        "deploys": "deploys",
        "versions": "version",
    }
    facts: dict[str, Any] = {"service": service, "waiting": {}, **{n: {} for n in of_each}}
    for item in items:
        if item["sk"].startswith(NEWEST):
            lane = item["sk"].removeprefix(NEWEST)
            known = {"newest": item.get("newest")}
            known |= {name: item[field] for name, field in of_each.items() if field in item}
            part = {name: {lane: value} for name, value in known.items()}
        elif item["sk"].startswith(WAITING):
            if "deployment" not in item:  # it expired just before its place was ended
                continue
            part = {"waiting": {item["sk"].removeprefix(WAITING): item}}
        else:
            part = {n: item[n] for n in ATTRIBUTES.get(item["sk"], ()) if n in item}
        # Each item is read by itself, so that the error names the one that can't be read.
        _read(ServiceRecord, {"service": service, **part}, (service, item["sk"]))
        facts |= part | {n: facts[n] | part.get(n, {}) for n in ("waiting", *of_each)}
    return _read(ServiceRecord, facts, (service, STATE))


def _read(record: type[R], item: Mapping[str, Any], key: Key) -> R:
    try:
        return parse(record, item, f"the ledger's item {' '.join(key)}")
    except InvalidInput as invalid:
        raise Unreadable(
            f'{invalid}\nSomeone has written to it: see "an item that can\'t be read" in docs/operations.md'
        ) from invalid


def _claim(claim: ClaimId) -> Key:
    return claim.service, CLAIM


def _history(claim: ClaimId) -> Key:
    return claim.service, f"{DEPLOYMENT}{claim.deployment}"


def _rollback(rollback: str) -> Key:
    return f"rollback#{rollback}", "rollback"


def _progress(named: NamedRelease) -> Key:
    return f"release#{named.release}", f"{PROGRESS}{progress_key(named.stage, named.service)}"


def _still_ours(claim: ClaimId) -> Update:
    """A write that only checks the claim."""
    return Update(_claim(claim), "", _OURS, {":execution": claim.execution})


def learn(record: ServiceRecord, after: ServiceRecord) -> list[Update | Deletion]:
    """The writes of what is new in ``after``; none if nothing is.

    With a version that is not good any more, the copy of its task definition goes.
    """
    old, new = record.to_json(), after.to_json()
    learnt = {
        name: new[name] for name in ("good", "quarantined", "gone_back") if new[name] != old[name]
    }
    if not learnt:
        return []
    names = ", ".join(f"#{name} = :{name}" for name in (*learnt, "writes"))
    values = {f":{name}": value for name, value in learnt.items()}
    values |= {":writes": record.writes + 1, ":seen": record.writes}
    still = {good.task_definition for good in after.good}
    dropped = {good.task_definition for good in record.good} - still
    return [
        Update((record.service, VERSIONS), f"SET {names}", _UNWRITTEN, values),
        *(Deletion(_definition(record.service, arn)) for arn in sorted(dropped)),
    ]


def _keeping(service: str, arn: str, copy: Mapping[str, Any]) -> Update:
    # As text: DynamoDB would change numbers, and nothing is ever asked of its parts.
    return Update.setting(_definition(service, arn), {"content": json.dumps(copy)})


def _definition(service: str, arn: str) -> Key:
    return f"{DEFINITIONS}{service}", arn


def _unlisting(claim: ClaimId, listed: Mapping[str, Any]) -> Update:
    """Removes the deployment from the list of services, and sets what runs on the service."""
    setting = "SET " + ", ".join(f"#{name} = :{name}" for name in listed) if listed else ""
    values = {f":{name}": value for name, value in listed.items()}
    return Update((SERVICES, claim.service), f"{setting} REMOVE #claimed_by".strip(), "", values)


def _asked(claim: ClaimId, deployment: Deployment) -> dict[str, Any]:
    return {"deployment": deployment.to_json(), "execution": claim.execution}


def _after(now: datetime, seconds: float) -> str:
    return timestamp(now + timedelta(seconds=seconds))
