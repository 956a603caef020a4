"""Text for Slack: its length as Slack counts it, and nothing in it that Slack would act on."""

from __future__ import annotations

import re
import unicodedata

from slipway.text import ELLIPSIS

_SEPARATED = "\u200b"  # zero width space: not seen, and no word goes on across it


def utf16_length(text: str) -> int:
    """As JavaScript counts characters: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def truncate_utf16(text: str, limit: int) -> str:
    """At most ``limit`` characters as Slack counts, cut where a letter ends, with what is drawn onto it."""
    if utf16_length(text) <= limit:
        return text
    room = limit - utf16_length(ELLIPSIS)
    end = 0
    while (room := room - utf16_length(text[end])) >= 0:
        end += 1
    while end and _is_drawn_on(text[end]):
        end -= 1
    return text[:end].rstrip() + ELLIPSIS


def _is_drawn_on(letter: str) -> bool:
    skin = "\U0001f3fb" <= letter <= "\U0001f3ff"
    return skin or unicodedata.category(letter) in {"Mn", "Me"}


def escape_mrkdwn(text: str) -> str:
    """For a message's ``text``, the only place where Slack looks for its control sequences and for links.

    https://docs.slack.dev/messaging/formatting-message-text names the three characters to escape. Names
    and addresses that stand open in a text are recognised by some clients too: they are taken apart with
    a character that is not seen.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([@#])(?=\w)", rf"\1{_SEPARATED}", text)
    text = re.sub(r":(?=//|[\w+'-]*[^\W\d][\w+'-]*:)", f":{_SEPARATED}", text)  # http://, :emoji:
    text = re.sub(r"\b(mailto|tel):", rf"\1:{_SEPARATED}", text)
    return re.sub(r"(?<=\w)\.(?=[^\W\d])", f".{_SEPARATED}", text)
