"""All texts of a notice at once: made harmless, or made shorter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.notices.notice import Notice
from slipway.text import one_line, truncate, visible

WAS_CUT = "some of this was cut to fit; the whole is in the execution's history"

# Those that may have several lines.
_OF_LINES = {"reason", "evidence", "lines", "problem", "command"}
# Those that are ours, and no longer what they are when cut.
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
    """The notice without what text from outside may have brought: see `plain`."""

    def made(name: str, text: str) -> str:
        return visible(text) if name in _OF_LINES else one_line(text)

    return Notice.model_validate(_each(notice.model_dump(), made))


def shortened(notice: Notice, characters: int, items: int) -> Notice:
    """The notice with no text longer and no list longer than that, and the note that this was done.

    Of a log the last lines are left, of everything else the first ones.
    """

    def made(name: str, text: str) -> str:
        return text if name in _WHOLE else truncate(text, characters)

    if notice.log:
        log = notice.log.model_copy(update={"lines": notice.log.lines[-items:]})
        notice = notice.model_copy(update={"log": log})
    short: dict[str, Any] = _each(notice.model_dump(), made, items)
    return Notice.model_validate({**short, "evidence": (*short["evidence"], WAS_CUT)})


def _each(
    value: Any, made: Callable[[str, str], str], items: int | None = None, name: str = ""
) -> Any:
    """The value with every text in it, and every name of a container, made another one.

    Args:
        items: how many of a list are left.
        name: of the field that it is in.
    """
    if isinstance(value, str):
        return made(name, value)
    if isinstance(value, dict):
        return {made("", key): _each(of, made, items, key) for key, of in value.items()}
    if isinstance(value, tuple):
        return tuple(_each(of, made, items, name) for of in value[:items])
    return value
