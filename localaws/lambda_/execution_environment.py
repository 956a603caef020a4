"""An execution environment: a process with AWS's own runtime client, and the API that the client calls.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the client requests the next event and
posts the response or the error. Between invocations its request stays unanswered, so no thread is
needed: the thread that invokes serves the API until it has the answer.

A process that exits, or does not keep to the API, is ended, and its invocation fails with
Runtime.ExitError: what such a process sends later must not be taken for the answer to another
invocation.

Not simulated: the memory limit, and freezing the process between invocations.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import tempfile
import time
import uuid
from dataclasses import dataclass
from typing import BinaryIO

from localaws.lambda_.processes import Zygote

# The init phase has 10 s on AWS. A laptop that compiles the modules of an artifact needs more.
INIT_SECONDS = 60.0
LARGEST_PAYLOAD = (
    6 * 1024 * 1024 + 100
)  # bytes; "6 MB" in Lambda's quotas, this number in its errors


@dataclass(frozen=True)
class Answer:
    """The result of one invocation."""

    payload: str
    errored: bool
    init_ms: float  # 0.0 if the environment was warm
    run_ms: float


@dataclass(frozen=True)
class _Request:
    """A request of the runtime client."""

    connection: socket.socket
    path: str
    body: bytes

    def answer(self, status: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class _ExitedError(Exception):
    """The process ended before it answered."""


class _BrokenError(Exception):
    """The process has sent what is no answer to its invocation."""


class ExecutionEnvironment:
    """A process that serves one invocation at a time."""

    def __init__(
        self, zygote: Zygote, handler: str, variables: dict[str, str], log_stream: str
    ) -> None:
        self.log_stream = log_stream
        self._warm = False
        self._logged = 0
        self._logs = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._listener, selectors.EVENT_READ)
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        variables = {**variables, "AWS_LAMBDA_RUNTIME_API": address}
        self._process = zygote.start(handler, variables, self._logs.fileno())
        self._selector.register(self._process.alive, selectors.EVENT_READ)

    @property
    def alive(self) -> bool:
        """Whether it can serve another invocation."""
        return not self._process.has_ended()

    def invoke(self, event: bytes, request_id: str, arn: str, seconds: float) -> Answer:
        """Pass one event to the process, and wait for its answer until the timeout."""
        began = started = time.monotonic()
        limit = INIT_SECONDS
        try:
            request = self._receive(limit)
            started = began if self._warm else time.monotonic()
            if request.path.endswith("/init/error"):
                request.answer("202 Accepted", {})
                self.kill()
                return _answer(request.body, True, began, started)
            _expect(request, "next")
            self._warm = True
            limit = seconds
            request.answer("200 OK", _headers(request_id, arn, seconds), event)
            request = self._receive(limit)
            how = _expect(request, f"{request_id}/response", f"{request_id}/error")
            if len(request.body) > LARGEST_PAYLOAD:
                return self._too_large(request, began, started)
            request.answer("202 Accepted", {})
            return _answer(request.body, how.endswith("/error"), began, started)
        except TimeoutError:
            return self._timed_out(request_id, limit, began, started)
        except _ExitedError:
            return self._exited(request_id, began, started)
        except (_BrokenError, ConnectionError):
            self.kill()
            return self._exited(request_id, began, started)
        except BaseException:
            self.kill()
            raise

    def read_logs(self) -> list[str]:
        """The lines that the process wrote since the last call."""
        size = os.fstat(self._logs.fileno()).st_size - self._logged
        written = os.pread(self._logs.fileno(), size, self._logged)
        self._logged += size
        return written.decode(errors="replace").splitlines()

    def kill(self) -> None:
        """End the process and its child processes."""
        self._process.kill()

    def close(self) -> None:
        """End the process and free what the environment holds."""
        self.kill()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._process.close()
        self._logs.close()

    def _receive(self, seconds: float) -> _Request:
        deadline = time.monotonic() + seconds
        while ready := self._selector.select(max(0.0, deadline - time.monotonic())):
            for key, _ in ready:
                if key.fileobj is self._listener:
                    connection, _peer = self._listener.accept()
                    file = connection.makefile("rb")
                    self._selector.register(connection, selectors.EVENT_READ, file)
                elif key.fileobj == self._process.alive:
                    raise _ExitedError
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    # Whoever begins a request and does not end it is out of time, too.
                    key.fileobj.settimeout(max(0.01, deadline - time.monotonic()))
                    if request := _read(key.fileobj, key.data):
                        return request
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
        raise TimeoutError

    def _timed_out(self, request_id: str, seconds: float, began: float, started: float) -> Answer:
        self.kill()
        message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
        return _answer(_error("Sandbox.Timedout", message), True, began, started)

    def _too_large(self, request: _Request, began: float, started: float) -> Answer:
        """The runtime client is told so, and exits, as a process does that is not frozen here."""
        told = f"Exceeded maximum allowed payload size ({LARGEST_PAYLOAD} bytes)."
        request.answer("413 Request Entity Too Large", {}, _error("RequestEntityTooLarge", told))
        self.kill()
        message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_PAYLOAD} bytes)."
        return _answer(_error("Function.ResponseSizeTooLarge", message), True, began, started)

    def _exited(self, request_id: str, began: float, started: float) -> Answer:
        code = self._process.wait()
        if code < 0:
            reason = f"with error: signal: {signal.Signals(-code).name}"
        else:
            reason = f"with error: exit status {code}" if code else "without providing a reason"
        message = f"RequestId: {request_id} Error: Runtime exited {reason}"
        return _answer(_error("Runtime.ExitError", message), True, began, started)


def _answer(payload: bytes, errored: bool, began: float, started: float) -> Answer:
    init, run = started - began, time.monotonic() - started
    return Answer(payload.decode(), errored, init_ms=init * 1000, run_ms=run * 1000)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _headers(request_id: str, arn: str, seconds: float) -> dict[str, str]:
    trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
    return {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": arn,
        "Lambda-Runtime-Trace-Id": f"{trace};Parent={uuid.uuid4().hex[:16]};Sampled=0",
    }


def _expect(request: _Request, *names: str) -> str:
    """The one of these requests of an invocation that it is. Raises _BrokenError."""
    for name in names:
        if request.path == f"/2018-06-01/runtime/invocation/{name}":
            return name
    raise _BrokenError


def _read(connection: socket.socket, file: BinaryIO) -> _Request | None:
    """Read one request; None if the client closed the connection. Raises _BrokenError.

    The client puts the cause of an error into a header of up to a megabyte, so that http.client, which
    takes 64 KB, can't read the headers.
    """
    start = file.readline().split()
    if not start:
        return None
    length = b"0"
    while (line := file.readline()).strip():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = value.strip()
    if len(start) != 3 or not length.isdigit():
        raise _BrokenError
    body = file.read(int(length))
    if len(body) < int(length):
        raise _BrokenError
    return _Request(connection, start[1].decode(errors="replace"), body)
