"""Compares pushes to many services at once with a push to one service alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from localaws import aws, seed
from localaws.sns import sns
from tools.bench import UnexpectedError
from tools.bench.ledger import ended_at
from tools.bench.reading import CLUSTER, wait_for
from tools.bench.runs import Account, between, route
from tools.bench.spread import percentile, spread

SERVICES = 40
PATIENCE_SECONDS = 300


def measure(account: Account, runs: int) -> dict[str, Any]:
    """Seconds from PutImage to SUCCEEDED, alone and together."""
    names = [f"storm{number:02}" for number in range(SERVICES)]
    for name in names:
        _prepare(name)
    wait_for(lambda: all(map(_settled, names)), "every service runs v1")
    push(account, names, "warm")  # starts as many environments of each function as it may have
    alone = [s for run in range(runs) for s in push(account, names[:1], f"alone{run}")]
    together = push(account, names, "storm")
    return {
        "services": SERVICES,
        "alone": asdict(spread(alone)),
        "together": {
            "p50": percentile(together, 50),
            "p95": percentile(together, 95),
            "most": max(together),
        },
    }


def push(account: Account, names: list[str], tag: str) -> list[float]:
    """Push to all services at once; return the seconds that each deployment took."""
    ended = _ends()
    with ThreadPoolExecutor(len(names)) as pool:
        pushed = list(pool.map(lambda name: _push(name, tag), names))
    wait_for(lambda: _ends() >= ended + len(names), f"the ends of {tag}", PATIENCE_SECONDS)
    account.idle()
    return [_seconds(account, name, tag, at) for name, at in zip(names, pushed, strict=True)]


def _prepare(name: str) -> None:
    uri = seed.repository(_repository(name))
    digest = seed.push(_repository(name), None, seed.manifest(f"{name} v1"))
    seed.service(_service(name), f"{uri}@{digest}", tasks=1)
    seed.plan(_repository(name), {"routes": [route("*", _service(name), 0)]})


def _push(name: str, tag: str) -> datetime:
    at = datetime.now(UTC)
    seed.push(_repository(name), tag, seed.manifest(f"{name} {tag}"))
    return at


def _seconds(account: Account, name: str, tag: str, pushed: datetime) -> float:
    item = account.ledger.ended(_service(name), tag)
    if item is None or item["outcome"] != "SUCCEEDED":
        raise UnexpectedError(f"{name} {tag} did not succeed: {item}")
    return between(pushed, ended_at(item))


def _ends() -> int:
    """The number of ends in emails. Reading the ledger this often would slow it down."""
    return sum(mail["attributes"]["kind"] == "end" for mail in sns.mails())


def _settled(name: str) -> bool:
    (service,) = aws.client("ecs").describe_services(cluster=CLUSTER, services=[name])["services"]
    return [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]


def _repository(name: str) -> str:
    return f"tools/bench/{name}"


def _service(name: str) -> str:
    return f"{CLUSTER}/{name}"
