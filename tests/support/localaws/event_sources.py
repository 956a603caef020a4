"""A queue, a function that writes down its events, and the mapping between them."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.iam import TRUST, allow, document
from tests.support.localaws.sns import unique
from tests.support.waiting import wait_for

HERE = "us-east-1:123456789012"
MAY_POLL = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
CODE = """
import json, os, pathlib, socket
def handler(event, context):
    with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
        seen.write(json.dumps(event) + chr(10))
    for record in event["Records"]:
        body = json.loads(record["body"])
        if body.get("wait_at"):  # say that it runs, and wait for the word to go on
            with socket.create_connection(("127.0.0.1", body["wait_at"])) as line:
                line.sendall(b"!")
                line.recv(1)
        if body.get("fail", 0) >= int(record["attributes"]["ApproximateReceiveCount"]):
            raise RuntimeError("no")
        if "answer" in body:
            return body["answer"]
"""


class Source:
    """A queue whose messages reach a function. Each body says what the function does."""

    def __init__(
        self, aws: LocalAws, folder: Path, *actions: str, attributes: dict[str, str] | None = None
    ) -> None:
        self.aws, self.name = aws, unique("source")
        self.sqs, self.functions = aws.client("sqs"), aws.client("lambda")
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=attributes or {})[
            "QueueUrl"
        ]
        self.arn = f"arn:aws:sqs:{HERE}:{self.name}"
        self._seen = folder / self.name
        iam = aws.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST)["Role"]
        self.may(*(actions or MAY_POLL))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as artifact:
            artifact.writestr("app.py", CODE)
        self.functions.create_function(
            FunctionName=self.name,
            Role=role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=20,
            Environment={"Variables": {"SEEN": str(self._seen)}},
        )

    def may(self, *actions: str) -> None:
        """Let the function's role do this and nothing else with the queue."""
        self.aws.client("iam").put_role_policy(
            RoleName=self.name,
            PolicyName="poll",
            PolicyDocument=document(*(allow(action, self.arn) for action in actions)),
        )

    def map(self, **settings: Any) -> str:
        """Create the mapping; its UUID."""
        given = {"EventSourceArn": self.arn, "FunctionName": self.name, **settings}
        return str(self.functions.create_event_source_mapping(**given)["UUID"])

    def send(self, **body: Any) -> str:
        """Send a message; its id."""
        sent = self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))
        return str(sent["MessageId"])

    def set(self, **attributes: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=attributes)

    def events(self) -> list[Any]:
        """The events of the function so far."""
        if not self._seen.exists():
            return []
        whole = [line for line in self._seen.read_text().splitlines(keepends=True) if "\n" in line]
        return [json.loads(line) for line in whole]

    def records(self) -> list[Any]:
        """The messages in all events so far."""
        return [record for event in self.events() for record in event["Records"]]

    def wait_for_records(self, count: int) -> list[Any]:
        wait_for(lambda: len(self.records()) >= count, f"{count} messages at {self.name}")
        return self.records()

    def counts(self) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        visible, hidden = (int(found["Attributes"][name]) for name in names)
        return visible, hidden

    def wait_until_empty(self) -> None:
        wait_for(lambda: self.counts() == (0, 0), f"{self.name} to be empty")
