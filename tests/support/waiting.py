"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from localaws import changes

T = TypeVar("T")
UNANNOUNCED_SECONDS = 0.2
"""After which the condition is tried again, though the local AWS announced no change."""


def wait_for(condition: Callable[[], T], what: str, seconds: float = 30, every: float = 0.02) -> T:
    """Try the condition until it is truthy and return what it gave, or raise AssertionError.

    It is tried whenever the local AWS in this process has changed, but not more often than ``every``.
    """
    deadline = time.monotonic() + seconds
    seen = changes.count()
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
        changes.wait_for_more_than(seen, UNANNOUNCED_SECONDS)
        seen = changes.count()
    return value
