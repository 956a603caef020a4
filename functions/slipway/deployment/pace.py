"""Keeps many calls of an AWS service below a rate, so that the account's other callers have room."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pace:
    """Spaces calls evenly, whichever thread makes them.

    Time that was not used is lost: a burst after a pause would take the rate from the others at that moment.
    """

    def __init__(
        self, per_second: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def wait(self) -> None:
        """Sleep until the next call may be made."""
        with self._lock:
            now = self._clock()
            at = max(now, self._free_at)
            self._free_at = at + self._interval
        self._sleep(at - now)
