"""The pictures in the docs are what the golden files hold."""

from __future__ import annotations

from tools.pictures import PICTURES, pictures
from tools.svg import Run, lines

RUN = Run("", size=10, mono=True)


def test_the_pictures_are_up_to_date() -> None:
    """`make pictures` writes them."""
    made = pictures()
    assert made
    assert set(PICTURES.glob("*.svg")) == set(made)
    for path, content in made.items():
        assert path.read_text() == content, path.name


def test_lines_are_broken_at_spaces_and_within_long_words() -> None:
    broken = lines([Run("ab cd efghijkl\n\nm", size=10, mono=True)], 31)

    said = ["".join(run.text for run in line).rstrip() for line in broken]
    assert said == ["ab cd", "efghi", "jkl", "", "m"]
