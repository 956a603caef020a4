"""Lets containers reach what listens on loopback. It listens on their engine's bridge only."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

CHUNK = 65536


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def forwarded(address: str, port: int) -> Iterator[None]:
    """Forward connections to the address to the same port of loopback.

    It does nothing for an engine in a virtual machine of its own, whose containers reach this machine's
    loopback anyway.
    """
    if not is_here(address):
        yield
        return
    with socket.create_server((address, port)) as listener, relayed(listener, port):
        yield


@contextlib.contextmanager
def relayed(listener: socket.socket, port: int) -> Iterator[None]:
    """Forward connections to the listener, which may belong to another network, to loopback."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                inside = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return  # nothing listens there yet, or nothing any more: close the connection
            with inside:
                back = threading.Thread(target=_copy, args=(inside, self.request), daemon=True)
                back.start()
                _copy(self.request, inside)
                back.join()

    address = listener.getsockname()
    with _Forwarder(address, Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listener
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()


def is_here(address: str) -> bool:
    """Whether the address belongs to this machine."""
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return True


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy in both directions until one of the two is closed."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
