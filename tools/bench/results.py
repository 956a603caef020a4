"""Turns runs into results: medians, the formula, and the price of a deployment of ten minutes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from localaws.lambda_.awslambda import Invocation
from tools.bench import prices
from tools.bench.history import LOOKS, formula, milliseconds
from tools.bench.reading import function_name
from tools.bench.runs import Run
from tools.bench.spread import spread
from tools.bench.units import units

LONG_SECONDS = 600
LONG_POLL_SECONDS = 15  # the plan's default
LONG_POLLS = LONG_SECONDS // LONG_POLL_SECONDS


def seconds(runs: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    """The spread of every interval that the runs measured."""
    measured = defaultdict(list)
    for run in runs:
        for name, value in run.items():
            measured[name].append(value)
    return {name: asdict(spread(values)) for name, values in measured.items()}


def functions(invocations: Iterable[Invocation]) -> dict[str, dict[str, Any]]:
    """Milliseconds by function: init of a cold start, the run after it, and a warm run."""
    measured: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for invocation in invocations:
        function = measured[function_name(invocation)]
        if invocation.cold:
            function["init_ms"].append(invocation.init_ms)
            function["cold_run_ms"].append(invocation.run_ms)
        else:
            function["warm_run_ms"].append(invocation.run_ms)
    return {
        name: {kind: asdict(spread(values)) for kind, values in sorted(kinds.items())}
        for name, kinds in sorted(measured.items())
    }


def deployments(
    runs: Sequence[Run], timings: dict[str, dict[str, Any]], memory_mb: int
) -> dict[str, Any]:
    """What AWS bills for deployments with the same outcome: measured, as a formula, and for ten minutes."""
    counts = [run.counts for run in runs]
    grows = formula(counts)
    used = [units(_calls(run, LONG_POLLS), run.ledger.sizes) for run in runs]
    usage = prices.Usage(
        transitions=grows.transitions(LONG_POLLS),
        invocations=grows.invocations(LONG_POLLS),
        gb_seconds=prices.gb_seconds(
            _long(runs[0]),
            {
                name: t["init_ms"]["median"] + t["cold_run_ms"]["median"]
                for name, t in timings.items()
            },
            {name: t["warm_run_ms"]["median"] for name, t in timings.items()},
            memory_mb,
        ),
        reads=max(each.reads for each in used),
        writes=max(each.writes for each in used),
    )
    return {
        "measured": {
            field: asdict(spread([asdict(c)[field] for c in counts]))
            for field in ("polls", "transitions", "retries", "invocations")
        },
        "formula": {
            "transitions": f"{grows.fixed_transitions} + 3 x polls",
            "invocations": f"{grows.fixed_invocations} + polls",
        },
        "ten minutes": {"polls": LONG_POLLS, **asdict(usage), "usd": prices.cost(usage)},
    }


def ledger(runs: Sequence[Run]) -> dict[str, Any]:
    """How deployments with the same outcome use the ledger: calls, time, sizes, and FinishDeployment."""
    calls = [_calls(run, polls=0) for run in runs]
    measured: dict[str, Sequence[float]] = {
        "GetItem": [each["GetItem"] for each in calls],
        "Query": [each["Query"] for each in calls],
        "UpdateItem, but for one a poll": [each["UpdateItem"] for each in calls],
        "TransactWriteItems": [each["TransactWriteItems"] for each in calls],
        "ms of all calls": [run.ledger.ms for run in runs],
        "ms of FinishDeployment": [
            milliseconds(run.histories[1], "FinishDeployment") for run in runs
        ],
        "bytes of the claim": [run.ledger.sizes.claim for run in runs],
        "bytes of the versions": [run.ledger.sizes.versions for run in runs],
        "bytes of the deployment": [run.ledger.sizes.deployment for run in runs],
    }
    return {name: asdict(spread(values)) for name, values in measured.items()}


def _long(run: Run) -> Counter[str]:
    """The run's invocations by function, with as many checks as in ten minutes."""
    look = LOOKS[0]  # both checks are this function's
    return Counter(map(function_name, run.invocations)) | Counter({look: LONG_POLLS})


def _calls(run: Run, polls: int) -> Counter[str]:
    """The run's calls of the ledger with this many checks, each of which renews the lease."""
    calls = Counter(run.ledger.calls)
    calls["UpdateItem"] += polls - run.counts.polls
    return calls
