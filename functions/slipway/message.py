"""What people are told: subject, text and attributes of an SNS message."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from slipway.aws import calling, short
from slipway.errors import SlipwayError
from slipway.image import Image
from slipway.model import Model
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

OWN_ERRORS = {kind.__name__ for kind in SlipwayError.__subclasses__()}

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}

MEANING = {
    "SUCCEEDED": "it is live, healthy, and baked",
    "ROLLED_BACK": "it failed, and the previous version is back and healthy",
    "ROLLBACK_FAILED": "it failed, and the previous version is not known to be back: ACT NOW",
    "SUPERSEDED": "someone else changed the service meanwhile; their change was left alone",
    "FAILED": "nothing was changed",
}


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


# What a person started the machine with by hand may be anything: people are told all the same.
IfReadable = WrapValidator(_or_none)


class Ending(Model):
    """How a deployment or a release ended, as the state machines tell it."""

    outcome: str
    reason: str
    """A sentence, or the Cause of a failed task as Step Functions gives it."""
    rollback_reason: str | None = None
    """Why rolling back failed, likewise."""
    evidence: tuple[str, ...] = ()
    execution: str
    """ARN of the execution that ended."""
    service: Annotated[str | None, IfReadable] = None
    """``cluster/service``; None for a release."""
    stage: Annotated[str | None, IfReadable] = None
    image: Annotated[Image | None, IfReadable] = None
    """None where the release failed before it was known."""
    repository: Annotated[str | None, IfReadable] = None
    tag: Annotated[str | None, IfReadable] = None
    """What the release was started with, where its image is not known."""
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
        why = reason_of(self.reason)
        if self.rollback_reason is None:
            return why
        return f"{why}; rolling back failed: {reason_of(self.rollback_reason)}"


class Message(Model):
    """One SNS message."""

    subject: str
    text: str
    attributes: dict[str, str]


def reason_of(cause: str) -> str:
    """What a failed task's Cause says to people.

    Lambda puts its error there as JSON, with a stack trace that is none of a reader's business.
    """
    try:
        error = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(error, dict) or "errorMessage" not in error:
        return cause
    kind, said = str(error.get("errorType", "an error")), str(error["errorMessage"])
    if kind in OWN_ERRORS and said:
        return said
    return f"{kind}: {said}" if said else kind


def compose(ending: Ending) -> Message:
    """The message about how something ended."""
    about = (
        ending.service
        or ending.repository
        or (ending.image.repository if ending.image else "release")
    )
    what = str(ending.image or ending.tag or "")
    blocks = [
        f"{about}: {ending.outcome} - {_meaning(ending)}",
        _block("Why", [ending.sentence]),
        _block("What", _facts(ending)),
        _block("Evidence", [f"- {fact}" for fact in (*ending.evidence, *_unguarded(ending))]),
        _block("Links", _links(ending)),
        _block("Roll back by hand", _commands(ending)),
    ]
    attributes = {
        "outcome": ending.outcome,
        "repository": ending.image.repository if ending.image else ending.repository,
        "service": ending.service,
        "stage": ending.stage,
    }
    return Message(
        subject=_subject(f"[{ending.outcome}] {about} {what}"),
        text=_cut("\n\n".join(block for block in blocks if block) + "\n"),
        attributes={name: value for name, value in attributes.items() if value},
    )


def _meaning(ending: Ending) -> str:
    if ending.service is None:
        return "the release did not go through"
    return MEANING.get(ending.outcome, "see the execution")


def _unguarded(ending: Ending) -> list[str]:
    return [
        f"alarm {name} was in ALARM before it began: it did not guard this deployment"
        for name in ending.alarms_firing
    ]


def _block(title: str, lines: list[str]) -> str:
    if not lines:
        return ""
    return "\n".join([title, *(f"  {part}" for line in lines for part in line.splitlines())])


def _facts(ending: Ending) -> list[str]:
    facts = {
        "image": str(ending.image) if ending.image else None,
        "digest": ending.image.digest if ending.image else None,
        "stage": ending.stage,
        "task definition": short(ending.task_definition or ""),
        "before": ", ".join(
            [*filter(None, [short(ending.previous or "")]), *_shorter(ending.previous_images)]
        ),
    }
    return [f"{name + ':':17}{value}" for name, value in facts.items() if value]


def _shorter(images: dict[str, str]) -> list[str]:
    return [f"{name} {short(image)}" for name, image in images.items()]


def _links(ending: Ending) -> list[str]:
    _, partition, _, region, *_ = ending.execution.split(":")
    console = f"https://{region}.{CONSOLES.get(partition, CONSOLES['aws'])}"
    links = [f"{console}/states/home?region={region}#/v2/executions/details/{ending.execution}"]
    if ending.service:
        cluster, name = split(ending.service)
        links.append(f"{console}/ecs/v2/clusters/{cluster}/services/{name}/health?region={region}")
    return links


def _commands(ending: Ending) -> list[str]:
    """What to type to have the previous version back; none where it is back, or was never away."""
    if ending.outcome not in {"SUCCEEDED", "ROLLBACK_FAILED"}:
        return []
    if ending.service is None or ending.previous is None:
        return []
    # Straight to ECS: it is for one service, at once, and works whatever the tags and the plan say now.
    cluster, name = split(ending.service)
    return [
        f"aws ecs update-service --region {_region(ending.previous)} \\",
        f"  --cluster {cluster} --service {name} \\",
        f"  --task-definition {short(ending.previous)}",
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
