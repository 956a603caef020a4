"""``make local LAMBDA=invoke``: a local AWS that containers of `sam local invoke` can reach."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from localaws.server import LocalAws
from tools import local
from tools.samlocal import engine, forwarder


@contextmanager
def reachable(running: LocalAws) -> Iterator[None]:
    """Lets containers of the engine that answers reach the local AWS. Without an engine there are none."""
    gateway = engine.answering_gateway()
    if gateway is None:
        yield
        return
    with forwarder.forwarded(gateway, int(running.url.rpartition(":")[2])):
        yield


if __name__ == "__main__":
    sys.exit(local.main(reachable))
