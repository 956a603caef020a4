"""The rules for blocks in Slack's reference, checked strictly.

Source: https://docs.slack.dev/reference/block-kit/blocks and the pages below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BLOCKS = 50
HEADER = 150
# The limit for all blocks together. It is not documented; users measured it: slackapi/bolt-js#2509 and #2867.
ALL = 13_000
URL = 3000
TEXT = 40_000

STYLES = {"bold", "italic", "strike", "code"}


def problems(body: dict[str, Any]) -> list[str]:
    """What is wrong with a message, in the form of Slack's ``response_metadata.messages``."""
    return list(_of_message(body))


def units(text: str) -> int:
    """The length in UTF-16 code units, in which Slack's limits are."""
    return len(text.encode("utf-16-le")) // 2


def texts(value: Any) -> Iterator[str]:
    """Every text that people see, at any depth of the value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in {"text", "fallback", "url"} and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def _of_message(body: dict[str, Any]) -> Iterator[str]:
    text, blocks = body.get("text"), body.get("blocks")
    if not isinstance(text, str) or not text.strip():
        yield "no_text"
    elif units(text) > TEXT:
        yield "msg_too_long"
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= BLOCKS:
        yield "must have 1 to 50 blocks [json-pointer:/blocks]"
        return
    for index, block in enumerate(blocks):
        yield from _of_block(block, f"/blocks/{index}")
    if sum(units(shown) for shown in texts(blocks)) > ALL:
        yield "msg_blocks_too_long"


def _keys(of: Any, required: set[str], optional: set[str], where: str) -> Iterator[str]:
    if not isinstance(of, dict):
        yield f"must be an object [json-pointer:{where}]"
        return
    if missing := required - of.keys():
        yield f"missing {sorted(missing)} [json-pointer:{where}]"
    if unknown := of.keys() - required - optional:
        yield f"unknown {sorted(unknown)} [json-pointer:{where}]"


def _length(text: Any, most: int, where: str) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"must be a string [json-pointer:{where}]"
    elif not text:
        yield f"must be more than 0 characters [json-pointer:{where}]"
    elif units(text) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{where}]"


def _of_block(block: Any, where: str) -> Iterator[str]:
    if block.get("type") == "header":
        yield from _keys(block, {"type", "text"}, {"block_id"}, where)
        yield from _keys(block["text"], {"type", "text"}, {"emoji"}, f"{where}/text")
        if block["text"].get("type") != "plain_text":
            yield f"must be plain_text [json-pointer:{where}/text]"
        yield from _length(block["text"].get("text"), HEADER, f"{where}/text/text")
    elif block.get("type") == "rich_text":
        yield from _keys(block, {"type", "elements"}, {"block_id"}, where)
        yield from _each(block, _of_group, where)
    else:
        yield f"unsupported type {block.get('type')} [json-pointer:{where}]"


def _each(of: dict[str, Any], check: Any, where: str) -> Iterator[str]:
    if not of.get("elements"):
        yield f"no elements [json-pointer:{where}]"
    for index, element in enumerate(of.get("elements", [])):
        yield from check(element, f"{where}/elements/{index}")


def _of_group(group: Any, where: str) -> Iterator[str]:
    kind = group.get("type")
    if kind == "rich_text_list":
        yield from _keys(group, {"type", "style", "elements"}, {"indent", "border"}, where)
        if group.get("style") not in {"bullet", "ordered"}:
            yield f"unknown style [json-pointer:{where}]"
        yield from _each(group, _of_section, where)
    elif kind == "rich_text_preformatted":
        yield from _keys(group, {"type", "elements"}, {"border"}, where)
        yield from _each(group, _of_element, where)
        if any(element.get("type") not in {"text", "link"} for element in group["elements"]):
            yield f"unsupported in preformatted [json-pointer:{where}]"
    else:
        yield from _of_section(group, where)


def _of_section(section: Any, where: str) -> Iterator[str]:
    if section.get("type") != "rich_text_section":
        yield f"unsupported type {section.get('type')} [json-pointer:{where}]"
        return
    yield from _keys(section, {"type", "elements"}, set(), where)
    yield from _each(section, _of_element, where)


def _of_element(element: Any, where: str) -> Iterator[str]:
    kind = element.get("type")
    if kind == "text":
        yield from _keys(element, {"type", "text"}, {"style"}, where)
        yield from _length(element.get("text"), TEXT, f"{where}/text")
    elif kind == "link":
        yield from _keys(element, {"type", "url"}, {"text", "style", "unsafe"}, where)
        yield from _length(element.get("url"), URL, f"{where}/url")
    elif kind == "date":
        yield from _keys(element, {"type", "timestamp", "format"}, {"url", "fallback"}, where)
        if not isinstance(element.get("timestamp"), int):
            yield f"must be an integer [json-pointer:{where}/timestamp]"
    else:
        yield f"unsupported type {kind} [json-pointer:{where}]"
    if unknown := element.get("style", {}).keys() - STYLES:
        yield f"unknown styles {sorted(unknown)} [json-pointer:{where}]"
