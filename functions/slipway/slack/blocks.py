"""A notice as Slack shows it: as a card, as details in the card's thread, and as both in one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.notices.notice import Kind, Notice, Tasks
from slipway.slack.block_kit import (
    MESSAGE_LENGTH,
    Block,
    Element,
    bullets,
    header,
    joined,
    line,
    rich,
    size,
    text,
)
from slipway.slack.details import details
from slipway.slack.room import Room
from slipway.slack.text import escape_mrkdwn, truncate_utf16
from slipway.text import one_line

SYMBOLS_OF_ALARMS = {"ALARM": "🚨", "OK": "✅", "INSUFFICIENT_DATA": "❔"}
SYMBOLS_OF_KINDS = {Kind.START: "🚀", Kind.STAGE: "📦", Kind.PROGRESS: "⏳"}
FALLBACK_LENGTH = 500
CELLS = 10
SHARES = (1.0, 0.5, 0.25, 0.1, 0.03)


def message_of(notice: Notice) -> dict[str, Any]:
    """The card, as ``{"text": ..., "blocks": [...]}``. Slack's own notifications show ``text``."""
    return _message(notice, lambda room: [*_card(notice, room), _foot(notice, room)])


def details_of(notice: Notice) -> dict[str, Any] | None:
    """The message for the card's thread, in the same form; None if the card says everything."""
    if not details(notice, Room(1)):
        return None

    def render(room: Room) -> list[Block]:
        shown = [rich(*details(notice, room))]
        return [*shown, rich(line(*room.whole(notice)))] if room.was_truncated else shown

    return _message(notice, render)


def whole_of(notice: Notice) -> dict[str, Any]:
    """The card and the details in one message, for a webhook, which can't post to a thread."""

    def render(room: Room) -> list[Block]:
        shown, more = _card(notice, room), details(notice, room)
        return [*shown, *([rich(*more)] if more else []), _foot(notice, room)]

    return _message(notice, render)


def continued(start: Notice | None, notice: Notice) -> Notice:
    """A progress notice with the facts that only the start's notice has; any other notice as it is."""
    if start is None or notice.kind is not Kind.PROGRESS:
        return notice
    of_start = {
        name: getattr(start, name)
        for name in (
            "stage",
            "repository",
            "image",
            "tag",
            "started_by",
            "by",
            "rollback_target",
            "links",
        )
        if not getattr(notice, name)
    }
    return notice.model_copy(update=of_start)


def _message(notice: Notice, render: Callable[[Room], list[Block]]) -> dict[str, Any]:
    """Render with less and less room for texts until the message fits into Slack's limit."""
    renderings = (render(Room(share)) for share in SHARES)
    least = render(Room(SHARES[-1]))
    blocks = next((blocks for blocks in renderings if size(blocks) <= MESSAGE_LENGTH), least)
    said = " - ".join(one_line(part) for part in (_title(notice), notice.reason) if part)
    fallback = f"{_symbol(notice)} {escape_mrkdwn(truncate_utf16(said, FALLBACK_LENGTH))}"
    return {"text": fallback, "blocks": blocks}


def _symbol(notice: Notice) -> str:
    if notice.facts:
        return notice.facts.symbol
    symbol = SYMBOLS_OF_KINDS.get(notice.kind) or SYMBOLS_OF_ALARMS.get(notice.outcome or "")
    return symbol or "🔹"


def _title(notice: Notice) -> str:
    if notice.kind is not Kind.PROGRESS:
        return notice.title
    image = notice.image
    named = f"{image.repository}:{image.tag}" if image and image.tag else str(image or "")
    return f"IN PROGRESS: {', '.join(filter(None, [notice.service or notice.title, named]))}"


def _card(notice: Notice, room: Room) -> list[Block]:
    """The card without its foot: the header, the reason and its meaning, and the facts."""
    facts = _facts(notice, room)
    body = [*_reason(notice, room), *([bullets(facts)] if facts else [])]
    return [header(_symbol(notice), _title(notice)), *([rich(*body)] if body else [])]


def _reason(notice: Notice, room: Room) -> list[Element]:
    """The reason's first line and its meaning, and a list of the reason's further lines."""
    why, *more = [part for part in notice.reason.splitlines() if one_line(part)] or [""]
    said = [
        *([text(room.truncate(why, 600), "bold")] if why else []),
        *([text(room.truncate(notice.meaning, 300))] if notice.meaning else []),
    ]
    listed = [[text(one)] for one in room.first(tuple(more), 1000, 300)]
    return [
        *([line(*joined(said, "\n"))] if said else []),
        *([bullets(listed), line(text("\n"))] if listed else []),
    ]


def _facts(notice: Notice, room: Room) -> list[list[Element]]:
    running = notice.running
    before = "rolls back to" if notice.manual_rollback else "replaces"
    facts = {
        "image": str(notice.image) if notice.image else None,
        "tag": notice.tag if notice.image is None else None,
        "stage": notice.stage,
        "started by": notice.starter,
        before: notice.rollback_target if notice.kind in {Kind.START, Kind.PROGRESS} else None,
        "running now": running.task_definition if running else None,
    }
    lines = [
        [text(f"{name}: "), text(room.truncate(fact, 200), "code")]
        for name, fact in facts.items()
        if fact
    ]
    if running and running.tasks:
        lines[-1].append(
            text(f", {running.tasks.healthy} of {running.tasks.desired} tasks running")
        )
    if notice.tasks:
        lines.append(
            [text("tasks: "), text(_bar(notice.tasks), "code"), text(_healthy(notice.tasks))]
        )
    return lines


def _bar(tasks: Tasks) -> str:
    """A bar like ``■■□□``, with a cell per desired task but ten at most; full only if all are healthy."""
    cells = max(1, min(CELLS, tasks.desired))
    full = min(cells, tasks.healthy * cells // max(1, tasks.desired))
    return "■" * full + "□" * (cells - full)


def _healthy(tasks: Tasks) -> str:
    return f" {tasks.healthy} of {tasks.desired} healthy"


def _foot(notice: Notice, room: Room) -> Block:
    """The time in the reader's time zone, the links, and whether something was cut."""
    when = {
        "type": "date",
        "timestamp": int(notice.at.timestamp()),
        "format": "{date_short_pretty} {time_secs}",
        "fallback": f"{notice.at:%Y-%m-%d %H:%M:%S %Z}",
    }
    links = [part for one in room.links(notice) for part in (text("  ·  "), one)]
    cuts = [text("\n"), *room.whole(notice)] if room.was_truncated else []
    return rich(line(when, *links, *cuts))
