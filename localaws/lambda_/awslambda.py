"""Lambda: every invocation runs the deployed artifact in a process of the function's own.

moto wants Docker for that. Here each environment is a process of its own that runs AWS's runtime
client (lambda_/execution_environment.py) on the unpacked artifact (lambda_/code.py): one per concurrent
invocation, kept warm and reused, retired when the function's code or configuration changes
(lambda_/pool.py). Asynchronous invocations are tried again and reported (lambda_/asynchronous.py).
Every way in passes ``LambdaFunction._invoke_lambda``.

`make local LAMBDA=sam` puts something else in the place of these processes (``executed_by``).

Not imitated: START, END and REPORT as JSON, when the function's LogFormat is JSON.
Layers, container images and other runtimes than this interpreter's are NotImplemented.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction

from localaws.lambda_ import asynchronous, destinations
from localaws.lambda_.execution_environment import Answer
from localaws.lambda_.pool import Pools, logging_config

_RUNTIME = f"python3.{sys.version_info.minor}"
_LOG_TAIL_BYTES = 4096  # what LogType=Tail returns

_pools = Pools()
_queue = asynchronous.Queue()
_invocations: list[Invocation] = []


@dataclass(frozen=True)
class Invocation:
    """What one invocation took, for a benchmark."""

    function: str
    cold: bool
    init_ms: float
    run_ms: float


@dataclass(frozen=True)
class Executed:
    """How one invocation ended, and what it wrote to which log stream."""

    answer: Answer
    log_stream: str
    lines: list[str]


Executor = Callable[[LambdaFunction, bytes, str], Executed]
"""Runs a function on an event (JSON); the last argument is the request id."""


def invocations() -> list[Invocation]:
    """The invocations since the start, oldest first."""
    return list(_invocations)


def install() -> None:
    """Put our executor in the place of moto's."""
    delete_function = LambdaBackend.delete_function

    def delete_function_and_processes(
        self: LambdaBackend, function_name: str, qualifier: str | None = None
    ) -> None:
        function = self.get_function(function_name, qualifier)
        delete_function(self, function_name, qualifier)
        _pools.delete(function)

    LambdaBackend.delete_function = delete_function_and_processes  # type: ignore[method-assign]
    LambdaFunction.invoke = _invoke  # type: ignore[method-assign]
    LambdaFunction._invoke_lambda = _run  # type: ignore[method-assign]
    destinations.install()


def start() -> None:
    """Begin with no process and no recorded invocation."""
    global _pools, _queue
    _pools = Pools()
    _queue = asynchronous.Queue()
    _invocations.clear()


def stop() -> None:
    """End every process, and with them the invocations that wait for one or for another attempt."""
    _queue.stop()
    _pools.stop()
    _queue.join()


@contextmanager
def executed_by(executor: Executor) -> Iterator[None]:
    """For a while, run functions otherwise than in processes of their own."""
    global _executor
    before, _executor = _executor, executor
    try:
        yield
    finally:
        _executor = before


def _invoke(
    self: LambdaFunction, body: str | bytes, request_headers: Any, response_headers: dict[str, str]
) -> bytes:
    """The Invoke API. moto runs a DryRun, waits for an Event and calls every error Handled."""
    try:
        text = (body if isinstance(body, str) else body.decode()) or "{}"
        event = json.loads(text)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaClientError("InvalidRequestContentException", message) from error
    _check(self)
    kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
    if kind == "Event":
        _queue.accept(self, text)
    if kind != "RequestResponse":
        return b""
    payload, errored, log = self._invoke_lambda(event)
    if errored:
        response_headers["x-amz-function-error"] = "Unhandled"
    tail = log.encode()[-_LOG_TAIL_BYTES:]
    response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
    return payload.encode()


def _run(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    _check(self)
    request_id = asynchronous.request_id()
    executed = _executor(self, json.dumps(event).encode(), request_id)
    answer = executed.answer
    cold = answer.init_ms > 0
    _invocations.append(Invocation(self.function_name, cold, answer.init_ms, answer.run_ms))
    log = [
        f"START RequestId: {request_id} Version: {self.version}",
        *executed.lines,
        f"END RequestId: {request_id}",
        _report(self, request_id, answer),
    ]
    _write(self, executed.log_stream, log)
    return answer.payload, answer.errored, "\n".join(log) + "\n"


def _in_a_process(function: LambdaFunction, event: bytes, request_id: str) -> Executed:
    with _pools.environment(function) as environment:
        answer = environment.invoke(
            event, request_id, function.function_arn, float(function.timeout)
        )
        return Executed(answer, environment.log_stream, environment.read_logs())


_executor: Executor = _in_a_process


def _check(function: LambdaFunction) -> None:
    """Refuse what would only seem to run."""
    name = f"Lambda Invoke of {function.function_name}"
    if function.package_type != "Zip":
        raise NotImplementedError(f"{name}: PackageType {function.package_type}")
    if function.layers:
        raise NotImplementedError(f"{name}: Layers")
    if function.run_time != _RUNTIME:
        raise NotImplementedError(
            f"{name}: Runtime {function.run_time}; the local AWS runs on {_RUNTIME} and so must"
            " the function"
        )


def _report(function: LambdaFunction, request_id: str, answer: Answer) -> str:
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {answer.run_ms:.2f} ms"
        f"\tMemory Size: {function.memory_size} MB"
    )
    return report + (f"\tInit Duration: {answer.init_ms:.2f} ms" if answer.init_ms else "")


def _write(function: LambdaFunction, log_stream: str, lines: list[str]) -> None:
    logs, group = function.logs_backend, logging_config(function)["LogGroup"]
    logs.ensure_log_group(group)
    logs.ensure_log_stream(group, log_stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(group, log_stream, events)
