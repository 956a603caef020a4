"""``python -m tools.samlocal.local``, which is ``make local LAMBDA=sam``: runs functions in containers.

A private engine's namespaces have a network of their own, in which the local AWS runs, too. Its port is
still open on this machine, because the listening socket is made here and passed on. Exits as `make local`
does, and with 3 if there is no container engine and none can be made.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from tools.local import cannot_listen, port
from tools.samlocal.__main__ import NO_ENGINE
from tools.samlocal.engine import REPO, Engine, NoEngineError, engine


def main() -> int:
    """Run until a signal; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with engine() as found:
            if not found.private:
                return _run(found)
            try:
                listener = socket.create_server(("127.0.0.1", port()))
            except OSError as error:
                return cannot_listen(f"http://localhost:{port()}", error)
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
    """Start `make local` where the engine is, and pass it the listener (a file descriptor)."""
    command = [sys.executable, "-m", "tools.samlocal.start_lambda", found.image, found.gateway]
    return subprocess.Popen(
        found.command([*command, *map(str, listener)]),
        cwd=REPO,
        env=found.environment(os.environ),
        stdin=subprocess.PIPE,  # it closes when this process ends, and that ends the local AWS
        pass_fds=listener,
        start_new_session=True,  # Ctrl-C reaches this process only
    )


if __name__ == "__main__":
    sys.exit(main())
