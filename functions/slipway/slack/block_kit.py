"""Slack's Block Kit: the few blocks that a notice needs, and Slack's limits.

Only rich text and plain text are used: Slack reads no mention and no markup in their text elements, and makes
a link only of a link element. The limits and rules are those of
https://docs.slack.dev/reference/block-kit/blocks.
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
# Not documented: Slack refuses a longer message as msg_blocks_too_long. In the issues below, Slack's
# maintainers speak of 12,000 characters of text plus some for the blocks; users measured 13,000 and more.
# https://github.com/slackapi/bolt-js/issues/2509, https://github.com/slackapi/bolt-js/issues/2867
MESSAGE_LENGTH = 12_000
URL_LENGTH = 3000


def header(symbol: str, title: str) -> Block:
    """A heading: the symbol (an emoji) and the title, cut to Slack's limit."""
    shown = f"{symbol} {truncate_utf16(one_line(title), HEADER_LENGTH - SYMBOL_LENGTH)}"
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def rich(*elements: Element) -> Block:
    """A block of rich text elements: paragraphs, lists and preformatted texts."""
    return {"type": "rich_text", "elements": list(elements)}


def line(*elements: Element) -> Element:
    """A paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(items: Iterable[Sequence[Element]]) -> Element:
    """A bulleted list; each item is a sequence of elements."""
    return {
        "type": "rich_text_list",
        "style": "bullet",
        "elements": [line(*item) for item in items],
    }


def preformatted(text: str) -> Element:
    """A text in a monospaced font, which keeps its line breaks and indentation."""
    shown = visible(text) or " "
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}


def text(of: str, *styles: str) -> Element:
    """A text; the styles are ``bold``, ``italic`` and ``code``."""
    element: Element = {"type": "text", "text": visible(of) or " "}  # Slack refuses an empty text
    return {**element, "style": dict.fromkeys(styles, True)} if styles else element


def link(title: str, url: str) -> Element:
    """A link, or a text with the title and the address if Slack would refuse the link."""
    if not url.startswith("https://") or one_line(url) != url or utf16_length(url) > URL_LENGTH:
        return text(truncate_utf16(one_line(f"{title}: {url}"), 300))
    return {"type": "link", "url": url, "text": one_line(title) or url}


def joined(elements: Sequence[Element], by: str) -> list[Element]:
    """The elements with the text ``by`` between each two of them."""
    between: list[Element] = []
    for element in elements:
        between += [text(by), element] if between else [element]
    return between


def size(blocks: Sequence[Mapping[str, Any]]) -> int:
    """The blocks' size, for MESSAGE_LENGTH: the length of their JSON, which exceeds what Slack counts."""
    return utf16_length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
