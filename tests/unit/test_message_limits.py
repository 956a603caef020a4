"""SNS's limits, whatever there is to tell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slipway.message import compose
from tests.unit.builders import image
from tests.unit.endings import OUTCOMES, ending, failed_release


@given(st.sampled_from(OUTCOMES), st.text(), st.text(), st.none() | st.text(max_size=60))
def test_a_subject_is_such_as_sns_takes_whatever_it_is_about(outcome, repository, name, tag):
    for told_of in (
        failed_release(repository=repository),
        ending(outcome, image=image(repository=name, tag=tag)),
    ):
        subject = compose(told_of).subject

        assert 1 <= len(subject) <= 99
        assert subject.isascii()
        assert subject.isprintable()  # so no line break and no control character either


@given(st.text(alphabet="aä€😀\n", min_size=1), st.integers(60_000, 300_000))
def test_a_text_fits_into_sns_and_is_cut_between_characters(words, length):
    text = compose(ending(reason=(words * (length // len(words)))[:length])).text

    assert len(text.encode()) + 1000 < 256 * 1024
    assert "\ufffd" not in text


def test_a_text_that_is_cut_says_so():
    assert compose(ending(evidence=["x" * 300_000])).text.endswith(
        "\n[cut: the whole is in the execution's history]\n"
    )


def test_a_text_that_fits_is_whole():
    assert "x" * 200_000 in compose(ending(evidence=["x" * 200_000])).text


def test_a_subject_that_is_too_long_is_cut_to_the_last_character_that_sns_takes():
    subject = compose(failed_release(repository="r" * 200)).subject

    assert len(subject) == 99
    assert subject.endswith("r...")
