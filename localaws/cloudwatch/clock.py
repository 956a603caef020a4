"""The clock that evaluates alarms many times a second. AWS does so once a minute.

Changes of a queue would not suffice as a trigger: a message also becomes visible when its delay or
visibility timeout ends.
"""

from __future__ import annotations

import logging
import threading

from localaws.cloudwatch import cloudwatch

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1


class _Clock:
    """A thread that evaluates the alarms periodically."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            try:
                cloudwatch.evaluate()
            except Exception:  # noqa: BLE001 - one alarm's trouble must not silence the others
                _log.exception("alarms were not evaluated")


_clock = _Clock()


def start() -> None:
    """Start to evaluate alarms."""
    global _clock
    _clock = _Clock()
    _clock.start()


def stop() -> None:
    """Stop to evaluate alarms."""
    _clock.stop()
