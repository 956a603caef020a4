"""The cost of a deployment, from what it uses and AWS's prices (prices.json, with sources).

Not counted, about a twentieth of the rest: CloudWatch Logs, X-Ray, KMS, SSM, the sweep, and storing the
ledger.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRICES = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Usage:
    """What one release with one deployment uses."""

    transitions: int
    invocations: int
    gb_seconds: float
    reads: int
    """DynamoDB's request units."""
    writes: int
    emails: int = 2
    """The emails about its start and its end."""


def gb_seconds(
    invocations: Mapping[str, int],
    cold_ms: Mapping[str, float],
    warm_ms: Mapping[str, float],
    memory_mb: int,
) -> float:
    """The GB-seconds that Lambda bills if only the first invocation of each function is cold.

    Args:
        invocations: their number by function.
        cold_ms: init and run of a cold start.
    """
    milliseconds = sum(
        math.ceil(cold_ms[function]) + (n - 1) * math.ceil(warm_ms[function])
        for function, n in invocations.items()
    )
    return milliseconds / 1000 * memory_mb / 1024


def cost(usage: Usage) -> dict[str, float]:
    """The price of each line in USD, and the total."""
    amounts = {
        "state transition": usage.transitions,
        "Lambda request": usage.invocations,
        "Lambda GB-second": usage.gb_seconds,
        "DynamoDB read request unit": usage.reads,
        "DynamoDB write request unit": usage.writes,
        "SNS publish": usage.emails,
        "SNS email": usage.emails,
        "EventBridge event of an AWS service": 1,
    }
    prices = json.loads(PRICES.read_text())["prices"]
    lines = {
        name: amount * prices[name]["price"] / prices[name]["per"]
        for name, amount in amounts.items()
    }
    return {**lines, "total": sum(lines.values())}
