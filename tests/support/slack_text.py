"""Finds what Slack would not show as plain text."""

from __future__ import annotations

import re


def live(text: str) -> list[str]:
    """The parts of a text that Slack or one of its clients could take for markup, names or links."""
    escaped = re.sub(r"&(amp|lt|gt);", " ", text)
    patterns = (
        r"[<>&]",  # control sequences
        r"[@#]\w",  # names
        r"://|\b(?:mailto|tel):\w",
        r"\w\.[a-zA-Z]{2}",  # domains
        r":[\w+-]*[a-z][\w+-]*:",  # emoji
    )
    return [found for pattern in patterns for found in re.findall(pattern, escaped)]
