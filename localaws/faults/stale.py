"""Stale reads: what was so before the latest change, as an eventually consistent service may answer.

A service that can answer so keeps a Past for each of its things, and adds the actions that read it to
ACTIONS. A fault with ``how: stale`` then answers those actions with the past.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from localaws import clock

T = TypeVar("T")

ACTIONS: set[str] = set()
"""The actions whose answer may be stale."""

_thread = threading.local()  # .reading: the stale read that this thread is answering


class Reading:
    """A request whose answer is to be stale."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        """For how long after a change it is; None for any time."""
        self.hit = False
        """Whether anything in the answer is stale."""


@contextmanager
def reading(seconds: float | None) -> Iterator[Reading]:
    """Answer the request of this thread with what was so before."""
    _thread.reading = Reading(seconds)
    try:
        yield _thread.reading
    finally:
        del _thread.reading


def current_reading() -> Reading | None:
    """The stale read that this thread is answering, or None."""
    return getattr(_thread, "reading", None)


class Past(Generic[T]):
    """What was so of one thing before its latest change."""

    def __init__(self) -> None:
        self._kept: tuple[float, T] | None = None

    def keep(self, value: T) -> None:
        """Keep what is so now, right before it changes."""
        self._kept = clock.monotonic(), value

    def read(self, current: Callable[[], T]) -> T:
        """What is so now, or what was so before if the request is to be answered so."""
        wanted = current_reading()
        if wanted is None or self._kept is None:
            return current()
        at, value = self._kept
        if wanted.seconds is not None and clock.monotonic() - at > wanted.seconds:
            return current()
        wanted.hit = True
        return value
