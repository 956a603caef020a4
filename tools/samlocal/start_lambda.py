"""The Lambda of `make local LAMBDA=sam`: the SAM CLI's `sam local start-lambda`, in containers.

``python -m tools.samlocal.start_lambda IMAGE GATEWAY [LISTENER]`` runs `make local` where the engine is.
As soon as Slipway is deployed, its functions run in containers. It ends when standard input is closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import requests
from moto.awslambda.models import LambdaFunction, lambda_backends

from localaws import aws
from localaws.faults import faults
from localaws.lambda_ import awslambda, pool
from localaws.lambda_.awslambda import Executed
from localaws.lambda_.execution_environment import Answer
from localaws.server import LocalAws
from tools import local, sam
from tools.demo import story
from tools.samlocal import deployed, forwarder
from tools.samlocal.invoke import HOST

LOG = story.REPO / ".cache" / "start-lambda.log"
START_SECONDS = 60  # for the SAM CLI and for a container
# The keys of a function's own error. The SAM CLI returns it like any answer.
ERROR = {"errorType", "errorMessage", "requestId", "stackTrace"}


def main(image: str, gateway: str, listener: str = "") -> int:
    """Run `make local` until standard input is closed; return its exit code.

    Args:
        listener: the number of a socket that listens where users look for the local AWS, if that is
            another network than the one this runs in.
    """
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    with contextlib.ExitStack() as undo:
        if listener:
            outside = socket.socket(fileno=int(listener))
            undo.enter_context(forwarder.relayed(outside, local.port()))
        return local.main(lambda running: in_containers(running, image, gateway, bool(listener)))


@contextlib.contextmanager
def in_containers(
    running: LocalAws, image: str, gateway: str, ends_with_us: bool
) -> Iterator[None]:
    """While the context lasts, run the deployed functions by `sam local start-lambda`.

    Args:
        ends_with_us: whether the engine does, so that its containers need not be removed one by one.
    """
    functions = lambda_backends[aws.ACCOUNT][aws.REGION].list_functions()
    port = int(running.url.rpartition(":")[2])
    with (
        tempfile.TemporaryDirectory(prefix="slipway-start-lambda-") as folder,
        forwarder.forwarded(gateway, port),
    ):
        deployed.write(Path(folder), functions, f"http://{HOST}:{port}")
        with (
            _started(Path(folder), image, gateway, ends_with_us) as url,
            awslambda.executed_by(_Containers(url, functions)),
        ):
            sys.stdout.write(f"What sam local start-lambda and the functions write: {LOG}\n")
            yield


class _Containers:
    """Runs functions by start-lambda, each in one container, in which invocations wait for each other."""

    def __init__(self, url: str, functions: Iterable[LambdaFunction]) -> None:
        self._url = url
        # By name: the template of start-lambda knows neither versions nor aliases.
        self._known = {each.function_name: pool.deployment(each) for each in functions}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, function: LambdaFunction, event: bytes, _request_id: str) -> Executed:
        """Invoke. NotImplementedError if the function was changed after start-lambda began."""
        if self._known.get(function.function_name) != pool.deployment(function):
            raise NotImplementedError(
                f"{function.function_name} was deployed after `sam local start-lambda` had begun;"
                " start `make local LAMBDA=sam` again"
            )
        with self._locks[function.function_name]:
            faults.in_flight()
            began = time.monotonic()
            path = f"/2015-03-31/functions/{deployed.logical_id(function)}/invocations"
            seconds = int(function.timeout) + START_SECONDS
            response = requests.post(self._url + path, data=event, timeout=(5, seconds))
            ms = (time.monotonic() - began) * 1000
        payload = _payload(response, function, ms)
        return Executed(Answer(payload, _is_error(payload), 0.0, ms), "sam-local", [])


def _payload(response: requests.Response, function: LambdaFunction, ms: float) -> str:
    """The answer, or Lambda's own error if the container ended before it answered."""
    if response.ok and response.text:
        return response.text
    if ms >= int(function.timeout) * 1000:
        text = f"Error: Task timed out after {int(function.timeout):.2f} seconds"
        return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": text})
    text = f"Error: Runtime exited: {response.status_code} {response.text}"
    return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": text})


def _is_error(payload: str) -> bool:
    answer = json.loads(payload)
    return isinstance(answer, dict) and "errorType" in answer and set(answer) <= ERROR


@contextlib.contextmanager
def _started(folder: Path, image: str, gateway: str, ends_with_us: bool) -> Iterator[str]:
    """Start start-lambda; yield its URL as soon as it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "sam"), "local", "start-lambda", "--no-watch"]
    command += [
        "--template",
        deployed.TEMPLATE,
        "--env-vars",
        deployed.ENV_VARS,
        "--port",
        str(port),
    ]
    command += ["--warm-containers", "LAZY", "--skip-pull-image", "--invoke-image", image]
    if forwarder.is_here(gateway):
        command += ["--add-host", f"{HOST}:{gateway}"]
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C reaches this process only, which ends start-lambda when nothing calls it any more
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise sam.SamError(f"sam local start-lambda did not start:\n{LOG.read_text()}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL if ends_with_us else signal.SIGINT)
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.closing(socket.socket()) as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _end_with_the_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
