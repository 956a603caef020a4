"""Wakes whoever waits, in this process, for the state to change.

So nobody has to ask many times a second. It says only that something may have changed: a request was
answered that is not a plain question, a function has answered, an execution has begun or ended, or an email
was sent. What changes by time alone is not announced.
"""

from __future__ import annotations

import threading

_announced = threading.Condition()
_count = 0


def count() -> int:
    """How many changes were announced so far."""
    return _count


def announce() -> None:
    """Wake everyone who waits."""
    global _count
    with _announced:
        _count += 1
        _announced.notify_all()


def wait_for_more_than(seen: int, seconds: float) -> None:
    """Wait until more changes were announced than ``seen``, but no longer than ``seconds``."""
    with _announced:
        _announced.wait_for(lambda: _count > seen, seconds)
