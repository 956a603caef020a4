"""With an incoming webhook's URL: one message per start, end and alarm."""

from __future__ import annotations

import json

import pytest

from slipway import aws
from slipway.errors import SlipwayError
from tests.support.notify_slack import CRASHED, PROGRESS, STAGE, START, SUCCEEDED, alarm, later


def test_start_and_end_are_a_message_each_with_every_detail_in_it(webhook, slack):
    assert [webhook.notify(notice) for notice in (START, PROGRESS, CRASHED)] == [
        "post",
        "drop",
        "post",
    ]

    assert [call.method for call in slack.calls] == ["webhook", "webhook"]
    started, ended = [json.dumps(call.body["blocks"]) for call in slack.calls]
    assert "no freeze is in force" in started
    assert "start-execution" in started
    assert "panic: no database" in ended


def test_neither_markup_nor_links_are_made_from_the_text_of_a_notification(webhook, slack):
    webhook.notify(START)

    body = slack.calls[0].body
    assert (body["mrkdwn"], body["parse"], body["link_names"]) == (False, "none", 0)


def test_stages_are_not_posted(webhook, slack):
    assert webhook.notify(STAGE) == "drop"
    assert slack.calls == []


def test_a_retry_posts_nothing_twice(webhook, slack):
    for notice in (START, START, CRASHED, later(CRASHED, 70), CRASHED, START):
        webhook.notify(notice)

    assert len(slack.calls) == 2


def test_every_change_of_an_alarm_is_posted_once(webhook, slack):
    states = [("ALARM", 0), ("ALARM", 0), ("ALARM", 30), ("OK", 60), ("ALARM", 120), ("OK", 60)]
    for state in states:
        webhook.notify(alarm(*state))

    notified = [call.title[2:].split(":")[0] for call in slack.calls]
    assert notified == ["ALARM", "ALARM", "OK", "ALARM"]


def test_a_webhook_that_no_longer_exists_is_named_by_its_secret(webhook, slack):
    slack.path = "/services/another"

    with pytest.raises(SlipwayError, match="404: no_service") as refused:
        webhook.notify(START)
    assert webhook.secret in str(refused.value)
    assert "/services/" not in str(refused.value)


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("", "404: no /"),
        ("/", "404: no /"),
        ("/?token=abc", "404: no /?*****"),
        ("/a", "404: no *****"),
    ],
)
def test_only_the_secret_part_of_a_url_is_blotted_out(webhook, slack, end, shown):
    webhook.holds(slack.address + end)
    slack.answer = lambda path, *_: (404, {}, f"no {path}".encode())

    with pytest.raises(SlipwayError, match="404") as refused:
        webhook.notify(START)
    assert str(refused.value).endswith(shown)


def test_a_new_webhook_is_used_without_a_new_start_of_the_function(webhook, slack):
    webhook.notify(START)
    slack.path = "/services/another"
    webhook.holds(slack.webhook)

    assert webhook.notify(SUCCEEDED) == "post"
    assert [call.error for call in slack.calls] == ["", "no_service", ""]


def test_after_a_webhook_a_bot_posts_the_end_as_its_own_message(webhook, slack):
    webhook.notify(START)
    webhook.holds(slack.token)
    webhook.set(SLACK_API_URL=slack.api, SLACK_CHANNEL=slack.channel)

    assert webhook.notify(START) == "finish"
    assert webhook.notify(SUCCEEDED) == "post"
    item = aws.table().get_item(Key={"pk": "slack", "sk": START.about})["Item"]
    assert item["channel"] == slack.channel


def test_a_token_in_place_of_a_webhook_is_for_the_next_try(webhook, slack):
    webhook.notify(START)
    slack.path = "/services/another"
    webhook.holds(slack.token)

    with pytest.raises(SlipwayError, match="no_service"):
        webhook.notify(SUCCEEDED)
