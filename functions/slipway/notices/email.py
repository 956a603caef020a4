"""A notice as an email: plain text in 72 columns, for a reader who was just woken up."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC

from slipway.image import short_digest
from slipway.notices.notice import ContainerLog, Kind, Notice, Running
from slipway.text import one_line, truncate, visible

WIDTH = 72
# SNS takes fewer than 100 characters, without line breaks and control characters
# (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). Every email program shows a subject in ASCII.
SUBJECT_LENGTH = 99
LOG_LINE_LENGTH = 300
LABEL_WIDTH = 17
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")
HEADINGS = {Kind.STAGE: "RELEASE", Kind.ALARM: "ALARM"}


def subject_of(notice: Notice) -> str:
    """The email's subject."""
    line = re.sub(r"[^ -~]", "?", one_line(notice.title).replace("…", "..."))
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 3] + "..."


def text_of(notice: Notice) -> str:
    """The email's text. Text from outside is indented, so that it can't pass for a heading of Slipway's."""
    if notice.kind is Kind.PROGRESS:
        return f"{one_line(f'{notice.title}: {notice.reason}')}\n"
    sections = [
        [*_labelled("Why:", notice.reason), *_labelled("Now:", notice.meaning)],
        _section("NOT STARTED", _bullets(stage.line for stage in notice.remaining_stages)),
        _section("EVIDENCE", _bullets(notice.evidence)),
        _log(notice.log),
        _section("RUNNING NOW", _running(notice.running)),
        _section(
            HEADINGS.get(notice.kind, "DEPLOYMENT" if notice.service else "RELEASE"), _facts(notice)
        ),
        _section("PASSED", _bullets(notice.gates)),
        _section("NOT GUARDED BY", _bullets(_unguarded(notice))),
        _section("LINKS", _links(notice)),
        _section("COMMANDS", _commands(notice)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _section(heading: str, lines: Iterable[str]) -> list[str]:
    below = list(lines)
    return [heading, *below] if below else []


def _wrapped(text: str, first: str, rest: str) -> Iterator[str]:
    """The text's lines, wrapped and with these indents. A longer word than a line stays whole."""
    for line in visible(text).split("\n"):
        words = line.strip()
        if not words:
            continue
        own = " " * (len(line) - len(line.lstrip()))
        if len(first + own + words) <= WIDTH:
            yield first + own + words
        else:
            yield from textwrap.wrap(
                words,
                WIDTH,
                initial_indent=first + own,
                subsequent_indent=rest + own,
                break_long_words=False,
                break_on_hyphens=False,
            )
        first = rest


def _labelled(label: str, text: str) -> Iterator[str]:
    return _wrapped(text, f"{label}  ", "      ")


def _bullets(facts: Iterable[str]) -> Iterator[str]:
    for fact in facts:
        yield from _wrapped(fact, "  - ", "    ")


def _log(log: ContainerLog | None) -> list[str]:
    if log is None:
        return []
    lines = [line for written in log.lines for line in visible(written).split("\n")]
    shown = [f"  | {truncate(line, LOG_LINE_LENGTH)}".rstrip() for line in lines]
    nothing = f"there are none to show: {log.problem}" if log.problem else "it wrote nothing"
    where = {
        "container": log.container,
        "task": log.task,
        "log group": log.group,
        "log stream": log.stream,
    }
    rows = [row for label, value in where.items() if value for row in _row(label, value)]
    said = shown or list(_wrapped(nothing, "  ", "  "))
    return ["LAST LINES OF THE FAILED CONTAINER", *said, *rows]


def _running(running: Running | None) -> Iterator[str]:
    if running is None:
        return
    tasks = running.tasks
    count = f", {tasks.healthy} of {tasks.desired} tasks running" if tasks else ""
    yield from _wrapped(f"{running.task_definition}{count}", "  ", "    ")
    for image in _images(running.images):
        yield from _wrapped(image, "  ", "    ")


def _facts(notice: Notice) -> Iterator[str]:
    if notice.kind is Kind.ALARM:
        facts: dict[str, str | None] = {"name": notice.about, "state": notice.outcome}
    else:
        replaced = "replaces" if notice.kind is Kind.START else "before"
        target = "rolls back to" if notice.manual_rollback else replaced
        facts = {
            "service": notice.service,
            "stage": notice.stage,
            "rolls back from" if notice.manual_rollback else "image": _image(notice),
            "digest": notice.image.digest if notice.image else None,
            "started by": notice.starter,
            "task definition": notice.task_definition,
            target: "\n".join(
                [*filter(None, [notice.rollback_target]), *_images(notice.rollback_target_images)]
            ),
        }
    facts["time"] = f"{notice.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    for label, value in facts.items():
        yield from _row(label, value) if value else ()


def _row(label: str, value: str) -> Iterator[str]:
    """A label with its value beside it, or below it if a word of the value does not fit there."""
    beside = f"  {label:{LABEL_WIDTH}}"
    if all(len(beside) + len(word) <= WIDTH for word in value.split()):
        yield from _wrapped(value, beside, " " * len(beside))
    else:
        yield f"  {label}"
        yield from _wrapped(value, "    ", "    ")


def _image(notice: Notice) -> str:
    repository, tag = notice.repository or "", notice.tag
    return f"{repository}:{tag}" if repository and tag else repository or tag or ""


def _images(by_container: Mapping[str, str]) -> list[str]:
    """Each container with its image, the digest shortened: ``app: shop/api@0123456789ab``."""
    return [
        f"{name}: {_DIGEST.sub(lambda found: f'@{short_digest(found[1])}', image)}"
        for name, image in by_container.items()
    ]


def _unguarded(notice: Notice) -> list[str]:
    return [f"alarm {name}: it was in ALARM before this began" for name in notice.alarms_firing]


def _links(notice: Notice) -> Iterator[str]:
    for link in notice.links:
        yield from _wrapped(link.title, "  ", "  ")
        yield f"    {link.url}"


def _commands(notice: Notice) -> Iterator[str]:
    for command in notice.commands:
        yield from _wrapped(f"{command.title}:", "  ", "  ")
        yield from (f"    {line}" for line in command.command.split("\n"))
