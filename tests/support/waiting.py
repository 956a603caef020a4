"""Waits for conditions, which the local AWS wakes up when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from localaws import changes

T = TypeVar("T")
UNANNOUNCED_SECONDS = 0.2
"""The condition is tried again after this time even if the local AWS announced no change."""

LONGEST_PAUSE_SECONDS = 0.2


def wait_for(condition: Callable[[], T], what: str, seconds: float = 30, every: float = 0.04) -> T:
    """Evaluate the condition until it is truthy, and return its value.

    It is evaluated whenever the local AWS in this process changes, but at most once per ``every`` seconds,
    and less often the longer it takes: to ask costs a processor that others need.

    Raises:
        AssertionError: the condition was not truthy within ``seconds``; ``what`` names it.
    """
    began = time.monotonic()
    seen = changes.count()
    while not (value := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(max(every, min(waited / 30, LONGEST_PAUSE_SECONDS)))
        changes.wait_for_more_than(seen, UNANNOUNCED_SECONDS)
        seen = changes.count()
    return value
