"""Freeze windows: times in which nothing is deployed.

The windows of a service are in its plan (``freeze``). The windows of the whole pipeline are in the SSM
parameter ``<prefix>/freeze``, as a JSON list of the same form. This module does not call AWS.
"""

from __future__ import annotations

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
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from slipway.errors import InvalidInput
from slipway.model import Model, parse_member, parse_written, read_json
from slipway.release.parameter_names import freeze_parameter
from slipway.wrong_fields import TIME

# Windows can follow each other without end, as with 24 hours every day. Only so many are joined, which is
# 41 days of the shortest windows. The freeze may then continue at the end that is returned, so a caller has
# to check again at that time.
JOINED_LIMIT = 1000

# Far enough from the ends of Python's calendar that adding hours or an offset can't overflow.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

FORMS = '{"cron": ..., "hours": ...} or {"from": ..., "until": ...}'


def _fires(cron: str) -> str:
    if len(cron.split()) != 5:  # the library also accepts a sixth field, for seconds
        raise ValueError(
            "a cron expression has 5 fields: minute, hour, day of month, month, day of week"
        )
    try:
        first = next(CronSim(cron, EARLIEST), None)  # the library looks 50 years ahead
    except CronSimError as error:
        raise ValueError(f"{error} in cron expression {cron}") from error
    if first is None:
        raise ValueError(f"a cron expression that never fires, because no day is like this: {cron}")
    return cron


def _written_as_time(value: Any) -> Any:
    # Pydantic would also accept a number, as seconds or milliseconds. Here a number is a mistake.
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value):
        return value
    raise ValueError(TIME)


def _in_utc(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise ValueError("a time has to be between the years 2000 and 8999")
    return value.astimezone(UTC)


# The patterns are only in the schemas, for editors. The functions above refuse more, and say why.
Cron = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        json_schema_extra={"pattern": r"^\s*[0-9A-Za-z*,/#-]+(\s+[0-9A-Za-z*,/#-]+){4}\s*$"},
    ),
    AfterValidator(_fires),
]
Time = Annotated[
    AwareDatetime,
    Field(
        json_schema_extra={
            "pattern": "^[2-8][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}"
            r"(:[0-5][0-9](\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$"
        }
    ),
    BeforeValidator(_written_as_time),
    AfterValidator(_in_utc),
]


class CronWindow(Model):
    """A freeze that recurs: it starts each time that the cron expression fires."""

    cron: Cron = Field(
        description="when it starts, in UTC: minute, hour, day of month, month, day of week",
        examples=["0 18 * * FRI"],
    )
    hours: int = Field(ge=1, le=31 * 24, strict=True, description="how long it lasts")

    def end_at(self, moment: datetime) -> datetime | None:
        """The end of the window that is in force at ``moment``, or None; both times are in UTC."""
        # The library returns only firings before a given time, and all of them are at whole seconds. So
        # a firing at this very moment is found only from the next second.
        before = moment.replace(microsecond=0) + timedelta(seconds=1)
        # There always is an earlier firing: the rarest day, 29 February on a given weekday, recurs within
        # 40 years, and the library looks back 50. All windows have one length, so the one that started
        # last ends last.
        end = next(CronSim(self.cron, before, reverse=True)) + timedelta(hours=self.hours)
        return end if moment < end else None


class DatedWindow(Model):
    """A freeze from one time until another. At ``until`` itself, nothing is frozen any more."""

    # ``from`` is a keyword of Python, so the field needs another name than in JSON.
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
        """``until`` if the window is in force at ``moment``, otherwise None; both times are in UTC."""
        return self.until if self.start <= moment < self.until else None


def _by_form(
    value: Any, _union: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> CronWindow | DatedWindow:
    # The errors of a union would name what is wrong with the window as either form. A person who wrote it
    # meant one of the two, and its keys show which.
    if isinstance(value, CronWindow | DatedWindow):
        return value
    keys = set(value) if isinstance(value, dict) else set()
    if keys & {"cron", "hours"}:
        return parse_member(CronWindow, value, info)
    if keys & {"from", "until"}:
        return parse_member(DatedWindow, value, info)
    raise ValueError(f"a window is {FORMS}")


Window = Annotated[CronWindow | DatedWindow, WrapValidator(_by_form)]
Windows = Annotated[tuple[Window, ...], Field(max_length=50)]


class _Freeze(RootModel[Windows]):
    """The content of the SSM parameter, as a model so that `parse` can read it."""


def frozen_until(windows: Collection[Window], now: datetime) -> datetime | None:
    """The end, in UTC, of the freeze that is in force at ``now``, or None if nothing is frozen.

    A window is in force from its start until just before its end. Windows that overlap, or of which one
    starts when the other ends, make one freeze. So nothing is frozen at the end that is returned, unless
    JOINED_LIMIT windows followed each other and it is the end of the last of these.

    Args:
        now: a time with an offset.
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
    """Read the windows of the SSM parameter ``<prefix>/freeze``; ``[]`` freezes nothing.

    Raises:
        InvalidInput: the text is not JSON, or not a list of windows. The message names the parameter and
            each wrong field.
    """
    where = f"the freeze of the whole pipeline (SSM parameter {freeze_parameter()}, where [] freezes nothing)"
    value = read_json(text, where)
    if not isinstance(value, list):
        raise InvalidInput(f"{where} is not a list of windows, each {FORMS}")
    return parse_written(_Freeze, value, where).root
