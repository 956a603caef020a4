"""The record of what was sent to Slack about each deployment, release and alarm.

The items are in the ledger's table:

==================  =================================  ================================================
pk                  sk                                 the item
==================  =================================  ================================================
``slack``           `Notice.about`                     channel and ts of the message, the start's
                                                       notice, the notice shown last, the details in
                                                       its thread, whose turn it is; expires
==================  =================================  ================================================

Only one invocation at a time may notify Slack about the same thing: it has the turn. Without turns, two
invocations with the same notice would post two messages, and of two notices the older one could be shown
last.

  one      --take-----post----note----give back--
  another      --take?-----take?---------------take: finds the notice sent--
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import AwareDatetime, ValidationError

from slipway.errors import SlipwayError
from slipway.ledger.items import Items, Key, NoLonger, Update
from slipway.ledger.records import timestamp
from slipway.model import Model
from slipway.notices.notice import Kind, Notice

PARTITION = "slack"
# An invocation that died keeps its turn for so long: the function's timeout (template.yaml), after which it
# can't send anything any more, and some seconds for clocks that differ.
TURN_SECONDS = 65
PAUSE_SECONDS = 0.25
# The turn is ours already if botocore repeats a request because the answer to the first one was lost.
_FREE = "(attribute_not_exists(#turn) OR #turn_until < :now OR #turn = :turn)"
_OURS = "#turn = :turn"


class StillNotifying(SlipwayError):  # noqa: N818 - not a fault: another invocation has the turn
    """Another invocation is notifying Slack about the same thing; this notice comes again later."""


class Sent(Model):
    """What was sent about one deployment, release or alarm."""

    channel: str | None = None
    ts: str | None = None
    """With ``channel``, the identity of a bot's message; both are None if a webhook sent it."""
    start: Notice | None = None
    kind: Kind
    outcome: str | None = None
    at: AwareDatetime
    """The time of the notice that is shown; ``kind`` and ``outcome`` are its as well."""
    edited: bool = False
    """Whether that notice is an edit of an older message. Slack notifies nobody of an edit."""
    details: tuple[str, ...] = ()
    """The events whose details are in the thread, such as ``start`` or ``end:ROLLED_BACK``."""

    @classmethod
    def of(cls, item: dict[str, Any]) -> Sent | None:
        """Read an item; None if nothing was sent yet."""
        if "kind" not in item:
            return None
        known = {name: item[name] for name in cls.model_fields if name in item}
        # A later version of Slipway may have written a start that this one can't read. The card does without.
        with suppress(ValidationError):
            return cls(
                **{**known, "start": read_notice(known["start"]) if "start" in known else None}
            )
        return cls(**{**known, "start": None})


def read_notice(said: str) -> Notice:
    """Parse a notice's JSON, and ignore fields that this version does not know.

    Raises:
        ValidationError: the text is not a notice.
    """
    return Notice.model_validate_json(said)


class Records:
    """The items of this record. Every method raises AwsUnavailable or AwsRefused if DynamoDB fails."""

    def __init__(self, items: Items, keep: timedelta, left: Callable[[], float]) -> None:
        """Nothing is read yet.

        Args:
            keep: how long an item stays after its last change.
            left: returns the seconds that the function may still spend.
        """
        self._items = items
        self._keep = keep
        self._left = left

    def known(self, about: str) -> bool:
        """Whether something was sent about this, or is being sent."""
        return bool(self._items.get((PARTITION, about)))

    @contextmanager
    def turn(self, about: str, waits: bool = True) -> Iterator[Turn]:
        """Wait for the turn, hold it for the context, and give it back.

        Args:
            about: `Notice.about`.
            waits: whether to wait for the turn, for up to half of the time that is left.

        Raises:
            StillNotifying: another invocation has kept the turn.
        """
        turn = Turn(self._items, (PARTITION, about), self._keep)
        half = self._left() / 2
        while not turn.taken():
            if not waits or self._left() < half:
                raise StillNotifying(f"another invocation is still notifying Slack of {about}")
            time.sleep(PAUSE_SECONDS)
        try:
            yield turn
        finally:
            turn.give_back()


class Turn:
    """The exclusive right to notify Slack about one deployment, release or alarm."""

    def __init__(self, items: Items, key: Key, keep: timedelta) -> None:
        self._items = items
        self._key = key
        self._keep = keep
        self._values = {":turn": str(uuid4())}

    def taken(self) -> bool:
        """Take the turn; False if another invocation has it."""
        now = datetime.now(UTC)
        values = {
            **self._values,
            ":now": timestamp(now),
            ":until": timestamp(now + timedelta(seconds=TURN_SECONDS)),
            ":expires": self._expires(now),
        }
        # The item expires even if nothing but turns is ever written into it.
        taking = "SET #turn = :turn, #turn_until = :until, #expires_at = :expires"
        try:
            self._items.update(Update(self._key, taking, _FREE, values))
        except NoLonger:
            return False
        return True

    def give_back(self) -> None:
        """Give the turn back, so that another invocation can take it."""
        # If this fails, another invocation has the turn already, or the turn expires within TURN_SECONDS.
        with suppress(NoLonger, SlipwayError):
            giving = Update(self._key, "REMOVE #turn, #turn_until", _OURS, self._values)
            self._items.update(giving)

    def sent(self) -> Sent | None:
        """What was sent about this so far; None if nothing was."""
        return Sent.of(self._items.get(self._key))

    def note_shown(self, notice: Notice, message: tuple[str, str] | None, anew: bool) -> None:
        """Record that the notice is shown now.

        Args:
            message: the channel's id and the message's ts; None if a webhook sent it.
            anew: whether the message was posted, so that its thread is empty, and not updated.
        """
        channel, ts = message or (None, None)
        shown: dict[str, Any] = {
            "kind": notice.kind.value,
            "outcome": notice.outcome,
            "at": timestamp(notice.at),
            "channel": channel,
            "ts": ts,
            "edited": not anew,
        }
        if anew:
            shown["details"] = []
        if notice.kind is Kind.START:
            shown["start"] = notice.model_dump_json()
        self._note(shown)

    def note_details(self, details: Sequence[str]) -> None:
        """Record the events whose details are in the thread."""
        self._note({"details": list(details)})

    def _note(self, facts: dict[str, Any]) -> None:
        """Write the facts if the turn is still ours.

        Raises:
            StillNotifying: the turn expired and another invocation took it, which does not know what was just
                sent.
        """
        facts["expires_at"] = self._expires(datetime.now(UTC))
        try:
            self._items.update(Update.setting(self._key, facts, _OURS, self._values))
        except NoLonger:
            raise StillNotifying(f"it took too long to notify Slack of {self._key[1]}") from None

    def _expires(self, now: datetime) -> int:
        return int((now + self._keep).timestamp())
