"""CloudFormation as a function of a custom resource sees it: it sends requests and takes the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.support.handlers import invoked

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/slipway/9a147874"


class CloudFormation:
    """Where the answers go to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[dict[str, Any]] = []
        self.types: list[str | None] = []
        self.status = 200

    def request(self, kind: str, properties: dict[str, str], **changes: Any) -> dict[str, Any]:
        token = "arn:of:the:function"
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": STACK,
            "RequestId": "request-1",
            "ResourceType": "Custom::Resource",
            "LogicalResourceId": "Resource",
            "ServiceToken": token,
            "ResourceProperties": {"ServiceToken": token, "ServiceTimeout": "300", **properties},
            **changes,
        }

    def asked(
        self, function: str, kind: str, properties: dict[str, str], **changes: Any
    ) -> dict[str, Any]:
        """The function's answer to its only request."""
        invoked(function, self.request(kind, properties, **changes))
        (answer,) = self.answers
        return answer


@contextmanager
def listening() -> Iterator[CloudFormation]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.answers.append(json.loads(body))
            made.types.append(self.headers["Content-Type"])
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made = CloudFormation(f"http://127.0.0.1:{server.server_port}/answer")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()
