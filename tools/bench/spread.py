"""The median and the range of measurements."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Measurements in one line."""

    median: float
    least: float
    most: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of at least one measurement."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of at least two measurements."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
