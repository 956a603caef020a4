"""How fast calls may follow each other."""

from __future__ import annotations

from slipway.deployment.pace import Pace
from tests.support.clocks import Clock


def test_the_first_call_does_not_wait() -> None:
    clock = Clock()
    Pace(10, clock, clock.sleep).wait()

    assert clock.now == 0


def test_calls_that_come_at_once_are_spaced_evenly() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    moments = []
    for _ in range(4):
        pace.wait()
        moments.append(round(clock.now, 6))

    assert moments == [0, 0.1, 0.2, 0.3]


def test_a_call_that_comes_late_does_not_wait_and_earns_no_burst() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    pace.wait()
    clock.sleep(5)
    pace.wait()
    late = clock.now
    pace.wait()

    assert (late, round(clock.now, 6)) == (5, 5.1)
