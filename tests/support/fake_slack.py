"""A fake Slack: an HTTP server on loopback with two methods of Slack's API and an incoming webhook.

It refuses requests as Slack does: the API answers 200 with ``"ok": false``, a webhook an HTTP status and one
word.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.block_kit_rules import problems

TOKEN = "xoxb-1234-5678-abcdefgh"
CHANNEL = "C0123456789"
PATH = "/services/T0001/B0001/abcdefghijklmnop"


@dataclass
class Call:
    """A request that arrived, and its answer; ``error`` is empty if the request was accepted."""

    method: str
    """``chat.postMessage``, ``chat.update``, or ``webhook``."""
    body: dict[str, Any]
    status: int
    error: str

    @property
    def done(self) -> bool:
        return self.status == 200 and not self.error

    @property
    def title(self) -> str:
        """The text of the message's header, or its fallback text if it has no header."""
        first = self.body["blocks"][0]
        return str(first["text"]["text"] if first["type"] == "header" else self.body["text"])


@dataclass
class Post:
    """A message with its content as it is now, after ``versions`` - 1 updates."""

    ts: str
    body: dict[str, Any]
    thread: str | None = None
    versions: int = 1


@dataclass
class FakeSlack:
    """The server, the faults of its next answers, and the requests that it got.

    ``hang_ups``, ``unavailable`` and ``lost_answers`` say how many of the next requests get a fault: their
    connection is closed at once, they are answered with ``status``, or they are carried out but not answered.
    Within ``hanging()``, no request is answered, and at its end their connections are closed.
    ``rate_limits`` holds the Retry-After of the next requests, which are refused.
    """

    token: str = TOKEN
    channel: str = CHANNEL
    path: str = PATH
    scopes: tuple[str, ...] = ("chat:write",)
    rate_limits: list[int] = field(default_factory=list)
    unavailable: int = 0
    status: int = 503
    hang_ups: int = 0
    lost_answers: int = 0
    no_updates: str = ""
    """The error that answers every chat.update; empty if updates are allowed."""
    calls: list[Call] = field(default_factory=list)
    posts: dict[str, Post] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    answers: threading.Event = field(default_factory=threading.Event)
    """Set unless it hangs."""

    def __enter__(self) -> Self:
        self.answers.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api(self) -> str:
        """The address of the API, for SLACK_API_URL."""
        return f"{self.address}/api/"

    @property
    def webhook(self) -> str:
        """The webhook's URL, for the secret."""
        return self.address + self.path

    @property
    def done(self) -> list[Call]:
        """The accepted requests, oldest first."""
        with self.lock:
            return [call for call in self.calls if call.done]

    @property
    def in_channel(self) -> list[Post]:
        """The messages in the channel without those in threads, oldest first."""
        with self.lock:
            return [post for post in self.posts.values() if post.thread is None]

    def in_thread(self, ts: str) -> list[Post]:
        """The messages in the thread of this message."""
        with self.lock:
            return [post for post in self.posts.values() if post.thread == ts]

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Accept connections and requests, but answer none of them."""
        self.answers.clear()
        try:
            yield
        finally:
            self.answers.set()

    def delete(self, ts: str) -> None:
        """Delete a message, as a person can in Slack."""
        with self.lock:
            del self.posts[ts]

    def answer(
        self, path: str, headers: Any, raw: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """The status, headers and body of the answer; None to close the connection without one."""
        method = path.removeprefix("/api/") if path.startswith("/api/") else "webhook"
        body = json.loads(raw)
        if not self.answers.is_set():
            self.answers.wait()
            return None
        with self.lock:
            if self.hang_ups:
                self.hang_ups -= 1
                self.calls.append(Call(method, body, 0, "hung up"))
                return None
            status, extra, answer = self._answer(method, path, headers, body)
            error = answer.get("error", "")
            self.calls.append(Call(method, body, status, error))
            if status == 200 and not error and self.lost_answers:
                self.lost_answers -= 1
                return None
            if method == "webhook":
                return status, {"Content-Type": "text/html"} | extra, (error or "ok").encode()
            return status, {"Content-Type": "application/json"} | extra, json.dumps(answer).encode()

    def _answer(
        self, method: str, path: str, headers: Any, body: dict[str, Any]
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        if self.rate_limits:
            wait = str(self.rate_limits.pop(0))
            return 429, {"Retry-After": wait}, {"ok": False, "error": "ratelimited"}
        if self.unavailable:
            self.unavailable -= 1
            return self.status, {}, {"ok": False, "error": "service_unavailable"}
        if method == "webhook":
            return self._from_webhook(path, body)
        answer = self._from_bot(method, headers, body)
        return 200, {}, answer if "error" not in answer else {"ok": False, **answer}

    def _from_webhook(self, path: str, body: dict[str, Any]) -> Any:
        if path != self.path:
            return 404, {}, {"error": "no_service"}
        if problems(body):
            return 400, {}, {"error": "invalid_blocks"}
        self._posted(body, None)
        return 200, {}, {}

    def _from_bot(self, method: str, headers: Any, body: dict[str, Any]) -> dict[str, Any]:
        if headers.get("Authorization", "") != f"Bearer {self.token}":
            return {"error": "invalid_auth"}
        if "chat:write" not in self.scopes:
            has = ",".join(self.scopes)
            return {"error": "missing_scope", "needed": "chat:write", "provided": has}
        if method not in {"chat.postMessage", "chat.update"}:
            return {"error": "unknown_method"}
        if body.get("channel") != self.channel:
            return {"error": "channel_not_found"}
        if wrong := problems(body):
            messages = [f"[ERROR] {one}" for one in wrong]
            return {"error": "invalid_blocks", "response_metadata": {"messages": messages}}
        if method == "chat.postMessage":
            thread = body.get("thread_ts")
            if thread is not None and thread not in self.posts:
                return {"error": "thread_not_found"}
            ts = self._posted(body, thread)
            return {
                "ok": True,
                "channel": self.channel,
                "ts": ts,
                "message": {"text": body["text"]},
            }
        post = self.posts.get(body.get("ts", ""))
        if post is None:
            return {"error": "message_not_found"}
        if self.no_updates:
            return {"error": self.no_updates}
        post.body, post.versions = body, post.versions + 1
        return {"ok": True, "channel": self.channel, "ts": post.ts, "text": body["text"]}

    def _posted(self, body: dict[str, Any], thread: str | None) -> str:
        ts = f"1795316400.{len(self.calls):06d}"
        self.posts[ts] = Post(ts, body, thread)
        return ts


def _handler_of(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            answer = slack.answer(self.path, self.headers, raw)
            if answer is None:
                self.close_connection = True
                with suppress(OSError):  # the client may have given up
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the test's output."""

    return Handler
