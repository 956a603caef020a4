"""The function TellSlack, as SNS and Lambda call it."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest

from slipway.notice import Kind, Notice
from tests.notices import AT, NOTICES


@dataclass
class Context:
    """What Lambda tells a function about its invocation."""

    seconds: float = 60
    function_name: str = "TellSlack"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:TellSlack"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Function:
    """One process of it."""

    def __init__(self, secret: str, patch: pytest.MonkeyPatch) -> None:
        self.secret = secret
        self._patch = patch
        self._module: Any = None

    def set(self, **environment: str) -> None:
        """Start anew with these settings."""
        for name, value in environment.items():
            self._patch.setenv(name, value)
        self._module = None

    def holds(self, content: str) -> None:
        """Put it into the secret, as a person does who rotates it."""
        boto3.client("secretsmanager").put_secret_value(SecretId=self.secret, SecretString=content)

    def invoked(self, event: dict[str, Any], context: Context | None = None) -> list[str]:
        if self._module is None:
            self._patch.setenv("SLACK_SECRET", self.secret)
            sys.modules.pop("tell_slack", None)
            self._module = importlib.import_module("tell_slack")
        return self._module.handler(event, context or Context())["done"]

    def tell(self, notice: Notice, context: Context | None = None) -> str:
        """What was done about the notice."""
        [done] = self.invoked(of_sns(notice.model_dump_json()), context)
        return done


def of_sns(message: str) -> dict[str, Any]:
    """As SNS calls a function: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
    topic = "arn:aws:sns:eu-west-1:123456789012:notifications"
    sns = {
        "SignatureVersion": "1",
        "Timestamp": "2026-11-22T03:00:00.000Z",
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "Message": message,
        "MessageAttributes": {},
        "Type": "Notification",
        "UnsubscribeUrl": "EXAMPLE",
        "TopicArn": topic,
        "Subject": "x",
    }
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{topic}:1",
        "EventSource": "aws:sns",
        "Sns": sns,
    }
    return json.loads(json.dumps({"Records": [record]}))


def later(notice: Notice, seconds: float, **facts: Any) -> Notice:
    """The same, found out some seconds after AT."""
    return notice.model_copy(update={"at": AT + timedelta(seconds=seconds), **facts})


START = NOTICES["start"]
PROGRESS = later(NOTICES["progress"], 10)
SUCCEEDED = later(NOTICES["succeeded"], 60)
CRASHED = later(NOTICES["crashed"], 60)


def alarm(state: str, seconds: float) -> Notice:
    return Notice(
        kind=Kind.ALARM,
        about="slipway-DeploymentsFailing",
        at=AT + timedelta(seconds=seconds),
        outcome=state,
        title=f"{state}: slipway-DeploymentsFailing",
        reason="Threshold Crossed: 1 datapoint was greater than the threshold",
    )


def progress(seconds: float, line: str) -> Notice:
    return later(NOTICES["progress"], seconds, reason=line)
