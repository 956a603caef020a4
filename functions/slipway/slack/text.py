"""Text for Slack: its length as Slack counts it, and escaping of everything that Slack would act on."""

from __future__ import annotations

import re
import unicodedata

from slipway.text import ELLIPSIS

_SEPARATED = "\u200b"  # zero width space: invisible, and it ends a word


def utf16_length(text: str) -> int:
    """The length in UTF-16 code units, which Slack's limits are in: most emoji count as two."""
    return len(text.encode("utf-16-le")) // 2


def truncate_utf16(text: str, limit: int) -> str:
    """Cut a text to ``limit`` UTF-16 units, but not within a letter with its combining marks."""
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
    """Escape a message's ``text``, the only place where Slack looks for control sequences and links.

    https://docs.slack.dev/messaging/formatting-message-text names the three characters to escape. Some
    clients also recognise plain names and addresses, so that an invisible character is put into them.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([@#])(?=\w)", rf"\1{_SEPARATED}", text)
    text = re.sub(r":(?=//|[\w+'-]*[^\W\d][\w+'-]*:)", f":{_SEPARATED}", text)  # http://, :emoji:
    text = re.sub(r"\b(mailto|tel):", rf"\1:{_SEPARATED}", text)
    return re.sub(r"(?<=\w)\.(?=[^\W\d])", f".{_SEPARATED}", text)
