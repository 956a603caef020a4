"""Text from outside, as Slack gets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.slack.text import escape_mrkdwn, truncate_utf16, utf16_length
from slipway.text import visible
from tests.support.block_kit_rules import units
from tests.support.slack_text import live

ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("short", 5, "short"),
        ("longer than that", 8, "longer…"),
        ("ab🚒🚒🚒", 6, "ab🚒…"),
        ("ab🚒🚒🚒", 5, "ab🚒…"),
        ("ab🚒🚒🚒", 8, "ab🚒🚒🚒"),
        ("abe\u0301\u0302defg", 5, "ab…"),
        ("ab👍🏽👍🏽👍🏽", 9, "ab👍🏽…"),
        ("\u0301\u0301\u0301", 2, "…"),
    ],
)
def test_a_text_is_cut_where_a_letter_ends(text, limit, shown):
    assert truncate_utf16(text, limit) == shown


@given(ANY, st.integers(1, 60))
def test_a_text_is_never_longer_than_its_limit(text, limit):
    shown = truncate_utf16(visible(text), limit)

    assert units(shown) == utf16_length(shown) <= limit
    assert visible(text).startswith(shown.removesuffix("…"))


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<@U123> <#C1|general> <!subteam^S1>",
        "@here @channel @everyone",
        "<https://evil.example|log in>",
        "http://evil.example/x",
        "www.evil.example evil.example",
        "mailto:jo@evil.example",
        ":tada: :+1:",
        "&lt;!channel&gt;",
    ],
)
def test_no_mention_link_or_emoji_in_a_notification_is_live(text):
    assert not live(escape_mrkdwn(text))


@given(ANY | st.text("<>!@#|&:/.abch+ ", max_size=30))
def test_no_text_in_a_notification_is_live_whatever_it_holds(text):
    assert not live(escape_mrkdwn(text))


def test_the_text_that_people_read_most_stays_as_it_is():
    said = "✅ SUCCEEDED: production/api, shop/api:v1.2.3 - 2 of 2 tasks at 03:05:00 UTC"
    assert escape_mrkdwn(said) == said
