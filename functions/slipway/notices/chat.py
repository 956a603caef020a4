"""A notice for Amazon Q Developer in chat applications, which shows it in Slack, Teams or Chime.

It is a custom notification, version 1.0 of the schema in
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. Each of its texts is read as the
chat's own markdown, and names with an @ are made mentions: so nothing that comes from outside is left as it
is where one of the chats would take it for more than text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from slipway.image import short_digest
from slipway.notices.notice import Kind, Notice
from slipway.text import one_line, truncate, visible

# AWS names no lengths. Slack shows 3,000 characters of a section, and 150 of a header.
TITLE_LENGTH = 150
TEXT_LENGTH = 2900
FACT_LENGTH = 250
SHARES = (1.0, 0.5, 0.25, 0.1, 0.05)

_MENTION = {"@": "\uff20", "#": "\uff03"}  # their wide forms, which name nobody
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
    """The JSON of the notification."""
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
    """Equal for the same event that is notified twice, as far as that can be known."""
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
    """The first of the renderings, each with less room for what comes from outside, that is short enough."""
    *shares, least = SHARES
    texts = (_rendered(notice, share) for share in shares)
    fitting = (text for text in texts if len(text) <= TEXT_LENGTH)
    return next(fitting, None) or _rendered(notice, least)


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
    facts = {
        "Why": _code(notice.reason, room(800)) if notice.reason else "",
        "Now": _text(notice.meaning, room(800)),
        "Running now": f"{_code(running.task_definition, room(250))}{count}" if running else "",
        "Image": _image(notice, room(250)),
        "Started by": _code(notice.starter, room(250)) if notice.starter else "",
        "Before": _code(notice.rollback_target, room(250)) if notice.rollback_target else "",
    }
    first, rest = ("Why", "Now"), ("Running now", "Image", "Started by", "Before")
    lines = [
        *_facts(facts, first),
        *listed("Not started", [stage.line for stage in notice.remaining_stages]),
        *listed("Evidence", notice.evidence),
        *_log(notice, room(1000)),
        *_facts(facts, rest),
        *listed("Passed", notice.gates),
        *listed(
            "Not guarded by these alarms, which were in ALARM before it began", notice.alarms_firing
        ),
    ]
    return "\n".join(lines) or _text(notice.title)


def _facts(facts: dict[str, str], names: Iterable[str]) -> list[str]:
    return [f"*{name}:* {facts[name]}" for name in names if facts[name]]


def _image(notice: Notice, room: int) -> str:
    name = ":".join(filter(None, [notice.repository, notice.tag]))
    digest = short_digest(notice.image.digest) if notice.image else ""
    return " ".join([_code(part, room) for part in (name, digest) if part])


def _log(notice: Notice, room: int) -> list[str]:
    """The end of what the container wrote: that is where it says why."""
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
    """Commands, each whole or not at all, and then where to look."""
    commands = [f"{_text(one.title)}:\n```\n{one.command}\n```" for one in notice.commands]
    links = [f"{_text(link.title)}: {link.url}" for link in notice.links]
    room, steps = TEXT_LENGTH, []
    for step in (*commands, *links):
        if len(step) <= room:
            steps.append(step)
            room -= len(step)
    return steps


def _code(text: str, limit: int = FACT_LENGTH) -> str:
    """In one line of code, where no chat reads markup."""
    return f"`{_neutral(truncate(one_line(text), limit)).translate(_IN_CODE)}`"


def _text(text: str, limit: int = FACT_LENGTH) -> str:
    """In one line where chats do read markup."""
    neutral = _neutral(truncate(one_line(text), limit)).translate(_IN_TEXT)
    neutral = re.sub(r"(?<![^\W_])_|_(?![^\W_])", "\uff3f", neutral)  # italics, but not ROLLED_BACK
    return re.sub(r":(?=[\w+'-]+:)", "\u2236", neutral)  # an emoji's name


def _neutral(text: str) -> str:
    """Without what is made a link of by itself."""
    text = re.sub(r"(?i)(www)\.", r"\1[.]", text)
    return re.sub(r"(?i):(?=//)|(?<=\bmailto):|(?<=\btel):", "[:]", text)
