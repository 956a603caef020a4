"""Delivers notices to Slack: a bot updates one message per deployment, a webhook sends a message for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from slipway.notices.notice import Kind, Notice
from slipway.slack.blocks import continued, details_of, message_of, whole_of
from slipway.slack.client import Slack, SlackRefused
from slipway.slack.record import Records, Sent, Turn

# Slack's error if the message was deleted.
GONE = {"message_not_found"}
# Slack's errors if the workspace's settings don't let the bot edit the message any more.
LOCKED = {"edit_window_closed", "cant_update_message"}
OF_WEBHOOK = {Kind.START, Kind.END, Kind.ALARM}


class Do(StrEnum):
    """What to do about a notice, and what was done about it."""

    POST = "post"
    UPDATE = "update"
    FINISH = "finish"
    """The card is shown already; only the thread may lack details."""
    DROP = "drop"


def decide(sent: Sent | None, notice: Notice) -> Do:
    """Decide what to do about a notice. An older notice never overwrites a newer one, and an end is final.

      start ---- progress ---- progress ---- end          one message, updated
                 (older: dropped)                (anything but another end: dropped)

    A later end with another outcome, such as a recovery's, updates the message. An alarm that fires again
    gets a new message, because nobody would notice an update.
    """
    if sent is None:
        return Do.DROP if notice.kind is Kind.PROGRESS else Do.POST
    if _name(notice) == _name(sent) and notice.at == sent.at:
        return Do.FINISH
    if notice.kind is Kind.ALARM:
        if notice.at <= sent.at:
            return Do.DROP
        return Do.POST if notice.outcome == "ALARM" else Do.UPDATE
    if sent.kind is Kind.END and (notice.kind is not Kind.END or _name(notice) == _name(sent)):
        return Do.DROP
    if (
        notice.kind is Kind.START
    ):  # a retry may come after a progress: only its details can be missing
        return Do.FINISH if sent.start == notice else Do.DROP
    return Do.UPDATE if notice.at >= sent.at else Do.DROP


def notify(notice: Notice, slack: Slack, records: Records) -> Do:
    """Notify Slack, and return what was done.

    A second call with the same notice only sends what is still missing. A progress notice does not wait for
    its turn: what another invocation is sending matters more, and the next progress will be sent.

    Raises:
        SlackRefused, SlackUnavailable, InvalidInput, AwsRefused, AwsUnavailable: Slack got nothing, or only
            a part.
        StillNotifying: another invocation is notifying Slack of the same deployment, release or alarm.
    """
    waits = notice.kind is not Kind.PROGRESS
    threads = slack.has_threads()
    if not threads and notice.kind not in OF_WEBHOOK:
        return Do.DROP
    if notice.kind is Kind.PROGRESS and not records.known(notice.about):
        return Do.DROP
    with records.turn(notice.about, waits) as turn:
        sent = turn.sent()
        what = decide(sent, notice)
        if threads:
            return _notify_as_bot(notice, what, sent, slack, turn)
        if what in {Do.POST, Do.UPDATE}:
            slack.send(whole_of(notice))
            turn.note_shown(notice, None, anew=True)
            return Do.POST
        return Do.DROP


def _notify_as_bot(notice: Notice, what: Do, sent: Sent | None, slack: Slack, turn: Turn) -> Do:
    card = message_of(continued(sent.start if sent else None, notice))
    message = (sent.channel, sent.ts) if sent and sent.channel and sent.ts else None
    if what is Do.UPDATE:
        what = _updated(notice, card, message, slack) if message else Do.POST
    if what is Do.UPDATE:
        turn.note_shown(notice, message, anew=False)
    elif what is Do.POST:
        turn.note_shown(notice, slack.post(card), anew=True)
    if what is not Do.DROP:
        _notify_details(notice, card, slack, turn)
    return what


def _updated(notice: Notice, card: dict[str, Any], message: tuple[str, str], slack: Slack) -> Do:
    """Update the message. POST if it must be posted anew instead, DROP if a progress is not worth that."""
    try:
        slack.update(*message, card)
    except SlackRefused as refused:
        if refused.code in LOCKED and notice.kind is Kind.PROGRESS:
            return Do.DROP
        if refused.code in GONE | LOCKED:
            return Do.POST
        raise
    return Do.UPDATE


def _notify_details(notice: Notice, card: dict[str, Any], slack: Slack, turn: Turn) -> None:
    """Post the details to the thread unless they are there already.

    Slack notifies nobody of an edited message. If the edit shows an end that people must act on, the post to
    the thread therefore also goes to the channel, with the card in it if there are no details.
    """
    sent = turn.sent()
    if sent is None or sent.ts is None or _name(notice) in sent.details:
        return
    calls = sent.edited and notice.facts is not None and notice.facts.calls_people
    details = details_of(notice) or (card if calls else None)
    if details:
        slack.post(details, thread=sent.ts, to_all=calls)
        turn.note_details([*sent.details, _name(notice)])


def _name(of: Notice | Sent) -> str:
    """The event's key, such as ``start`` or ``end:ROLLED_BACK``."""
    return f"{of.kind}:{of.outcome}" if of.outcome else of.kind.value
