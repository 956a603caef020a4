"""The clock for intervals. It continues where it was when a saved state is restored.

time.monotonic() has another origin in another process or on another machine, so its values can't be
part of the state. Every time in the state, such as that of a task's status or a target's registration,
is one of this clock.
"""

from __future__ import annotations

import time

_ahead = 0.0


def monotonic() -> float:
    """The seconds since an origin that stays the same for the life of the state, saved or not."""
    return time.monotonic() + _ahead


def go_on_from(moment: float) -> None:
    """Continue from this time."""
    global _ahead
    _ahead = moment - time.monotonic()
