"""Text as SVG, drawn so that it stays in its place with any font.

A picture names fonts, but the machine that shows it may have others. So each text gets the width that the
widest of the usual fonts needs, and a browser draws it exactly as wide as that (``textLength``), whatever its
font. Some other programs ignore ``textLength``: there a narrower font leaves a gap, and nothing overlaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

SANS = "Verdana, 'DejaVu Sans', Helvetica, Arial, sans-serif"
MONO = "Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"
MONO_WIDTH = 0.602

# The width of each letter from space to ~, and of the middle dot, in thousandths of the font's size. It is
# the larger one of DejaVu Sans and Verdana, the widest of the usual fonts.
LETTERS = [*map(chr, range(ord(" "), ord("~") + 1)), "\N{MIDDLE DOT}"]
_REGULAR = (
    "352 401 460 838 637 1076 780 275 454 454 636 838 364 454 364 454 "
    "637 637 637 637 637 637 637 637 637 637 454 454 838 838 838 545 "
    "1000 685 686 699 771 632 576 775 752 421 455 693 558 863 748 788 "
    "603 788 695 684 616 732 685 989 685 615 685 454 454 454 838 636 "
    "636 613 635 550 635 616 352 635 634 278 344 592 278 975 634 612 "
    "635 635 427 521 394 634 592 818 592 592 525 637 454 637 838 364"
)
_BOLD = (
    "349 456 587 867 711 1272 873 332 543 543 711 867 380 480 380 689 "
    "711 711 711 711 711 711 711 711 711 711 402 402 867 867 867 617 "
    "1000 776 763 734 831 684 684 821 837 546 555 775 638 996 847 851 "
    "733 851 782 721 683 812 774 1128 771 737 726 543 689 543 867 711 "
    "711 675 716 593 716 679 435 716 712 343 403 671 343 1058 712 687 "
    "716 716 497 596 478 712 652 979 669 652 597 712 543 712 867 380"
)
REGULAR, BOLD = (
    {letter: int(width) / 1000 for letter, width in zip(LETTERS, table.split(), strict=True)}
    for table in (_REGULAR, _BOLD)
)

# Symbols, emoji and the letters of East Asia come from fonts of their own. Windows has the widest emoji.
# Blocks and squares, which show progress, are no wider than the font's size.
SYMBOLS = "\u2100-\U0010ffff"
SYMBOL_WIDTH = 1.4
SQUARES = re.compile("[\u2500-\u25a9]")
WITHOUT_WIDTH = ("\ufe0f", "\u200d")
_SYMBOLS_ONLY = re.compile(f"[{SYMBOLS}\u200d]+")

# SVG drops the spaces at the ends of a text and joins those within. So a text is drawn in parts that have
# neither.
_PARTS = re.compile(rf"{_SYMBOLS_ONLY.pattern}|[^ {SYMBOLS}\u200d]+(?: [^ {SYMBOLS}\u200d]+)*")

BOX_PADDING = 3


@dataclass(frozen=True)
class Run:
    """A piece of text in one style."""

    text: str
    size: float = 14
    bold: bool = False
    italic: bool = False
    mono: bool = False
    colour: str = "#1d1c1d"
    boxed: bool = False
    """Whether Slack shows it as code, on a background of its own."""

    @property
    def width(self) -> float:
        """The width in pixels that is enough with any of the usual fonts."""
        padding = 2 * BOX_PADDING if self.boxed else 0
        return sum(map(self._letter, self.text)) * self.size + padding

    def _letter(self, letter: str) -> float:
        if letter in WITHOUT_WIDTH:
            return 0
        if _SYMBOLS_ONLY.fullmatch(letter):
            return 1 if SQUARES.fullmatch(letter) else SYMBOL_WIDTH
        if self.mono:
            return MONO_WIDTH
        widths = BOLD if self.bold else REGULAR
        return widths.get(letter, max(widths.values()))


def lines(runs: Iterable[Run], width: float) -> list[list[Run]]:
    """The runs as lines that fit the width, broken at spaces, and within a longer word."""
    done: list[list[Run]] = [[]]
    left = width
    wrapped = False
    for piece in _pieces(runs):
        if piece.text == "\n":
            done.append([])
            left = width
            wrapped = False
            continue
        for part in [piece] if piece.width <= width else _chopped(piece, width):
            if part.width > left and done[-1]:
                done.append([])
                left = width
                wrapped = True
            if wrapped and part.text == " " and not done[-1]:
                continue
            done[-1].append(part)
            left -= part.width
    return [_merged(line) for line in done]


def _pieces(runs: Iterable[Run]) -> Iterator[Run]:
    """Words, spaces and ends of lines."""
    for run in runs:
        for number, line in enumerate(run.text.split("\n")):
            if number:
                yield replace(run, text="\n")
            for index, word in enumerate(line.split(" ")):
                if index:
                    yield replace(run, text=" ")
                if word:
                    yield replace(run, text=word)


def _chopped(run: Run, width: float) -> Iterator[Run]:
    part = ""
    for letter in run.text:
        if replace(run, text=part + letter).width > width:
            yield replace(run, text=part)
            part = ""
        part += letter
    yield replace(run, text=part)


def _merged(line: Sequence[Run]) -> list[Run]:
    merged: list[Run] = []
    for run in line:
        if merged and replace(merged[-1], text="") == replace(run, text=""):
            merged[-1] = replace(run, text=merged[-1].text + run.text)
        else:
            merged.append(run)
    return merged


@dataclass
class Canvas:
    """A picture that grows downwards."""

    width: float
    y: float = 0
    parts: list[str] = field(default_factory=list)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        edge: str = "none",
        r: int = 0,
    ) -> None:
        """A rectangle; ``r`` rounds its corners."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.parts.append(f'<rect {place} rx="{r}" fill="{fill}" stroke="{edge}"/>')

    def run(self, x: float, baseline: float, run: Run) -> None:
        """A piece of a line."""
        if run.boxed:
            if run.text.strip():
                height = run.size + 5
                self.rect(x, baseline - run.size, run.width, height, "#f6f6f6", "#dddddd", 3)
            x += BOX_PADDING
            run = replace(run, boxed=False)
        for part in _PARTS.finditer(run.text):
            before = replace(run, text=run.text[: part.start()])
            self._part(x + before.width, baseline, replace(run, text=part[0]))

    def _part(self, x: float, baseline: float, part: Run) -> None:
        # Symbols are spaced and not stretched, so that they keep their shape.
        adjust = "spacing" if _SYMBOLS_ONLY.fullmatch(part.text) else "spacingAndGlyphs"
        place = (
            f'x="{x:.1f}" y="{baseline:.1f}" textLength="{part.width:.1f}" lengthAdjust="{adjust}"'
        )
        looks = [f'font-size="{part.size:g}" fill="{part.colour}"']
        looks += [f"font-family={quoteattr(MONO)}"] if part.mono else []
        looks += ['font-weight="700"'] if part.bold else []
        looks += ['font-style="italic"'] if part.italic else []
        self.parts.append(f"<text {place} {' '.join(looks)}>{escape(part.text)}</text>")

    def paragraph(self, x: float, width: float, runs: Sequence[Run], leading: float = 1.47) -> None:
        """Lines below what is there."""
        size = max(run.size + (BOX_PADDING if run.boxed else 0) for run in runs)
        for line in lines(runs, width):
            self.y += size * leading
            at = x
            for run in line:
                self.run(at, self.y - size * (leading - 1.15), run)
                at += run.width

    def svg(self, title: str, padding: float) -> str:
        """The file."""
        height = self.y + padding
        size = f'width="{self.width:g}" height="{height:.0f}" viewBox="0 0 {self.width:g} {height:.0f}"'
        ground = '<rect width="100%" height="100%" rx="8" fill="#ffffff" stroke="#dddddd"/>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family={quoteattr(SANS)}>'
        body = "\n".join([f"<title>{escape(title)}</title>", ground, *self.parts])
        return f"{head}\n{body}\n</svg>\n"
