"""Calls of the function NotifySlack as its event source mapping makes them."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from hashlib import md5
from typing import Any

import pytest

from slipway import aws
from slipway.notices.notice import Notice
from tests.support.notices import AT, NOTICES, of_alarm


@dataclass
class Context:
    """The fields of Lambda's context object that the function uses."""

    seconds: float = 60
    pauses: list[float] | None = None
    """The pauses so far, which count against ``seconds``; None if time stands still."""
    function_name: str = "NotifySlack"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:NotifySlack"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.seconds - sum(self.pauses or [])) * 1000)


class Function:
    """One process of the function."""

    def __init__(self, secret: str, patch: pytest.MonkeyPatch) -> None:
        self.secret = secret
        self._patch = patch
        self._module: Any = None

    def set(self, **environment: str) -> None:
        """Set environment variables, and start the process again at the next call."""
        for name, value in environment.items():
            self._patch.setenv(name, value)
        self._module = None

    def holds(self, content: str) -> None:
        """Replace the secret's content, as in a rotation."""
        aws.secretsmanager().put_secret_value(SecretId=self.secret, SecretString=content)

    def invoked(self, event: dict[str, Any], context: Context | None = None) -> list[str]:
        if self._module is None:
            self._patch.setenv("SLACK_SECRET", self.secret)
            sys.modules.pop("notify_slack", None)
            self._module = importlib.import_module("notify_slack")
        return self._module.handler(event, context or Context())["done"]

    def notify(self, notice: Notice, context: Context | None = None) -> str:
        """Invoke the function with a notice; what it did about the notice."""
        [done] = self.invoked(of_queue(notice.model_dump_json()), context)
        return done


def change(of: Notice, **facts: str) -> None:
    """Change the record of what was sent about a notice, as another version or invocation does."""
    names = {f"#{name}": name for name in facts}
    aws.table().update_item(
        Key={"pk": "slack", "sk": of.about},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in facts),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={f":{name}": value for name, value in facts.items()},
    )


def of_queue(message: str) -> dict[str, Any]:
    """Lambda's event with this message of SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1795316400000",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1795316400001",
    }
    record = {
        "messageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "receiptHandle": "EXAMPLE",
        "body": message,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": md5(message.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:slipway-SlackNotices-1A2B3C4D5E6F",
        "awsRegion": "eu-west-1",
    }
    return json.loads(json.dumps({"Records": [record]}))


def later(notice: Notice, seconds: float, **facts: Any) -> Notice:
    """The same notice, made this many seconds after AT."""
    return notice.model_copy(update={"at": AT + timedelta(seconds=seconds), **facts})


START = NOTICES["start"]
PROGRESS = later(NOTICES["progress"], 10)
STAGE = NOTICES["stage"]
SUCCEEDED = later(NOTICES["succeeded"], 60)
CRASHED = later(NOTICES["crashed"], 60)


def alarm(state: str, seconds: float) -> Notice:
    return later(of_alarm("slipway-UnrecoveredNotEmpty-1A2B3C4D5E6F", state), seconds)


def progress(seconds: float, line: str) -> Notice:
    return later(NOTICES["progress"], seconds, reason=line)
