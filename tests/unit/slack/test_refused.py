"""What Slack says no with, and what it is like when it is down: the error says it, without the secret."""

from __future__ import annotations

import logging
import traceback
from http.client import HTTPResponse, IncompleteRead
from urllib.parse import urlsplit

import pytest

from slipway.errors import SlipwayError
from slipway.slack.client import SlackRefused, SlackUnavailable
from tests.support.notify_slack import START, SUCCEEDED, Context


def refused(function, kind=SlackRefused, **arguments):
    """The error of notifying of START, as text; as Lambda logs it, it has no secret in it."""
    with pytest.raises(kind) as error:
        function.notify(START, **arguments)
    logged = "".join(traceback.format_exception(error.value))
    assert "xoxb-" not in logged
    assert "/services/" not in logged
    assert error.value.__context__ is None or error.value.__suppress_context__
    return str(error.value)


def test_a_wrong_token_is_named_by_its_secret(bot, slack):
    slack.token = "xoxb-another"

    said = refused(bot)
    assert said == (
        f"Slack refused chat.postMessage with secret {bot.secret} to channel C0123456789: invalid_auth"
    )
    assert len(slack.calls) == 1  # it was read anew, and is the same


def test_the_log_says_why_slack_was_not_notified_because_a_dead_letter_does_not(bot, slack, caplog):
    slack.token = "xoxb-another"

    said = refused(bot)
    [logged] = [vars(one) for one in caplog.records if one.message == "could not notify Slack"]
    assert {name: logged[name] for name in ("about", "kind", "error", "why")} == {
        "about": START.about,
        "kind": "start",
        "error": "SlackRefused",
        "why": said,
    }


def test_a_rotated_token_needs_no_new_start_of_the_function(bot, slack):
    bot.notify(START)
    slack.token = "xoxb-another"
    bot.holds(slack.token)

    assert bot.notify(SUCCEEDED) == "update"


def test_a_channel_that_does_not_exist_is_named(bot, slack):
    slack.channel = "C9"

    assert "to channel C0123456789: channel_not_found" in refused(bot)


def test_a_scope_that_is_missing_is_named(bot, slack):
    slack.scopes = ("users:read", "team:read")

    assert refused(bot).endswith("missing_scope, needed chat:write, provided users:read,team:read")


def test_a_problem_that_slack_finds_in_the_blocks_is_reported(bot, slack, monkeypatch):
    monkeypatch.setattr("tests.support.fake_slack.problems", lambda _: ["must be less than 3001"])

    assert refused(bot).endswith("invalid_blocks, [ERROR] must be less than 3001")


def test_a_channel_has_to_be_named_for_a_bot(bot):
    bot.set(SLACK_CHANNEL="")

    with pytest.raises(SlipwayError, match="SLACK_CHANNEL is not set"):
        bot.notify(START)


def test_a_message_that_slack_will_not_update_is_an_error(bot, slack):
    bot.notify(START)
    slack.no_updates = "is_inactive"

    with pytest.raises(SlackRefused, match="is_inactive"):
        bot.notify(SUCCEEDED)


def test_a_rate_limit_is_waited_for(bot, slack, pauses):
    slack.rate_limits = [7]

    assert bot.notify(START) == "post"
    assert len(slack.done) == 2
    assert 7 <= pauses[0] <= 8


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_rate_limit_is_waited_for_as_long_as_there_is_time(kind, slack, pauses, request):
    function = request.getfixturevalue(kind)
    slack.rate_limits = [1] * 12
    slack.unavailable = 2  # afterwards, and they still count from the first one on

    assert function.notify(START, Context(pauses=pauses)) == "post"
    assert sum(pauses[12:]) < 5

    pauses.clear()
    slack.rate_limits = [1] * 90
    with pytest.raises(SlackUnavailable, match="rate limit"):
        function.notify(SUCCEEDED, Context(pauses=pauses))
    assert 45 < sum(pauses) < 52


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_rate_limit_that_is_longer_than_the_function_has_is_left_to_lambda(
    kind, slack, pauses, request
):
    slack.rate_limits = [55]

    said = refused(request.getfixturevalue(kind), SlackUnavailable)
    assert "rate limit" in said
    assert said.endswith("wait 55 s")
    assert pauses == []


def test_a_rate_limit_that_is_no_number_is_left_to_lambda(bot, slack, pauses):
    slack.rate_limits = ["soon"]

    assert refused(bot, SlackUnavailable).endswith("wait soon s")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_notice_is_posted_though_slack_is_down_for_a_moment(kind, status, slack, request):
    slack.status, slack.unavailable = status, 1
    function = request.getfixturevalue(kind)
    assert function.notify(START) == "post"
    assert slack.calls[0].status == status

    slack.hang_ups = 1
    assert function.notify(SUCCEEDED) in {"post", "update"}


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_notice_is_left_to_lambda_while_slack_is_down_for_longer_and_posted_then(
    kind, slack, request
):
    function = request.getfixturevalue(kind)
    slack.unavailable = 5
    assert "Slack answered 503 to" in refused(function, SlackUnavailable)

    slack.unavailable, slack.hang_ups = 0, 5
    assert "no answer from Slack to" in refused(function, SlackUnavailable)

    slack.hang_ups = 0
    assert len(slack.calls) == 2 * 3
    assert function.notify(START) == "post"
    assert len(slack.in_channel) == 1


@pytest.mark.parametrize("error", [TimeoutError("timed out"), IncompleteRead(b"")])
@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_an_answer_that_does_not_come_in_time_is_asked_for_again(
    kind, error, slack, request, monkeypatch
):
    lost, read = [], HTTPResponse.read

    def first_not(self, *of):
        if not lost and urlsplit(slack.address).port == self.fp.raw._sock.getpeername()[1]:
            lost.append(self)
            raise error
        return read(self, *of)

    monkeypatch.setattr(HTTPResponse, "read", first_not)

    assert request.getfixturevalue(kind).notify(START) == "post"
    assert lost
    assert len(slack.in_channel) == 2


def test_a_message_whose_answer_was_lost_is_posted_twice_rather_than_never(bot, slack):
    slack.lost_answers = 1
    bot.notify(START)
    assert len(slack.in_channel) == 2

    slack.lost_answers = 1
    bot.notify(SUCCEEDED)
    assert [post.versions for post in slack.in_channel] == [1, 3]  # to update twice does no harm


def test_a_refused_connection_is_an_error_that_says_so(bot, slack):
    bot.set(SLACK_API_URL="http://127.0.0.1:9/api/")

    assert "Connection refused" in refused(bot, SlackUnavailable)


def test_an_answer_that_is_not_json_is_an_error(bot, slack):
    slack.answer = lambda *_: (200, {"Content-Type": "text/html"}, b"<html>proxy</html>")

    assert "non-JSON" in refused(bot)

    slack.answer = lambda *_: (200, {"Content-Type": "application/json"}, b'{"ok": tr')
    assert "JSONDecodeError" in refused(bot, SlackUnavailable)


def test_a_call_that_there_is_no_time_to_wait_for_is_not_made(bot, slack):
    said = refused(bot, SlackUnavailable, context=Context(seconds=5))

    assert said == "there is no time left for chat.postMessage"
    assert slack.calls == []


def test_a_secret_that_slack_echoes_is_not_shown(webhook, slack):
    slack.answer = lambda path, *_: (404, {}, f"nothing at {slack.address}{path}".encode())

    assert "*****" in refused(webhook)


def test_the_slack_sdk_logs_nothing(webhook, slack, caplog):
    caplog.set_level(logging.DEBUG)
    slack.hang_ups = 1
    webhook.notify(START)

    logged = [
        record
        for record in caplog.records
        if record.name.partition(".")[0] in {"slack_sdk", "root"}
    ]
    assert logged == []
