"""Threads in simulated time: only one runs at a time, and the clock goes on when all of them sleep.

So a simulation of a quarter of an hour takes seconds, and gives the same result each time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class SimulatedThreads:
    """A clock, a sleep, and a map that runs in several threads, all in simulated time."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._now = 0.0
        self._sleeping: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()  # whoever began to sleep first wakes first

    def clock(self) -> float:
        """Seconds, as time.monotonic gives them."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let the others run until this time is over."""
        awake = self._falls_asleep(seconds)
        self._wake_next()
        awake.wait()

    def map(self, function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
        """Call the function with each value, and return its answers in their order."""
        waiting = deque(enumerate(values))
        answers: dict[int, R] = {}
        errors: list[Exception] = []

        def work(begin: threading.Event) -> None:
            begin.wait()
            try:
                while waiting:
                    index, value = waiting.popleft()
                    answers[index] = function(value)
            except Exception as error:  # noqa: BLE001 - it is raised by the thread that wanted the answers
                errors.append(error)
                waiting.clear()
            self._wake_next()

        threads = [
            threading.Thread(target=work, args=(self._falls_asleep(0),))
            for _ in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        self._wake_next()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return iter([answers[index] for index in sorted(answers)])

    def _falls_asleep(self, seconds: float) -> threading.Event:
        awake = threading.Event()
        heapq.heappush(self._sleeping, (self._now + seconds, next(self._order), awake))
        return awake

    def _wake_next(self) -> None:
        if self._sleeping:
            self._now, _, awake = heapq.heappop(self._sleeping)
            awake.set()
