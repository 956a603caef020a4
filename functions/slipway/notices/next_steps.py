"""What a person can do next: the links and the commands of a notice."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from slipway.ecs.service import split_service_name
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.notices.console import Console
from slipway.notices.news import News
from slipway.notices.notice import Command, ContainerLog, Link, LinkKind

# Characters of an address or a command. No valid input makes a longer one; if one is longer, it is left out.
LONGEST = 1500
ALARMS_LINKED = 3
REMOVED = "once the cause is removed"
WHEN = {
    Cause.CAPACITY: "once ECS has a place for its tasks",
    Cause.INJECTED: "once the container that AWS adds runs again",
    Cause.UNREADABLE: "once the service and its alarms can be read",
    Cause.CONFIGURATION: "once what the reason names is corrected",
    Cause.TIMEOUT: "once its tasks become healthy within timeout_seconds of the plan, or with more of them",
}
"""When an image can be deployed again that is not to blame, by what was. A REJECTED one was not tried."""
_CALLER = "SLIPWAY_CALLER"
# For the AWS CLI, a function that raises an error was invoked with success. So the command looks for
# FunctionError itself, and prints only the sentence of the answer.
_ANSWER = (
    "(S=0; grep -qx None || S=1; "
    r"""sed -E 's/.*"(done|errorMessage)": "(([^"\\]|\\.)*)".*/\2/' "$F"; echo; rm "$F"; exit $S)"""
)
# What a shell interprets within quotes, or a chat anywhere, and JSON can write as an escape.
_SPECIAL = re.compile("['`<>&@#\x7f]|(?<=/)/|(?i:(?<=www)[.])")


def links_of(news: News, log: ContainerLog | None) -> tuple[Link, ...]:
    """Links to the execution, the service's health, the failed container's log and the alarms that fired."""
    console = Console(news.execution)
    links = [
        Link(kind=LinkKind.EXECUTION, title="execution", url=console.execution(news.execution))
    ]
    if news.service:
        links.append(
            Link(kind=LinkKind.SERVICE, title="service health", url=console.health(news.service))
        )
    if log and log.stream:
        url = Console(news.execution, log.region).log_stream(log.group, log.stream)
        links.append(Link(kind=LinkKind.LOG, title=f"log of {log.container}", url=url))
    links += [
        Link(kind=LinkKind.ALARM, title=f"alarm {name}", url=console.alarm(name))
        for name in list(dict.fromkeys(news.alarms_fired))[:ALARMS_LINKED]
    ]
    return tuple(link for link in links if len(link.url) <= LONGEST)


def commands_of(news: News, operate: str) -> tuple[Command, ...]:
    """The commands that may help now; none if there is nothing to do.

    Args:
        operate: the name of the function Operate.
    """
    return tuple(command for command in _commands(news, operate) if len(command.command) <= LONGEST)


def _commands(news: News, operate: str) -> Iterator[Command]:
    if news.kind == "stage":
        return
    facts = news.facts
    if news.service is None:
        if news.stopped_by and news.image:
            title = f"Go on with the release of {news.image_name}, {_when_to_go_on(news)}"
            yield _start_release(news, title, _by_digest(news.image))
        elif facts and facts.may_start_again and (start := _release_again(news)):
            yield _start_release(news, _again(news), start)
        return
    if news.outcome is Outcome.UNPROVEN:
        yield _run_a_task(news, news.service)
    yield from _roll_back(news, news.service)
    image = news.image if news.image and news.image.digest else None
    if facts is None or image is None:
        return
    if facts.quarantines and _is_to_blame(news):
        yield _lift_quarantine(news, news.service, image, operate)
    elif facts.may_start_again and not news.manual_rollback:
        yield from _start_again(news, news.service, image, operate)


def _when_to_go_on(news: News) -> str:
    """When a release that stopped can go on. On services that run its image already, it changes nothing."""
    outcomes = {each.outcome for each in news.stopped_by}
    if outcomes == {Outcome.SUPERSEDED}:
        return "if it is still wanted"
    if outcomes == {Outcome.UNPROVEN}:
        return "once its services run tasks"
    if any(outcome.facts.quarantines for outcome in Outcome if outcome in outcomes):
        return f"{REMOVED}, and the image is released from quarantine if it is in one"
    return REMOVED


def _is_to_blame(news: News) -> bool:
    """Whether the end has quarantined the image, as a manual rollback and some causes do."""
    return news.manual_rollback or (news.cause is not None and news.cause.quarantines)


def _start_again(news: News, service: str, image: Image, operate: str) -> Iterator[Command]:
    """How to deploy the same image again: that depends on what kept it from being deployed."""
    if news.cause is Cause.QUARANTINED:
        yield _lift_quarantine(news, service, image, operate)
        title = f"Or deploy {news.image_name} in spite of the quarantine, which ends if the image is good"
        yield _start_release(news, title, {**_by_digest(image), "force": True})
        return
    yield _start_release(news, _again(news), _by_digest(image))


def _again(news: News) -> str:
    when = WHEN.get(news.cause, REMOVED) if news.cause else REMOVED
    if news.outcome is Outcome.REJECTED:
        when = "once nothing prevents it any more"
    elif news.outcome is Outcome.UNPROVEN:
        when = "once the service runs tasks"
    return f"Start the release of {news.image_name} again, {when}"


def _run_a_task(news: News, service: str) -> Command:
    cluster, name = split_service_name(service)
    lines = (
        f"aws ecs update-service --region {shlex.quote(news.execution.split(':')[3])}",
        f"--cluster {shlex.quote(cluster)} --service {shlex.quote(name)} --desired-count 1",
    )
    return Command(title=f"Let {service} run a task", command=" \\\n  ".join(lines))


def _roll_back(news: News, service: str) -> Iterator[Command]:
    """How to roll back; nothing if the last good version is on the service, or a rollback to it begins."""
    if not (news.facts.may_run if news.facts else not news.manual_rollback):
        return
    to = {"to": news.rollback_revision} if news.rollback_revision else {}
    again = "Try again to roll back" if news.outcome is Outcome.ROLLBACK_FAILED else "Roll back"
    title = f"{again} to {news.rollback_target_name or 'the last good version before it'}"
    yield _start(title, _machine(news, "rollback"), {"service": service, **to})


def _release_again(news: News) -> dict[str, Any] | None:
    """The input of a release that failed before its first deployment: the tag that it was started with."""
    repository = news.image.repository if news.image else news.repository
    tag = news.image.tag if news.image else news.tag
    return {"repository": repository, "tag": tag} if repository and tag else None


def _by_digest(image: Image) -> dict[str, Any]:
    """The input of a release of exactly this image. By now, its tag may name another one."""
    return {"repository": image.repository, "digest": image.digest}


def _lift_quarantine(news: News, service: str, image: Image, operate: str) -> Command:
    """How to release the image from quarantine; an error if it is not quarantined any more."""
    action = {
        "action": "release_from_quarantine",
        "service": service,
        "digest": image.digest,
        "by": _CALLER,
        "why": "it was not to blame",
    }
    # The function records who wanted it. A shell puts the caller's ARN there.
    caller = "$(aws sts get-caller-identity --query Arn --output text)"
    payload = shlex.quote(escaped_json(action)).replace(_CALLER, f"'\"{caller}\"'")
    payload = payload.replace(', "digest"', ',\n  "digest"')
    lines = (
        f"F=$(mktemp); printf %s {payload} |",
        f"aws lambda invoke --region {shlex.quote(news.execution.split(':')[3])}",
        f"--function-name {shlex.quote(operate)} --payload fileb:///dev/stdin",
        f'--query FunctionError --output text "$F" | {_ANSWER}',
    )
    title = f"Release {news.image_name} from quarantine on {service}, if it was not to blame"
    return Command(title=title, command=" \\\n  ".join(lines))


def _start_release(news: News, title: str, start: dict[str, Any]) -> Command:
    return _start(title, _machine(news, "release"), start)


def _machine(news: News, kind: str) -> str:
    """ARN of a state machine: template.yaml gives those of a stack the same name, but for this suffix."""
    own = news.execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    return re.sub(r"-(?:release|rollback|deployment)$", f"-{kind}", own)


def _start(title: str, machine: str, start: dict[str, Any]) -> Command:
    region = machine.split(":")[3]
    lines = (
        f"aws stepfunctions start-execution --region {shlex.quote(region)}",
        f"--state-machine-arn {shlex.quote(machine)}",
        f"--input {shlex.quote(escaped_json(start))}",
    )
    return Command(title=title, command=" \\\n  ".join(lines))


def escaped_json(value: Any) -> str:
    """JSON in which each character that a shell or a chat may interpret is an escape, such as ``\\u0027``."""
    return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value))
