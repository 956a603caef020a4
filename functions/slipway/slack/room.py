"""Cuts the texts of a notice so that a Slack message has room for them, and links to the whole."""

from __future__ import annotations

from slipway.notices.notice import LinkKind, Notice
from slipway.slack.block_kit import Element, link, text
from slipway.slack.text import truncate_utf16, utf16_length
from slipway.text import one_line, visible

LINKS = 6
URLS = 5000
TITLE = 80


class Room:
    """The room for texts in one message; ``was_truncated`` says whether something was cut."""

    def __init__(self, share: float) -> None:
        """``share``, from 0 to 1, is the part of every limit that this message may use."""
        self._share = share
        self.was_truncated = False

    def of(self, limit: int) -> int:
        """This message's share of a limit, in characters or items; at least 1."""
        return max(1, int(limit * self._share))

    def truncate(self, said: str, limit: int) -> str:
        """The text in one line, cut to the share of ``limit`` characters."""
        whole = one_line(said)
        shown = truncate_utf16(whole, max(10, self.of(limit)))
        self.was_truncated |= shown != whole
        return shown

    def first(self, lines: tuple[str, ...], limit: int, each: int) -> list[str]:
        """The first lines that fit into ``limit`` characters, each cut to ``each``; at least one line."""
        shown: list[str] = []
        room = self.of(limit)
        for said in lines:
            one = self.truncate(said, each)
            room -= utf16_length(one)
            if room < 0 and shown:
                self.was_truncated = True
                break
            shown.append(one)
        return shown

    def last(self, lines: tuple[str, ...], limit: int, each: int) -> str:
        """The last lines that fit into ``limit`` characters, with their indentation; at least one line."""
        shown: list[str] = []
        room = self.of(limit)
        for said in reversed(lines):
            whole = visible(said).replace("\n", "\ufffd")
            one = truncate_utf16(whole, max(10, self.of(each)))
            self.was_truncated |= one != whole
            room -= utf16_length(one) + 1
            if room < 0 and shown:
                self.was_truncated = True
                break
            shown.insert(0, one)
        return "\n".join(shown)

    def links(self, notice: Notice) -> list[Element]:
        """The first of the notice's links, and the others that fit."""
        shown: list[Element] = []
        room = self.of(URLS)
        for one in notice.links[:LINKS]:
            room -= utf16_length(one.url)
            if room >= 0 or not shown:
                shown.append(link(truncate_utf16(one_line(one.title), TITLE), one.url))
        return shown

    def whole(self, notice: Notice) -> list[Element]:
        """A remark that the message was cut, with a link to where the whole can be read."""
        executions = [one for one in notice.links if one.kind is LinkKind.EXECUTION]
        for one in [*executions, *notice.links][:1]:
            return [
                text("Cut here; the whole is behind ", "italic"),
                link(truncate_utf16(one_line(one.title), TITLE), one.url),
            ]
        where = "in the history of its execution" if notice.execution else "in what SNS has sent"
        return [text(f"Cut here; the whole is {where}.", "italic")]
