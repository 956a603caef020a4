"""Writes docs/pictures/: some of tests/golden/ as people see it, in Slack and in an email program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.svg import MONO_WIDTH, Canvas, Run, lines

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
PICTURES = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT / "functions"))

SLACK = ("start", "progress", "succeeded", "crashed", "alarm_undelivered")
EMAILS = ("start", "crashed")
WIDTH = 780.0
PADDING = 20.0
GREY = "#616061"
BLUE = "#1264a3"
CODE = "#c01343"
CODE_SIZE = 12
EMAIL_SIZE = 13
EMAIL_COLUMNS = 88


def pictures() -> dict[Path, str]:
    """The text of each file."""
    slack = {PICTURES / f"slack-{name}.svg": _slack(name) for name in SLACK}
    return slack | {PICTURES / f"email-{name}.svg": _email(name) for name in EMAILS}


def _slack(name: str) -> str:
    """The golden file as Slack shows it: the card and its thread."""
    from slipway.slack.blocks import continued, details_of, message_of
    from slipway.slack.record import read_notice

    card = json.loads((GOLDEN / "slack" / f"{name}.json").read_text())
    start, notice = (
        read_notice((GOLDEN / "notices" / f"{of}.json").read_text()) for of in ("start", name)
    )
    if name == "progress":  # as a bot shows it, with what it knows from the start's notice
        card = message_of(continued(start, notice))
    details = details_of(notice)
    canvas = Canvas(WIDTH, y=PADDING - 6)
    time = f"{notice.at:%H:%M}"
    _message(canvas, PADDING, card, time, 36)
    if details:
        canvas.y += 26
        heading = Run("in the thread", 12, bold=True, colour=BLUE)
        canvas.run(PADDING + 48, canvas.y, heading)
        line = PADDING + 48 + heading.width + 10
        canvas.rect(line, canvas.y - 4, WIDTH - PADDING - line, 0.5, "none", "#dddddd")
        canvas.y += 4
        _message(canvas, PADDING + 48, details, time, 24)
    return canvas.svg(card["text"].replace("\u200b", ""), PADDING)


def _message(canvas: Canvas, x: float, message: dict[str, Any], time: str, avatar: int) -> None:
    top = canvas.y + 8
    canvas.rect(x, top, avatar, avatar, "#2f5d8a", r=5)
    letter = Run("S", avatar * 0.6, bold=True, colour="#ffffff")
    canvas.run(x + (avatar - letter.width) / 2, top + avatar * 0.72, letter)
    inner = x + avatar + 12
    name = Run("Slipway", bold=True)
    canvas.run(inner, top + 13, name)
    badge = inner + name.width + 6
    app = Run("APP", 9, bold=True, colour=GREY)
    canvas.rect(badge, top + 2, app.width + 6, 13, "#e8e8e8", r=2)
    canvas.run(badge + 3, top + 12, app)
    canvas.run(badge + app.width + 14, top + 13, Run(time, 11, colour=GREY))
    canvas.y = top + 16
    for block in message["blocks"]:
        _block(canvas, inner, WIDTH - PADDING - inner, block)


def _block(canvas: Canvas, x: float, width: float, block: dict[str, Any]) -> None:
    canvas.y += 4
    if block["type"] == "header":
        symbol, _, title = block["text"]["text"].partition(" ")
        shown = [Run(symbol, 18), Run(f" {title}", 18, bold=True)]
        canvas.paragraph(x, width, shown, 1.4)
        return
    for group in block["elements"]:
        if group["type"] == "rich_text_list":
            for item in group["elements"]:
                canvas.rect(x + 9, canvas.y + 10, 5, 5, "#1d1c1d", r=3)
                canvas.paragraph(x + 24, width - 24, _runs(item))
        elif group["type"] == "rich_text_preformatted":
            _preformatted(canvas, x, width, group["elements"][0]["text"])
        else:
            canvas.paragraph(x, width, _runs(group))


def _preformatted(canvas: Canvas, x: float, width: float, text: str) -> None:
    run = Run(text, CODE_SIZE, mono=True)
    canvas.y += 5
    height = len(lines([run], width - 18)) * CODE_SIZE * 1.45 + 14
    canvas.rect(x, canvas.y, width, height, "#f8f8f8", "#dddddd", 4)
    end = canvas.y + height + 5
    canvas.y += 6
    canvas.paragraph(x + 9, width - 18, [run], 1.45)
    canvas.y = end


def _runs(section: dict[str, Any]) -> list[Run]:
    return [_run(element) for element in section["elements"]]


def _run(element: dict[str, Any]) -> Run:
    if element["type"] == "link":
        return Run(element["text"], colour=BLUE)
    if element["type"] == "date":
        return Run(element["fallback"], 12, colour=GREY)
    style = element.get("style", {})
    if "code" in style:
        return Run(element["text"], CODE_SIZE, mono=True, colour=CODE, boxed=True)
    return Run(element["text"], bold="bold" in style, italic="italic" in style)


def _email(name: str) -> str:
    """The golden file as an email program shows plain text, with long lines wrapped."""
    subject, _, text = (GOLDEN / "email" / f"{name}.txt").read_text().partition("\n\n")
    canvas = Canvas(2 * PADDING + EMAIL_COLUMNS * EMAIL_SIZE * MONO_WIDTH, y=PADDING)
    width = canvas.width - 2 * PADDING
    canvas.paragraph(PADDING, width, [Run(subject, 18, bold=True)], 1.3)
    canvas.y += 4
    sender = [
        Run("AWS Notifications", 13, bold=True),
        Run(" <no-reply@sns.amazonaws.com>", 13, colour=GREY),
    ]
    canvas.paragraph(PADDING, width, sender)
    canvas.y += 10
    canvas.rect(PADDING, canvas.y, width, 0.5, "none", "#dddddd")
    canvas.y += 6
    for line in text.rstrip("\n").split("\n"):
        for begin in range(0, max(1, len(line)), EMAIL_COLUMNS):
            part = line[begin : begin + EMAIL_COLUMNS] or " "
            canvas.paragraph(PADDING, width + 1, [Run(part, EMAIL_SIZE, mono=True)], 1.4)
    return canvas.svg(subject, PADDING)


def main() -> int:
    """Write them all, and remove the rest."""
    made = pictures()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in set(PICTURES.glob("*.svg")) - made.keys():
        path.unlink()
    for path, content in made.items():
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
