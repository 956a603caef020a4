"""What was sent to Slack of each deployment, release and alarm: items in the ledger's table.

==================  =================================  ================================================
pk                  sk                                 the item
==================  =================================  ================================================
``slack``           `Notice.about`                     channel and ts of the message, the start's
                                                       notice, what was shown last, what stands in its
                                                       thread, whose turn it is; expires
==================  =================================  ================================================

Only one invocation at a time may notify of the same thing: of two with the same notice one would post a
second message, and of two notices the older one could be shown last.

  one      --take-----post----note----give back--
  another      --take?-----take?---------------take: finds it sent--
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
# The function's timeout (template.yaml), after which nothing of it runs any more, and what clocks may be
# apart.
TURN_SECONDS = 65
PAUSE_SECONDS = 0.25
# It is ours already where the answer to the first of botocore's tries was lost.
_FREE = "(attribute_not_exists(#turn) OR #turn_until < :now OR #turn = :turn)"
_OURS = "#turn = :turn"


class StillNotifying(SlipwayError):  # noqa: N818 - no fault: it is another's turn
    """Another invocation is notifying of the same; Lambda tries this one again."""


class Sent(Model):
    """What was sent about one thing."""

    channel: str | None = None
    ts: str | None = None
    """Of a bot's message; None where a webhook has sent it."""
    start: Notice | None = None
    kind: Kind
    outcome: str | None = None
    at: AwareDatetime
    """With these two: the notice that is shown."""
    edited: bool = False
    """Whether an older message was changed into it: nobody was called by that."""
    details: tuple[str, ...] = ()
    """Which details stand in the thread."""

    @classmethod
    def of(cls, item: dict[str, Any]) -> Sent | None:
        """None where nothing was sent yet."""
        if "kind" not in item:
            return None
        known = {name: item[name] for name in cls.model_fields if name in item}
        with suppress(ValidationError):  # a later version's: the card can do without
            return cls(
                **{**known, "start": read_notice(known["start"]) if "start" in known else None}
            )
        return cls(**{**known, "start": None})


def read_notice(said: str) -> Notice:
    """A notice from its JSON; fields that this version does not know are left out.

    Raises:
        ValidationError: it is no notice.
    """
    return Notice.model_validate_json(said, extra="ignore")


class Records:
    """The items; every method raises AwsUnavailable or AwsRefused where DynamoDB does."""

    def __init__(self, items: Items, keep: timedelta, left: Callable[[], float]) -> None:
        """Each is kept for a while after its last change; ``left`` as of `Slack`."""
        self._items = items
        self._keep = keep
        self._left = left

    def known(self, about: str) -> bool:
        """Whether something was sent, or is being sent."""
        return bool(self._items.get((PARTITION, about)))

    @contextmanager
    def turn(self, about: str, waits: bool = True) -> Iterator[Turn]:
        """Wait for the turn, have it, and give it back.

        Raises:
            StillTelling: it did not come in half of the time that is left, or not at once for one that does
                not wait.
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
    """The turn to notify of one thing."""

    def __init__(self, items: Items, key: Key, keep: timedelta) -> None:
        self._items = items
        self._key = key
        self._keep = keep
        self._values = {":turn": str(uuid4())}

    def taken(self) -> bool:
        """Take it, unless another one has it."""
        now = datetime.now(UTC)
        values = {
            **self._values,
            ":now": timestamp(now),
            ":until": timestamp(now + timedelta(seconds=TURN_SECONDS)),
            ":expires": self._expires(now),
        }
        # An item that nothing was ever written into but turns has to go, too.
        taking = "SET #turn = :turn, #turn_until = :until, #expires_at = :expires"
        try:
            self._items.update(Update(self._key, taking, _FREE, values))
        except NoLonger:
            return False
        return True

    def give_back(self) -> None:
        """Let others have it."""
        with suppress(NoLonger, SlipwayError):  # taken away, or it ends by itself in a minute
            giving = Update(self._key, "REMOVE #turn, #turn_until", _OURS, self._values)
            self._items.update(giving)

    def sent(self) -> Sent | None:
        """What was sent until now."""
        return Sent.of(self._items.get(self._key))

    def note_shown(self, notice: Notice, message: tuple[str, str] | None, anew: bool) -> None:
        """Write that the notice is shown now: by this message, channel and ts, where a bot has sent it.

        A message that was posted ``anew`` has nothing in its thread.
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
        """Write what stands in the thread."""
        self._note({"details": list(details)})

    def _note(self, facts: dict[str, Any]) -> None:
        """Write it, while the turn is ours.

        Raises:
            StillTelling: it was taken away; whoever has it now does not know of what was just sent.
        """
        facts["expires_at"] = self._expires(datetime.now(UTC))
        update = Update.setting(self._key, facts)
        arguments = {**update.arguments["ExpressionAttributeValues"], **self._values}
        try:
            self._items.update(
                Update(self._key, update.arguments["UpdateExpression"], _OURS, arguments)
            )
        except NoLonger:
            raise StillNotifying(f"it took too long to notify Slack of {self._key[1]}") from None

    def _expires(self, now: datetime) -> int:
        return int((now + self._keep).timestamp())
