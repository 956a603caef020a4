"""Text as SVG: measured, broken into lines, and drawn so that it is as wide with any font."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

SANS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
MONO = "Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"
MONO_WIDTH = 0.602

# Widths of Helvetica's letters, in thousandths of the font's size, from space to ~ (Adobe's AFM file).
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 "
    "556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 "
    "1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 "
    "667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 "
    "333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 "
    "556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
WIDTHS = {chr(32 + n): int(width) / 1000 for n, width in enumerate(_WIDTHS.split())}
BOLD = 1.07  # wider than the regular one, on the whole
EMOJI = 1.3


@dataclass(frozen=True)
class Run:
    """A piece of text in one look."""

    text: str
    size: float = 15
    bold: bool = False
    italic: bool = False
    mono: bool = False
    colour: str = "#1d1c1d"
    boxed: bool = False
    """As Slack shows code in a text: on a ground of its own."""

    @property
    def width(self) -> float:
        """In pixels."""
        if self.mono:
            widths = [EMOJI if ord(letter) > 0x2FFF else MONO_WIDTH for letter in self.text]
            return sum(widths) * self.size
        widths = [WIDTHS.get(letter, _other(letter)) for letter in self.text]
        return sum(widths) * self.size * (BOLD if self.bold else 1)


def _other(letter: str) -> float:
    if letter == "\ufe0f":
        return 0
    return EMOJI if ord(letter) > 0x2100 else 0.556


def lines(runs: Iterable[Run], width: float) -> list[list[Run]]:
    """The runs in lines of no more than the width: broken at spaces, and within what is longer."""
    done: list[list[Run]] = [[]]
    left = width
    for piece in _pieces(runs):
        if piece.text == "\n":
            done.append([])
            left = width
            continue
        for part in [piece] if piece.width <= width else _chopped(piece, width):
            if part.width > left and done[-1]:
                done.append([])
                left = width
                if part.text == " ":
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
        if run.boxed and run.text.strip():
            height = run.size + 5
            self.rect(x - 1, baseline - run.size, run.width + 2, height, "#f6f6f6", "#dddddd", 3)
        looks = [f'font-family={quoteattr(MONO if run.mono else SANS)} font-size="{run.size:g}"']
        looks += ['font-weight="700"'] if run.bold else []
        looks += ['font-style="italic"'] if run.italic else []
        place = f'x="{x:.1f}" y="{baseline:.1f}" fill="{run.colour}" textLength="{run.width:.1f}"'
        drawn = (
            f'<text {place} lengthAdjust="spacingAndGlyphs" xml:space="preserve" {" ".join(looks)}>'
        )
        self.parts.append(f"{drawn}{escape(run.text)}</text>")

    def paragraph(self, x: float, width: float, runs: Sequence[Run], leading: float = 1.47) -> None:
        """Lines below what is there."""
        size = max(run.size for run in runs)
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
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        body = "\n".join([f"<title>{escape(title)}</title>", ground, *self.parts])
        return f"{head}\n{body}\n</svg>\n"
