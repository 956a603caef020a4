"""Changes every text of a notice at once: `harmless` makes them safe to read, `shortened` cuts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.notices.notice import Notice
from slipway.text import one_line, truncate, visible

WAS_CUT = "this was shortened; the execution's history has what is missing"

# Fields whose texts may have several lines.
_MULTI_LINE = {"reason", "evidence", "lines", "problem", "command"}
# Fields that are never cut: a part of one is useless, or is not valid.
_WHOLE = {
    "kind",
    "about",
    "execution",
    "digest",
    "url",
    "command",
    "outcome",
    "cause",
    "started_by",
    "version",
}


def harmless(notice: Notice) -> Notice:
    """The notice with every text, and every container's name, made safe to read: see `slipway.text`."""

    def safe(field: str, text: str) -> str:
        return visible(text) if field in _MULTI_LINE else one_line(text)

    return Notice.model_validate(_changed(notice.model_dump(), safe))


def shortened(notice: Notice, characters: int, items: int) -> Notice:
    """The notice with no text longer than ``characters``, no list longer than ``items``, and a note of that.

    A log keeps its last lines, every other list its first items. Commands, addresses and ids stay whole.
    """

    def cut(field: str, text: str) -> str:
        return text if field in _WHOLE else truncate(text, characters)

    if notice.log:
        log = notice.log.model_copy(update={"lines": notice.log.lines[-items:]})
        notice = notice.model_copy(update={"log": log})
    short: dict[str, Any] = _changed(notice.model_dump(), cut, items)
    return Notice.model_validate({**short, "evidence": (*short["evidence"], WAS_CUT)})


def _changed(
    value: Any, change: Callable[[str, str], str], items: int | None = None, field: str = ""
) -> Any:
    """The value with every text in it, and every key of a dict, replaced by ``change(field, text)``.

    Args:
        items: how many items of a list are kept; None keeps all.
        field: the name of the field that has the value.
    """
    if isinstance(value, str):
        return change(field, value)
    if isinstance(value, dict):
        return {change("", key): _changed(of, change, items, key) for key, of in value.items()}
    if isinstance(value, tuple):
        return tuple(_changed(of, change, items, field) for of in value[:items])
    return value
