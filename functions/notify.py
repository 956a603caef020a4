"""Step Notify: notifies people that a deployment or a stage started, or how a deployment or a release ended.

An EventBridge rule also invokes this function when one of Slipway's own alarms changes its state.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.ledger import Ledger, Unreadable
from slipway.ledger.records import ClaimId
from slipway.model import parse
from slipway.notices.compose import notice_of
from slipway.notices.current_state import read_current_state
from slipway.notices.news import News, without_secrets
from slipway.notices.notice import Notice
from slipway.notices.overtaken import without_what_newer_releases_reach
from slipway.notices.own_alarms import alarm_notice, is_alarm_event
from slipway.notices.publish import publish

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = Logger()

TOPIC_ARN = os.environ["TOPIC_ARN"]
OPERATE_FUNCTION = os.environ["OPERATE_FUNCTION"]
CHAT_NOTIFICATIONS = os.environ["CHAT_NOTIFICATIONS"] == "true"
HISTORY = timedelta(days=int(os.environ["HISTORY_DAYS"]))


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Publish the notice, and return ``{"message_id", "reason"}``.

    ``message_id`` is SNS's, or None if people were notified before or need not be. ``reason`` is the
    sentence that people read; the execution ends with it.

    The notice is published first and noted in the ledger afterwards. If the ledger can't be written, or the
    function dies in between, people are notified twice, which is better than never.
    """
    begun, now, ledger = time.monotonic(), datetime.now(UTC), Ledger(aws.table())
    record: _Record
    if is_alarm_event(event):
        notice = alarm_notice(event)
        # An alarm fires many times, but each event is notified only once: the key is the event's id.
        record = _OfOthers(ledger, str(event["id"]), notice.kind, now)
        return {
            "message_id": _notify_once(record, lambda: notice, aws.sns()),
            "reason": notice.reason,
        }
    news = without_secrets(parse(News, event, "the input of Notify"))
    needed = _needed(news, ledger)
    if needed is None:
        return {"message_id": None, "reason": news.sentence}
    news = needed
    if news.claim:
        record = _OfDeployment(ledger, news.claim, news.event, now)
    else:
        record = _OfOthers(ledger, news.about, news.event, now)
    # A deployment waits for the notice of its start, so that this call must be short. The state machine
    # retries it.
    sns = aws.sns() if news.kind == "end" else aws.sns_once()
    return {
        "message_id": _notify_once(record, lambda: _notice(news, now, begun), sns),
        "reason": news.sentence,
    }


def _needed(news: News, ledger: Ledger) -> News | None:
    """What people have to know of the news; None if that is nothing."""
    try:
        return without_what_newer_releases_reach(news, ledger)
    except (AwsUnavailable, AwsRefused, Unreadable):
        # People may be notified of a stage that a newer release reaches, which is better than of none.
        logger.exception("what newer releases reach can't be read")
        return news


def _notice(news: News, now: datetime, begun: float) -> Notice:
    state = read_current_state(news, aws.ecs(), aws.logs, logger, begun)
    return notice_of(news, state, now, OPERATE_FUNCTION)


class _Record(Protocol):
    """Whether people were notified of one event, as the ledger has it."""

    def notified(self) -> bool: ...

    def note(self) -> None: ...


@dataclass(frozen=True)
class _OfDeployment:
    """The record of an event of a deployment: an attribute of the deployment's own item."""

    ledger: Ledger
    claim: ClaimId
    event: str
    now: datetime

    def notified(self) -> bool:
        record = self.ledger.deployment(self.claim)
        return record is not None and self.event in record.notified

    def note(self) -> None:
        self.ledger.note_notified(self.claim, self.event, self.now)


@dataclass(frozen=True)
class _OfOthers:
    """The record of any other event, of a release or an alarm: an item of its own, which expires."""

    ledger: Ledger
    about: str
    event: str
    now: datetime

    def notified(self) -> bool:
        return self.ledger.notified(self.about, self.event)

    def note(self) -> None:
        self.ledger.note_notified_of(self.about, self.event, self.now, self.now + HISTORY)


def _notify_once(record: _Record, notice: Callable[[], Notice], sns: SNSClient) -> str | None:
    """Publish the notice unless that was done before, and return SNS's message id."""
    try:
        if record.notified():
            return None
    except (AwsUnavailable, AwsRefused):
        # People may be notified twice, which is better than never.
        logger.exception("whether people were notified can't be read")
    message_id = publish(notice(), TOPIC_ARN, sns, CHAT_NOTIFICATIONS)
    try:
        record.note()
    except (AwsUnavailable, AwsRefused):
        logger.exception("people are notified, but the ledger does not know it")
    return message_id
