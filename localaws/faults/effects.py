"""The effects of faults on requests."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_plus

from moto.core.model import OperationModel

from localaws.faults import errors, faults, stale
from localaws.faults.errors import Answer
from localaws.faults.faults import Call
from localaws.lambda_ import pool

T = TypeVar("T")


class DroppedError(ConnectionError):
    """The connection is closed without an answer. The server ignores a ConnectionError."""


def call(action: str, function: str | None, environ: Mapping[str, Any], body: bytes) -> Call:
    """The parts of a request that faults match."""
    url, text = str(environ.get("RAW_URI", "")), body.decode(errors="replace")
    texts = [url, unquote(url), text]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        texts.append(unquote_plus(text))
    return Call(action, function, tuple(texts))


def answer(
    met: Call,
    environ: Mapping[str, Any],
    operation: OperationModel,
    parameters: Callable[[], Mapping[str, Any]],
    do: Callable[[], T],
) -> T | Answer:
    """Carry out a call and return its answer, or the effect of the fault that hits it."""
    fault = faults.meet(met)
    how = fault.how if fault else ""
    if how == "throttle":
        return errors.throttled(operation)
    if how == "error":
        return errors.failed(operation)
    if how == "deny":
        return errors.denied(met.action, operation, met.function, parameters)
    if how == "kill":
        _kill(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
        _hang_up(environ)
    if fault and how == "hang":
        fault.removed.wait()
        if fault.forgotten:
            _hang_up(environ)
    if fault and how == "stale":
        with stale.reading(fault.seconds) as reading:
            done = do()
        if not reading.hit:
            faults.missed(fault)
        return done
    done = do()
    if how == "lose":
        _hang_up(environ)
    return done


def _kill(token: str) -> None:
    environment = pool.environment_of(token)
    if environment is None:
        raise NotImplementedError("a fault that kills: no process of a function made this call")
    environment.kill()


def _hang_up(environ: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the caller may have closed it
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise DroppedError
