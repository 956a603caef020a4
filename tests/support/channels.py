"""An account that notifies people in Slack, and the fake Slack that it notifies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import LambdaFunction

from localaws.lambda_ import awslambda
from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.account import ENDED_SECONDS, STACK, Account, Shop
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
        """The notices that Slack did not get. Reading does not remove them."""
        found = self.aws.client("sqs").receive_message(
            QueueUrl=self.account.outputs[QUEUE], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]

    def undelivered_about(self, shop: Shop) -> list[dict[str, Any]]:
        """Wait until Slack did not get a notice about the team's service; these notices."""
        return wait_for(
            lambda: [each for each in self.undelivered() if each["service"] == shop.service],
            f"what Slack did not get about {shop.service}",
            ENDED_SECONDS,
        )

    def failures(self) -> str:
        """What the function has logged about notices that it could not send."""
        group = self.aws.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId="StepsLogGroup"
        )["StackResourceDetail"]["PhysicalResourceId"]
        found = self.aws.client("logs").filter_log_events(
            logGroupName=group, filterPattern='"could not notify Slack"'
        )
        return "\n".join(event["message"] for event in found["events"])

    def queued(self) -> int:
        """How many notices the function has not sent yet and may still send."""
        sqs = self.aws.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.aws.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId="SlackNotices"
        )["StackResourceDetail"]["PhysicalResourceId"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def alarm(self) -> str:
        """The state of the alarm on the undelivered notices."""
        alarms = self.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
        return next(
            str(alarm["StateValue"]) for alarm in alarms if "UndeliveredSlack" in alarm["AlarmName"]
        )

    def mended(self) -> None:
        """Wait until all notices are delivered or not, forget the latter, and wait until the alarm is OK."""
        wait_for(lambda: self.queued() == 0, "the end of all notices", ENDED_SECONDS)
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


@dataclass
class Concurrency:
    """How many invocations of a function run, and how many ran at the same time at most."""

    running: int = 0
    peak: int = 0


@contextmanager
def concurrency_of(function_name: str) -> Iterator[Concurrency]:
    """Count the invocations of a function that run at the same time."""
    counted, lock = Concurrency(), threading.Lock()

    def count(change: int) -> None:
        with lock:
            counted.running += change
            counted.peak = max(counted.peak, counted.running)

    def execute(function: LambdaFunction, event: bytes, request_id: str) -> awslambda.Executed:
        if function.function_name != function_name:
            return awslambda.in_a_process(function, event, request_id)
        count(1)
        try:
            return awslambda.in_a_process(function, event, request_id)
        finally:
            count(-1)

    with awslambda.executed_by(execute):
        yield counted


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
