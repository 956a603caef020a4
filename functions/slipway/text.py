"""Makes text from outside (tags, stopped reasons, alarm texts, log lines) safe for people to read.

Complete terminal commands are removed, and so are the joiners of ordinary text. Every other character that
is not shown, or that changes how the rest is shown, is replaced by U+FFFD: a reader sees that something
was there.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

# Terminal control sequences of ECMA-48: commands (colours, cursor movements) and strings (titles, links).
# Only complete sequences match, so that an unterminated one does not hide the text after it.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\n\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Every character that some program treats as the end of a line. All of them become a line feed, so that
# text from outside can't begin a line that looks like one of Slipway's own.
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Invisible characters that ordinary text contains: soft hyphens, joiners of letters, and selectors
# between the two forms of an emoji. They are removed without a mark.
_JOINERS = set("\u00ad\u034f\u200c\u200d\ufe0e\ufe0f")
# Characters that are not shown, although their Unicode category is one of visible characters.
_BLANK = re.compile(
    "[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0000-\U000e0fff]"
)


# Most texts are of these characters only, and an email may have thousands of lines.
_HARMLESS = re.compile("[\n -~]*")


def visible(text: str) -> str:
    """The text with its lines and indentation, but without terminal commands and invisible characters.

    A tab becomes up to four spaces. A run of characters that are not shown becomes one U+FFFD.
    """
    if _HARMLESS.fullmatch(text):
        return text
    lines = _BREAKS.sub("\n", _ESCAPES.sub("", text)).expandtabs(4)
    return re.sub("\ufffd+", "\ufffd", lines.translate(_LETTERS))


def one_line(text: str) -> str:
    """The text as `visible` returns it, but in one line and with one space between words."""
    return " ".join(visible(text).split())


def truncate(text: str, limit: int) -> str:
    """The text, cut to at most ``limit`` characters; a cut text ends with an ellipsis.

    A letter is never separated from its combining characters, such as accents.
    """
    if len(text) <= limit:
        return text
    end = max(limit - len(ELLIPSIS), 0)
    while end and unicodedata.combining(text[end]):
        end -= 1
    return text[:end] + ELLIPSIS


def truncate_bytes(text: str, limit: int) -> str:
    """The text, cut to at most ``limit`` bytes of UTF-8; a cut text ends with an ellipsis."""
    whole = text.encode(errors="replace")
    if len(whole) <= limit:
        return text
    return whole[: limit - len(ELLIPSIS.encode())].decode(errors="ignore") + ELLIPSIS


class _Letters(dict[int, str]):
    """A table for `str.translate` that is filled as characters occur; Unicode has too many for a full one."""

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
    # Of category Cn, only noncharacters such as U+FFFE are replaced, because SNS refuses them. The other
    # code points in it are unassigned; a later version of Unicode may give them a letter.
    no_letter = category == "Cn" and (
        ord(letter) & 0xFFFE == 0xFFFE or "\ufdd0" <= letter <= "\ufdef"
    )
    if no_letter or category in {"Cc", "Cf", "Cs"} or _BLANK.match(letter):
        return "\ufffd"
    return letter


_LETTERS = _Letters()
