"""``make local LAMBDA=invoke``: a local AWS that containers of `sam local invoke` can reach.

Exits as `make local` does, and with 3 at once if no container engine answers.
"""

from __future__ import annotations

import sys

from tools import local
from tools.samlocal import engine, forwarder
from tools.samlocal.__main__ import NO_ENGINE


def main() -> int:
    """Run until a signal; return the exit code."""
    gateway = engine.answering_gateway()
    if gateway is None:
        sys.stderr.write(
            "localaws: no container engine answers, so sam local invoke can't run a function; start one, or "
            "set DOCKER_HOST\n"
        )
        return NO_ENGINE
    # Containers reach the local AWS at the gateway.
    return local.main(
        lambda running: forwarder.forwarded(gateway, int(running.url.rpartition(":")[2]))
    )


if __name__ == "__main__":
    sys.exit(main())
