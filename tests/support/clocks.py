"""A clock that only its own sleep moves."""

from __future__ import annotations


class Clock:
    """Seconds, as time.monotonic gives them."""

    def __init__(self, now: float = 0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
