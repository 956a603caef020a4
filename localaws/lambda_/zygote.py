"""Run by a function's interpreter, in its artifact's folder: imports once what all of its processes would.

It lets AWS's runtime client set logging up, executes the import statements of the artifact's modules, parses
botocore's models of AWS, then forks for each execution environment, which runs the client and so imports the
handler's own module. Variables of the environment that were read meanwhile are known: a function that has
another value of one of them gets an interpreter of its own, which imports everything anew. So do all, once an
import has started a thread.

Nothing of the local AWS can be imported here; processes.py is at the other end.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

_MODELS = 50  # entries of botocore's folder of data; Slipway's artifact has some twenty
_FDS = 3  # the log, what is held while the process lives, where its id and its exit code go


def main(control: socket.socket) -> None:
    """Serve the local AWS until it closes its end."""
    with _recorded() as read:
        _set_logging_up()
        _import_ahead(Path.cwd())
        with contextlib.suppress(Exception):  # what is wrong with them is for the function to find
            _parse_models_ahead()
    if threading.active_count() > 1:
        read["a thread"] = "was started"  # which a fork would not have
    gc.collect()
    gc.freeze()  # else each fork would copy all of it in its first collection
    statuses: dict[int, int] = {}
    while received := _received(control):
        asked, fds = received
        if "wait" in asked:
            _, code = os.waitpid(asked["wait"], 0)
            status = statuses.pop(asked["wait"])
            os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
            os.close(status)
            continue
        log, held, status = fds
        process = os.fork()
        if process == 0:
            control.close()
            for others in statuses.values():
                os.close(others)
            _become(asked["handler"], asked["variables"], log, held, status, read)
        statuses[process] = status
        os.close(log)
        os.close(held)


@contextlib.contextmanager
def _recorded() -> Iterator[dict[str, str | None]]:
    """What is read of the environment meanwhile; None: it is not set."""
    read: dict[str, str | None] = {}
    environ: Any = type(os.environ)
    get, iterate = environ.__getitem__, environ.__iter__

    def recorded_get(self: Any, name: str) -> str:
        read[name] = None
        value = read[name] = get(self, name)
        return str(value)

    def recorded_iterate(self: Any) -> Iterator[str]:
        read["every variable"] = "was read"
        return iterate(self)  # type: ignore[no-any-return]

    environ.__getitem__, environ.__iter__ = recorded_get, recorded_iterate
    try:
        yield read
    finally:
        environ.__getitem__, environ.__iter__ = get, iterate


def _set_logging_up() -> None:
    """Let the runtime client do so now: the modules of an artifact find its handler, and may change it."""
    # Its connection keeps the address that it finds on its import, which is another one for each fork.
    sys.modules["runtime_client"] = None  # type: ignore[assignment]
    # If the artifact has modules that are in its way, the function finds that, too.
    with contextlib.suppress(Exception):
        from awslambdaric import bootstrap

        bootstrap.init_logging()
        bootstrap._setup_logging = lambda *_: None  # which each fork would do again
    del sys.modules["runtime_client"]


def _import_ahead(folder: Path) -> None:
    for file in sorted(folder.glob("*.py")):
        # What is wrong with a module, or with what it imports, is for the function to find.
        with contextlib.suppress(Exception):
            for statement in ast.parse(file.read_bytes()).body:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    with contextlib.suppress(Exception, SystemExit):
                        code = compile(ast.Module([statement], []), str(file), "exec")
                        exec(code, {"__name__": "ahead"})


def _parse_models_ahead() -> None:
    """Parse the models of the artifact's botocore, which takes half of the time in which clients are made.

    botocore reads each file once in a session, and changes nothing of what it has read.
    """
    loaders: Any = sys.modules.get("botocore.loaders")
    if loaders is None:
        return
    data = Path(loaders.__file__).with_name("data")
    # An artifact that has the models of all services takes longer to parse than its functions save.
    if len(list(data.iterdir())) > _MODELS:
        return
    parse, loader = loaders.JSONFileLoader.load_file, loaders.JSONFileLoader()
    parsed = {}
    for file in data.rglob("*.json*"):
        name = str(file).removesuffix(".gz").removesuffix(".json")
        with contextlib.suppress(Exception):
            parsed[name] = parse(loader, name)

    def load_file(self: Any, name: str) -> Any:
        return parsed[name] if name in parsed else parse(self, name)

    loaders.JSONFileLoader.load_file = load_file


def _received(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    size, fds, _, _ = socket.recv_fds(control, 4, _FDS)
    if not size:
        return None
    body = b""
    while len(body) < int.from_bytes(size):
        body += control.recv(int.from_bytes(size) - len(body))
    return json.loads(body), fds


def _become(
    handler: str,
    variables: dict[str, str],
    log: int,
    held: int,
    status: int,
    read: dict[str, str | None],
) -> NoReturn:
    """Be the process that AWS's runtime client would have been started in."""
    os.setsid()  # so that all that the function starts can be killed with it
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.set_inheritable(held, True)
    os.write(status, f"{os.getpid()}\n".encode())
    os.close(log)
    os.close(status)
    if any(variables.get(name) != value for name, value in read.items()):
        command = [sys.executable, "-S", "-m", "awslambdaric", handler]
        os.execve(sys.executable, command, variables)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    gc.unfreeze()
    if client := sys.modules.get("awslambdaric.lambda_runtime_client"):
        importlib.reload(client)  # now with its connection
    sys.argv[1:] = [handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
