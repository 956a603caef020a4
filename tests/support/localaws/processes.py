"""Runs a local AWS in a process of its own, because a process can have only one."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from tests.support.paths import REPO

# Importing the local AWS takes 3 s of a processor, so the fork server does it once for all processes.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["localaws.server"])


def run_python(source: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python process in the repository."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=REPO,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_forked(source: str, *arguments: Path, **environment: str) -> None:
    """Run Python to its end in a new process that has imported the local AWS but not started it."""
    receiver, sender = _forks.Pipe(duplex=False)
    values = {**os.environ, **environment}
    process = _forks.Process(target=_execute, args=(source, arguments, values, sender))
    process.start()
    sender.close()
    try:
        assert receiver.poll(120), "the process does not end"
        error = receiver.recv()
        process.join(120)
        assert (error, process.exitcode) == (None, 0), error
    finally:
        process.kill()
        receiver.close()


def _execute(
    source: str, arguments: tuple[Path, ...], environment: dict[str, str], sender: Connection
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = map(str, arguments)
    try:
        exec(textwrap.dedent(source), {})
    except BaseException:
        sender.send(traceback.format_exc())
        raise
    sender.send(None)
