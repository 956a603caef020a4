"""What a person changes in the ledger, each with an audit item in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from slipway.errors import InvalidInput
from slipway.ledger.items import Deletion, Items, Key, NoLonger, Update
from slipway.ledger.ledger import (
    BEFORE,
    CLAIM,
    FREEZE,
    SERVICES,
    WHOLE,
    WRITES_TRIED,
    Ledger,
    learn,
    never_still,
)
from slipway.ledger.records import Audit, Freeze, Quarantined, ServiceRecord, timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

AUDIT = "audit"
"""The pk of the audit items."""


class Operations:
    """A person's changes. Each is written with its audit item, or not at all.

    Every method raises AwsUnavailable if DynamoDB does not answer or throttles, AwsRefused if it refuses,
    Unreadable if an item can't be read, and InvalidInput if there is nothing to change.
    """

    def __init__(self, table: Table) -> None:
        self._items = Items(table)
        self._ledger = Ledger(table)

    def freeze(self, service: str | None, freeze: Freeze, audit: Audit) -> None:
        """Freeze a service, or the whole pipeline if ``service`` is None, in place of an earlier freeze."""
        self._write([Update.setting(_freeze(service), {"freeze": freeze.to_json()})], audit)

    def unfreeze(self, service: str | None, audit: Audit) -> None:
        """Remove the freeze that a person has set."""
        exists = "attribute_exists(#freeze)"
        removing = Update(_freeze(service), "REMOVE #freeze", exists, {})
        try:
            self._write([removing], audit)
        except NoLonger:
            whose = f"service {service}" if service else "the whole pipeline"
            raise InvalidInput(f"Operate has set no freeze of {whose}") from None

    def quarantine(self, service: str, digest: str, why: Quarantined, audit: Audit) -> None:
        """Quarantine a digest on a service; nothing goes back to it any more unless a person names it."""
        self._change(service, lambda record: record.learning(digest, None, why), audit)

    def release_from_quarantine(self, service: str, digest: str, audit: Audit) -> None:
        """Lift the quarantine of a digest on a service."""

        def lifted(record: ServiceRecord) -> ServiceRecord:
            if digest not in record.quarantined:
                raise InvalidInput(f"image {digest} is not quarantined on service {service}")
            others = {d: why for d, why in record.quarantined.items() if d != digest}
            return record.model_copy(update={"quarantined": others})

        self._change(service, lifted, audit)

    def free(self, service: str, audit: Audit) -> str:
        """Remove the claim of a service; return the id of the deployment that had claimed it."""
        claim = self._ledger.service(service).claim
        if claim is None:
            raise InvalidInput(f"no deployment has claimed service {service}")
        ours = {":execution": claim.execution}
        removing = Update((service, CLAIM), "REMOVE #claim", "#claim.#execution = :execution", ours)
        forgetting = Update((service, BEFORE), "REMOVE #unproven", "", {})
        unlisting = Update((SERVICES, service), "REMOVE #claimed_by", "", {})
        try:
            self._write([removing, forgetting, unlisting], audit)
        except NoLonger:
            raise InvalidInput(
                f"deployment {claim.deployment} has ended, or another one has claimed service {service} just "
                "now; look again"
            ) from None
        return claim.deployment

    def note(self, audit: Audit) -> None:
        """Record an action that changes nothing in the ledger."""
        self._write([], audit)

    def _change(
        self, service: str, change: Callable[[ServiceRecord], ServiceRecord], audit: Audit
    ) -> None:
        for _ in range(WRITES_TRIED):
            record = self._ledger.service(service)
            with suppress(NoLonger):  # a deployment has ended in between
                self._write(learn(record, change(record)), audit)
                return
        raise never_still(service)

    def _write(self, updates: Sequence[Update | Deletion], audit: Audit) -> None:
        facts = audit.to_json()
        key = (AUDIT, f"{timestamp(audit.at)}#{audit.id}")
        self._items.update_all([*updates, Update.setting(key, facts)])


def _freeze(service: str | None) -> Key:
    return (service, FREEZE) if service else WHOLE
