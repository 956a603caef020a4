"""A progress that can't be posted is left out: nobody is called for it, and it holds no function for long."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused
from slipway.slack.record import Records
from tests.support.notify_slack import CRASHED, PROGRESS, START, SUCCEEDED, Context, change


def down(slack):
    slack.unavailable = 1


def hanging_up(slack):
    slack.hang_ups = 1


def busy(slack):
    slack.rate_limits = [1]


def refusing(slack):
    slack.no_updates = "is_inactive"


@pytest.mark.parametrize("fails", [down, hanging_up, busy, refusing])
def test_a_progress_is_tried_once_and_left_out_with_a_warning(fails, bot, slack, pauses, caplog):
    bot.notify(START)
    calls = len(slack.calls)
    fails(slack)

    assert bot.notify(PROGRESS) == "drop"
    assert len(slack.calls) == calls + 1
    assert pauses == []
    assert "WARNING" in [record.levelname for record in caplog.records]

    slack.no_updates = ""
    assert bot.notify(SUCCEEDED) == "update"


def test_a_progress_does_not_wait_for_its_turn(bot, slack, monkeypatch):
    bot.notify(START)
    change(START, turn="another", turn_until="2999")
    monkeypatch.setattr("slipway.slack.record.PAUSE_SECONDS", None)  # to wait would be an error
    calls = len(slack.calls)

    assert bot.notify(PROGRESS) == "drop"
    assert len(slack.calls) == calls


@pytest.mark.parametrize("seconds", [1, 5])
def test_a_progress_that_there_is_no_time_for_is_left_out(bot, slack, seconds):
    bot.notify(START)

    assert bot.notify(PROGRESS, Context(seconds=seconds)) == "drop"


def test_a_progress_is_left_out_where_the_secret_or_the_ledger_is_of_no_use(bot, monkeypatch):
    bot.notify(START)
    bot.set()
    bot.holds("nothing")
    assert bot.notify(PROGRESS) == "drop"

    def refused(*_):
        raise AwsRefused("no identity-based policy allows it")

    monkeypatch.setattr(Records, "known", refused)
    bot.holds("xoxb-1")
    assert bot.notify(PROGRESS) == "drop"


@pytest.mark.parametrize("notice", [START, CRASHED])
def test_a_notice_other_than_a_progress_is_tried_again_by_lambda(bot, notice):
    bot.holds("nothing")

    with pytest.raises(Exception, match="neither an incoming webhook's URL"):
        bot.notify(notice)
