"""Function NotifySlack: passes on to Slack what Notify and CheckDeployment publish.

The topic sends the notices to the queue SlackNotices, from which Lambda takes two at a time, so that a Slack
that hangs leaves the account's concurrency to deployments. The function changes no deployment, and no
deployment waits for it. If Slack can't be notified, the function raises. The notice then comes again when its
visibility timeout is over, and after five times it is in the queue UndeliveredSlack. A progress notice is
dropped instead: the next one replaces it, and nobody has to act on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from slipway import aws
from slipway.errors import InvalidInput, SlipwayError
from slipway.ledger.items import Items
from slipway.notices.notice import Kind, Notice
from slipway.slack.client import Slack
from slipway.slack.delivery import Do, notify
from slipway.slack.record import Records, read_notice
from slipway.slack.secret import Secret

logger = Logger()

SECRET = Secret(os.environ["SLACK_SECRET"])
KEEP = timedelta(days=int(os.environ["HISTORY_DAYS"]))
# The function stops this long before Lambda's timeout, so that it can still raise its own error.
RESERVE_SECONDS = 2


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return ``{"done": [...]}``, with a value of `Do` for each message. A batch has one."""

    def left() -> float:
        return context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS

    records = Records(Items(aws.table()), KEEP, left)
    done = []
    for record in SQSEvent(event).records:
        notice = _notice(record.body, record.message_id)
        done.append(_notify(notice, records, left).value)
        facts = {"about": notice.about, "kind": notice.kind.value, "done": done[-1]}
        logger.info("notified Slack", extra=facts)
    return {"done": done}


def _notify(notice: Notice, records: Records, left: Callable[[], float]) -> Do:
    may_be_lost = notice.kind is Kind.PROGRESS
    channel, api = os.environ.get("SLACK_CHANNEL", ""), os.environ.get("SLACK_API_URL", "")
    slack = Slack(SECRET, channel, left, api, once=may_be_lost)
    try:
        return notify(notice, slack, records)
    except SlipwayError as error:
        # A dead letter has no error, so the log has to say why. The error is logged as a text, without its
        # cause: the cause may show the webhook's address.
        kind = notice.kind.value
        why = {
            "about": notice.about,
            "kind": kind,
            "error": type(error).__name__,
            "why": str(error),
        }
        logger.warning("could not notify Slack", extra=why)
        if not may_be_lost:
            raise
        return Do.DROP


def _notice(message: str, message_id: str) -> Notice:
    try:
        return read_notice(message)
    except ValidationError as error:
        # The error names the wrong fields but not their values: a message that is not ours may hold secrets.
        wrong = ", ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'as a whole'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:5]
        )
        raise InvalidInput(f"message {message_id} is no notice of Slipway's: {wrong}") from None
