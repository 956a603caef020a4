"""Faults: what can go wrong at AWS goes wrong at the moment that a test asks for.

A fault on an action hits requests (faults/effects.py), one on a state stops an execution of a state
machine (stepfunctions/faults.py). Tests in this process call these functions, others
``/_localaws/faults`` (faults/api.py). A fault counts what it matches, so that a test can tell one that
was met from one that never came to it. Of two faults that are due for one call, the older hits.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import flask

from localaws import action_names
from localaws.faults import errors

TASK_HEADER = "X-Localaws-Task"
"""Marks the invocation of a Task that a fault waits for."""

_CALL_FIELDS = ("action", "how", "function", "containing", "call", "times")
_CALL_HOWS = ("throttle", "error", "lose", "deny", "kill", "hang")
_STATE_FIELDS = ("state", "how", "when", "machine", "containing", "error", "cause", "call", "times")
_STATE_HOWS = ("stop",)
_WHENS = ("entered", "running")
# The local AWS's own calls are excepted: they have no process of theirs, and it could hang itself.
_BY_FUNCTIONS_ONLY = ("kill", "hang")


class FaultError(ValueError):
    """A fault that can't be: it would never be met, and the test would pass without it."""


@dataclass(frozen=True)
class Call:
    """A request to AWS, as faults see it."""

    action: str
    function: str | None
    """The Lambda function that made it, if one did."""
    texts: tuple[str, ...]
    """Where ``containing`` is looked for."""


@dataclass(frozen=True)
class Entry:
    """A state of a state machine's execution, as faults see it."""

    state: str
    machine: str
    when: str
    texts: tuple[str, ...]


@dataclass(kw_only=True, eq=False)
class Fault:
    """One fault, and what it has met so far."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    how: str
    action: str | None = None
    function: str | None = None
    state: str | None = None
    when: str | None = None
    machine: str | None = None
    error: str | None = None
    cause: str | None = None
    containing: str = ""
    call: int = 1
    times: int = 1
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self.removed = threading.Event()
        self.forgotten = False  # removed because the local AWS begins anew

    def matches(self, met: Call | Entry) -> bool:
        """Whether it is about this, due or not."""
        if isinstance(met, Entry):
            about = (self.state, self.when) == (met.state, met.when)
            about = about and (self.machine or "") in met.machine
        else:
            about = self.action == met.action and self.function in (None, met.function)
            about = about and not (self.how in _BY_FUNCTIONS_ONLY and met.function is None)
        # As it is, and as it is written in JSON: a body may be JSON, and hold a text that is JSON.
        wanted = (self.containing, json.dumps(self.containing)[1:-1])
        return about and any(each in text for each in wanted for text in met.texts)

    def is_due(self) -> bool:
        """Whether what it has just seen is what it hits."""
        return self.call <= self.seen < self.call + self.times

    def describe(self) -> dict[str, Any]:
        """What it was asked for, and its counts."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, "")}


_lock = threading.Lock()
_faults: dict[str, Fault] = {}
_flights: dict[str, Callable[[], None]] = {}


def add(**given: Any) -> str:
    """Add a fault and return its id. FaultError when it could not be met."""
    fault = _checked(given)
    with _lock:
        _faults[fault.id] = fault
    return fault.id


def get(fault_id: str) -> dict[str, Any]:
    """A fault with its ``seen`` and ``hits`` so far. KeyError when there is none of this id."""
    with _lock:
        return _faults[fault_id].describe()


def everything() -> list[dict[str, Any]]:
    """All faults, oldest first."""
    with _lock:
        return [fault.describe() for fault in _faults.values()]


def remove(fault_id: str) -> dict[str, Any]:
    """Remove a fault, let go what it holds, and return what it has met. KeyError as with get()."""
    with _lock:
        return _removed(fault_id)


def clear() -> list[dict[str, Any]]:
    """Remove every fault, oldest first, as remove() does."""
    with _lock:
        return [_removed(fault_id) for fault_id in list(_faults)]


def reset() -> None:
    """Begin without faults. What they held back is given up, not done."""
    with _lock:
        for fault in _faults.values():
            fault.forgotten = True
            fault.removed.set()
        _faults.clear()
        _flights.clear()


# --- for the local AWS ----------------------------------------------------------------------------


def concern(service: str) -> bool:
    """Whether it is worth the time to find out which call of a service a request is."""
    with _lock:
        return any((fault.action or "").startswith(f"{service}:") for fault in _faults.values())


def concern_state(name: str) -> bool:
    """Whether there is a fault on a state of this name."""
    with _lock:
        return any(fault.state == name for fault in _faults.values())


def expect(met: Entry) -> bool:
    """Whether a fault is about this. It is not counted."""
    with _lock:
        return any(fault.matches(met) for fault in _faults.values())


def meet(met: Call | Entry) -> Fault | None:
    """Count what has happened; return the fault that hits it, if one does."""
    with _lock:
        hit = None
        for fault in _faults.values():
            if fault.matches(met):
                fault.seen += 1
                if hit is None and fault.is_due():
                    hit = fault
        if hit is not None:
            hit.hits += 1
        return hit


@contextmanager
def flight(tell: Callable[[], None]) -> Iterator[str]:
    """A value for TASK_HEADER; ``tell`` is called once the invocation with it is in flight."""
    key = uuid.uuid4().hex
    _flights[key] = tell
    try:
        yield key
    finally:
        _flights.pop(key, None)


def in_flight() -> None:
    """Tell who waits for it that Lambda has a process for the invocation that is being served."""
    if flask.has_request_context():  # else it is asynchronous, and no Task waits for it
        tell = _flights.get(flask.request.headers.get(TASK_HEADER, ""))
        if tell is not None:
            tell()


def _removed(fault_id: str) -> dict[str, Any]:
    fault = _faults.pop(fault_id)
    fault.removed.set()
    return fault.describe()


def _checked(given: dict[str, Any]) -> Fault:
    if "action" in given:
        _check_fields(given, _CALL_FIELDS, _CALL_HOWS)
        try:
            errors.check(given["how"], action_names.operation(given["action"]))
        except ValueError as error:
            raise FaultError(f"action: {error}") from error
        return Fault(**given)
    if "state" in given:
        given = {"when": _WHENS[0], **given}
        _check_fields(given, _STATE_FIELDS, _STATE_HOWS)
        if given["when"] not in _WHENS:
            raise FaultError(f"when: must be one of {', '.join(_WHENS)}, but is {given['when']!r}")
        return Fault(**given)
    raise FaultError("a fault needs an action, or a state")


def _check_fields(given: dict[str, Any], known: tuple[str, ...], hows: tuple[str, ...]) -> None:
    for name, value in given.items():
        if name not in known:
            raise FaultError(f"{name}: not a field of such a fault; it has {', '.join(known)}")
        if name in ("call", "times"):
            if type(value) is not int or value < 1:
                raise FaultError(f"{name}: must be a whole number from 1, but is {value!r}")
        elif not isinstance(value, str) or not value:
            raise FaultError(f"{name}: must be a text, and not empty, but is {value!r}")
    if given.get("how") not in hows:
        raise FaultError(f"how: must be one of {', '.join(hows)}, but is {given.get('how')!r}")
