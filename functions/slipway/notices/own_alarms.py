"""What Slipway's own alarms mean: queues that hold what nobody would see by itself."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from slipway.model import Model, parse
from slipway.notices.console import Console
from slipway.notices.notice import TITLE_LENGTH, Kind, Link, LinkKind, Notice
from slipway.notices.sanitize import harmless
from slipway.text import truncate

STATES = {"ALARM": "somebody has to look", "OK": "it is over"}
DETAIL_TYPE = "CloudWatch Alarm State Change"


class Meaning(Model):
    """An alarm in words."""

    firing: str
    """In a few words, as the title has it."""
    over: str
    """Likewise, once it is OK again."""
    sentence: str


# By the logical id in template.yaml, which CloudFormation makes a part of the alarm's name.
MEANINGS = {
    "UndeliveredPushesNotEmpty": Meaning(
        firing="a push could not be delivered",
        over="no undelivered push is left",
        sentence=(
            "EventBridge could not deliver a push to Slipway within a day, so that no release may have "
            "started for it; what the sweep has not started meanwhile has to be started manually"
        ),
    ),
    "UnrecoveredNotEmpty": Meaning(
        firing="a deployment died and could not be ended",
        over="no deployment is left that could not be ended",
        sentence=(
            "the execution of a deployment died, and it could not be brought to its end: it has "
            "claimed its service, where anything may run, until a newer release claims it or a person "
            "frees it"
        ),
    ),
    "UndeliveredSlackNotEmpty": Meaning(
        firing="Slack did not get a notice",
        over="no notice is left that Slack did not get",
        sentence=(
            "NotifySlack could not get a message through to Slack, and has given up; deployments and mails "
            "go on as ever"
        ),
    ),
}
CHAPTER = "When something was lost or stopped"
"""Of docs/operations.md."""


class _State(BaseModel):
    value: str
    reason: str = ""


class _Detail(BaseModel):
    name: str = Field(alias="alarmName")
    state: _State


class AlarmEvent(BaseModel):
    """An event `CloudWatch Alarm State Change`; AWS may add fields to it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """

    id: str
    time: AwareDatetime
    resources: tuple[Annotated[str, Field(pattern=r"^arn(:[^:]*){5}:.")], ...] = Field(min_length=1)
    """The alarm's ARN."""
    detail: _Detail


def is_of_alarm(event: dict[str, Any]) -> bool:
    """Whether it is an alarm's event, and no News."""
    return event.get("detail-type") == DETAIL_TYPE


def alarm_notice(event: dict[str, Any]) -> Notice:
    """The notice of an alarm's change of state.

    Raises:
        InvalidInput: names what the event does not have.
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
            meaning=STATES.get(state.value, "CloudWatch knows nothing of it"),
            reason=reason,
            evidence=(f"CloudWatch says: {state.reason}",) if state.reason else (),
            links=(link,),
        )
    )


def _words(name: str, state: str) -> tuple[str, str]:
    """Title and reason."""
    meaning = next((m for logical_id, m in MEANINGS.items() if logical_id in name), None)
    if meaning is None or state not in STATES:
        return f"{state}: alarm {name}", f"alarm {name} has gone to {state}"
    if state == "OK":
        return f"OK: {meaning.over} ({name})", "its queue is empty again"
    what_to_do = f'docs/operations.md says what to do, under "{CHAPTER}"'
    return f"{state}: {meaning.firing} ({name})", f"{meaning.sentence}; {what_to_do}"
