"""Runs in a container, with only the standard library, and measures a function's start and memory.

It acts as the Runtime API for AWS's runtime client, whose first request for an event ends the init phase:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. It reads from standard input the event, the
function's timeout and the number of starts, and writes JSON: ``init_ms`` and ``bare_ms``, whose starts take
turns; ``peak_mb``, the process's peak memory after its answer; and the ``answer``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from http.client import parse_headers
from typing import Any, BinaryIO

BOOTSTRAP = "/var/runtime/bootstrap"
BARE = "bare.handler"  # a module in /opt/python
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


class Started:
    """A function's process that has asked for its first event."""

    def __init__(self, handler: str) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(60)  # in case the process dies before it asks for an event
        api = f"127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        self._process = subprocess.Popen(
            [BOOTSTRAP],
            env={**os.environ, "AWS_LAMBDA_RUNTIME_API": api, "_HANDLER": handler},
            stdout=sys.stderr,
        )
        self._connection, _ = listener.accept()
        self._file = self._connection.makefile("rb")
        path, body = _read(self._file)
        self.init_ms = (time.monotonic() - began) * 1000
        if not path.endswith("/next"):
            raise RuntimeError(f"{handler}: {path}: {body.decode()}")

    def answer(self, event: bytes, timeout: int) -> Any:
        """Give the process the event, and so many seconds for it; return its answer."""
        deadline = int((time.time() + timeout) * 1000)
        headers = [
            "HTTP/1.1 200 OK",
            f"Content-Length: {len(event)}",
            "Content-Type: application/json",
            "Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-000000000000",
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f",
            f"Lambda-Runtime-Deadline-Ms: {deadline}",
        ]
        self._connection.sendall("\r\n".join(headers).encode() + b"\r\n\r\n" + event)
        _, body = _read(self._file)
        self._connection.sendall(ACCEPTED)
        return json.loads(body)

    def peak_mb(self) -> float:
        """End the process; return its peak memory in MB of 1024 x 1024 bytes."""
        self._process.kill()
        _, _, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = -9
        return usage.ru_maxrss / 1024


def _read(file: BinaryIO) -> tuple[str, bytes]:
    """A request's path and body."""
    path = file.readline().split()[1].decode()
    return path, file.read(int(parse_headers(file).get("Content-Length", 0)))


def _init_ms(handler: str) -> float:
    started = Started(handler)
    started.peak_mb()
    return started.init_ms


def main() -> None:
    """Measure as standard input asks."""
    given, handler = json.load(sys.stdin), os.environ["_HANDLER"]
    inits = [(_init_ms(BARE), _init_ms(handler)) for _ in range(given["starts"])]
    last = Started(handler)
    answer = last.answer(json.dumps(given["event"]).encode(), given["timeout"])
    measured = {
        "bare_ms": [bare for bare, _ in inits],
        "init_ms": [own for _, own in inits],
        "peak_mb": last.peak_mb(),
        "answer": answer,
    }
    json.dump(measured, sys.stdout)


if __name__ == "__main__":
    main()
