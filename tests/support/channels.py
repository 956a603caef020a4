"""An account that notifies people in Slack, and the fake Slack that it notifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.account import ENDED_SECONDS, Account, Shop
from tests.support.deployed import deployed
from tests.support.fake_slack import FakeSlack, Post
from tests.support.waiting import wait_for

QUEUE = "UndeliveredSlackUrl"
SECRET = "slipway/slack"


@dataclass
class Channel:
    """A channel of the fake Slack, and the account whose function NotifySlack posts to it."""

    account: Account
    slack: FakeSlack
    secret: str
    """ARN of the secret with the webhook's URL or the bot's token."""

    @property
    def aws(self) -> LocalAws:
        return self.account.aws

    def set(self, **variables: str) -> None:
        """Change environment variables of the function, which also replaces its processes."""
        function = self.account.functions()["NotifySlack"]
        client = self.aws.client("lambda")
        found = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=function, Environment={"Variables": found | variables}
        )

    def post_about(self, shop: Shop, tag: str, said: str) -> Post:
        """Wait until the title of the one message about this tag contains ``said``; the message."""
        about = f"{shop.service}, {shop.repository}:{tag}"

        def found() -> Post | None:
            posts = [post for post in self.slack.in_channel if about in title(post)]
            assert len(posts) <= 1, [title(post) for post in posts]
            return next((post for post in posts if said in title(post)), None)

        return wait_for(found, f"{said} of {about} in Slack", ENDED_SECONDS)

    def undelivered(self) -> list[dict[str, Any]]:
        """The messages in the failure queue of NotifySlack. Reading does not remove them."""
        found = self.aws.client("sqs").receive_message(
            QueueUrl=self.account.outputs[QUEUE], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]

    def alarm(self) -> str:
        """The state of the alarm on the failure queue."""
        alarms = self.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
        return next(
            str(alarm["StateValue"]) for alarm in alarms if "UndeliveredSlack" in alarm["AlarmName"]
        )

    def mended(self) -> None:
        """Empty the failure queue, and wait until its alarm is OK."""
        sqs, queue = self.aws.client("sqs"), self.account.outputs[QUEUE]
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        wait_for(lambda: self.alarm() == "OK", "the alarm to be over", ENDED_SECONDS)


def title(post: Post) -> str:
    """The text of a message's header."""
    return str(post.body["blocks"][0]["text"]["text"])


def text_of(post: Post) -> str:
    """The whole content of a message as one text."""
    return json.dumps(post.body["blocks"], ensure_ascii=False)


def mails_of_alarms() -> list[dict[str, Any]]:
    """The emails about Slipway's own alarms."""
    return [mail for mail in sns.mails() if mail["attributes"].get("kind") == "alarm"]


def _with_secret(aws: LocalAws) -> dict[str, str]:
    made = aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="none yet")
    return {"SlackSecret": made["ARN"]}


@contextmanager
def channel(secret: str | None = None, **parameters: str) -> Iterator[Channel]:
    """Slipway on a local AWS that notifies a Slack on loopback, with a webhook or with this bot token."""
    given = {"SweepMinutes": "480", **parameters}
    with FakeSlack() as slack, deployed(given, _with_secret) as (aws, outputs):
        put = aws.client("secretsmanager").put_secret_value(
            SecretId=SECRET, SecretString=secret or slack.webhook
        )
        notified = Channel(Account(aws, outputs), slack, put["ARN"])
        notified.set(SLACK_API_URL=slack.api)
        yield notified
