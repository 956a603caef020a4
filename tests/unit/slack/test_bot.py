"""With a bot's token: one message, updated as it goes, with the details in its thread."""

from __future__ import annotations

import json

import pytest

from slipway import aws
from slipway.errors import SlipwayError
from tests.support.notices import NOTICES
from tests.support.notify_slack import (
    CRASHED,
    PROGRESS,
    STAGE,
    START,
    SUCCEEDED,
    alarm,
    change,
    later,
    progress,
)

RELEASE_FAILED = NOTICES["release_failed"]


def done(slack):
    return [(call.method, "thread_ts" in call.body) for call in slack.done]


def shown(post):
    return json.dumps(post.body["blocks"], ensure_ascii=False)


def test_a_deployment_is_one_message_and_its_details_stand_in_the_thread(bot, slack):
    assert [bot.notify(notice) for notice in (START, PROGRESS, SUCCEEDED)] == [
        "post",
        "update",
        "update",
    ]

    assert done(slack) == [
        ("chat.postMessage", False),
        ("chat.postMessage", True),
        ("chat.update", False),
        ("chat.update", False),
        ("chat.postMessage", True),
    ]
    [message] = slack.in_channel
    assert message.versions == 3
    assert "SUCCEEDED: production/api" in shown(message)
    of_start, of_end = slack.in_thread(message.ts)
    assert "no freeze is in force" in shown(of_start)
    assert "start-execution" in shown(of_end)
    assert not any(call.body.get("reply_broadcast") for call in slack.done)


def test_a_progress_shows_what_only_the_start_has_shown(bot, slack):
    bot.notify(START)
    bot.notify(progress(5, "1 of 2 tasks healthy"))

    said = shown(slack.in_channel[0])
    for part in ("IN PROGRESS: production/api, shop/api:v2", "1 of 2 tasks healthy", "■□"):
        assert part in said
    assert '"production"' in said
    assert START.links[0].url in said


def test_a_bad_end_is_posted_to_the_channel_too(bot, slack):
    bot.notify(START)
    bot.notify(CRASHED)

    assert slack.done[-1].body["reply_broadcast"] is True
    assert "panic: no database" in shown(slack.in_thread(slack.in_channel[0].ts)[-1])


def test_a_manual_rollback_that_went_well_calls_nobody(bot, slack):
    bot.notify(NOTICES["start_of_manual_rollback"])
    bot.notify(NOTICES["manual_rollback_done"])

    assert not slack.done[-1].body.get("reply_broadcast")
    assert "ROLLED_BACK: manual rollback of" in shown(slack.in_channel[0])


def test_an_end_without_a_start_is_its_own_message(bot, slack):
    assert bot.notify(NOTICES["failed_before_change"]) == "post"

    [message] = slack.in_channel
    [details] = slack.in_thread(message.ts)
    assert details.body["reply_broadcast"] is False  # whoever reads the channel sees the message


def test_a_retry_posts_nothing_twice(bot, slack):
    for notice in (START, START, PROGRESS, PROGRESS, CRASHED, CRASHED, START):
        bot.notify(notice)

    assert len(slack.done) == 5


def test_a_notice_that_was_published_twice_is_posted_once(bot, slack):
    for notice in (START, later(START, 1), CRASHED, later(CRASHED, 61)):
        bot.notify(notice)

    assert len(slack.done) == 4


def test_an_older_notice_never_overwrites_a_newer_one(bot, slack):
    bot.notify(START)
    bot.notify(progress(20, "2 of 2 tasks healthy"))

    assert bot.notify(progress(10, "1 of 2 tasks healthy")) == "drop"
    assert "2 of 2 tasks healthy" in shown(slack.in_channel[0])


def test_an_end_is_final(bot, slack):
    for notice in (START, SUCCEEDED):
        bot.notify(notice)

    assert bot.notify(progress(90, "baking")) == "drop"
    assert bot.notify(START) == "drop"
    assert "SUCCEEDED" in shown(slack.in_channel[0])


def test_a_start_that_comes_after_the_end_is_dropped(bot, slack):
    bot.notify(SUCCEEDED)

    assert bot.notify(START) == "drop"
    assert len(slack.in_channel) == 1


def test_the_end_of_a_recovery_replaces_an_end_that_was_not_recorded(bot, slack):
    unwritten = later(SUCCEEDED, 60, outcome="LedgerNotWritten")
    for notice in (START, unwritten, later(CRASHED, 120)):
        bot.notify(notice)

    assert bot.notify(later(unwritten, 60)) == "drop"
    [message] = slack.in_channel
    assert "ROLLED_BACK" in shown(message)
    assert len(slack.in_thread(message.ts)) == 3


def test_a_progress_without_a_start_is_dropped(bot, slack):
    assert bot.notify(PROGRESS) == "drop"

    assert slack.calls == []
    assert "Item" not in aws.table().get_item(Key={"pk": "slack", "sk": PROGRESS.about})


def test_a_progress_that_overtakes_its_start_is_dropped(bot, slack):
    slack.channel = "C0"
    with pytest.raises(SlipwayError):
        bot.notify(START)
    slack.channel = "C0123456789"

    assert bot.notify(PROGRESS) == "drop"
    assert bot.notify(START) == "post"


def test_the_stages_of_a_release_are_one_message(bot, slack):
    staging = STAGE.model_copy(update={"stage": "staging", "title": "stage staging"})
    done = [bot.notify(notice) for notice in (staging, later(STAGE, 5), later(RELEASE_FAILED, 9))]

    assert done == ["post", "update", "update"]
    [message] = slack.in_channel
    assert (message.versions, "FAILED" in shown(message)) == (3, True)


@pytest.mark.parametrize("commands", [RELEASE_FAILED.commands, ()])
def test_a_failed_release_is_posted_to_the_channel_once(bot, slack, commands):
    failed = later(RELEASE_FAILED, 9, commands=commands)
    for notice in (STAGE, failed, failed):
        bot.notify(notice)

    [message] = slack.in_channel
    [details] = slack.in_thread(message.ts)
    assert details.body["reply_broadcast"] is True


def test_a_bad_end_is_posted_where_the_start_is_not_known(bot, slack):
    bot.notify(START)
    change(START, start="{}")
    bot.notify(CRASHED)

    assert slack.done[-1].body["reply_broadcast"] is True


def test_the_retry_posts_a_bad_end_to_the_channel(bot, slack):
    bot.notify(START)
    original = slack.answer

    def without_threads(path, headers, raw):
        return original(path, {} if "thread_ts" in json.loads(raw) else headers, raw)

    slack.answer = without_threads
    with pytest.raises(SlipwayError, match="invalid_auth"):
        bot.notify(CRASHED)
    slack.answer = original

    assert bot.notify(CRASHED) == "finish"
    assert slack.done[-1].body["reply_broadcast"] is True


@pytest.mark.parametrize(
    ("states", "notified"),
    [
        (["ALARM", "OK", "ALARM", "OK"], ["post", "update", "post", "update"]),
        (["ALARM", "ALARM", "OK"], ["post", "post", "update"]),
    ],
)
def test_an_alarm_that_goes_off_again_is_a_new_message(bot, slack, states, notified):
    changes = [alarm(state, seconds) for seconds, state in enumerate(states)]

    assert [bot.notify(change) for change in changes] == notified
    first, second = slack.in_channel
    assert "OK: no unrecovered deployment is left" in shown(second)
    for message in (first, second):
        details = [shown(post) for post in slack.in_thread(message.ts)]
        assert "[1.0 was greater than the threshold" in details[0]
        assert len(details) == message.versions
    calls = len(slack.calls)
    assert [bot.notify(change) for change in changes] == [*["drop"] * (len(states) - 1), "finish"]
    assert len(slack.calls) == calls


def test_a_message_that_was_deleted_is_posted_anew(bot, slack):
    bot.notify(START)
    slack.delete(slack.in_channel[0].ts)

    assert bot.notify(CRASHED) == "post"
    [message] = slack.in_channel
    assert len(slack.in_thread(message.ts)) == 1


def test_a_message_that_may_not_be_changed_is_followed_by_the_end_alone(bot, slack):
    bot.notify(START)
    slack.no_updates = "edit_window_closed"

    assert bot.notify(PROGRESS) == "drop"
    assert bot.notify(SUCCEEDED) == "post"
    assert len(slack.in_channel) == 2


def test_a_retry_posts_the_details_that_are_missing_in_the_thread(bot, slack):
    original = slack.answer

    def without_threads(path, headers, raw):
        return original(path, {} if "thread_ts" in json.loads(raw) else headers, raw)

    slack.answer = without_threads
    with pytest.raises(SlipwayError, match="invalid_auth"):
        bot.notify(START)
    slack.answer = original

    assert bot.notify(progress(5, "on its way")) == "update"
    assert bot.notify(START) == "finish"
    assert bot.notify(START) == "finish"
    [message] = slack.in_channel
    assert len(slack.in_thread(message.ts)) == 1
    assert "on its way" in shown(message)
