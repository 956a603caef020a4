"""Step Notify: tells people that a deployment started, or how a deployment or a release ended."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger import Ledger
from slipway.message import News, compose, publish
from slipway.model import parse

logger = Logger()

TOPIC_ARN = os.environ["TOPIC_ARN"]


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Publish the message once; return its id and the reason as people read it, which ends the execution."""
    news = parse(News, event, "the input of Notify")
    ledger = Ledger(aws.table())
    if _told(news, ledger):
        return {"message_id": None, "reason": news.sentence}
    message_id = publish(compose(news), TOPIC_ARN, aws.sns())
    if news.hold:
        try:
            ledger.note_told(news.hold, news.kind, datetime.now(UTC))
        except (AwsUnavailable, AwsRefused):
            logger.exception("people are told, but the ledger does not know it")
    return {"message_id": message_id, "reason": news.sentence}


def _told(news: News, ledger: Ledger) -> bool:
    """Whether people were told by an earlier try; where that can't be read, twice is better than never."""
    try:
        record = ledger.deployment(news.hold) if news.hold else None
    except (AwsUnavailable, AwsRefused):
        logger.exception("whether people were told can't be read")
        return False
    return record is not None and news.kind in record.told
