"""Slack's Block Kit: the few blocks that a notice needs, and Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks. Only rich text and plain text are used: of a text
element nothing is read as a mention or as markup, whatever stands in it, and a link is one only as a link
element.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slipway.slack.text import truncate_utf16, utf16_length
from slipway.text import one_line, visible

Block = dict[str, Any]
Element = dict[str, Any]

HEADER_LENGTH = 150
SYMBOL_LENGTH = 5
BLOCKS = 50
# Not documented: a message with more is refused as msg_blocks_too_long. Slack's people speak of 12,000
# characters of text, and some for the blocks around; what was measured lies at 13,000 and above.
# https://github.com/slackapi/bolt-js/issues/2509, https://github.com/slackapi/bolt-js/issues/2867
MESSAGE_LENGTH = 12_000
URL_LENGTH = 3000


def header(symbol: str, title: str) -> Block:
    """A line in large letters, after an emoji of ours."""
    shown = f"{symbol} {truncate_utf16(one_line(title), HEADER_LENGTH - SYMBOL_LENGTH)}"
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def rich(*elements: Element) -> Block:
    """A block of sections, lists and preformatted texts."""
    return {"type": "rich_text", "elements": list(elements)}


def line(*elements: Element) -> Element:
    """A paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(items: Iterable[Sequence[Element]]) -> Element:
    """A list with dots."""
    return {
        "type": "rich_text_list",
        "style": "bullet",
        "elements": [line(*item) for item in items],
    }


def preformatted(text: str) -> Element:
    """A text in letters of one width, as it stands."""
    shown = visible(text) or " "
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}


def text(of: str, *styles: str) -> Element:
    """A text, which may be ``bold``, ``italic`` or ``code``."""
    element: Element = {"type": "text", "text": visible(of) or " "}  # Slack takes no empty text
    return {**element, "style": dict.fromkeys(styles, True)} if styles else element


def link(title: str, url: str) -> Element:
    """A link; where Slack would not take it, its title and the address as a text."""
    if not url.startswith("https://") or one_line(url) != url or utf16_length(url) > URL_LENGTH:
        return text(truncate_utf16(one_line(f"{title}: {url}"), 300))
    return {"type": "link", "url": url, "text": one_line(title) or url}


def joined(elements: Sequence[Element], by: str) -> list[Element]:
    """The elements with a text between them."""
    between: list[Element] = []
    for element in elements:
        between += [text(by), element] if between else [element]
    return between


def size(blocks: Sequence[Mapping[str, Any]]) -> int:
    """What counts against MESSAGE_LENGTH, more rather than less: the characters of the JSON."""
    return utf16_length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
