"""The clock that intervals are measured with; one that was saved goes on from where it was.

time.monotonic() counts from a moment that is the machine's own, so what it said in another process
means nothing here. Every moment that is part of the state (when a task entered its status, when a
target registered) is one of this clock's.
"""

from __future__ import annotations

import time

_ahead = 0.0


def monotonic() -> float:
    """Seconds from a moment that stays the same as long as the state lives, saved or not."""
    return time.monotonic() + _ahead


def go_on_from(moment: float) -> None:
    """Make it this moment now."""
    global _ahead
    _ahead = moment - time.monotonic()
