"""The ledger: who holds a service, what was last good on it, what is quarantined, what happened.

One DynamoDB table, and this module owns every read and every write of it.

==================  =================================  ================================================
pk                  sk                                 the item
==================  =================================  ================================================
``service``         ``production/api``                 holder, newest, good, quarantined, baseline,
                                                       unproven
``production/api``  ``2026-11-25T03:00:00.000Z#name``  one deployment: what was asked, the time of each
                                                       step, how it ended and why; expires
``told``            an execution's ARN, an event's id  when people were told of what is no deployment:
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
    DeploymentRecord,
    Good,
    Hold,
    Quarantined,
    ServiceRecord,
    order,
    text,
)
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SERVICES = "service"
"""The partition of the services."""
TOLD = "told"
"""The partition of what people were told of and is no deployment."""

# Longer than the longest time between two signs of life: the longest poll (300 s), and a look that is
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
#                  older: SUPERSEDED | the same or newer: may take the service, if it is at rest
#
#   holder's time  --taken--+====== changing ======+----------------------+=== changing ===+-----
#                           |  mark set    mark    |   between its steps  |                |
#                           |              removed |   a newer one takes  |                |
#                           |  a newer one waits:  |   over at once       |                |
#                           |  the mark is removed, or CHANGE_SECONDS (and what clocks may be apart)
#                           |  have passed since it was set, and the function that set it is dead
#
# Every write to a service has _OURS in its condition, but for the taking of it, and for freeing it of a
# deployment whose end is written. The execution's ARN is the fencing token: who takes over writes another
# one, and nothing that the former holder sends later passes; it may still add to its own history. That
# lease_until has passed gives nobody the service: it tells the sweep to look whether the holder is still
# alive.

_NEVER_BACKWARDS = "(attribute_not_exists(#newest) OR #newest <= :order)"
_OURS = "#holder.#execution = :execution"
_AT_REST = (  # as a free service is
    "(attribute_not_exists(#holder.#changing_until) OR #holder.#changing_until < :surely_past)"
)
_MAY_TAKE = f"{_NEVER_BACKWARDS} AND {_AT_REST}"
_NOT_ENDED = "attribute_not_exists(#outcome)"


class Busy(Exception):  # noqa: N818 - no error: the answer of `take` while the holder changes the service
    """The holder is changing the service; it can be taken in a moment."""


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

    def deployment(self, hold: Hold) -> DeploymentRecord | None:
        """What is known of a deployment; None where nothing has been written yet."""
        found = self._items.get((hold.service, hold.deployment))
        return DeploymentRecord.of(found) if found else None

    def held(self) -> list[ServiceRecord]:
        """The services that are held."""
        items = self._items.query(SERVICES, "attribute_exists(#holder)", {})
        return [ServiceRecord.of(item["sk"], item) for item in items]

    def knows(self, service: str, digest: str) -> bool:
        """Whether there has been a deployment of this digest on the service, however it ended."""
        path = "#deployment.#release.#image.#digest = :digest"
        return bool(self._items.query(service, path, {":digest": digest}))

    def told(self, about: str, kind: str) -> bool:
        """Whether people were told of this event (``end``, ``stage_1``) of what is no deployment."""
        return kind in self._items.get((TOLD, about))

    # --- taking a service, and signs of life ------------------------------------------------------

    def take(self, hold: Hold, deployment: Deployment, baseline: str, now: datetime) -> None:
        """Make the execution the service's holder and its release the newest accepted one.

        The same execution may take again, which changes nothing but the times.

        Args:
            baseline: ARN of what the service ran before anyone of Slipway's changed it.

        Raises:
            Superseded: a newer release was accepted.
            Busy: the holder is changing the service.
        """
        holder = {
            "deployment": hold.deployment,
            "execution": hold.execution,
            "release": str(deployment.release.image),
            "taken_at": text(now),
            "lease_until": _after(now, LEASE_SECONDS),
        }
        values = {
            ":holder": holder,
            ":order": order(deployment.release),
            ":none": [],
            ":nothing": {},
            ":baseline": baseline,
            ":surely_past": _after(now, -CLOCKS_APART_SECONDS),
        }
        expression = (
            "SET #holder = :holder, #newest = :order, #baseline = :baseline, "
            "#good = if_not_exists(#good, :none), "
            "#quarantined = if_not_exists(#quarantined, :nothing)"
        )
        try:
            self._items.update(Update(_service(hold), expression, _MAY_TAKE, values))
        except NoLonger:
            record = self.service(hold.service)
            refuse_older(record, deployment)
            raise Busy(f"{_name(record)} is changing service {hold.service} right now") from None

    def renew(self, hold: Hold, now: datetime) -> None:
        """Give a sign of life.

        Raises:
            Superseded: another execution holds the service.
        """
        values = {":lease": _after(now, LEASE_SECONDS), ":execution": hold.execution}
        try:
            self._items.update(
                Update(_service(hold), "SET #holder.#lease_until = :lease", _OURS, values)
            )
        except NoLonger:
            raise self._superseded(hold) from None

    # --- what a deployment does -------------------------------------------------------------------

    def open(
        self,
        hold: Hold,
        deployment: Deployment,
        previous: str | None,
        back: Good | None,
        task_definition: str | None,
        now: datetime,
    ) -> None:
        """Begin the history of a deployment that has taken its service; see DeploymentRecord."""
        facts = {
            "previous": previous,
            "back": back.to_json() if back else None,
            "task_definition": task_definition,
            "steps": {"BeginDeployment": text(now)},
            "told": {},
            **_asked(hold, deployment),
        }
        not_yet = "attribute_not_exists(#steps)"
        with suppress(NoLonger):  # opened by an earlier try whose answer was lost
            self._items.update(Update.setting(_history(hold), facts, not_yet))

    def note(self, hold: Hold, step: str, now: datetime, **facts: str) -> None:
        """Write down that a step is done, and what it found."""
        self._items.update(Update.setting(_history(hold), {f"steps.{step}": text(now), **facts}))

    def start_change(
        self, hold: Hold, step: str, now: datetime, unproven: str | None = None, **facts: str
    ) -> None:
        """Mark that the service is being changed, so that nobody takes over meanwhile.

        Args:
            unproven: ARN of what is put on it, where that has to prove itself: until some deployment has
                seen to it, whoever has the service next knows that it can't stay as it is.

        Raises:
            Superseded: another execution holds the service; it must not be changed.
        """
        marking = "SET #holder.#changing_until = :until, #holder.#lease_until = :lease"
        values: dict[str, Any] = {
            ":until": _after(now, CHANGE_SECONDS),
            ":lease": _after(now, LEASE_SECONDS),
        }
        if unproven:
            # Added: what another deployment has left may stay there until this one's update is done.
            marking += ", #unproven = list_append(if_not_exists(#unproven, :none), :unproven)"
            values |= {":none": [], ":unproven": [unproven]}
        done = {f"steps.{step}": text(now), "changing": True, **facts}
        self._write_both(hold, marking, values, done)

    def end_change(self, hold: Hold, step: str, now: datetime, **facts: str) -> None:
        """Remove the mark: the change is done.

        Raises:
            Superseded: it took so long that another execution holds the service.
        """
        removing = "SET #holder.#lease_until = :lease REMOVE #holder.#changing_until"
        values = {":lease": _after(now, LEASE_SECONDS)}
        self._write_both(hold, removing, values, {f"steps.{step}": text(now), **facts})

    def note_told(self, hold: Hold, kind: str, now: datetime) -> None:
        """Write down that people were told of its ``start`` or its ``end``."""
        at = {f"told.{kind}": text(now)}
        try:
            self._items.update(Update.setting(_history(hold), at, "attribute_exists(#told)"))
        except NoLonger:  # it never held its service
            told = {"told": {kind: text(now)}}
            self._items.update(Update.setting(_history(hold), told))

    def note_told_of(self, about: str, kind: str, now: datetime, expires: datetime) -> None:
        """Write down that people were told of an event of what is no deployment, until it is forgotten."""
        facts = {kind: text(now), "expires_at": int(expires.timestamp())}
        self._items.update(Update.setting((TOLD, about), facts))

    def quarantine(self, hold: Hold, digest: str, why: Quarantined) -> None:
        """Quarantine a digest that is known to be bad before the deployment has ended.

        Raises:
            Superseded: another execution holds the service.
        """
        settings, values = _setting(self.service(hold.service).learning(digest, None, why))
        values[":execution"] = hold.execution
        try:
            self._items.update(Update(_service(hold), settings, _OURS, values))
        except NoLonger:
            raise self._superseded(hold) from None

    # --- leaving a service ------------------------------------------------------------------------

    def finish(
        self,
        hold: Hold,
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
            Whether the execution held the service until now; where not, nothing was written.
        """
        record = self.service(hold.service)
        if record.holder is None or record.holder.execution != hold.execution:
            return False
        digest = deployment.release.image.digest if deployment else ""
        settings, values = _setting(record.learning(digest, good, quarantine))
        freeing = f"{settings} REMOVE #holder, #unproven"
        try:
            self._write_both(
                hold, freeing, values, {**_asked(hold, deployment), **ending}, _NOT_ENDED
            )
        except Superseded:
            return False
        return True

    def finish_without_service(
        self, hold: Hold, deployment: Deployment | None, ending: Mapping[str, Any]
    ) -> DeploymentRecord | None:
        """Write how a deployment ended that does not hold its service; what is written stays.

        Returns:
            What is written, which may be another try's; None where another execution has the service for
            this deployment: nothing was written.
        """
        holder = self.service(hold.service).holder
        if holder and holder.deployment == hold.deployment and holder.execution != hold.execution:
            return None
        facts = {**_asked(hold, deployment), **ending}
        with suppress(NoLonger):
            self._items.update(Update.setting(_history(hold), facts, _NOT_ENDED))
        return self.deployment(hold)

    def free(self, hold: Hold) -> None:
        """Free the service of a deployment whose end is written, whichever execution took it."""
        values = {":deployment": hold.deployment}
        with suppress(NoLonger):
            self._items.update(
                Update(
                    _service(hold), "REMOVE #holder", "#holder.#deployment = :deployment", values
                )
            )

    def _write_both(
        self,
        hold: Hold,
        on_service: str,
        values: Mapping[str, Any],
        facts: Mapping[str, Any],
        condition: str = "",
    ) -> None:
        """Write to the service and to the deployment, if the service is ours; both or none."""
        ours = {**values, ":execution": hold.execution}
        try:
            self._items.update_all(
                [
                    Update(_service(hold), on_service, _OURS, ours),
                    Update.setting(_history(hold), facts, condition),
                ]
            )
        except NoLonger:
            raise self._superseded(hold) from None

    def _superseded(self, hold: Hold) -> Superseded:
        return Superseded(f"{_name(self.service(hold.service))} has service {hold.service} now")


def refuse_older(record: ServiceRecord, deployment: Deployment) -> None:
    """Raise Superseded where a newer release than this one was accepted on the service."""
    ours = order(deployment.release)
    if record.newest > ours:
        raise Superseded(
            f"{_name(record)} was pushed or started later ({record.newest.partition('#')[0]}) than this one "
            f"({ours.partition('#')[0]})"
        )


def _service(hold: Hold) -> Key:
    return SERVICES, hold.service


def _history(hold: Hold) -> Key:
    return hold.service, hold.deployment


def _setting(learnt: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The expression that sets what was learnt, and its values; empty where that is nothing."""
    settings = ", ".join(f"#{name} = :{name}" for name in learnt)
    values = {f":{name}": value for name, value in learnt.items()}
    return f"SET {settings}" if settings else "", values


def _name(record: ServiceRecord) -> str:
    return f"release {record.holder.release}" if record.holder else "a newer release"


def _asked(hold: Hold, deployment: Deployment | None) -> dict[str, Any]:
    asked = {"deployment": deployment.to_json()} if deployment else {}
    return {**asked, "execution": hold.execution}


def _after(now: datetime, seconds: float) -> str:
    return text(now + timedelta(seconds=seconds))
