"""Lets containers reach what listens on loopback: bound to their engine's bridge, not to all addresses."""

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
    """Whoever connects to the address is connected to loopback, on the same port.

    Nothing is done for an engine in a virtual machine of its own, whose containers are led to the
    loopback of this machine already.
    """
    if not is_here(address):
        yield
        return
    with socket.create_server((address, port)) as listener, relayed(listener, port):
        yield


@contextlib.contextmanager
def relayed(listener: socket.socket, port: int) -> Iterator[None]:
    """Whoever connects to the listener, which may be of another network, is connected to loopback."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                inside = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return  # nothing listens there yet, or any more: the connection is closed
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
    """Whether the address is one of this machine's."""
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return True


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until one of the two is closed."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
