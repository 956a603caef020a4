"""A webhook has a message for each start and each end, and HTTPS subscribers have Amazon Q's schema."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from localaws.sns import sns
from tests.support.account import ENDED_SECONDS
from tests.support.channels import Channel, mails_of_alarms, text_of, title
from tests.support.waiting import wait_for


@pytest.fixture
def heard(webhook: Channel) -> Iterator[list[dict[str, Any]]]:
    """What an HTTP endpoint that subscribes to the topic is sent."""
    bodies: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            bodies.append(json.loads(self.rfile.read(size)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made = webhook.aws.client("sns").subscribe(
        TopicArn=webhook.account.outputs["NotificationsTopicArn"],
        Protocol="http",
        Endpoint=f"http://127.0.0.1:{server.server_port}/",
        ReturnSubscriptionArn=True,
    )
    yield bodies
    webhook.aws.client("sns").unsubscribe(SubscriptionArn=made["SubscriptionArn"])
    server.shutdown()
    server.server_close()


def titles(webhook: Channel, name: str) -> list[str]:
    return [title(post) for post in webhook.slack.in_channel if name in title(post)]


def test_start_and_end_of_a_deployment_have_a_message_each_in_order(webhook: Channel) -> None:
    shop = webhook.account.shop()
    shop.push("v2", behaviour="crash", exit_code="3")
    assert shop.deployed("v2").outcome == "ROLLED_BACK"
    about = f"{shop.service}, {shop.repository}:v2"
    wait_for(lambda: len(titles(webhook, about)) >= 2, "both messages", ENDED_SECONDS)
    first, second = titles(webhook, about)
    assert "STARTED" in first
    assert "ROLLED_BACK" in second
    (end,) = [p for p in webhook.slack.in_channel if title(p) == second]
    assert "exit code 3" in text_of(end), "a webhook has no thread for the evidence"


def test_no_progress_is_published_for_a_webhook(
    webhook: Channel, heard: list[dict[str, Any]]
) -> None:
    shop = webhook.account.shop()
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"

    def kinds() -> list[str]:
        notices = [json.loads(body["Message"]) for body in heard if "Message" in body]
        return [n["kind"] for n in notices if n.get("service") == shop.service]

    wait_for(lambda: len(kinds()) >= 2, "start and end", ENDED_SECONDS)
    assert kinds() == ["start", "end"]


def test_no_change_and_ignored_are_notified_if_notify_no_change_is_set(
    webhook: Channel,
) -> None:
    shop = webhook.account.shop()
    digest = shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    again = {"repository": shop.repository, "digest": digest}
    assert webhook.account.start_release(again).outcome == "SUCCEEDED"
    shop.push("nightly")
    assert shop.released("nightly").outcome == "IGNORED"
    notified = [
        mail["attributes"]["outcome"]
        for mail in sns.mails()
        if mail["attributes"].get("repository") == shop.repository
        and mail["attributes"]["kind"] == "end"
    ]
    assert notified[-3:] == ["SUCCEEDED", "NO_CHANGE", "IGNORED"]


def test_a_webhook_that_is_gone_leaves_the_deployment_alone_and_fires_the_alarm(
    webhook: Channel,
) -> None:
    shop = webhook.account.shop()
    before = len(mails_of_alarms())
    webhook.slack.path = "/services/another"
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    undelivered = webhook.undelivered_about(shop)
    said = webhook.failures()
    assert webhook.secret in said
    assert "404" in said
    assert "no_service" in said
    assert "/T0001/B0001/" not in said + json.dumps(undelivered)
    wait_for(lambda: webhook.alarm() == "ALARM", "the alarm", ENDED_SECONDS)
    wait_for(lambda: mails_of_alarms()[before:], "the alarm's email", ENDED_SECONDS)
