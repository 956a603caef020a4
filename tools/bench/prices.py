"""What a deployment costs, from what it uses and AWS's price list (prices.json, with sources).

Not counted, being about a twentieth of the rest: CloudWatch Logs, X-Ray, KMS, SSM, the sweep, what
the ledger stores.
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
    """Of DynamoDB, in request units."""
    writes: int
    emails: int = 2
    """Of its start and of its end."""


def gb_seconds(
    invocations: Mapping[str, int],
    cold_ms: Mapping[str, float],
    warm_ms: Mapping[str, float],
    memory_mb: int,
) -> float:
    """What Lambda bills when the first invocation of each function starts cold, the rest warm.

    Args:
        invocations: how many, by function.
        cold_ms: init and run of a cold start.
    """
    milliseconds = sum(
        math.ceil(cold_ms[function]) + (n - 1) * math.ceil(warm_ms[function])
        for function, n in invocations.items()
    )
    return milliseconds / 1000 * memory_mb / 1024


def cost(usage: Usage) -> dict[str, float]:
    """The price in USD by line, and the total."""
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
