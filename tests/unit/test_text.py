"""Text from outside is harmless, and still says what it said."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.text import one_line, truncate, visible

ANYTHING = st.text(alphabet=st.characters(codec=None, exclude_categories=()))
HARMFUL = st.sampled_from(
    [*"\x00\x07\x1b\x7f\x9b\x9c\x9d\u202e\u2066\u200b\u200d\ufeff[]31;mJ\\\n\r\u2028"]
)


@given(ANYTHING | st.lists(HARMFUL).map("".join))
def test_visible_text_has_no_hidden_characters_and_none_that_a_terminal_would_act_on(text):
    shown = visible(text)

    categories = {unicodedata.category(letter) for letter in shown.replace("\n", "")}
    assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert shown.encode().decode() == shown
    assert shown.splitlines() == shown.split("\n") or shown.endswith("\n") or not shown


@given(ANYTHING | st.lists(HARMFUL).map("".join))
def test_a_text_that_was_made_harmless_stays_as_it_is(text):
    assert visible(visible(text)) == visible(text)
    assert one_line(one_line(text)) == one_line(text)


@given(ANYTHING)
def test_a_text_made_one_line_has_at_most_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"], codec="utf-8")))
def test_letters_numbers_and_signs_stay(text):
    hidden = "\u115f\u1160\u3164\uffa0\ufffd"
    assert visible(text) == text or any(letter in text for letter in hidden)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mpanic\x1b[0m: no", "panic: no"),
        ("\x9b31mpanic", "panic"),
        ("\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x07", "here"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b(Btext\x1b=", "text"),
        ("\x1b]0;never ended\nnext line", "0;never ended\nnext line"),
        ("\x1b", "\ufffd"),
        ("a\x00\x00\x00b", "a\ufffdb"),
        ("a\u202eb", "a\ufffdb"),
        ("pass\u200bword", "pass\ufffdword"),
        (
            "hy\u00adphen, \U0001f469\u200d\U0001f680, \u2764\ufe0f",
            "hyphen, \U0001f469\U0001f680, \u2764",
        ),
        ("a\udcff", "a\ufffd"),
        ("a\uffff\ufdd0\U0001ffffb", "a\ufffdb"),
        ("\U000e0041", "\ufffd"),
        ("a\u3164b", "a\ufffdb"),
        ("a\u00a0b\u3000c", "a b c"),
        ("a\tb", "a   b"),
        ("10%\r20%\r\n30%\x0b\x0c\u2028end", "10%\n20%\n30%\n\n\nend"),
        ("  indented\n    more", "  indented\n    more"),
        ("Grüße, 東京 🚀", "Grüße, 東京 🚀"),
    ],
)
def test_visible_text_is_what_a_reader_sees(text, shown):
    assert visible(text) == shown


def test_a_text_of_several_lines_is_joined_with_single_spaces():
    assert one_line("  a\n  b\u2028\tc ") == "a b c"


@given(st.text(), st.integers(0, 30))
def test_a_text_that_is_cut_is_no_longer_than_its_limit_and_ends_with_an_ellipsis(text, limit):
    shown = truncate(text, max(limit, 1))

    assert len(shown) <= max(limit, 1)
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


def test_a_letter_is_not_cut_off_from_its_accents():
    assert truncate("abe\u0301\u0302fgh", 5) == "ab…"
    assert truncate("abe\u0301f", 5) == "abe\u0301f"
    assert truncate("\u0301\u0301\u0301", 2) == "…"
