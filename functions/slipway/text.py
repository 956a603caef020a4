"""Text from outside (tags, stopped reasons, alarm texts, log lines), made harmless for people to read.

What a terminal or Unicode would act on instead of showing it is taken out, or stands as U+FFFD, so that
nobody overlooks that something was there.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

# ECMA-48: commands (colours, the cursor) and strings (titles, links), each only where it is complete, so
# that an open one hides nothing that follows it.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\n\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Whatever some program takes for the end of a line: what follows must not stand where we write.
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# In honest text, too: what hyphenates words, joins letters, and chooses between two looks of an emoji.
_JOINERS = set("\u00ad\u034f\u200c\u200d\ufe0e\ufe0f")
# Shown as nothing, but of another category than the other characters of that kind.
_BLANK = re.compile(
    "[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text with its lines and its indentation, without what is not seen or changes how the rest is."""
    lines = _BREAKS.sub("\n", _ESCAPES.sub("", text)).expandtabs(4)
    return re.sub("\ufffd+", "\ufffd", lines.translate(_LETTERS))


def one_line(text: str) -> str:
    """`visible`, in one line, with one space between words."""
    return " ".join(visible(text).split())


def truncate(text: str, limit: int) -> str:
    """At most ``limit`` characters, the last of them a mark where something is missing.

    A letter keeps what is drawn onto it, or goes with it.
    """
    if len(text) <= limit:
        return text
    end = max(limit - len(ELLIPSIS), 0)
    while end and unicodedata.combining(text[end]):
        end -= 1
    return text[:end] + ELLIPSIS


class _Letters(dict[int, str]):
    """How each letter is shown, found out when it is met."""

    def __missing__(self, code: int) -> str:
        self[code] = _shown(chr(code))
        return self[code]


def _shown(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Zs":
        return " "
    if letter == "\n":
        return letter
    if letter in _JOINERS:
        return ""
    # Cn: U+FFFE and the like, which SNS takes for no text; not what Unicode has no letter for yet.
    no_letter = category == "Cn" and (
        ord(letter) & 0xFFFE == 0xFFFE or "\ufdd0" <= letter <= "\ufdef"
    )
    if no_letter or category in {"Cc", "Cf", "Cs"} or _BLANK.match(letter):
        return "\ufffd"
    return letter


_LETTERS = _Letters()
