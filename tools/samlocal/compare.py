"""Compares two answers without what differs in every run: times, and IDs that AWS makes up."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

_MADE_UP = {
    "<time>": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"),
    "<time> UTC": re.compile(r"\b\d\d:\d\d:\d\d UTC"),
    "<uuid>": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "ecs-svc/<id>": re.compile(r"ecs-svc/\d+"),
    "recover-<id>": re.compile(r"\brecover-[A-Za-z0-9_-]+-[0-9a-f]{16}\b"),
    "<task>": re.compile(r"\b[0-9a-f]{32}(-\d+)?\b"),
    # How many tasks have stopped for the same reason by now depends on chance.
    "<n> tasks": re.compile(r"\b\d+ tasks?(?= of container |, the last one )"),
    "<address>": re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"),
}
# Of the present: a number as large is no count.
_MILLISECONDS = 10**12
_MISSING = object()


def normalised(answer: Any) -> Any:
    """The answer with a placeholder for everything that differs from run to run."""
    if isinstance(answer, dict):
        # A stack trace names the folder of the code, and the invocation's ID is made up.
        left_out = {"requestId", "stackTrace"} if "errorType" in answer else set()
        kept = {name: normalised(value) for name, value in answer.items() if name not in left_out}
        if isinstance(evidence := kept.get("evidence"), list):
            # How many tasks have stopped for the same reason by now depends on chance.
            kept["evidence"] = [fact for fact, _ in itertools.groupby(evidence)]
        return kept
    if isinstance(answer, list):
        return [normalised(value) for value in answer]
    if isinstance(answer, str):
        for placeholder, pattern in _MADE_UP.items():
            answer = pattern.sub(placeholder, answer)
    if isinstance(answer, int) and answer > _MILLISECONDS:
        return "<milliseconds>"
    return answer


def differences(recorded: Any, got: Any, place: str = "answer") -> Iterator[str]:
    """Where two normalised answers differ, one line for each place."""
    if isinstance(recorded, dict) and isinstance(got, dict):
        for name in [*recorded, *(name for name in got if name not in recorded)]:
            yield from differences(
                recorded.get(name, _MISSING), got.get(name, _MISSING), f"{place}.{name}"
            )
    elif isinstance(recorded, list) and isinstance(got, list) and len(recorded) == len(got):
        for index, (one, other) in enumerate(zip(recorded, got, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif recorded is _MISSING:
        yield f"{place} is {got!r}, which is not recorded"
    elif got is _MISSING:
        yield f"{place} is missing, recorded is {recorded!r}"
    elif recorded != got or type(recorded) is not type(got):
        yield f"{place} is {got!r}, recorded is {recorded!r}"
