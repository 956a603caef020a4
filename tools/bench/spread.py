"""The median of some measurements and how far they are apart."""

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
    """The value that so many percent of at least two measurements are not above."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
