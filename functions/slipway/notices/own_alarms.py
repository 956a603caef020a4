"""Notices of Slipway's own alarms. Each alarm watches a queue of what could not be delivered or recovered."""

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


class Meaning(Model):
    """What an alarm means, in words for people."""

    firing: str
    """The title while it fires."""
    over: str
    """The title when it is OK again."""
    sentence: str
    """The reason while it fires."""


# By the alarm's logical ID in template.yaml, which is a part of the name that CloudFormation gives it.
MEANINGS = {
    "UndeliveredPushesNotEmpty": Meaning(
        firing="a push could not be delivered",
        over="no undelivered push is left",
        sentence=(
            "EventBridge could not deliver a push to Slipway within a day; unless the sweep has started "
            "the push's release meanwhile, a person has to start it"
        ),
    ),
    "UnrecoveredNotEmpty": Meaning(
        firing="a deployment died and could not be recovered",
        over="no unrecovered deployment is left",
        sentence=(
            "the execution of a deployment died, and no recovery could finish it: any version may be "
            "running on its service, which stays claimed until a newer release takes over or a person "
            "frees it"
        ),
    ),
    "UndeliveredSlackNotEmpty": Meaning(
        firing="Slack did not get a notice",
        over="no undelivered notice to Slack is left",
        sentence=(
            "NotifySlack could not deliver a message to Slack and has given up; deployments and emails are "
            "not affected"
        ),
    ),
}
CHAPTER = "When something was lost or stopped"
"""The chapter of docs/operations.md that says what to do."""


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
    if meaning is None or state not in STATES:
        return f"{state}: alarm {name}", f"alarm {name} went to {state}"
    if state == "OK":
        return f"OK: {meaning.over} ({name})", "its queue is empty again"
    what_to_do = f'docs/operations.md says what to do, under "{CHAPTER}"'
    return f"{state}: {meaning.firing} ({name})", f"{meaning.sentence}; {what_to_do}"
