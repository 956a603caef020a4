"""Faults: failures of AWS at the moment that a test chooses.

A fault on an action hits requests (faults/effects.py). A fault on a state stops an execution of a
state machine (stepfunctions/faults.py). Tests in this process call these functions; other processes
use ``/_localaws/faults`` (faults/api.py). A fault counts its matches, so that a test can tell whether
it hit anything. If two faults are due for one call, the older one hits.
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
from localaws.faults import errors, stale

TASK_HEADER = "X-Localaws-Task"
"""The header that marks the invocation of a Task on which there is a fault."""

_CALL_FIELDS = ("action", "how", "function", "containing", "call", "times", "seconds")
_CALL_HOWS = ("throttle", "error", "lose", "deny", "kill", "hang", "stale")
_STATE_FIELDS = ("state", "how", "when", "machine", "containing", "error", "cause", "call", "times")
_STATE_HOWS = ("stop",)
_WHENS = ("entered", "running")
# Not for the local AWS's own calls, which have no process of their own and could block it.
_BY_FUNCTIONS_ONLY = ("kill", "hang")


class FaultError(ValueError):
    """The fault is invalid. It would never hit, and a test would pass without it."""


@dataclass(frozen=True)
class Call:
    """The parts of a request that faults match."""

    action: str
    function: str | None
    """The Lambda function that made the call, or None."""
    texts: tuple[str, ...]
    """The texts in which ``containing`` is searched."""


@dataclass(frozen=True)
class Entry:
    """The parts of an entered or running state that faults match."""

    state: str
    machine: str
    when: str
    texts: tuple[str, ...]


@dataclass(kw_only=True, eq=False)
class Fault:
    """A fault, and what it has matched and hit so far."""

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
    seconds: float | None = None
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self.removed = threading.Event()
        self.forgotten = False  # removed because the local AWS restarts

    def matches(self, met: Call | Entry) -> bool:
        """Whether the fault is about this call or state, due or not."""
        if isinstance(met, Entry):
            about = (self.state, self.when) == (met.state, met.when)
            about = about and (self.machine or "") in met.machine
        else:
            about = self.action == met.action and self.function in (None, met.function)
            about = about and not (self.how in _BY_FUNCTIONS_ONLY and met.function is None)
        # Plain, and escaped as in JSON, because a JSON body may contain JSON as a string.
        wanted = (self.containing, json.dumps(self.containing)[1:-1])
        return about and any(each in text for each in wanted for text in met.texts)

    def is_due(self) -> bool:
        """Whether the fault hits what it has just matched."""
        if self.seconds is not None:
            return self.seen >= self.call
        return self.call <= self.seen < self.call + self.times

    def describe(self) -> dict[str, Any]:
        """The fields and the counts of the fault."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.seconds is not None:
            del values["times"]
        return {name: value for name, value in values.items() if value not in (None, "")}


_lock = threading.Lock()
_faults: dict[str, Fault] = {}
_flights: dict[str, Callable[[], None]] = {}


def add(**given: Any) -> str:
    """Add a fault and return its id. Raises FaultError if it could never hit."""
    fault = _checked(given)
    with _lock:
        _faults[fault.id] = fault
    return fault.id


def get(fault_id: str) -> dict[str, Any]:
    """A fault with ``seen`` and ``hits`` so far. Raises KeyError if there is none with this id."""
    with _lock:
        return _faults[fault_id].describe()


def everything() -> list[dict[str, Any]]:
    """All faults, oldest first."""
    with _lock:
        return [fault.describe() for fault in _faults.values()]


def remove(fault_id: str) -> dict[str, Any]:
    """Remove a fault, release the calls that it holds, and return it. Raises KeyError as get()
    does.
    """
    with _lock:
        return _removed(fault_id)


def clear() -> list[dict[str, Any]]:
    """Remove every fault, oldest first, as remove() does."""
    with _lock:
        return [_removed(fault_id) for fault_id in list(_faults)]


def reset() -> None:
    """Remove every fault. Calls that they hold are dropped, not carried out."""
    with _lock:
        for fault in _faults.values():
            fault.forgotten = True
            fault.removed.set()
        _faults.clear()
        _flights.clear()


# --- for the local AWS ----------------------------------------------------------------------------


def concern(service: str) -> bool:
    """Whether there is a fault on an action of this service."""
    with _lock:
        return any((fault.action or "").startswith(f"{service}:") for fault in _faults.values())


def concern_state(name: str) -> bool:
    """Whether there is a fault on a state of this name."""
    with _lock:
        return any(fault.state == name for fault in _faults.values())


def expect(met: Entry) -> bool:
    """Whether a fault matches. The match is not counted."""
    with _lock:
        return any(fault.matches(met) for fault in _faults.values())


def meet(met: Call | Entry) -> Fault | None:
    """Count a match, and return the fault that hits, or None."""
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


def missed(fault: Fault) -> None:
    """Take a hit back that had no effect."""
    with _lock:
        fault.hits -= 1


@contextmanager
def flight(tell: Callable[[], None]) -> Iterator[str]:
    """Yield a value for TASK_HEADER. ``tell`` is called once the invocation with this header is in
    flight.
    """
    key = uuid.uuid4().hex
    _flights[key] = tell
    try:
        yield key
    finally:
        _flights.pop(key, None)


def in_flight() -> None:
    """Report that Lambda has a process for the invocation that is being served."""
    if flask.has_request_context():  # without one the invocation is asynchronous, and no Task waits
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
            action = given["action"]
            errors.check(given["how"], action, action_names.operation(action))
        except ValueError as error:
            raise FaultError(f"action: {error}") from error
        if given["how"] == "stale" and given["action"] not in stale.ACTIONS:
            raise FaultError(
                f"action: {given['action']} can't be stale here, only {', '.join(sorted(stale.ACTIONS))}"
            )
        if "seconds" in given and given["how"] != "stale":
            raise FaultError("seconds: only for how stale")
        if "seconds" in given and "times" in given:
            raise FaultError("seconds, or times: not both")
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
            raise FaultError(
                f"{name}: no such field; the fields of this kind of fault are {', '.join(known)}"
            )
        if name in ("call", "times"):
            if type(value) is not int or value < 1:
                raise FaultError(f"{name}: must be a whole number from 1, but is {value!r}")
        elif name == "seconds":
            if type(value) not in (int, float) or value <= 0:
                raise FaultError(f"{name}: must be a number greater than 0, but is {value!r}")
        elif not isinstance(value, str) or not value:
            raise FaultError(f"{name}: must be a non-empty string, but is {value!r}")
    if given.get("how") not in hows:
        raise FaultError(f"how: must be one of {', '.join(hows)}, but is {given.get('how')!r}")
