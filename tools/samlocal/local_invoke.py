"""``python -m tools.samlocal.local_invoke`` (``make local LAMBDA=invoke``): sam local invoke reaches it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from localaws.server import LocalAws
from tools import local
from tools.samlocal import engine, forwarder


@contextmanager
def reachable(running: LocalAws) -> Iterator[None]:
    """For containers of the engine that answers; where none does there are none."""
    gateway = engine.answering_gateway()
    if gateway is None:
        yield
        return
    with forwarder.forwarded(gateway, int(running.url.rpartition(":")[2])):
        yield


if __name__ == "__main__":
    sys.exit(local.main(reachable))
