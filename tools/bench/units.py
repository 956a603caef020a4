"""DynamoDB's request units: the size of an item, and the units for reading and writing it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools.bench import UnexpectedError

READ_BYTES, WRITE_BYTES = 4096, 1024


@dataclass(frozen=True)
class Sizes:
    """The sizes in bytes of the items that a deployment writes most often, and of those that grow.

    Of the others, a release is smaller than its deployment, which repeats it. Its progress, its place in the
    order and the service in the list of all have less than WRITE_BYTES each.
    """

    claim: int
    versions: int
    deployment: int


@dataclass(frozen=True)
class Units:
    """Request units."""

    reads: int
    writes: int


def size(item: Mapping[str, Any]) -> int:
    """The size of an item of boto3's resource, in bytes."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def units(calls: Mapping[str, int], sizes: Sizes) -> Units:
    """The most units that the calls (by action) take.

    GetItem and UpdateItem count as one on the larger of claim and deployment, because the versions are
    written in transactions only. A query counts as one that reads all of a service's state and as much of
    something else as READ_BYTES. A transaction counts as one that writes all three items and one more, as
    that of an end does. A write is billed by the item's larger size, before or after it.
    """
    if unknown := set(calls) - {"GetItem", "Query", "UpdateItem", "TransactWriteItems"}:
        raise UnexpectedError(f"no price for {', '.join(sorted(unknown))}")
    each = [math.ceil(s / WRITE_BYTES) for s in (sizes.claim, sizes.versions, sizes.deployment)]
    one = max(sizes.claim, sizes.deployment)
    state = sizes.claim + sizes.versions + READ_BYTES
    return Units(
        reads=calls.get("GetItem", 0) * math.ceil(one / READ_BYTES)
        + calls.get("Query", 0) * math.ceil(state / READ_BYTES),
        writes=calls.get("UpdateItem", 0) * math.ceil(one / WRITE_BYTES)
        + calls.get("TransactWriteItems", 0) * 2 * (sum(each) + 1),
    )


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, Decimal):
        return 1 + math.ceil(len(value.normalize().as_tuple().digits) / 2)
    if isinstance(value, list):
        return 3 + sum(1 + _size(each) for each in value)
    if isinstance(value, Mapping):
        return 3 + len(value) + size(value)
    raise UnexpectedError(f"the ledger has no {type(value).__name__}")
