"""Containers reach what listens on loopback, by one address."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

import pytest

from tools.samlocal.forwarder import forwarded, is_here

BODY = b"x" * 1_000_000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(not is_here("127.0.0.2"), reason="127.0.0.1 is all of loopback here")
def test_a_connection_to_the_address_is_forwarded_to_loopback() -> None:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with forwarded("127.0.0.2", server.server_port):
            url = f"http://127.0.0.2:{server.server_port}/"
            with urlopen(url) as one, urlopen(url) as other:
                assert one.read() == other.read() == BODY
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", server.server_port)).close()
        server.shutdown()
        thread.join()


def test_an_address_of_a_virtual_machine_is_left_alone() -> None:
    address = "192.0.2.1"  # for documentation only, by RFC 5737
    assert not is_here(address)
    with forwarded(address, 4566):
        pass
