"""Notices of Slipway's own alarms: on queues of what was lost, on the sweep, and on stopped releases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from slipway.model import Model, parse
from slipway.notices.console import Console
from slipway.notices.notice import TITLE_LENGTH, Kind, Link, LinkKind, Notice
from slipway.notices.sanitize import harmless
from slipway.text import truncate

STATES = {"ALARM": "somebody has to act", "OK": "it is over"}
DETAIL_TYPE = "CloudWatch Alarm State Change"


LOST = "When something was lost or stopped"
SWEEP = "When the sweep fails, is slow or does not run"
RELEASE = "When a release was stopped"
"""The chapters of docs/operations.md that say what to do."""


class Meaning(Model):
    """What an alarm means, in words for people."""

    firing: str
    """The title while it fires."""
    sentence: str
    """The reason while it fires."""
    chapter: str
    """The chapter of docs/operations.md that says what to do."""
    over: str = ""
    """The title when it is OK again; empty if nobody is notified of that."""
    why_over: str = ""
    """The reason when it is OK again."""


EMPTY = "its queue is empty again"

# By the alarm's logical ID in template.yaml, which is a part of the name that CloudFormation gives it.
MEANINGS = {
    "UndeliveredPushesNotEmpty": Meaning(
        firing="a push could not be delivered",
        sentence=(
            "EventBridge could not deliver a push to Slipway within a day; unless the sweep has started "
            "the push's release meanwhile, a person has to start it"
        ),
        chapter=LOST,
        over="no undelivered push is left",
        why_over=EMPTY,
    ),
    "UnrecoveredNotEmpty": Meaning(
        firing="a deployment died and could not be recovered",
        sentence=(
            "the execution of a deployment died, and no recovery could finish it: any version may be "
            "running on its service, which stays claimed until a newer release takes over or a person "
            "frees it"
        ),
        chapter=LOST,
        over="no unrecovered deployment is left",
        why_over=EMPTY,
    ),
    "UndeliveredSlackNotEmpty": Meaning(
        firing="Slack did not get a notice",
        sentence=(
            "NotifySlack could not deliver a message to Slack and has given up; deployments and emails are "
            "not affected"
        ),
        chapter=LOST,
        over="no undelivered notice to Slack is left",
        why_over=EMPTY,
    ),
    "SweepFailed": Meaning(
        firing="the sweep failed",
        sentence=(
            "a run of the sweep ended with an error; until one succeeds, a push whose event was lost is not "
            "released, and a deployment whose execution died may stay unfinished"
        ),
        chapter=SWEEP,
        over="no run of the sweep has failed for an hour",
        why_over="the last hour had no failed run",
    ),
    "SweepSlow": Meaning(
        firing="a run of the sweep has too little time",
        sentence=(
            "a run of the sweep took almost all of its 15 minutes; the next one goes on where it ended, so "
            "that it may take several runs to find a push whose event was lost"
        ),
        chapter=SWEEP,
        over="the sweep has enough time again",
        why_over="no run in the last hour took almost all of its time",
    ),
    "SweepMissed": Meaning(
        firing="the sweep does not run",
        sentence=(
            "the sweep should have run three times and has not run at all; until it does, a push whose event "
            "was lost is not released, and a deployment whose execution died may stay unfinished"
        ),
        chapter=SWEEP,
        over="the sweep runs again",
        why_over="it has run",
    ),
    "ReleaseAborted": Meaning(
        firing="a release was stopped",
        sentence=(
            "somebody stopped the execution of a release; what it had not deployed yet stays as it was, and "
            "no other notice says so"
        ),
        chapter=RELEASE,
    ),
    "ReleaseTimedOut": Meaning(
        firing="a release ran out of time",
        sentence=(
            "the execution of a release took more than six weeks and was ended; what it had not deployed "
            "yet stays as it was, and no other notice says so"
        ),
        chapter=RELEASE,
    ),
}


class _State(BaseModel):
    value: str
    reason: str = ""


class _Detail(BaseModel):
    name: str = Field(alias="alarmName")
    state: _State


class AlarmEvent(BaseModel):
    """EventBridge's event of an alarm that changed its state; AWS may add fields to it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """

    id: str
    time: AwareDatetime
    resources: tuple[Annotated[str, Field(pattern=r"^arn(:[^:]*){5}:.")], ...] = Field(min_length=1)
    """The alarm's ARN."""
    detail: _Detail


def is_alarm_event(event: dict[str, Any]) -> bool:
    """Whether Notify's input is an alarm's event. Otherwise it is News."""
    return event.get("detail-type") == DETAIL_TYPE


def alarm_notice(event: dict[str, Any]) -> Notice:
    """The notice of an alarm that changed its state.

    Raises:
        InvalidInput: a field is missing or invalid; the message names it.
    """
    changed = parse(AlarmEvent, event, "the event")
    name, state = changed.detail.name, changed.detail.state
    title, reason = _words(name, state.value)
    link = Link(kind=LinkKind.ALARM, title="alarm", url=Console(changed.resources[0]).alarm(name))
    return harmless(
        Notice(
            kind=Kind.ALARM,
            about=name,
            at=changed.time,
            outcome=state.value,
            title=truncate(title, TITLE_LENGTH),
            meaning=STATES.get(state.value, "CloudWatch has no data for it"),
            reason=reason,
            evidence=(f"CloudWatch says: {state.reason}",) if state.reason else (),
            links=(link,),
        )
    )


def _words(name: str, state: str) -> tuple[str, str]:
    """The title and the reason."""
    meaning = next((m for logical_id, m in MEANINGS.items() if logical_id in name), None)
    if meaning and state == "ALARM":
        what_to_do = f'docs/operations.md says what to do, under "{meaning.chapter}"'
        return f"ALARM: {meaning.firing} ({name})", f"{meaning.sentence}; {what_to_do}"
    if meaning and meaning.over and state == "OK":
        return f"OK: {meaning.over} ({name})", meaning.why_over
    return f"{state}: alarm {name}", f"alarm {name} went to {state}"
