"""A Slack on loopback that accepts a bot's messages, for NotifySlack in a container."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "xoxb-made-up"  # noqa: S105 - of this Slack
CHANNEL = "C0123456789"


@dataclass
class Slack:
    """Its port, and whether it still accepts its token."""

    port: int = 0
    revoked: bool = False

    def answer(self, authorization: str) -> dict[str, object]:
        """Its answer to a message: https://docs.slack.dev/reference/methods/chat.postMessage."""
        if self.revoked:
            return {"ok": False, "error": "token_revoked"}
        if authorization != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        return {"ok": True, "channel": CHANNEL, "ts": "1795316400.000001"}


@contextmanager
def listening() -> Iterator[Slack]:
    """A Slack while the context lasts."""
    slack = Slack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(slack.answer(self.headers.get("Authorization", ""))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keeps requests out of the output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        slack.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield slack
        finally:
            server.shutdown()
