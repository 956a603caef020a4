"""Delivering a notice to Slack: as one message that is updated as it goes, or through a webhook once each."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from slipway.notices.notice import Kind, Notice
from slipway.slack.blocks import continued, details_of, message_of, whole_of
from slipway.slack.client import Slack, SlackRefused
from slipway.slack.record import Records, Sent, Turn

# Nobody is called by a message that changes: whoever has to act is notified in the channel, too.
GONE = {"message_not_found"}
# The workspace does not let this bot change it any more.
LOCKED = {"edit_window_closed", "cant_update_message"}
OF_WEBHOOK = {Kind.START, Kind.END, Kind.ALARM}


class Do(StrEnum):
    """What is to be done about a notice; also what was done."""

    POST = "post"
    UPDATE = "update"
    FINISH = "finish"
    """Only what is missing in the thread."""
    DROP = "drop"


def decide(sent: Sent | None, notice: Notice) -> Do:
    """What to do about a notice after what was sent: a newer one is never overwritten, an end is final.

      start ---- progress ---- progress ---- end          one message, updated
                 (older: dropped)                (anything but another end: dropped)

    Another end is right where it came later and says something else, as a recovery's. An alarm that goes
    off again gets a new message, whatever was sent of it before: it must be noticed.
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
    if notice.kind is Kind.START:  # what it leaves to do, where it was tried again after a progress
        return Do.FINISH if sent.start == notice else Do.DROP
    return Do.UPDATE if notice.at >= sent.at else Do.DROP


def notify(notice: Notice, slack: Slack, records: Records) -> Do:
    """Notify Slack; return what was done.

    Notifying again of the same does nothing, but for what is still missing of it. A progress does not wait
    for its turn: whoever has it sends something that is worth more, or the next one will.

    Raises:
        SlackRefused, SlackUnavailable, InvalidInput, AwsRefused, AwsUnavailable: Slack is not notified, or
            not of all of it.
        StillNotifying: it is another invocation's turn.
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
    """Update the message; POST where it is gone, DROP where it can't be and that does no harm."""
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
    """Put the details into the thread, unless they stand there; of a bad end that has none, the card."""
    sent = turn.sent()
    if sent is None or sent.ts is None or _name(notice) in sent.details:
        return
    calls = sent.edited and notice.facts is not None and notice.facts.calls_people
    details = details_of(notice) or (card if calls else None)
    if details:
        slack.post(details, thread=sent.ts, to_all=calls)
        turn.note_details([*sent.details, _name(notice)])


def _name(of: Notice | Sent) -> str:
    """The event, as one word: ``start``, ``end:ROLLED_BACK``."""
    return f"{of.kind}:{of.outcome}" if of.outcome else of.kind.value
