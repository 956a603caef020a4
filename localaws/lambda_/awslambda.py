"""Lambda, which runs the deployed artifact of a function in processes of its own.

moto needs Docker for that. Here an execution environment is a process that runs AWS's runtime client
(lambda_/execution_environment.py) with the unpacked artifact (lambda_/code.py). There is one for each
concurrent invocation. It is reused, and ends when the code or configuration of the function changes
(lambda_/pool.py), which those of a published version don't (lambda_/versions.py). Asynchronous
invocations have retries and destinations (lambda_/asynchronous.py), and event source mappings invoke
functions with the messages of queues (lambda_/event_sources.py). Every kind of invocation calls
``LambdaFunction._invoke_lambda``.

`make local LAMBDA=sam` replaces these processes by containers (``executed_by``).

Not simulated: START, END and REPORT as JSON if the function's LogFormat is JSON. Layers, container
images, and runtimes other than this interpreter's are NotImplemented.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction

from localaws import changes
from localaws.cloudwatch import datapoints
from localaws.lambda_ import asynchronous, destinations, event_source_mappings, versions
from localaws.lambda_.execution_environment import Answer
from localaws.lambda_.pool import Pools, logging_config

_RUNTIME = f"python3.{sys.version_info.minor}"
_LOG_TAIL_BYTES = 4096  # in the answer with LogType=Tail

_pools = Pools()
_queue = asynchronous.Queue()
_invocations: list[Invocation] = []


@dataclass(frozen=True)
class Invocation:
    """The duration of one invocation, for benchmarks."""

    function: str
    cold: bool
    init_ms: float
    run_ms: float


@dataclass(frozen=True)
class Executed:
    """The result of one invocation, and the log lines that it wrote."""

    answer: Answer
    log_stream: str
    lines: list[str]


Executor = Callable[[LambdaFunction, bytes, str], Executed]
"""Runs a function with an event (JSON) and a request id."""


def invocations() -> list[Invocation]:
    """The invocations since the start, oldest first."""
    return list(_invocations)


def install() -> None:
    """Replace moto's executor."""
    destinations.install()
    versions.install()
    delete_function = LambdaBackend.delete_function

    def delete_function_and_processes(
        self: LambdaBackend, function_name: str, qualifier: str | None = None
    ) -> None:
        function = self.get_function(function_name, qualifier)
        deleted = [function]
        if function.version == versions.LATEST:
            deleted += versions.published(self, function)
        delete_function(self, function_name, qualifier)
        for each in deleted:
            _pools.delete(each)

    LambdaBackend.delete_function = delete_function_and_processes  # type: ignore[method-assign]
    LambdaFunction.invoke = _invoke  # type: ignore[method-assign]
    LambdaFunction._invoke_lambda = _run  # type: ignore[method-assign]


def start() -> None:
    """Begin without processes and recorded invocations."""
    global _pools, _queue
    _pools = Pools()
    _queue = asynchronous.Queue()
    _invocations.clear()


def stop() -> None:
    """End every process, and the invocations that wait for one or for a retry."""
    _queue.stop()
    event_source_mappings.stop()
    _pools.stop()
    _queue.join()
    event_source_mappings.join()


def cool() -> None:
    """Let the next invocation of every function be a cold one."""
    _pools.cool()


@contextmanager
def executed_by(executor: Executor) -> Iterator[None]:
    """Run functions by this executor for a while."""
    global _executor
    before, _executor = _executor, executor
    try:
        yield
    finally:
        _executor = before


def _invoke(
    self: LambdaFunction, body: str | bytes, request_headers: Any, response_headers: dict[str, str]
) -> bytes:
    """The Invoke action. moto executes a DryRun, waits for an Event, and reports every error as
    Handled.
    """
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
    invoked_at = datetime.now(UTC)
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
    measured = {
        "Invocations": 1,
        "Duration": answer.run_ms,
        **({"Errors": 1} if answer.errored else {}),
    }
    for metric, value in measured.items():
        datapoints.record("AWS/Lambda", metric, self.function_name, value, invoked_at)
    changes.announce()
    return answer.payload, answer.errored, "\n".join(log) + "\n"


def in_a_process(function: LambdaFunction, event: bytes, request_id: str) -> Executed:
    """Run a function in an execution environment of the local AWS's own."""
    with _pools.environment(function) as environment:
        arn = versions.invoked_arn(function)
        answer = environment.invoke(event, request_id, arn, float(function.timeout))
        return Executed(answer, environment.log_stream, environment.read_logs())


_executor: Executor = in_a_process


def _check(function: LambdaFunction) -> None:
    """Refuse functions that can't be run here."""
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
