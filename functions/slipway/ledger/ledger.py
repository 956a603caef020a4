"""The ledger records who has claimed a service, what is good and quarantined on it, and every deployment.

It is one DynamoDB table, and this module owns every read and every write of it.

==================  =================================  ================================================
pk                  sk                                 the item
==================  =================================  ================================================
``service``         ``production/api``                 claim, newest, good, quarantined, baseline,
                                                       unproven
``production/api``  ``2026-11-25T03:00:00.000Z#name``  one deployment: its input, the time of each step,
                                                       how it ended and why; expires
``notified``        an execution's ARN, an event's id  when people were notified of an event without a
                                                       deployment: of a release, of an alarm; expires
``sweep``           ``cursor``                         the repository at which the last sweep ended
==================  =================================  ================================================

All services are in one partition, so that one query lists what runs where. Times are UTC text of a fixed
width, so that DynamoDB's comparison of text orders them as times.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from slipway.errors import InvalidInput, SlipwayError, Superseded
from slipway.ledger.items import Items, Key, NoLonger, Update
from slipway.ledger.records import (
    ClaimId,
    DeploymentRecord,
    Good,
    Quarantined,
    ServiceRecord,
    release_order,
    timestamp,
)
from slipway.model import Model, parse
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

R = TypeVar("R", bound=Model)
SERVICES = "service"
"""The pk of the items of services."""
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
# How far the clocks of two functions may differ.
CLOCKS_APART_SECONDS = 5


# --- the conditions -------------------------------------------------------------------------------
#
#                     the newest release that was accepted
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
# Every write to a service's item has the condition _OURS, with two exceptions: the claim itself, and `free`,
# for a deployment whose end is recorded. The execution's ARN is the fencing token. An execution that takes
# over writes its own ARN into the claim, so every later write of the former one to the service fails; the
# former one may still write to its own deployment's item. An expired lease transfers nothing: it only makes
# the sweep check whether the execution is still running.

_NEVER_BACKWARDS = "(attribute_not_exists(#newest) OR #newest <= :order)"
_OURS = "#claim.#execution = :execution"
_AT_REST = (  # a free service is at rest, too: it has no claim and so no change mark
    "(attribute_not_exists(#claim.#changing_until) OR #claim.#changing_until < :surely_past)"
)
_MAY_CLAIM = f"{_NEVER_BACKWARDS} AND {_AT_REST}"
_NOT_ENDED = "attribute_not_exists(#outcome)"


class Unreadable(SlipwayError):  # noqa: N818 - as AwsRefused
    """An item of the ledger can't be read, because someone else has written to it.

    A retry fails until a person has mended the item. Only the item's service is affected.
    """


class Busy(Exception):  # noqa: N818 - not an error: the caller of `claim` tries again in a moment
    """Another deployment is changing the service right now, so the claim has to wait for the change mark."""


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
        return _service_record(service, self._items.get((SERVICES, service)))

    def deployment(self, claim: ClaimId) -> DeploymentRecord | None:
        """The record of a deployment, or None if nothing has been written of it."""
        found = self._items.get(_history(claim))
        return _read(DeploymentRecord, found, _history(claim)) if found else None

    def claimed(self) -> tuple[list[ServiceRecord], list[str]]:
        """The records of all services that are claimed, and what is wrong with items that can't be read."""
        records, problems = [], []
        for item in self._items.query(SERVICES, "attribute_exists(#claim)", {}):
            try:
                records.append(_service_record(item["sk"], item))
            except Unreadable as unreadable:
                problems.append(str(unreadable))
        return records, problems

    def knows(self, service: str, digest: str) -> bool:
        """Whether the service has a deployment of this digest in its history, whatever its outcome."""
        path = "#deployment.#release.#image.#digest = :digest"
        return bool(self._items.query(service, path, {":digest": digest}))

    def notified(self, about: str, kind: str) -> bool:
        """Whether people were notified of an event that belongs to no deployment.

        Args:
            about: ARN of the release's execution, or the id of the alarm's event.
            kind: which event it is, such as ``end`` or ``stage_1``.
        """
        return kind in self._items.get((NOTIFIED, about))

    # --- claiming a service, and signs of life ----------------------------------------------------

    def claim(self, claim: ClaimId, deployment: Deployment, baseline: str, now: datetime) -> None:
        """Claim the service for the execution, and record its release as the newest accepted one.

        A retry of the same execution may claim the service again; that changes only the times.

        Args:
            baseline: ARN of the task definition that the service ran when it was last free.

        Raises:
            Superseded: a newer release was accepted on the service.
            Busy: another deployment is changing the service.
        """
        item = {
            "deployment": claim.deployment,
            "execution": claim.execution,
            "release": str(deployment.release.image),
            "claimed_at": timestamp(now),
            "lease_until": _after(now, LEASE_SECONDS),
        }
        values = {
            ":claim": item,
            ":order": release_order(deployment.release),
            ":none": [],
            ":nothing": {},
            ":baseline": baseline,
            ":surely_past": _after(now, -CLOCKS_APART_SECONDS),
        }
        expression = (
            "SET #claim = :claim, #newest = :order, #baseline = :baseline, "
            "#good = if_not_exists(#good, :none), "
            "#quarantined = if_not_exists(#quarantined, :nothing)"
        )
        try:
            self._items.update(Update(_service(claim), expression, _MAY_CLAIM, values))
        except NoLonger:
            record = self.service(claim.service)
            refuse_older(record, deployment)
            raise Busy(f"{_name(record)} is changing service {claim.service} right now") from None

    def renew(self, claim: ClaimId, now: datetime) -> None:
        """Give a sign of life: the lease begins anew.

        Raises:
            Superseded: another execution has claimed the service.
        """
        values = {":lease": _after(now, LEASE_SECONDS), ":execution": claim.execution}
        try:
            self._items.update(
                Update(_service(claim), "SET #claim.#lease_until = :lease", _OURS, values)
            )
        except NoLonger:
            raise self._superseded(claim) from None

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
        before, it stays as it is.
        """
        facts = {
            "rollback_target": rollback_target,
            "good_target": good_target.to_json() if good_target else None,
            "task_definition": task_definition,
            "steps": {"BeginDeployment": timestamp(now)},
            "notified": {},
            **_asked(claim, deployment),
        }
        not_yet = "attribute_not_exists(#steps)"
        with suppress(NoLonger):  # an earlier attempt opened it, and its answer was lost
            self._items.update(Update.setting(_history(claim), facts, not_yet))

    def note(self, claim: ClaimId, step: str, now: datetime, **facts: str) -> None:
        """Record that a step is done, and the attributes of the deployment's item that it sets."""
        self._items.update(
            Update.setting(_history(claim), {f"steps.{step}": timestamp(now), **facts})
        )

    def start_change(
        self, claim: ClaimId, step: str, now: datetime, unproven: str | None = None, **facts: str
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
        if unproven:
            # It is appended, because the service may run what another deployment left on it until the
            # update of this one is done.
            marking += ", #unproven = list_append(if_not_exists(#unproven, :none), :unproven)"
            values |= {":none": [], ":unproven": [unproven]}
        done = {f"steps.{step}": timestamp(now), "changing": True, **facts}
        self._write_both(claim, marking, values, done)

    def end_change(self, claim: ClaimId, step: str, now: datetime, **facts: str) -> None:
        """Remove the change mark after the change.

        Raises:
            Superseded: the change took so long that another execution has claimed the service.
        """
        removing = "SET #claim.#lease_until = :lease REMOVE #claim.#changing_until"
        values = {":lease": _after(now, LEASE_SECONDS)}
        self._write_both(claim, removing, values, {f"steps.{step}": timestamp(now), **facts})

    def note_notified(self, claim: ClaimId, kind: str, now: datetime) -> None:
        """Record that people were notified of the deployment's ``start`` or ``end``."""
        at = {f"notified.{kind}": timestamp(now)}
        try:
            self._items.update(Update.setting(_history(claim), at, "attribute_exists(#notified)"))
        except NoLonger:  # the deployment never claimed its service, so its record was not opened
            notified = {"notified": {kind: timestamp(now)}}
            self._items.update(Update.setting(_history(claim), notified))

    def note_notified_of(self, about: str, kind: str, now: datetime, expires: datetime) -> None:
        """Record that people were notified of an event that belongs to no deployment.

        Args:
            about, kind: as for `notified`.
            expires: when DynamoDB may delete this record.
        """
        facts = {kind: timestamp(now), "expires_at": int(expires.timestamp())}
        self._items.update(Update.setting((NOTIFIED, about), facts))

    def quarantine(self, claim: ClaimId, digest: str, why: Quarantined) -> None:
        """Quarantine a digest before the deployment ends, as a manual rollback does with what it abandons.

        Raises:
            Superseded: another execution has claimed the service.
        """
        settings, values = _setting(self.service(claim.service).learning(digest, None, why))
        values[":execution"] = claim.execution
        try:
            self._items.update(Update(_service(claim), settings, _OURS, values))
        except NoLonger:
            raise self._superseded(claim) from None

    # --- leaving a service ------------------------------------------------------------------------

    def finish(
        self,
        claim: ClaimId,
        deployment: Deployment | None,
        ending: Mapping[str, Any],
        good: Good | None,
        quarantine: Quarantined | None,
    ) -> bool:
        """Record how the deployment ended and free the service, in one transaction.

        Args:
            deployment: None if the input of the execution could not be read.
            ending: the attributes that describe the end: outcome, reason, evidence, when the item expires.
            good: the newest good version from now on; None if the deployment proved none.
            quarantine: why the deployment's digest is quarantined; None if it is not.

        Returns:
            True if the end was written. False if the execution has no claim on the service or the
            deployment's end was recorded before; nothing was written then.
        """
        record = self.service(claim.service)
        if record.claim is None or record.claim.execution != claim.execution:
            return False
        digest = deployment.release.image.digest if deployment else ""
        settings, values = _setting(record.learning(digest, good, quarantine))
        freeing = f"{settings} REMOVE #claim, #unproven"
        try:
            self._write_both(
                claim, freeing, values, {**_asked(claim, deployment), **ending}, _NOT_ENDED
            )
        except Superseded:
            return False
        return True

    def finish_without_service(
        self, claim: ClaimId, deployment: Deployment | None, ending: Mapping[str, Any]
    ) -> DeploymentRecord | None:
        """Record how a deployment without a claim on its service ended, if no end is recorded yet.

        Returns:
            The deployment's record, whose end may be from an earlier attempt. None if another execution
            has claimed the service for this deployment, as a recovery does; nothing was written then.
        """
        current = self.service(claim.service).claim
        if (
            current
            and current.deployment == claim.deployment
            and current.execution != claim.execution
        ):
            return None
        return self.end(claim, deployment, ending)

    def end(
        self, claim: ClaimId, deployment: Deployment | None, ending: Mapping[str, Any]
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
        with suppress(NoLonger):
            self._items.update(
                Update(_service(claim), "REMOVE #claim", "#claim.#deployment = :deployment", values)
            )

    def _write_both(
        self,
        claim: ClaimId,
        on_service: str,
        values: Mapping[str, Any],
        facts: Mapping[str, Any],
        condition: str = "",
    ) -> None:
        """Write to the service and to the deployment in one transaction, if the execution has the claim."""
        ours = {**values, ":execution": claim.execution}
        try:
            self._items.update_all(
                [
                    Update(_service(claim), on_service, _OURS, ours),
                    Update.setting(_history(claim), facts, condition),
                ]
            )
        except NoLonger:
            raise self._superseded(claim) from None

    def _superseded(self, claim: ClaimId) -> Superseded:
        return Superseded(
            f"{_name(self.service(claim.service))} has claimed service {claim.service}"
        )

    # --- the sweep --------------------------------------------------------------------------------

    def cursor(self) -> str:
        """The repository at which the last sweep ended; empty before the first one."""
        return str(self._items.get(CURSOR).get("repository", ""))

    def keep_cursor(self, repository: str) -> None:
        """Record the repository at which this sweep ends."""
        self._items.update(Update.setting(CURSOR, {"repository": repository}))


def refuse_older(record: ServiceRecord, deployment: Deployment) -> None:
    """Check the deployment's release against the newest one that was accepted on the service.

    Raises:
        Superseded: a newer release was accepted.
    """
    ours = release_order(deployment.release)
    if record.newest > ours:
        raise Superseded(
            f"{_name(record)} was pushed or started later ({record.newest.partition('#')[0]}) than this one "
            f"({ours.partition('#')[0]})"
        )


def _service_record(service: str, item: Mapping[str, Any]) -> ServiceRecord:
    return _read(ServiceRecord, {**item, "service": service}, (SERVICES, service))


def _read(record: type[R], item: Mapping[str, Any], key: Key) -> R:
    try:
        return parse(record, item, f"the ledger's item {' '.join(key)}")
    except InvalidInput as invalid:
        raise Unreadable(
            f'{invalid}\nSomeone has written to it: see "an item that can\'t be read" in docs/operations.md'
        ) from invalid


def _service(claim: ClaimId) -> Key:
    return SERVICES, claim.service


def _history(claim: ClaimId) -> Key:
    return claim.service, claim.deployment


def _setting(learnt: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The expression that sets what was learnt, and its values; both are empty if nothing was learnt."""
    settings = ", ".join(f"#{name} = :{name}" for name in learnt)
    values = {f":{name}": value for name, value in learnt.items()}
    return f"SET {settings}" if settings else "", values


def _name(record: ServiceRecord) -> str:
    return f"release {record.claim.release}" if record.claim else "a newer release"


def _asked(claim: ClaimId, deployment: Deployment | None) -> dict[str, Any]:
    asked = {"deployment": deployment.to_json()} if deployment else {}
    return {**asked, "execution": claim.execution}


def _after(now: datetime, seconds: float) -> str:
    return timestamp(now + timedelta(seconds=seconds))
