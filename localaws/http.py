"""The HTTP server of the local AWS, which keeps connections open, as AWS does for a while.

werkzeug's closes a connection after each request, because an application may leave a part of the request
unread. The local AWS reads every request whole. A new connection and thread for each request, and werkzeug's
wait for what may be unread, took a tenth of the time in which tests deploy.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from typing_extensions import override
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.wrappers import Response

_log = logging.getLogger(__name__)
_END_SECONDS = 5.0  # for what is still being answered


class Handler(MotoRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    # Else the last packet of a long answer would wait for the client's acknowledgement.
    disable_nagle_algorithm = True

    @override
    def run_wsgi(self) -> None:
        environ = self.make_environ()
        try:
            self._send(Response.from_app(self.server.app, environ, buffered=True))
        except ConnectionError:  # the client is gone, or a fault has ended the connection
            self.close_connection = True
        except Exception:  # noqa: BLE001 - without an answer, an SDK would take it for one that got lost
            _log.exception("the local AWS failed")
            self.close_connection = True  # a part of the request may be unread
            self._send(Response("the local AWS failed", 500))

    def _send(self, response: Response) -> None:
        body = response.get_data()
        self.send_response(response.status_code, response.status.partition(" ")[2])
        for name, value in response.headers:
            self.send_header(name, value)
        # HTTP forbids a length here, and an answer to HEAD has that of the body that it leaves out.
        if response.status_code != 204 and "Content-Length" not in response.headers:
            self.send_header("Content-Length", str(len(body)))
        # Head and body at once: the client, which often is in this process, wakes up once for both.
        head: list[bytes] = vars(self)["_headers_buffer"]
        head += [b"\r\n", b"" if self.command == "HEAD" else body]
        self.flush_headers()

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: a pipeline makes thousands of calls."""


class Server(ThreadedWSGIServer):
    """Answers each connection in a thread of its own, and ends all of them when it is closed."""

    def __init__(self, listener: socket.socket, application: Any) -> None:
        self._connections: dict[threading.Thread, socket.socket] = {}
        host, port = listener.getsockname()[:2]
        super().__init__(host, port, application, Handler, fd=listener.fileno())

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        open_ones = [each for each in self._connections.items() if each[0].is_alive()]
        self._connections = {**dict(open_ones), thread: request}
        thread.start()

    @override
    def server_close(self) -> None:
        super().server_close()
        self.end_connections()

    def end_connections(self) -> None:
        """End every connection, and wait for its thread."""
        for connection in self._connections.values():
            with contextlib.suppress(OSError):  # its thread has closed it
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _END_SECONDS
        for thread in self._connections:
            thread.join(max(0.0, deadline - time.monotonic()))
