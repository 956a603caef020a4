"""A notice for Amazon Q Developer in chat applications, which shows it in Slack, Teams or Chime.

It is a custom notification, version 1.0 of the schema in
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. The chat reads every text in it as
its own Markdown, and a name after @ as a mention. So in text from outside, every character that one of the
chats would not show as plain text is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from slipway.image import short_digest
from slipway.notices.notice import Kind, Notice
from slipway.text import one_line, truncate, visible

# AWS publishes no limits. Slack shows 3,000 characters of a section and 150 of a header.
TITLE_LENGTH = 150
TEXT_LENGTH = 2900
FACT_LENGTH = 250
# Of the full room for each text from outside. The first share is taken with which the description fits.
SHARES = (1.0, 0.5, 0.25, 0.1, 0.05)

_MENTION = {"@": "\uff20", "#": "\uff03"}  # full-width forms, which mention nobody
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_IN_CODE = str.maketrans({**_MENTION, **_ENTITIES, "`": "'"})
_IN_TEXT = str.maketrans(
    {
        **_MENTION,
        **_ENTITIES,
        "`": "'",
        "*": "\u2217",
        "~": "\u223c",
        "|": "\u2223",
        "[": "(",
        "]": ")",
    }
)


def chat_of(notice: Notice) -> str:
    """The custom notification, as JSON."""
    title = _text(notice.title, TITLE_LENGTH)
    keywords = (notice.outcome or notice.kind, notice.service, notice.stage, notice.repository)
    service = _text(notice.service) if notice.service else None
    steps = _next_steps(notice)
    notification = {
        "version": "1.0",
        "source": "custom",
        "id": _id(notice),
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": _description(notice),
            **({"nextSteps": steps} if steps else {}),
            "keywords": [_text(word) for word in keywords if word],
        },
        "metadata": {
            "threadId": notice.about,
            "summary": title,
            "eventType": f"slipway-{notice.kind}",
            "relatedResources": [of for of in (notice.execution, service) if of],
            "additionalContext": _context(notice),
        },
    }
    return json.dumps(notification, ensure_ascii=False)


def _id(notice: Notice) -> str:
    """Equal if the same event is notified twice. An alarm has only its time to tell its events apart."""
    moment = (
        "" if notice.kind in {Kind.START, Kind.END} else f"#{notice.stage or notice.at.isoformat()}"
    )
    return f"{notice.about}#{notice.kind}{moment}"


def _context(notice: Notice) -> dict[str, str]:
    facts = {
        "kind": str(notice.kind),
        "outcome": notice.outcome,
        "cause": notice.cause,
        "service": notice.service,
        "stage": notice.stage,
        "repository": notice.repository,
        "tag": notice.tag,
        "digest": notice.image.digest if notice.image else None,
        "taskDefinition": notice.task_definition,
        "rollbackTarget": notice.rollback_target,
        "startedBy": notice.starter,
    }
    ours = {"execution": notice.execution} if notice.execution else {}
    return {**{name: _text(fact) for name, fact in facts.items() if fact}, **ours}


def _description(notice: Notice) -> str:
    """The description, with as much of the text from outside as there is room for."""
    for share in SHARES:
        text = _rendered(notice, share)
        if len(text) <= TEXT_LENGTH:
            break
    return text


def _rendered(notice: Notice, share: float) -> str:
    def room(characters: int) -> int:
        return max(20, int(characters * share))

    def listed(heading: str, facts: Sequence[str]) -> list[str]:
        shown = facts[: max(1, int(8 * share))]
        more = [f"\u2022 and {len(facts) - len(shown)} more"] if len(facts) > len(shown) else []
        lines = [f"\u2022 {_code(fact, room(400))}" for fact in shown]
        return [f"*{heading}:*", *lines, *more] if facts else []

    running = notice.running
    tasks = running.tasks if running else None
    count = f", {tasks.healthy} of {tasks.desired} tasks running" if tasks else ""
    verdict = {
        "Why": _code(notice.reason, room(800)) if notice.reason else "",
        "Now": _text(notice.meaning, room(800)),
    }
    facts = {
        "Running now": f"{_code(running.task_definition, room(250))}{count}" if running else "",
        "Image": _image(notice, room(250)),
        "Started by": _code(notice.starter, room(250)) if notice.starter else "",
        "Before": _code(notice.rollback_target, room(250)) if notice.rollback_target else "",
    }
    lines = [
        *_labelled(verdict),
        *listed("Evidence", notice.evidence),
        *_log(notice, room(1000)),
        *_labelled(facts),
        *listed("Passed", notice.gates),
        *listed(
            "Not guarded by these alarms, which were in ALARM before it began", notice.alarms_firing
        ),
    ]
    return "\n".join(lines) or _text(notice.title)


def _labelled(facts: dict[str, str]) -> list[str]:
    return [f"*{label}:* {fact}" for label, fact in facts.items() if fact]


def _image(notice: Notice, room: int) -> str:
    name = ":".join(filter(None, [notice.repository, notice.tag]))
    digest = short_digest(notice.image.digest) if notice.image else ""
    return " ".join([_code(part, room) for part in (name, digest) if part])


def _log(notice: Notice, room: int) -> list[str]:
    """The last lines of the container's log, as many as there is room for: the end says why it failed."""
    log = notice.log
    if log is None:
        return []
    heading = f"*Last lines of container {_text(log.container, min(room, FACT_LENGTH))}:*"
    lines = [
        truncate(line, min(room, FACT_LENGTH))
        for text in log.lines
        for line in visible(text).split("\n")
    ]
    shown: list[str] = []
    left = room
    for line in reversed(lines):
        left -= len(line) + 1
        if left < 0 and shown:
            break
        shown.insert(0, line)
    if not shown:
        return [heading, _code(log.problem, room) if log.problem else "it wrote nothing"]
    return [heading, f"```\n{_neutral(chr(10).join(shown)).translate(_IN_CODE)}\n```"]


def _next_steps(notice: Notice) -> list[str]:
    """The commands, then the links, as far as there is room; each is whole or left out."""
    commands = [f"{_text(one.title)}:\n```\n{one.command}\n```" for one in notice.commands]
    links = [f"{_text(link.title)}: {link.url}" for link in notice.links]
    room, steps = TEXT_LENGTH, []
    for step in (*commands, *links):
        if len(step) <= room:
            steps.append(step)
            room -= len(step)
    return steps


def _code(text: str, limit: int = FACT_LENGTH) -> str:
    """The text as one line of code, in which no chat reads markup."""
    return f"`{_neutral(truncate(one_line(text), limit)).translate(_IN_CODE)}`"


def _text(text: str, limit: int = FACT_LENGTH) -> str:
    """The text in one line, for a place where chats read markup."""
    neutral = _neutral(truncate(one_line(text), limit)).translate(_IN_TEXT)
    neutral = re.sub(r"(?<!\w)_|_(?!\w)", "\uff3f", neutral)  # italics; that of ROLLED_BACK stays
    return re.sub(r":(?=[\w+'-]+:)", "\u2236", neutral)  # the name of an emoji


def _neutral(text: str) -> str:
    """The text, in which no chat finds an address to make a link of."""
    text = re.sub(r"(?i)(www)\.", r"\1[.]", text)
    return re.sub(r"(?i):(?=//)|(?<=\bmailto):|(?<=\btel):", "[:]", text)
