"""The details in the thread of a notice's card: evidence, the failed container's log, commands."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.image import short_digest
from slipway.notices.notice import ContainerLog, Kind, Notice
from slipway.slack.block_kit import Element, bullets, line, preformatted, text
from slipway.slack.room import Room

EVIDENCE = 2000
LOG = 2500
COMMANDS = 3
COMMAND = 900


def details(notice: Notice, room: Room) -> list[Element]:
    """The elements of a rich text block; empty if the card says everything."""
    if notice.kind is Kind.PROGRESS:
        return []
    before = "Rolls back to" if notice.manual_rollback else "Replaces"
    return [
        *_listed("Not started", room.first(_remaining(notice), 2000, 500)),
        *_listed("Evidence", room.first(notice.evidence, EVIDENCE, 500)),
        *_log(notice.log, room),
        *_listed("Passed", room.first(notice.gates, 1000, 300)),
        *_listed(
            "Not guarded by these alarms, which were in ALARM before it began",
            _alarms(notice, room),
        ),
        *_images("Running now", notice.running.images if notice.running else {}, room),
        *_images(before, notice.rollback_target_images if notice.kind is Kind.START else {}, room),
        *_digest(notice, room),
        *_commands(notice, room),
    ]


def _remaining(notice: Notice) -> tuple[str, ...]:
    return tuple(stage.line for stage in notice.remaining_stages)


def _alarms(notice: Notice, room: Room) -> list[str]:
    return room.first(notice.alarms_firing, 1000, 260)


def _heading(title: str) -> Element:
    return line(text(title, "bold"))


def _listed(title: str, lines: list[str]) -> list[Element]:
    return [_heading(title), bullets([text(said)] for said in lines)] if lines else []


def _images(title: str, images: Mapping[str, str], room: Room) -> list[Element]:
    if not images:
        return []
    named = (f"{name}: {_shorter(image)}" for name, image in images.items())
    shown = room.first(tuple(named), 1200, 300)
    return [_heading(title), bullets([text(image, "code")] for image in shown)]


def _shorter(image: str) -> str:
    """The image with a shortened digest, such as ``shop/api@0123456789ab``."""
    name, at, digest = image.partition("@")
    return f"{name}{at}{short_digest(digest)}"


def _digest(notice: Notice, room: Room) -> list[Element]:
    if notice.image is None or notice.kind is not Kind.START:
        return []
    return [_heading("Digest"), bullets([[text(room.truncate(notice.image.digest, 200), "code")]])]


def _log(log: ContainerLog | None, room: Room) -> list[Element]:
    if log is None:
        return []
    stream = room.truncate(f"{log.group} {log.stream}", 300)
    place = [f"task {room.truncate(log.task, 40)}", *([stream] if stream else [])]
    where = line(
        text(f"Last lines of container {room.truncate(log.container, 200)}", "bold"),
        text(f" ({', '.join(place)})"),
    )
    if log.problem:
        return [where, line(text(room.truncate(log.problem, 500)))]
    if not any(said.strip() for said in log.lines):
        return [where, line(text("It wrote nothing."))]
    return [where, preformatted(room.last(log.lines, LOG, 400))]


def _commands(notice: Notice, room: Room) -> list[Element]:
    """The commands. One that is too long is left out, because half a command may do something else."""
    shown: list[Element] = []
    for command in notice.commands[:COMMANDS]:
        shown.append(_heading(room.truncate(command.title, 200)))
        if len(command.command) <= room.of(COMMAND):
            shown.append(preformatted(command.command))
        else:
            room.was_truncated = True
            shown.append(line(text("Too long for Slack: it is in the email.")))
    return shown
