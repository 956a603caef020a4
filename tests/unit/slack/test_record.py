"""What is known of what was sent: whose turn it is, how long it is kept, and other versions' notices."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from moto.dynamodb.responses import DynamoHandler

from slipway import aws
from slipway.errors import SlipwayError
from tests.support.notify_slack import PROGRESS, START, SUCCEEDED, Context, alarm, change, of_queue


def item():
    return aws.table().get_item(Key={"pk": "slack", "sk": START.about})["Item"]


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns a thousand times as often, so that they meet where they rarely do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_threads")
def test_one_of_several_simultaneous_deliveries_posts_and_the_others_wait(bot, slack, monkeypatch):
    bot.notify(alarm("OK", 0))  # loads the function
    monkeypatch.setattr("slipway.slack.record.PAUSE_SECONDS", 0.01)
    with ThreadPoolExecutor(4) as pool:
        done = sorted(pool.map(bot.notify, [START] * 4))

    assert done == ["finish", "finish", "finish", "post"]
    assert len(slack.in_channel) == 2


def test_a_delivery_that_waits_too_long_for_its_turn_is_tried_again_by_lambda(bot, slack):
    bot.notify(START)
    change(START, turn="another", turn_until="2999")

    class Passing(Context):
        def get_remaining_time_in_millis(self) -> int:
            self.seconds /= 2
            return super().get_remaining_time_in_millis()

    with pytest.raises(SlipwayError, match="still notifying"):
        bot.notify(SUCCEEDED, Passing())
    assert item()["turn"] == "another"


def test_the_turn_of_a_delivery_that_died_passes(bot, slack):
    bot.notify(START)
    change(START, turn="dead", turn_until="2020")

    assert bot.notify(SUCCEEDED) == "update"
    assert "turn" not in item()


def test_the_turn_is_taken_where_only_the_answer_of_the_write_was_lost(
    bot_through_boto3, slack, monkeypatch
):
    bot = bot_through_boto3
    bot.notify(START)
    call, answers = DynamoHandler.call_action, []

    def losing_the_first_answer_to_a_write(self):
        answer = call(self)
        answers.append(self.headers["X-Amz-Target"].partition(".")[2])
        lost = answers.count("UpdateItem") == 1 and answers[-1] == "UpdateItem"
        return (500, {}, "{}") if lost else answer

    monkeypatch.setattr(DynamoHandler, "call_action", losing_the_first_answer_to_a_write)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr("slipway.slack.record.PAUSE_SECONDS", None)  # to wait would be an error

    assert bot.notify(SUCCEEDED) == "update"
    assert answers[:2] == ["UpdateItem", "UpdateItem"]
    assert "turn" not in item()


def test_a_delivery_that_lost_its_turn_meanwhile_writes_nothing(bot, slack):
    original = slack.answer

    def slowly(path, headers, raw):
        change(START, turn="another")
        return original(path, headers, raw)

    slack.answer = slowly
    with pytest.raises(SlipwayError, match="took too long"):
        bot.notify(START)
    assert (item()["turn"], "ts" in item()) == ("another", False)


def test_the_record_of_a_message_expires_after_history_days(bot):
    bot.set(HISTORY_DAYS="3")
    began = time.time()
    bot.notify(START)

    assert 0 <= int(item()["expires_at"]) - int(began) - 3 * 86400 <= time.time() - began + 1


def test_a_progress_does_without_a_start_that_a_later_version_wrote(bot, slack):
    bot.notify(START)
    change(START, start="{}")

    assert bot.notify(PROGRESS) == "update"


def test_fields_of_a_later_version_are_left_out(bot, slack):
    notice = json.loads(START.model_dump_json())
    notice |= {"approvers": ["jo"]}
    notice["image"] |= {"signed": True}

    assert bot.invoked(of_queue(json.dumps(notice))) == ["post"]


@pytest.mark.parametrize("message", ["hello", "{}", '{"version": "2", "kind": "start"}'])
def test_a_message_of_queue_that_is_no_notice_is_refused_without_showing_its_text(bot, message):
    with pytest.raises(SlipwayError, match=r"message 95df01b4.* is no notice") as refused:
        bot.invoked(of_queue(message))
    assert "hello" not in str(refused.value)
