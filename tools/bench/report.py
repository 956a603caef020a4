"""Prints the results as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def show(console: Console, results: dict[str, Any]) -> None:
    """Print every result."""
    _show_seconds(console, results)
    _show_storm(console, results["storm"])
    _show_sweep(console, results["sweep"])
    _show_functions(console, results["functions"])
    _show_containers(console, results["containers"])
    _show_ledger(console, results["ledger"])
    _show_deployments(console, results["deployments"])
    machine = results["machine"]
    loads = f"{machine['load before']:.1f} before, {machine['load after']:.1f} after"
    console.print(f"{machine['cpus']} CPUs, load average {loads}; Python {machine['python']}")


def _show_seconds(console: Console, results: dict[str, Any]) -> None:
    table = Table("seconds, local AWS", "median", "least", "most", "runs")
    for name, s in results["seconds"].items():
        table.add_row(name, *(f"{s[k]:.2f}" for k in ("median", "least", "most")), str(s["n"]))
    for name, value in results["once"].items():
        table.add_row(name, f"{value:.1f}", "", "", "1")
    console.print(table)


def _show_functions(console: Console, functions: dict[str, Any]) -> None:
    kinds = ("init_ms", "cold_run_ms", "warm_run_ms")
    heads = ("init of a cold start", "run after it", "warm run")
    table = Table("milliseconds, local AWS (least-most)", *heads)
    for name, timings in functions.items():
        cells = [timings[kind] for kind in kinds]
        table.add_row(
            name,
            *(f"{c['median']:.0f} ({c['least']:.0f}-{c['most']:.0f})" for c in cells),
        )
    console.print(table)


def _show_containers(console: Console, containers: dict[str, Any]) -> None:
    if missing := containers.get("none"):
        console.print(f"not measured in containers: {missing}")
        return
    heads = ("init, ms", "init of a bare boto3 function, ms", "times that", "peak memory, MB")
    table = Table("in a container (least-most)", *heads)
    for name, each in containers["functions"].items():
        spreads = (each["init_ms"], each["bare_ms"])
        cells = (f"{s['median']:.0f} ({s['least']:.0f}-{s['most']:.0f})" for s in spreads)
        table.add_row(name, *cells, f"{each['times bare']:.2f}", f"{each['peak_mb']:.0f}")
    console.print(table)
    console.print(f"the artifact: {containers['zipped bytes'] / 1e6:.1f} MB zipped")


def _show_storm(console: Console, storm: dict[str, Any]) -> None:
    table = Table("seconds of PutImage to SUCCEEDED, local AWS", "median", "p95", "most")
    alone, together = storm["alone"], storm["together"]
    table.add_row("one service alone", f"{alone['median']:.2f}", "", f"{alone['most']:.2f}")
    seconds = (f"{together[k]:.2f}" for k in ("p50", "p95", "most"))
    table.add_row(f"{storm['services']} services at once", *seconds)
    console.print(table)


def _show_sweep(console: Console, sweep: dict[str, Any]) -> None:
    simulated = f"a sweep of {sweep['repositories']:,} repositories, {sweep['images']:,} images"
    table = Table(simulated, "calls of ECR", "of SSM", "a second, at most", "seconds of each run")
    for page_seconds, seconds in sweep["seconds"].items():
        calls = sweep["calls"][page_seconds]
        table.add_row(
            f"a page takes {page_seconds} s",
            f"{calls['ecr:DescribeImages']:,}",
            f"{calls['ssm:GetParametersByPath']:,}",
            f"{sweep['calls_per_second'][page_seconds]:.1f}",
            ", ".join(f"{each:.0f}" for each in seconds),
        )
    console.print(table)
    console.print(f"the processor's time for a page: {sweep['page_cpu_ms']:.0f} ms")


def _show_ledger(console: Console, ledger: dict[str, Any]) -> None:
    table = Table("the ledger, median (least-most)", *ledger)
    columns = list(ledger.values())
    for name in columns[0]:
        spreads = [column[name] for column in columns]
        cells = (f"{s['median']:.0f} ({s['least']:.0f}-{s['most']:.0f})" for s in spreads)
        table.add_row(name, *cells)
    console.print(table)


def _show_deployments(console: Console, deployments: dict[str, Any]) -> None:
    table = Table("what AWS bills", *deployments)
    columns = list(deployments.values())
    for field in ("polls", "transitions", "invocations"):
        spreads = [column["measured"][field] for column in columns]
        table.add_row(f"{field}, measured", *(f"{s['least']} to {s['most']}" for s in spreads))
    for field in ("transitions", "invocations"):
        table.add_row(f"{field}, formula", *(column["formula"][field] for column in columns))
    longs = [column["ten minutes"] for column in columns]
    table.add_section()
    for field in ("polls", "transitions", "invocations", "reads", "writes"):
        table.add_row(f"{field}, 10 minutes", *(str(long[field]) for long in longs))
    for line in longs[0]["usd"]:
        table.add_row(f"{line}, USD", *(f"{long['usd'][line]:.6f}" for long in longs))
    console.print(table)
