"""Topics, and subscribers that keep the messages they receive."""

from __future__ import annotations

import io
import json
import sys
import threading
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.iam import TRUST, allow, document
from tests.support.waiting import wait_for

CODE = """
import json, os, pathlib
def handler(event, context):
    with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
        seen.write(json.dumps(event) + chr(10))
    if os.environ.get("FAIL"):
        raise RuntimeError("no")
"""


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def topic(aws: LocalAws) -> str:
    return str(aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"])


def attributes(**texts: str) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def let_sns_send(aws: LocalAws, arn: str, **condition: Any) -> None:
    """Give the queue a policy which lets SNS send to it for every topic, or for those of the condition."""
    sqs = aws.client("sqs")
    statement = allow("sqs:SendMessage", arn, Principal={"Service": "sns.amazonaws.com"})
    if condition:
        statement["Condition"] = condition
    sqs.set_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"],
        Attributes={"Policy": document(statement)},
    )


class Queue:
    """A queue and its messages. Every topic may send to it."""

    def __init__(self, aws: LocalAws) -> None:
        self.sqs, self.name = aws.client("sqs"), unique("queue")
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{self.name}"
        let_sns_send(aws, self.arn)

    def receive(self) -> list[dict[str, Any]]:
        """Receive and delete the messages that are in the queue now."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def one(self) -> Any:
        """Wait for a message, which must be the only one; its body."""
        [message] = wait_for(self.receive, f"a message in {self.name}")
        return json.loads(message["Body"])


class Recorder:
    """A Lambda function that writes its events to a file."""

    def __init__(self, aws: LocalAws, folder: Path, **environment: str) -> None:
        self.aws, self.name = aws, unique("recorder")
        self.functions = aws.client("lambda")
        self._seen = folder / self.name
        iam = aws.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST)["Role"]
        iam.put_role_policy(
            RoleName=self.name,
            PolicyName="report",
            PolicyDocument=document(allow("sqs:SendMessage")),
        )
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as artifact:
            artifact.writestr("app.py", CODE)
        self.arn = self.functions.create_function(
            FunctionName=self.name,
            Role=role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=30,
            Environment={"Variables": {"SEEN": str(self._seen), **environment}},
        )["FunctionArn"]

    def allow(self, source: str, principal: str = "sns.amazonaws.com") -> None:
        self.functions.add_permission(
            FunctionName=self.name,
            StatementId=unique("s"),
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=source,
        )

    def subscribe(self, topic: str, **settings: str) -> str:
        answer = self.aws.client("sns").subscribe(
            TopicArn=topic,
            Protocol="lambda",
            Endpoint=self.arn,
            Attributes=settings,
            ReturnSubscriptionArn=True,
        )
        return str(answer["SubscriptionArn"])

    def events(self) -> list[Any]:
        """The events so far."""
        if not self._seen.exists():
            return []
        whole = [line for line in self._seen.read_text().splitlines(keepends=True) if "\n" in line]
        return [json.loads(line) for line in whole]

    def wait(self, count: int = 1) -> list[Any]:
        """Wait for this many events; all events so far."""
        wait_for(lambda: len(self.events()) >= count, f"{count} events of {self.name}")
        return self.events()


class Endpoint:
    """An HTTP server that keeps the requests posted to it and answers each with the next of its statuses."""

    def __init__(self) -> None:
        self.statuses: list[int] = []  # answers 200 when the list is empty
        self.posts: list[tuple[dict[str, str], str]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = endpoint.statuses.pop(0) if endpoint.statuses else 200
                endpoint.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", f"{endpoint.url}/moved")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}/told"

    def wait(self, count: int = 1) -> list[tuple[dict[str, str], str]]:
        wait_for(lambda: len(self.posts) >= count, f"{count} posts")
        return list(self.posts)


@contextmanager
def served(endpoint: Endpoint) -> Iterator[Endpoint]:
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()
