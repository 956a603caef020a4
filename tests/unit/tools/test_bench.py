"""The benchmark's arithmetic, on histories recorded from the local AWS (bench_histories.json).

Recorded: a release and its deployment each; of an event only its type, state and resource type.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.bench import UnexpectedError, reading
from tools.bench.history import Counts, Event, Formula, count, formula, milliseconds
from tools.bench.prices import PRICES, Usage, cost, gb_seconds
from tools.bench.spread import Spread, percentile, spread
from tools.bench.units import Sizes, Units, size, units

RECORDED: dict[str, list[list[Event]]] = json.loads(
    Path(__file__).with_name("bench_histories.json").read_text()
)


def recorded(end: str) -> Counts:
    release, deployment = RECORDED[end]
    return count(release, deployment)


def test_a_transition_is_every_state_entered_in_release_and_deployment() -> None:
    assert recorded("good, no bake") == Counts(transitions=24, retries=0, invocations=8, polls=1)
    assert recorded("good, baked") == Counts(transitions=33, retries=0, invocations=11, polls=4)


def test_an_execution_that_fails_is_one_more_invocation_for_recover() -> None:
    release, deployment = RECORDED["crashed"]
    assert deployment[-1]["type"] == "ExecutionFailed"
    scheduled = [e for e in [*release, *deployment] if e["type"] == "TaskScheduled"]
    functions = [e for e in scheduled if e["taskScheduledEventDetails"]["resourceType"] == "lambda"]
    assert recorded("crashed") == Counts(
        transitions=30, retries=0, invocations=len(functions) + 1, polls=2
    )


def test_a_retry_is_a_transition_and_an_invocation_more() -> None:
    release, deployment = RECORDED["good, no bake"]
    scheduled = next(i for i, e in enumerate(deployment) if e["type"] == "TaskScheduled")
    retried = [*deployment[:scheduled], deployment[scheduled], *deployment[scheduled:]]
    assert count(release, retried) == Counts(transitions=25, retries=1, invocations=9, polls=1)


def test_starting_the_deployment_is_no_invocation() -> None:
    release, deployment = RECORDED["good, no bake"]
    starting = [e for e in release if e["type"] == "TaskScheduled"][-1]
    assert starting["taskScheduledEventDetails"] == {"resourceType": "states"}
    without = [e for e in release if e is not starting]
    assert count(without, deployment).invocations == count(release, deployment).invocations


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(("good, no bake", "good, baked"), Formula(21, 7)), (("crashed", "alarm"), Formula(24, 9))],
)
def test_deployments_that_end_alike_follow_one_formula(
    ends: tuple[str, ...], expected: Formula
) -> None:
    counts = [recorded(end) for end in ends]
    assert len({c.polls for c in counts}) > 1
    found = formula(counts)
    assert found == expected
    for c in counts:
        assert found.transitions(c.polls) == c.transitions
        assert found.invocations(c.polls) == c.invocations


def test_deployments_that_end_differently_have_no_common_formula() -> None:
    with pytest.raises(UnexpectedError, match="no one formula"):
        formula([recorded("good, baked"), recorded("crashed")])


def test_a_deployment_with_retries_says_nothing_about_the_formula() -> None:
    assert formula([Counts(24, 0, 8, 1), Counts(26, 2, 10, 1)]) == Formula(21, 7)


def test_a_state_lasts_from_its_entry_to_its_exit() -> None:
    began = datetime(2026, 11, 25, tzinfo=UTC)
    moments = {
        "stateEnteredEventDetails": began,
        "stateExitedEventDetails": began + timedelta(milliseconds=70),
    }
    events = [{"timestamp": at, name: {"name": "Finish"}} for name, at in moments.items()]
    assert milliseconds(events, "Finish") == 70


def test_the_size_of_an_item_counts_its_names_its_values_and_their_containers() -> None:
    assert size({"pk": "prod/äpi", "sk": "claim"}) == 2 + 9 + 2 + 5
    assert size({"changing": True, "rollback_target": None}) == 9 + 16
    assert size({"expires_at": Decimal(1234500)}) == 10 + 1 + 3
    assert size({"good": []}) == 4 + 3
    assert size({"good": ["ab", "c"]}) == 4 + 3 + (1 + 2) + (1 + 1)
    assert size({"notified": {"end": "now"}}) == 8 + 3 + 1 + (3 + 3)


def test_a_call_is_billed_by_the_size_of_the_item_rounded_up() -> None:
    assert units({"GetItem": 1}, Sizes(4096, 9999, 1)) == Units(reads=1, writes=0)
    assert units({"GetItem": 2}, Sizes(1, 9999, 4097)) == Units(reads=4, writes=0)
    assert units({"UpdateItem": 3}, Sizes(1024, 9999, 1)) == Units(reads=0, writes=3)
    assert units({"UpdateItem": 3}, Sizes(1, 9999, 1025)) == Units(reads=0, writes=6)


def test_a_query_reads_the_whole_state_of_a_service_and_4_kb_of_something_else() -> None:
    assert units({"Query": 3}, Sizes(96, 4000, 9999)) == Units(reads=3 * 2, writes=0)
    assert units({"Query": 3}, Sizes(97, 4000, 9999)) == Units(reads=3 * 3, writes=0)


def test_a_transaction_writes_three_items_and_a_small_one_at_twice_the_price() -> None:
    wrote = Units(reads=0, writes=2 * (1 + 2 + 3 + 1))
    assert units({"TransactWriteItems": 1}, Sizes(1000, 2000, 3000)) == wrote


def test_a_call_without_a_known_price_is_not_free() -> None:
    with pytest.raises(UnexpectedError, match="no price for Scan"):
        units({"Scan": 1}, Sizes(1, 1, 1))


def test_a_cold_start_is_billed_with_its_init_and_every_invocation_by_the_whole_millisecond() -> (
    None
):
    billed = gb_seconds({"Look": 3}, cold_ms={"Look": 900.2}, warm_ms={"Look": 49.5}, memory_mb=512)
    assert billed == pytest.approx((901 + 2 * 50) / 1000 / 2)


def test_the_price_is_the_sum_of_its_lines() -> None:
    priced = cost(Usage(transitions=136, invocations=45, gb_seconds=2.0, reads=8, writes=80))
    assert priced["state transition"] == pytest.approx(0.0034)
    assert priced["Lambda request"] == pytest.approx(0.000009)
    assert priced["Lambda GB-second"] == pytest.approx(0.0000266668)
    assert priced["DynamoDB read request unit"] == pytest.approx(0.000001)
    assert priced["DynamoDB write request unit"] == pytest.approx(0.00005)
    assert priced["SNS publish"] == pytest.approx(0.000001)  # its start and its end
    assert priced["SNS email"] == pytest.approx(0.00004)
    assert priced["EventBridge event of an AWS service"] == 0
    assert priced["total"] == pytest.approx(math.fsum(v for k, v in priced.items() if k != "total"))


def test_every_price_has_its_source() -> None:
    prices: dict[str, Any] = json.loads(PRICES.read_text())["prices"]
    assert all(price["source"].startswith("https://aws.amazon.com/") for price in prices.values())


def test_a_spread_is_the_median_and_the_ends() -> None:
    assert spread([5.0, 1.0, 2.0, 4.0, 100.0]) == Spread(median=4.0, least=1.0, most=100.0, n=5)
    assert spread([1.0, 2.0]).median == 1.5


def test_a_percentile_is_between_the_measurements_around_it() -> None:
    values = [float(value) for value in range(101)]
    assert percentile(values, 50) == 50
    assert percentile(values, 95) == 95
    assert percentile([1.0, 2.0], 50) == 1.5


def test_the_memory_is_that_of_the_functions_of_a_deployment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = {"slipway-BeginDeployment-1A": 512, "slipway-Sweep-1A": 1769, "slipway-Notify-1A": 512}
    functions = [{"FunctionName": name, "MemorySize": size} for name, size in sizes.items()]
    client = SimpleNamespace(list_functions=lambda: {"Functions": functions})
    monkeypatch.setattr(reading.aws, "client", lambda _service: client)

    assert reading.memory_mb() == 512
