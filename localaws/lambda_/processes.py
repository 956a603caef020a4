"""The processes of functions, forked by one that has imported what their artifact needs (zygote.py).

Importing it takes half a second of a processor, and a fork a hundredth.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path

_ZYGOTE = Path(__file__).with_name("zygote.py")
# Each takes 75 MB, most of which its forks share. The tests of the local AWS have small artifacts of their
# own between those that deploy the pipeline.
_KEPT = 2

_zygotes: weakref.WeakValueDictionary[Path, Zygote] = weakref.WeakValueDictionary()  # by folder
_kept: deque[Zygote] = deque(maxlen=_KEPT)
_keeping = threading.Lock()


def zygote_of(task_folder: Path, variables: Mapping[str, str]) -> Zygote:
    """The zygote of the artifact in this folder, which may have been started by an earlier local AWS.

    Args:
        variables: of its environment, if it has to be started.
    """
    with _keeping:
        zygote = _zygotes.get(task_folder)
        if zygote is None or not zygote.alive:
            zygote = _zygotes[task_folder] = Zygote(task_folder, variables)
        if zygote in _kept:
            _kept.remove(zygote)
        _kept.append(zygote)
        return zygote


class Zygote:
    """Starts processes of one artifact; it ends when nobody has it or one of its processes.

    `zygote_of` keeps those that were asked for last.
    """

    def __init__(self, task_folder: Path, variables: Mapping[str, str]) -> None:
        self._sending = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # -P: else the modules beside zygote.py could be imported.
                [sys.executable, "-S", "-P", _ZYGOTE, str(theirs.fileno())],
                cwd=task_folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a ^C in the terminal is for the local AWS
            )
        weakref.finalize(self, _end, self._control, self._process)

    @property
    def alive(self) -> bool:
        """Whether it can start processes."""
        return self._process.poll() is None

    def start(self, handler: str, variables: dict[str, str], log: int) -> Process:
        """A process that runs AWS's runtime client, with these variables only, and writes to ``log``."""
        alive, held = os.pipe()
        status, told = os.pipe()
        self.ask({"handler": handler, "variables": variables}, [log, held, told])
        os.close(held)
        os.close(told)
        return Process(self, alive, status)

    def ask(self, message: dict[str, object], fds: list[int]) -> None:
        """Send a message; its answer comes by the pipe of the process that it is about."""
        body = json.dumps(message).encode()
        # A zygote that has died answers nothing, and the pipes say so.
        with self._sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._control, [len(body).to_bytes(4)], fds)
            self._control.sendall(body)


class Process:
    """One that a zygote has forked, or is about to."""

    def __init__(self, zygote: Zygote, alive: int, status: int) -> None:
        self._zygote = zygote
        self._status = os.fdopen(status)
        self._pid = 0
        self._code: int | None = None
        self._asking = threading.RLock()
        self.alive = alive
        """A pipe whose other end the process holds, so that its end can be waited for like a request."""

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._code is not None or bool(select.select([self.alive], [], [], 0)[0])

    def kill(self) -> None:
        """End the process and whatever it started."""
        with self._asking:
            # Until its exit code was asked for, no other process can have its id.
            if self._code is None and (pid := self._id()):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        """Wait for its end; the exit code, or minus the number of the signal that ended it."""
        with self._asking:
            if self._code is None:
                if pid := self._id():
                    self._zygote.ask({"wait": pid}, [])
                self._code = int(self._status.readline() or -signal.SIGKILL)
            return self._code

    def close(self) -> None:
        """Give back what is held of it."""
        os.close(self.alive)
        self._status.close()

    def _id(self) -> int:
        """Its process id, as soon as it leads its process group; 0 if it never came to be."""
        self._pid = self._pid or int(self._status.readline() or 0)
        return self._pid


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    process.wait()
