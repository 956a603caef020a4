"""The ledger: who has claimed a service, what was last good on it, what is quarantined, what happened.

One DynamoDB table, and this module owns every read and every write of it.

==================  =================================  ================================================
pk                  sk                                 the item
==================  =================================  ================================================
``service``         ``production/api``                 claim, newest, good, quarantined, baseline,
                                                       unproven
``production/api``  ``2026-11-25T03:00:00.000Z#name``  one deployment: what was asked, the time of each
                                                       step, how it ended and why; expires
``notified``        an execution's ARN, an event's id  when people were notified of what is no deployment:
                                                       a release, an alarm; expires
==================  =================================  ================================================

All services are in one partition, so that one query lists what runs where. Times are UTC texts of one
width, so that DynamoDB compares them as times.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.errors import Superseded
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
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SERVICES = "service"
"""The partition of the services."""
NOTIFIED = "notified"
"""The partition of what people were notified of and is no deployment."""

# Longer than the longest time between two signs of life: the longest poll (300 s), and a check that is
# tried seven times (70 s each) with its pauses (61 s).
LEASE_SECONDS = 900
# How long UpdateService and RollBack may be at it: the timeout of their functions (template.yaml),
# after which nothing of them runs any more.
CHANGE_SECONDS = 30
# How far the clocks of two functions may be apart.
CLOCKS_APART_SECONDS = 5


# --- the conditions -------------------------------------------------------------------------------
#
#                     the newest release that was accepted
#                                   |
#   release time  ------------------+----------------------------------------------------------->
#                  older: SUPERSEDED | the same or newer: may claim the service, if it is at rest
#
#   a claim's time --made---+====== changing ======+----------------------+=== changing ===+-----
#                           |  mark set    mark    |   between its steps  |                |
#                           |              removed |   a newer one takes  |                |
#                           |  a newer one waits:  |   over at once       |                |
#                           |  the mark is removed, or CHANGE_SECONDS (and what clocks may be apart)
#                           |  have passed since it was set, and the function that set it is dead
#
# Every write to a service has _OURS in its condition, but for claiming it, and for freeing it of a
# deployment whose end is written. The execution's ARN is the fencing token: who takes over writes another
# one, and nothing that the former one sends later passes; it may still add to its own history. An expired
# lease transfers nothing: it only makes the sweep check whether the execution is still alive.

_NEVER_BACKWARDS = "(attribute_not_exists(#newest) OR #newest <= :order)"
_OURS = "#claim.#execution = :execution"
_AT_REST = (  # as a free service is
    "(attribute_not_exists(#claim.#changing_until) OR #claim.#changing_until < :surely_past)"
)
_MAY_CLAIM = f"{_NEVER_BACKWARDS} AND {_AT_REST}"
_NOT_ENDED = "attribute_not_exists(#outcome)"


class Busy(Exception):  # noqa: N818 - no error: the answer of `claim` while another deployment changes the service
    """Another deployment is changing the service; it can be claimed in a moment."""


class Ledger:
    """The table.

    Every method raises AwsUnavailable or AwsRefused where DynamoDB does not answer or says no.
    """

    def __init__(self, table: Table) -> None:
        self._items = Items(table)

    # --- reading ----------------------------------------------------------------------------------

    def service(self, service: str) -> ServiceRecord:
        """What is known of a service; consistent with every write before."""
        return ServiceRecord.of(service, self._items.get((SERVICES, service)))

    def deployment(self, claim: ClaimId) -> DeploymentRecord | None:
        """What is known of a deployment; None where nothing has been written yet."""
        found = self._items.get((claim.service, claim.deployment))
        return DeploymentRecord.of(found) if found else None

    def claimed(self) -> list[ServiceRecord]:
        """The services that are claimed."""
        items = self._items.query(SERVICES, "attribute_exists(#claim)", {})
        return [ServiceRecord.of(item["sk"], item) for item in items]

    def knows(self, service: str, digest: str) -> bool:
        """Whether there has been a deployment of this digest on the service, however it ended."""
        path = "#deployment.#release.#image.#digest = :digest"
        return bool(self._items.query(service, path, {":digest": digest}))

    def notified(self, about: str, kind: str) -> bool:
        """Whether people were notified of this event (``end``, ``stage_1``) of what is no deployment."""
        return kind in self._items.get((NOTIFIED, about))

    # --- claiming a service, and signs of life ----------------------------------------------------

    def claim(self, claim: ClaimId, deployment: Deployment, baseline: str, now: datetime) -> None:
        """Claim the service for the execution, and make its release the newest accepted one.

        The same execution may claim it again, which changes nothing but the times.

        Args:
            baseline: ARN of what the service ran before anyone of Slipway's changed it.

        Raises:
            Superseded: a newer release was accepted.
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
        """Give a sign of life.

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
        """Begin the history of a deployment that has claimed its service; see DeploymentRecord."""
        facts = {
            "rollback_target": rollback_target,
            "good_target": good_target.to_json() if good_target else None,
            "task_definition": task_definition,
            "steps": {"BeginDeployment": timestamp(now)},
            "notified": {},
            **_asked(claim, deployment),
        }
        not_yet = "attribute_not_exists(#steps)"
        with suppress(NoLonger):  # opened by an earlier try whose answer was lost
            self._items.update(Update.setting(_history(claim), facts, not_yet))

    def note(self, claim: ClaimId, step: str, now: datetime, **facts: str) -> None:
        """Write down that a step is done, and what it found."""
        self._items.update(
            Update.setting(_history(claim), {f"steps.{step}": timestamp(now), **facts})
        )

    def start_change(
        self, claim: ClaimId, step: str, now: datetime, unproven: str | None = None, **facts: str
    ) -> None:
        """Mark that the service is being changed, so that nobody takes over meanwhile.

        Args:
            unproven: ARN of what is put on it, where that has to prove itself: until some deployment has
                seen to it, whoever claims the service next knows that it can't stay as it is.

        Raises:
            Superseded: another execution has claimed the service, which must not be changed.
        """
        marking = "SET #claim.#changing_until = :until, #claim.#lease_until = :lease"
        values: dict[str, Any] = {
            ":until": _after(now, CHANGE_SECONDS),
            ":lease": _after(now, LEASE_SECONDS),
        }
        if unproven:
            # Added: what another deployment has left may stay there until this one's update is done.
            marking += ", #unproven = list_append(if_not_exists(#unproven, :none), :unproven)"
            values |= {":none": [], ":unproven": [unproven]}
        done = {f"steps.{step}": timestamp(now), "changing": True, **facts}
        self._write_both(claim, marking, values, done)

    def end_change(self, claim: ClaimId, step: str, now: datetime, **facts: str) -> None:
        """Remove the mark: the change is done.

        Raises:
            Superseded: it took so long that another execution has claimed the service.
        """
        removing = "SET #claim.#lease_until = :lease REMOVE #claim.#changing_until"
        values = {":lease": _after(now, LEASE_SECONDS)}
        self._write_both(claim, removing, values, {f"steps.{step}": timestamp(now), **facts})

    def note_notified(self, claim: ClaimId, kind: str, now: datetime) -> None:
        """Write down that people were notified of its ``start`` or its ``end``."""
        at = {f"notified.{kind}": timestamp(now)}
        try:
            self._items.update(Update.setting(_history(claim), at, "attribute_exists(#notified)"))
        except NoLonger:  # it never claimed its service
            notified = {"notified": {kind: timestamp(now)}}
            self._items.update(Update.setting(_history(claim), notified))

    def note_notified_of(self, about: str, kind: str, now: datetime, expires: datetime) -> None:
        """Write down that people were notified of an event of what is no deployment, until it expires."""
        facts = {kind: timestamp(now), "expires_at": int(expires.timestamp())}
        self._items.update(Update.setting((NOTIFIED, about), facts))

    def quarantine(self, claim: ClaimId, digest: str, why: Quarantined) -> None:
        """Quarantine a digest that is known to be bad before the deployment has ended.

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
        """Write how the deployment ended and free the service, both or none.

        Args:
            ending: outcome, reason, evidence, and when to forget it.
            good: what is last good from now on, where that is new.
            quarantine: why the deployment's digest is quarantined, where it is.

        Returns:
            Whether the service was claimed by the execution until now; where not, nothing was written.
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
        """Write how a deployment ended that has no claim on its service; what is written stays.

        Returns:
            What is written, which may be another try's; None where another execution has claimed the
            service for this deployment: nothing was written.
        """
        current = self.service(claim.service).claim
        if (
            current
            and current.deployment == claim.deployment
            and current.execution != claim.execution
        ):
            return None
        facts = {**_asked(claim, deployment), **ending}
        with suppress(NoLonger):
            self._items.update(Update.setting(_history(claim), facts, _NOT_ENDED))
        return self.deployment(claim)

    def free(self, claim: ClaimId) -> None:
        """Free the service of a deployment whose end is written, whichever execution claimed it."""
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
        """Write to the service and to the deployment, if the service is ours; both or none."""
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
        return Superseded(f"{_name(self.service(claim.service))} has service {claim.service} now")


def refuse_older(record: ServiceRecord, deployment: Deployment) -> None:
    """Raise Superseded where a newer release than this one was accepted on the service."""
    ours = release_order(deployment.release)
    if record.newest > ours:
        raise Superseded(
            f"{_name(record)} was pushed or started later ({record.newest.partition('#')[0]}) than this one "
            f"({ours.partition('#')[0]})"
        )


def _service(claim: ClaimId) -> Key:
    return SERVICES, claim.service


def _history(claim: ClaimId) -> Key:
    return claim.service, claim.deployment


def _setting(learnt: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The expression that sets what was learnt, and its values; empty where that is nothing."""
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
