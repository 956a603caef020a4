"""Freeze windows: times in which nothing is deployed.

A service's own are in its plan (``freeze``); those of the whole pipeline are the SSM parameter
``/slipway/freeze``, which holds the same JSON list. Nothing here talks to AWS.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from slipway.errors import InvalidInput
from slipway.model import Model, parse

FREEZE_PARAMETER = "/slipway/freeze"

# Windows can follow each other without end (hours: 24, every day). So many are joined, which is 41 days
# of the shortest ones; the end given then is one of many, and whoever comes back then is frozen still.
JOINED_LIMIT = 1000

# Far from the ends of Python's calendar, where adding hours or an offset is an error.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

FORMS = '{"cron": ..., "hours": ...} or {"from": ..., "until": ...}'


def _fires(cron: str) -> str:
    if len(cron.split()) != 5:  # the library takes a sixth one, for seconds
        raise ValueError(
            "a cron expression has 5 fields: minute, hour, day of month, month, day of week"
        )
    try:
        first = next(CronSim(cron, EARLIEST), None)  # which looks 50 years ahead
    except CronSimError as error:
        raise ValueError(f"{error} in cron expression {cron}") from error
    if first is None:
        raise ValueError(f"cron expression {cron} never fires: no day is like this")
    return cron


def _written_as_time(value: Any) -> Any:
    # pydantic takes numbers, too, as seconds or milliseconds: nobody means that here.
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value):
        return value
    raise ValueError("a time is written like 2026-12-23T00:00:00Z or 2026-12-23T00:00:00+01:00")


def _in_utc(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise ValueError("a time has to be between the years 2000 and 8999")
    return value.astimezone(UTC)


Cron = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_fires)]
Time = Annotated[AwareDatetime, BeforeValidator(_written_as_time), AfterValidator(_in_utc)]


class CronWindow(Model):
    """A freeze that comes again: it starts whenever the cron expression fires."""

    cron: Cron = Field(
        description="when it starts, in UTC: minute, hour, day of month, month, day of week",
        examples=["0 18 * * FRI"],
    )
    hours: int = Field(ge=1, le=31 * 24, strict=True, description="how long it lasts")

    def end_at(self, moment: datetime) -> datetime | None:
        """The end of the window that is on at ``moment``; None where none is on. In UTC, both."""
        # Backwards the library gives firings before a time only; they are whole seconds.
        before = moment.replace(microsecond=0) + timedelta(seconds=1)
        # There is one: the rarest day, 29 February on some weekday, comes again within 40 years, and the
        # library looks back 50. The last window to start is the last one to end.
        end = next(CronSim(self.cron, before, reverse=True)) + timedelta(hours=self.hours)
        return end if moment < end else None


class DatedWindow(Model):
    """A freeze from one time until another; ``until`` is no longer frozen."""

    # ``from`` is a word of Python's, so that it can be a name in JSON only.
    model_config = ConfigDict(serialize_by_alias=True)

    start: Time = Field(
        alias="from", description="with an offset", examples=["2026-12-23T00:00:00Z"]
    )
    until: Time = Field(description="with an offset", examples=["2027-01-02T00:00:00Z"])

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> DatedWindow:
        if self.until <= self.start:
            raise ValueError("until has to be after from")
        return self

    def end_at(self, moment: datetime) -> datetime | None:
        """``until`` where the window is on at ``moment``, else None. In UTC, both."""
        return self.until if self.start <= moment < self.until else None


def _by_form(value: Any, _union: ValidatorFunctionWrapHandler) -> CronWindow | DatedWindow:
    # A union would say what is wrong with a window as either form; people mean one of them.
    if isinstance(value, CronWindow | DatedWindow):
        return value
    keys = set(value) if isinstance(value, dict) else set()
    if keys & {"cron", "hours"}:
        return CronWindow.model_validate(value)
    if keys & {"from", "until"}:
        return DatedWindow.model_validate(value)
    raise ValueError(f"a window is {FORMS}")


Window = Annotated[CronWindow | DatedWindow, WrapValidator(_by_form)]
Windows = Annotated[tuple[Window, ...], Field(max_length=50)]


class _Freeze(RootModel[Windows]):
    """What the parameter holds."""


def frozen_until(windows: Collection[Window], now: datetime) -> datetime | None:
    """The end of the freeze that is on at ``now``, a time with an offset; None where none is on.

    A window is on from its start, inclusive, to its end, exclusive. One that overlaps with another, or
    starts as that ends, makes one freeze with it, so that nothing is frozen at the end given, which is in
    UTC. Of windows that follow each other without end, the end of the thousandth (JOINED_LIMIT) is given.
    """
    now = now.astimezone(UTC)
    end = now
    for _ in range(JOINED_LIMIT):
        ends = [later for window in windows if (later := window.end_at(end)) is not None]
        if not ends:
            break
        end = max(ends)
    return end if end > now else None


def parse_freeze(text: str) -> tuple[Window, ...]:
    """Read what the SSM parameter ``/slipway/freeze`` holds; ``[]`` freezes nothing.

    Raises:
        InvalidInput: not JSON, or not a list of windows; names the parameter and each wrong field.
    """
    where = f"the freeze of the whole pipeline (SSM parameter {FREEZE_PARAMETER})"
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise InvalidInput(
            f"{where} is not JSON: {error}; it is a list of windows, [] where nothing is frozen"
        ) from error
    if not isinstance(value, list):
        raise InvalidInput(f"{where} is not a list of windows, each {FORMS}")
    return parse(_Freeze, value, where).root
