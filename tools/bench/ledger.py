"""What the benchmark reads from the ledger, and about the functions' calls to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
import requests
from boto3.dynamodb.conditions import Key

from localaws import aws
from tools.bench.units import Sizes, size

Item = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """One deployment's use of the ledger."""

    calls: Counter[str]
    """The number of calls by action."""
    ms: float
    """The time that the local AWS took for all calls together."""
    sizes: Sizes


@dataclass(frozen=True)
class Ledger:
    """The table; services are ``cluster/name``."""

    table: str

    def versions(self, service: str) -> Item:
        """The item of the service's good and quarantined versions; empty before its first deployment."""
        return self._state(service, "state#versions")

    def held(self, service: str) -> Item | None:
        """The item of the service's claim while a deployment has claimed the service."""
        item = self._state(service, "state#claim")
        return item if "claim" in item else None

    def deployment(self, service: str, tag: str) -> Item | None:
        """The item of the service's deployment of this tag."""
        found = self._table.query(KeyConditionExpression=Key("pk").eq(service), ConsistentRead=True)
        return next((item for item in found["Items"] if _tag(item) == tag), None)

    def ended(self, service: str, tag: str) -> Item | None:
        """The item of the service's deployment of this tag, after its end."""
        item = self.deployment(service, tag)
        return item if item and "outcome" in item else None

    def _state(self, service: str, part: str) -> Item:
        found = self._table.get_item(Key={"pk": service, "sk": part}, ConsistentRead=True)
        return dict(found.get("Item", {}))

    @property
    def _table(self) -> Any:
        return boto3.resource("dynamodb").Table(self.table)


def calls() -> list[dict[str, Any]]:
    """The functions' calls to DynamoDB so far, oldest first."""
    listed = requests.get(f"{aws.endpoint()}/_localaws/calls", timeout=60).json()
    return [call for call in listed if call["service"] == "dynamodb"]


def use(made: Iterable[Mapping[str, Any]], claim: Item, versions: Item, deployment: Item) -> Use:
    """The use that these calls make, with the sizes of the items."""
    made = list(made)
    return Use(
        Counter(call["action"] for call in made),
        sum(call["ms"] for call in made),
        Sizes(size(claim), size(versions), size(deployment)),
    )


def ended_at(item: Item) -> datetime:
    """When the deployment ended."""
    return datetime.fromisoformat(item["ended_at"])


def _tag(item: Item) -> str:
    asked = item.get("deployment", {})
    return str(asked.get("release", {}).get("image", {}).get("tag"))
