"""The real AWS CLI for shells of tests, forked from one process that has imported it.

A command of the AWS CLI takes 0.7 seconds of a processor to start, most of it for imports. The folder
``on_path()`` has an ``aws`` that hands its arguments, folder, environment and standard streams to the
forking process, and ends with the exit code of the AWS CLI there.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import NoReturn

_LOST = 255  # the exit code of a command whose process ended without one

_AWS = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(asked).to_bytes(4)], [0, 1, 2])
    server.sendall(asked)
    answer = server.recv(1)
sys.exit(answer[0] if answer else {lost})
"""


@cache
def on_path() -> Path:
    """A folder with the ``aws`` command, which works until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="aws-cli-"))
    address = folder / "socket"
    command = folder / "aws"
    command.write_text(_AWS.format(python=sys.executable, address=str(address), lost=_LOST))
    command.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        process = subprocess.Popen(
            [sys.executable, __file__, str(server.fileno())],
            stdin=subprocess.PIPE,  # its end is the end of this process
            pass_fds=[server.fileno()],
            start_new_session=True,
        )
    atexit.register(_end, process, folder)
    return folder


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.communicate()
    shutil.rmtree(folder)


def _serve(server: socket.socket) -> None:
    """Fork for each command, until the process that has started this one ends."""
    import select

    import awscli.clidriver

    # Each command makes a loader of its own, which lists all services and parses their endpoints.
    session = awscli.clidriver.botocore.session
    session.create_loader = cache(session.create_loader)
    driver = awscli.clidriver.create_clidriver()  # imports what a command imports late
    driver.session.get_available_services()
    driver.session.get_data("endpoints")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for the processes' exit codes
    while server in select.select([server, sys.stdin], [], [])[0]:
        asking, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _run(asking)
        asking.close()


def _run(asking: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(asking, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(size):
        asked += asking.recv(int.from_bytes(size) - len(asked))
    arguments, folder, variables = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    set_by_import = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}
    os.environ.clear()
    os.environ.update(variables | set_by_import)
    sys.argv[:] = ["aws", *arguments]
    code = _LOST
    try:
        import awscli.clidriver

        code = awscli.clidriver.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - it has to be shown before the process ends
        traceback.print_exc()
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        asking.sendall(bytes([code & 0xFF]))
        os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
