"""The pictures in the docs are what the golden files hold, and their texts keep clear of each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree

import pytest

from tools.pictures import PICTURES, pictures
from tools.svg import BOX_PADDING, Canvas, Run, lines

SVG = "{http://www.w3.org/2000/svg}"
ROUNDED = 0.11  # what two numbers with one decimal may differ by

MADE = pictures()

NASTY = {
    "capitals": "W" * 200,
    "bold": "WARNING: MAXIMUM OF 100 % OF MEMORY @ production/worker " * 4,
    "emoji": "🚀🚨✅⏳↩️" * 40,
    "emoji in a sentence": "it works 🚀 and 🚨 then ↩️ it does not; " * 8,
    "East Asia": "本番環境へのデプロイが失敗しました。" * 8,
    "accents": "Größe über Façade ŒŒŒ " * 20,
    "spaces": "  a   b  ·  c    " * 20,
}


@dataclass(frozen=True)
class Box:
    """Where something is in a picture."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Box) -> bool:
        return (
            self.left - ROUNDED <= other.left
            and other.right <= self.right + ROUNDED
            and self.top - ROUNDED <= other.top
            and other.bottom <= self.bottom + ROUNDED
        )

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right - ROUNDED
            and other.left < self.right - ROUNDED
            and self.top < other.bottom - ROUNDED
            and other.top < self.bottom - ROUNDED
        )


def _texts_and_boxes(drawn: ElementTree.Element) -> list[tuple[str, Box]]:
    """A text reaches as far above and below its line as those of DejaVu Sans do."""
    found = []
    for text in drawn.iter(f"{SVG}text"):
        x, y, width, size = (
            float(text.attrib[name]) for name in ("x", "y", "textLength", "font-size")
        )
        found.append((text.text or "", Box(x, y - 0.93 * size, x + width, y + 0.24 * size)))
    return found


def _rectangles(drawn: ElementTree.Element) -> list[Box]:
    """All but the ground of the whole picture."""
    found = []
    for rect in drawn.iter(f"{SVG}rect"):
        if rect.attrib["width"] != "100%":
            x, y, width, height = (
                float(rect.attrib[name]) for name in ("x", "y", "width", "height")
            )
            found.append(Box(x, y, x + width, y + height))
    return found


def _faults(svg: str, margin: float) -> list[str]:
    """Each text that may be wider than its place, or run over another one, an edge or the end of the page."""
    drawn = ElementTree.fromstring(svg)
    page = Box(margin, 0, float(drawn.attrib["width"]) - margin, float(drawn.attrib["height"]))
    faults = []
    for text in drawn.iter(f"{SVG}text"):
        said = text.text or ""
        mono, bold = "font-family" in text.attrib, "font-weight" in text.attrib
        needed = Run(said, float(text.attrib["font-size"]), mono=mono, bold=bold).width
        if needed > float(text.attrib["textLength"]) + ROUNDED:
            faults.append(f"{said!r} is too narrow")
        if said != " ".join(said.split()):
            faults.append(f"{said!r} has spaces that SVG drops")
    texts = _texts_and_boxes(drawn)
    rectangles = _rectangles(drawn)
    for said, box in texts:
        if not page.holds(box):
            faults.append(f"{said!r} leaves the page")
        if any(edge.meets(box) and not edge.holds(box) for edge in rectangles):
            faults.append(f"{said!r} crosses an edge")
    for (one, here), (other, there) in combinations(texts, 2):
        if here.meets(there):
            faults.append(f"{one!r} and {other!r} overlap")
    return faults


def _picture(*runs: Run) -> str:
    canvas = Canvas(400, y=20)
    canvas.paragraph(20, 360, runs)
    return canvas.svg("", 20)


def test_the_pictures_are_up_to_date() -> None:
    """`make pictures` writes them."""
    assert MADE
    assert set(PICTURES.glob("*.svg")) == set(MADE)
    for path, content in MADE.items():
        assert path.read_text() == content, path.name


@pytest.mark.parametrize("svg", MADE.values(), ids=[path.stem for path in MADE])
def test_no_text_in_a_picture_overlaps_another_or_leaves_its_place(svg: str) -> None:
    assert _faults(svg, margin=20) == []


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize(
    "look", [{}, {"bold": True}, {"mono": True}, {"mono": True, "boxed": True}], ids=str
)
def test_a_paragraph_keeps_any_text_in_its_place(text: str, look: dict[str, bool]) -> None:
    shown = _picture(Run("before: "), Run(text, **look), Run(", after"), Run(text, 12, italic=True))

    assert _faults(shown, margin=20) == []


def test_spaces_that_svg_would_drop_are_kept_as_distance() -> None:
    drawn = ElementTree.fromstring(_picture(Run("  a   b c ", size=10, mono=True)))

    places = {text.text: float(text.attrib["x"]) for text in drawn.iter(f"{SVG}text")}
    assert places == {
        "a": pytest.approx(20 + 2 * 6.02, abs=0.1),
        "b c": pytest.approx(20 + 6 * 6.02, abs=0.1),
    }


def test_symbols_keep_their_shape() -> None:
    drawn = ElementTree.fromstring(_picture(Run("it works ↩️ again")))

    adjusted = {text.text: text.attrib["lengthAdjust"] for text in drawn.iter(f"{SVG}text")}
    assert adjusted == {"it works": "spacingAndGlyphs", "↩️": "spacing", "again": "spacingAndGlyphs"}


def test_a_box_around_code_leaves_room_at_both_ends() -> None:
    drawn = ElementTree.fromstring(_picture(Run("code", mono=True, boxed=True)))

    [box], [(_, text)] = _rectangles(drawn), _texts_and_boxes(drawn)
    assert text.left - box.left == pytest.approx(BOX_PADDING, abs=ROUNDED)
    assert box.right - text.right == pytest.approx(BOX_PADDING, abs=ROUNDED)


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ((20, 100, 40), []),
        ((20, 100, 10), ["'worker' is too narrow"]),
        ((370, 100, 40), ["'worker' leaves the page"]),
        ((20, 397, 40), ["'worker' leaves the page"]),
        ((40, 22, 40), ["'first' and 'worker' overlap"]),
        ((290, 200, 40), ["'worker' crosses an edge"]),
        ((210, 200, 40), []),
    ],
)
def test_a_text_out_of_its_place_is_a_fault(place: tuple[int, int, int], fault: list[str]) -> None:
    x, y, width = place
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" width="400" height="398">
      <rect x="200" y="150" width="100" height="100"/>
      <text x="20" y="20" textLength="60" font-size="10">first</text>
      <text x="{x}" y="{y}" textLength="{width}" font-size="10">worker</text></svg>"""

    assert _faults(svg, margin=20) == fault


def test_lines_are_broken_at_spaces_and_within_long_words() -> None:
    broken = lines([Run("ab cd efghijkl\n\nm", size=10, mono=True)], 31)

    said = ["".join(run.text for run in line).rstrip() for line in broken]
    assert said == ["ab cd", "efghi", "jkl", "", "m"]


def test_a_line_that_is_broken_begins_with_a_word() -> None:
    broken = lines([Run("ab cd   ef", size=10, mono=True)], 31)

    assert ["".join(run.text for run in line).rstrip() for line in broken] == ["ab cd", "ef"]
