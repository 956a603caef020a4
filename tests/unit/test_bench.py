"""The benchmark's arithmetic, on histories recorded from the local AWS (bench_histories.json).

Recorded: a release and its deployment each; of an event only its type, state and resource type.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import UnexpectedError
from bench.history import Counts, Event, Formula, count, formula
from bench.prices import PRICES, Usage, cost, gb_seconds
from bench.spread import Spread, spread

RECORDED: dict[str, list[list[Event]]] = json.loads(
    Path(__file__).with_name("bench_histories.json").read_text()
)


def test_a_transition_is_every_state_entered_in_release_and_deployment() -> None:
    assert count(RECORDED["good, no bake"]) == Counts(
        transitions=19, retries=0, invocations=6, polls=1
    )
    assert count(RECORDED["crashed"]) == Counts(transitions=25, retries=0, invocations=8, polls=2)


def test_a_retry_is_a_transition_and_an_invocation_more() -> None:
    release, deployment = RECORDED["good, no bake"]
    scheduled = next(i for i, e in enumerate(deployment) if e["type"] == "TaskScheduled")
    retried = [*deployment[:scheduled], deployment[scheduled], *deployment[scheduled:]]
    assert count([release, retried]) == Counts(transitions=20, retries=1, invocations=7, polls=1)


def test_starting_the_deployment_is_no_invocation() -> None:
    release, _ = RECORDED["good, no bake"]
    assert [e for e in release if e["type"] == "TaskScheduled"][-1][
        "taskScheduledEventDetails"
    ] == {"resourceType": "states"}
    assert count([release]).invocations == 1


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(("good, no bake", "good, baked"), Formula(16, 5)), (("crashed", "alarm"), Formula(19, 6))],
)
def test_deployments_that_end_alike_follow_one_formula(
    ends: tuple[str, ...], expected: Formula
) -> None:
    counts = [count(RECORDED[end]) for end in ends]
    assert len({c.polls for c in counts}) > 1
    found = formula(counts)
    assert found == expected
    for c in counts:
        assert found.transitions(c.polls) == c.transitions
        assert found.invocations(c.polls) == c.invocations


def test_deployments_that_end_differently_have_no_common_formula() -> None:
    with pytest.raises(UnexpectedError, match="no one formula"):
        formula([count(RECORDED["good, baked"]), count(RECORDED["crashed"])])


def test_a_deployment_with_retries_says_nothing_about_the_formula() -> None:
    assert formula([Counts(19, 0, 6, 1), Counts(21, 2, 8, 1)]) == Formula(16, 5)


def test_a_cold_start_is_billed_with_its_init_and_every_invocation_by_the_whole_millisecond() -> (
    None
):
    billed = gb_seconds({"Look": 3}, cold_ms={"Look": 900.2}, warm_ms={"Look": 49.5}, memory_mb=512)
    assert billed == pytest.approx((901 + 2 * 50) / 1000 / 2)


def test_the_price_is_the_sum_of_its_lines() -> None:
    priced = cost(Usage(transitions=136, invocations=45, gb_seconds=2.0))
    assert priced["state transition"] == pytest.approx(0.0034)
    assert priced["Lambda request"] == pytest.approx(0.000009)
    assert priced["Lambda GB-second"] == pytest.approx(0.0000266668)
    assert priced["SNS publish"] == pytest.approx(0.0000005)
    assert priced["SNS email"] == pytest.approx(0.00002)
    assert priced["EventBridge event of an AWS service"] == 0
    assert priced["total"] == pytest.approx(math.fsum(v for k, v in priced.items() if k != "total"))


def test_every_price_has_its_source() -> None:
    prices: dict[str, Any] = json.loads(PRICES.read_text())["prices"]
    assert all(price["source"].startswith("https://aws.amazon.com/") for price in prices.values())


def test_a_spread_is_the_median_and_the_ends() -> None:
    assert spread([5.0, 1.0, 2.0, 4.0, 100.0]) == Spread(median=4.0, least=1.0, most=100.0, n=5)
    assert spread([1.0, 2.0]).median == 1.5
