"""``python -m tools.samlocal.local``, which is ``make local LAMBDA=sam``: with the functions in containers.

A private engine's namespaces have a network of their own, in which the local AWS runs too. Its port is
there all the same: the socket that listens on it is made here and handed in. Exits as `make local`
does, and with 3 where there is no container engine and none can be made.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from tools.local import port
from tools.samlocal.__main__ import NO_ENGINE
from tools.samlocal.engine import REPO, Engine, NoEngineError, engine


def main() -> int:
    """Run until a signal; the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with engine() as found:
            if not found.private:
                return _run(found)
            try:
                listener = socket.create_server(("127.0.0.1", port()))
            except OSError as error:
                where = f"http://localhost:{port()}"
                sys.stderr.write(f"localaws: can't listen on {where}: {error.strerror}\n")
                return 2
            with listener:
                return _run(found, listener.fileno())
    except NoEngineError as missing:
        sys.stderr.write(f"localaws: {missing}\n")
        return NO_ENGINE
    except KeyboardInterrupt:
        return 0


def _run(found: Engine, *listener: int) -> int:
    inside = started(found, *listener)
    try:
        return inside.wait()
    finally:
        inside.communicate()


def started(found: Engine, *listener: int) -> subprocess.Popen[bytes]:
    """`make local` where the engine is, with the listener (a file descriptor) that it is reached by."""
    command = [sys.executable, "-m", "tools.samlocal.start_lambda", found.image, found.gateway]
    return subprocess.Popen(
        found.command([*command, *map(str, listener)]),
        cwd=REPO,
        env=found.environment(os.environ),
        stdin=subprocess.PIPE,  # closed by the end of this process, it ends the local AWS
        pass_fds=listener,
        start_new_session=True,  # Ctrl-C is for this process
    )


if __name__ == "__main__":
    sys.exit(main())
