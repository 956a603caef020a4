"""What people are told: subject, text and attributes of an SNS message."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from slipway.aws import calling, short
from slipway.errors import reason_of
from slipway.image import Image
from slipway.model import IfReadable, Model
from slipway.records import Hold
from slipway.service import split

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

# SNS takes no line breaks and no control characters, and fewer than 100 characters (API reference,
# Publish); mail programs show ASCII best.
SUBJECT_LENGTH = 99
# SNS takes 262,144 bytes for text and attributes together.
TEXT_BYTES = 250_000
CUT = "\n[cut: the whole is in the execution's history]\n"

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}

MEANING = {
    "STARTED": "it is on its way",
    "SUCCEEDED": "it is live, healthy, and baked",
    "ROLLED_BACK": "the last good version is back and healthy",
    "ROLLBACK_FAILED": "it failed, and the previous version is not known to be back: ACT NOW",
    "SUPERSEDED": "a newer release or someone else has the service; that was left alone",
    "REJECTED": "it was not allowed to begin; nothing was changed",
    "FAILED": "nothing was changed",
    "LedgerNotWritten": "it is healthy, but not known to be: the last good version will be put back",
}


class News(Model):
    """That a deployment started, or how one or a release ended, as the state machines tell it."""

    kind: Literal["start", "end"] = "end"
    outcome: str
    """STARTED at the start."""
    hold: Hold | None = None
    """In the ledger; None for a release."""
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
    evidence: tuple[str, ...] = ()
    """One fact each, or likewise the Cause of a failed task."""
    execution: str
    """ARN."""
    service: Annotated[str | None, IfReadable] = None
    """``cluster/service``; None for a release."""
    stage: Annotated[str | None, IfReadable] = None
    image: Annotated[Image | None, IfReadable] = None
    """None where the release failed before it was known."""
    repository: Annotated[str | None, IfReadable] = None
    tag: Annotated[str | None, IfReadable] = None
    """What the release was started with, where its image is not known."""
    started_by: Annotated[str | None, IfReadable] = None
    """What or who started it."""
    task_definition: str | None = None
    """ARN of the task definition of this deployment; None where it got none."""
    previous: str | None = None
    """ARN of the task definition to go back to."""
    previous_images: Annotated[dict[str, str], Field(default_factory=dict)]
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that were in ALARM before it began, and so could not guard it."""

    @property
    def sentence(self) -> str:
        """Why it ended so, for people."""
        return reason_of(self.reason)


class Message(Model):
    """One SNS message."""

    subject: str
    text: str
    attributes: dict[str, str]


def compose(news: News) -> Message:
    """The message about it."""
    about = news.service or news.repository or (news.image.repository if news.image else "release")
    what = str(news.image or news.tag or "")
    blocks = [
        f"{about}: {news.outcome} - {_meaning(news)}",
        _block("Why", [news.sentence] if news.kind == "end" else []),
        _block("What", _facts(news)),
        _block(
            "Evidence", [f"- {reason_of(fact)}" for fact in (*news.evidence, *_unguarded(news))]
        ),
        _block("Links", _links(news)),
        _block("Roll back by hand", _commands(news)),
    ]
    attributes = {
        "kind": news.kind,
        "outcome": news.outcome if news.kind == "end" else None,
        "repository": news.image.repository if news.image else news.repository,
        "service": news.service,
        "stage": news.stage,
    }
    return Message(
        subject=_subject(f"[{news.outcome}] {about} {what}"),
        text=_cut("\n\n".join(block for block in blocks if block) + "\n"),
        attributes={name: value for name, value in attributes.items() if value},
    )


def _meaning(news: News) -> str:
    if news.service is None:
        return "the release did not go through"
    return MEANING.get(news.outcome, "see the execution")


def _unguarded(news: News) -> list[str]:
    return [
        f"alarm {name} was in ALARM before it began: it did not guard this deployment"
        for name in news.alarms_firing
    ]


def _block(title: str, lines: list[str]) -> str:
    if not lines:
        return ""
    return "\n".join([title, *(f"  {part}" for line in lines for part in line.splitlines())])


def _facts(news: News) -> list[str]:
    facts = {
        "image": str(news.image) if news.image else None,
        "digest": news.image.digest if news.image else None,
        "stage": news.stage,
        "started by": news.started_by,
        "task definition": short(news.task_definition or ""),
        "before": ", ".join(
            [*filter(None, [short(news.previous or "")]), *_shorter(news.previous_images)]
        ),
    }
    return [f"{name + ':':17}{value}" for name, value in facts.items() if value]


def _shorter(images: dict[str, str]) -> list[str]:
    return [f"{name} {short(image)}" for name, image in images.items()]


def _links(news: News) -> list[str]:
    _, partition, _, region, *_ = news.execution.split(":")
    console = f"https://{region}.{CONSOLES.get(partition, CONSOLES['aws'])}"
    links = [f"{console}/states/home?region={region}#/v2/executions/details/{news.execution}"]
    if news.service:
        cluster, name = split(news.service)
        links.append(f"{console}/ecs/v2/clusters/{cluster}/services/{name}/health?region={region}")
    return links


def _commands(news: News) -> list[str]:
    """What to type to have the last good version back; none where it is back, or was never away."""
    if news.outcome == "STARTED" and (news.started_by or "").startswith("manual rollback"):
        return []
    if news.outcome not in {"STARTED", "SUCCEEDED", "ROLLBACK_FAILED"} or news.service is None:
        return []
    machine = news.execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    to = {"to": short(news.previous)} if news.previous else {}
    start = json.dumps({"action": "rollback", "service": news.service, **to})
    return [
        f"aws stepfunctions start-execution --region {_region(machine)} \\",
        f"  --state-machine-arn {machine} \\",
        f"  --input '{start}'",
    ]


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _subject(text: str) -> str:
    line = re.sub(r"[^ -~]", "?", " ".join(text.split()))
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 3] + "..."


def _cut(text: str) -> str:
    raw = text.encode()
    if len(raw) <= TEXT_BYTES:
        return text
    return raw[: TEXT_BYTES - len(CUT)].decode(errors="ignore") + CUT


def publish(message: Message, topic: str, sns: SNSClient) -> str:
    """Publish to the topic with this ARN; return SNS's message id.

    Raises:
        AwsUnavailable, AwsRefused: from SNS.
    """
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in message.attributes.items()
    }
    with calling("sns:Publish", f"topic {topic}"):
        answer = sns.publish(
            TopicArn=topic,
            Subject=message.subject,
            Message=message.text,
            MessageAttributes=attributes,
        )
    return answer["MessageId"]
