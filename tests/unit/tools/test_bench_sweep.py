"""The simulated sweep: the number of its calls, and their pace. Its seconds are for the benchmark to say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from slipway.deployment.sweep import CALLS_PER_SECOND
from tools.bench import sweep
from tools.bench.sweep import page_cpu_seconds, simulate, sum_of_calls
from tools.bench.threads import SimulatedThreads

A_MOMENT = 1e-9


@pytest.mark.parametrize(
    ("repositories", "images", "calls"),
    [
        (1, 1, {"ssm:GetParametersByPath": 1, "ecr:DescribeImages": 1}),
        (10, 1000, {"ssm:GetParametersByPath": 1, "ecr:DescribeImages": 10}),
        (11, 1001, {"ssm:GetParametersByPath": 2, "ecr:DescribeImages": 22}),
    ],
)
def test_a_sweep_calls_ecr_once_for_a_thousand_images_and_ssm_once_for_ten_plans(
    repositories: int, images: int, calls: dict[str, int]
) -> None:
    runs = simulate(repositories, images, page_seconds=0, cpu_seconds=0)

    assert sum_of_calls(runs) == calls


def test_the_benchmark_needs_no_environment_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARAMETER_PREFIX", raising=False)
    monkeypatch.setattr(sweep, "REPOSITORIES", 1)
    monkeypatch.setattr(sweep, "IMAGES", 1)

    assert sweep.measure()["calls"][1.0] == {"ssm:GetParametersByPath": 1, "ecr:DescribeImages": 1}


@pytest.mark.parametrize("page_seconds", [0, 0.5, 3])
def test_no_sweep_calls_aws_faster_than_its_pace(page_seconds: float) -> None:
    runs = simulate(30, 3000, page_seconds, cpu_seconds=0.01)

    assert min(run.least_gap for run in runs) > 1 / CALLS_PER_SECOND - A_MOMENT


@pytest.mark.exhaustive
def test_a_thousand_repositories_with_ten_thousand_images_each_are_swept_in_one_run() -> None:
    """If ECR takes a second for a page, and the processor almost as long as the pace allows."""
    [run] = simulate(1000, 10_000, page_seconds=1, cpu_seconds=0.07)

    assert run.calls == {"ssm:GetParametersByPath": 100, "ecr:DescribeImages": 10_000}
    assert run.swept == 1000
    assert run.seconds <= 840


def test_runs_that_end_too_soon_reach_every_repository_together() -> None:
    runs = simulate(50, 2000, page_seconds=1, cpu_seconds=0, run_seconds=5)

    assert len(runs) > 1
    assert sum(run.swept for run in runs) == 50
    assert all(run.seconds < 10 for run in runs)


def test_the_processors_time_of_a_page_is_measured_on_a_whole_page() -> None:
    assert 0 < page_cpu_seconds(pages=2) < math.inf


# --- simulated threads ------------------------------------------------------------------------------


def test_threads_that_sleep_at_the_same_time_take_the_time_of_one() -> None:
    threads = SimulatedThreads(4)

    assert list(threads.map(lambda each: threads.sleep(1) or each, range(8))) == list(range(8))
    assert threads.clock() == 2


def test_an_error_in_a_simulated_thread_is_raised_to_whoever_waits_for_its_answer() -> None:
    def fail(number: Any) -> None:
        threads.sleep(1)
        raise ValueError(number)

    threads = SimulatedThreads(2)
    with pytest.raises(ValueError, match="1"):
        threads.map(fail, [1, 2, 3])
