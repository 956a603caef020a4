"""When nothing is deployed, until when, and what is said of a wrong window."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import InvalidInput
from slipway.model import Model, parse
from slipway.release.freeze import (
    CronWindow,
    DatedWindow,
    frozen_until,
    parse_freeze,
)
from slipway.release.plan import Policy
from tests.support.builders import NOW
from tests.support.pushes import FREEZE

WEEKEND = {"cron": "0 18 * * FRI", "hours": 62}
CHRISTMAS = {"from": "2026-12-23T00:00:00Z", "until": "2027-01-02T00:00:00Z"}
A_MOMENT = timedelta(microseconds=1)


def windows(*given: dict[str, Any]) -> tuple[Any, ...]:
    return parse_freeze(json.dumps(given))


def until(now: str, *given: dict[str, Any]) -> str | None:
    """``frozen_until`` in text, as 2026-11-22T03:00."""
    end = frozen_until(windows(*given), datetime.fromisoformat(f"{now}Z"))
    return end and end.isoformat().removesuffix(":00+00:00")


def said(*given: Any) -> str:
    with pytest.raises(InvalidInput) as raised:
        windows(*given)
    return str(raised.value)


def test_a_freeze_without_windows_freezes_nothing():
    assert frozen_until(windows(), NOW) is None


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-12-22T23:59:59.999999", None),
        ("2026-12-23T00:00:00", "2027-01-02T00:00"),
        ("2027-01-01T23:59:59.999999", "2027-01-02T00:00"),
        ("2027-01-02T00:00:00", None),
    ],
)
def test_a_window_with_dates_is_on_from_its_start_until_just_before_its_end(now, end):
    assert until(now, CHRISTMAS) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20T17:59:59.999999", None),
        ("2026-11-20T18:00:00", "2026-11-23T08:00"),
        ("2026-11-20T18:00:00.000001", "2026-11-23T08:00"),
        ("2026-11-23T07:59:59.999999", "2026-11-23T08:00"),
        ("2026-11-23T08:00:00", None),
        ("2026-11-27T18:00:30", "2026-11-30T08:00"),
    ],
)
def test_a_window_with_cron_is_on_from_each_firing_until_just_before_its_hours_are_over(now, end):
    assert until(now, WEEKEND) == end


@pytest.mark.parametrize(
    ("cron", "now", "end"),
    [
        ("0 9 * * 1-5", "2026-11-20T09:30:00", "2026-11-20T10:00"),
        ("0 9 * * 1-5", "2026-11-21T09:30:00", None),
        ("0 */2 * * *", "2026-11-21T10:59:59", "2026-11-21T11:00"),
        ("0 */2 * * *", "2026-11-21T11:30:00", None),
        ("0 9 L * *", "2026-11-30T09:30:00", "2026-11-30T10:00"),
        ("0 9 L * *", "2027-02-28T09:30:00", "2027-02-28T10:00"),
        ("0 9 LW * *", "2027-02-26T09:30:00", "2027-02-26T10:00"),
        ("0 9 * * fri#1", "2026-12-04T09:30:00", "2026-12-04T10:00"),
        ("0 9 * DEC 7", "2026-12-06T09:30:00", "2026-12-06T10:00"),
        ("30 9 24,31 12 *", "2026-12-31T10:00:00", "2026-12-31T10:30"),
        ("0 9 */28 2 MON#5", "2044-02-29T09:30:00", "2044-02-29T10:00"),
    ],
)
def test_a_cron_expression_is_read_with_ranges_steps_last_days_and_nth_weekdays(cron, now, end):
    assert until(now, {"cron": cron, "hours": 1}) == end


@pytest.mark.parametrize("day", range(7))
@pytest.mark.parametrize("year", [2000, 2026, 2111])  # 2100 has no 29 February
def test_a_window_on_the_rarest_day_of_cron_freezes_nothing_until_that_day(year, day):
    rare = {"cron": f"0 0 */28 2 {day}#5", "hours": 1}  # the fifth of its weekday: 29 February only

    assert until(f"{year}-01-01T00:00:00", rare) is None


def test_firings_that_overlap_are_one_freeze():
    assert until("2026-11-21T09:10:00", {"cron": "0 8-11 * * *", "hours": 2}) == "2026-11-21T13:00"


def test_a_window_that_starts_as_another_ends_prolongs_the_freeze():
    second = {"from": "2026-11-23T08:00:00Z", "until": "2026-11-24T00:00:00Z"}

    assert until("2026-11-21T00:00:00", WEEKEND, second) == "2026-11-24T00:00"
    assert until("2026-11-21T00:00:00", second, WEEKEND) == "2026-11-24T00:00"


def test_a_window_that_starts_after_a_gap_does_not_prolong_the_freeze():
    later = {"from": "2026-11-23T08:00:01Z", "until": "2026-11-24T00:00:00Z"}

    assert until("2026-11-21T00:00:00", WEEKEND, later) == "2026-11-23T08:00"


def test_the_freeze_of_christmas_lasts_until_the_weekend_is_over():
    assert until("2026-12-24T00:00:00", CHRISTMAS, WEEKEND) == "2027-01-04T08:00"


def test_windows_that_follow_each_other_without_end_freeze_for_a_thousand_days():
    end = frozen_until(windows({"cron": "0 0 * * *", "hours": 24}), NOW)

    assert end == datetime(2026, 11, 22, tzinfo=UTC) + timedelta(days=1000)


def test_the_end_of_a_freeze_is_in_utc_whatever_the_offset_of_now():
    here = timezone(timedelta(hours=5, minutes=30))
    end = frozen_until(windows(WEEKEND), NOW.astimezone(here))

    assert end.isoformat() == "2026-11-23T08:00:00+00:00"


def test_times_with_an_offset_are_the_same_times_in_utc():
    (window,) = windows({"from": "2026-12-23T00:00:00+01:00", "until": "2026-12-23T00:00:00-01:00"})

    assert window.to_json() == {"from": "2026-12-22T23:00:00Z", "until": "2026-12-23T01:00:00Z"}


class Carried(Model):
    policy: Policy


@pytest.mark.parametrize("window", [WEEKEND, CHRISTMAS])
def test_a_window_travels_with_the_policy_as_it_was_given(window):
    policy = Policy(freeze=[window])
    there = Carried(policy=policy).to_json()

    assert there["policy"]["freeze"] == [window]
    assert Policy(freeze=windows(window)) == policy
    assert parse(Carried, json.loads(json.dumps(there)), "x").policy == policy


FORM = 'a window is {"cron": ..., "hours": ...} or {"from": ..., "until": ...}'
FIVE = "a cron expression has 5 fields"
WRITTEN = "a time is written like 2026-12-23T00:00:00Z"
YEARS = "a time has to be between the years 2000 and 8999"

WRONG = [
    ("friday", "0: ", FORM),
    ({}, "0: ", FORM),
    ({"start": "x"}, "0: ", FORM),
    ({"cron": "0 18 * * FRI"}, "0.hours: ", "it is missing"),
    ({"hours": 62}, "0.cron: ", "it is missing"),
    (WEEKEND | {"from": "x"}, "0.from: ", "no such name here"),
    (
        WEEKEND | {"cron": "0 18 * * FRY"},
        "0.cron: ",
        "Bad day-of-week in cron expression 0 18 * * F",
    ),
    (WEEKEND | {"cron": "0 0 30 2 *"}, "0.cron: ", "Bad day-of-month"),
    (WEEKEND | {"cron": "60 0 * * *"}, "0.cron: ", "Bad minute"),
    (WEEKEND | {"cron": "0 0 0 18 * * FRI"}, "0.cron: ", FIVE),
    (WEEKEND | {"cron": "0 0 18 * * FRI"}, "0.cron: ", FIVE),
    (WEEKEND | {"cron": "@daily"}, "0.cron: ", FIVE),
    (WEEKEND | {"cron": "0 0 */31 * MON#5"}, "0.cron: ", "never fires"),
    (WEEKEND | {"cron": "0 0 */31 * " + 30 * "MON#5," + "MON#5"}, "0.cron: ", "never fires"),
    (WEEKEND | {"cron": 5}, "0.cron: ", "has to be text"),
    (WEEKEND | {"hours": 0}, "0.hours: ", "at least 1"),
    (WEEKEND | {"hours": 745}, "0.hours: ", "at most 744"),
    (WEEKEND | {"hours": 1.5}, "0.hours: ", "has to be a whole number"),
    (WEEKEND | {"hours": "62"}, "0.hours: ", "has to be a whole number"),
    ({"from": "2026-12-23T00:00:00Z"}, "0.until: ", "it is missing"),
    ({"until": "2026-12-23T00:00:00Z"}, "0.from: ", "it is missing"),
    (CHRISTMAS | {"start": "2026-12-23T00:00:00Z"}, "0.start: ", "no such name here"),
    (CHRISTMAS | {"from": "2026-12-23T00:00:00"}, "0.from: ", "it has no offset"),
    (CHRISTMAS | {"from": "2026-12-23"}, "0.from: ", WRITTEN),
    (CHRISTMAS | {"from": 1798000000}, "0.from: ", WRITTEN),
    (CHRISTMAS | {"from": "Tomorrow"}, "0.from: ", WRITTEN),
    (CHRISTMAS | {"until": "9999-12-31T23:59:59-01:00"}, "0.until: ", YEARS),
    (CHRISTMAS | {"from": "0001-01-01T00:00:00+01:00"}, "0.from: ", YEARS),
    (CHRISTMAS | {"until": "2026-12-23T01:00:00+01:00"}, "0: ", "until has to be after from"),
]


@pytest.mark.parametrize(("window", "path", "problem"), WRONG)
def test_a_wrong_window_is_reported_with_the_path_and_the_problem_and_nothing_else(
    window, path, problem
):
    first, *lines = said(window).splitlines()

    assert first == (
        "the freeze of the whole pipeline (SSM parameter /slipway/freeze, where [] freezes nothing) "
        "is not valid:"
    )
    assert [line.startswith(f"  {path}") and problem in line for line in lines] == [True]


def test_every_wrong_window_is_named():
    message = said(WEEKEND, WEEKEND | {"hours": 0}, CHRISTMAS | {"from": "x"})

    assert "\n  1.hours: " in message
    assert "\n  2.from: " in message
    assert "\n  0" not in message


def test_more_windows_than_fifty_are_refused():
    assert windows(*[WEEKEND] * 50)
    assert "at most 50 members" in said(*[WEEKEND] * 51)


@pytest.mark.parametrize("text", ["", "{", "friday"])
def test_a_parameter_that_is_not_json_says_so_and_how_to_freeze_nothing(text):
    with pytest.raises(
        InvalidInput, match=rf"{FREEZE}, where \[\] freezes nothing\) is not JSON: "
    ):
        parse_freeze(text)


@pytest.mark.parametrize("text", ["{}", "null", '"[]"', json.dumps(WEEKEND)])
def test_a_parameter_that_is_no_list_says_so(text):
    with pytest.raises(InvalidInput, match=rf"{FREEZE}, .*\) is not a list of windows, each"):
        parse_freeze(text)


def test_an_empty_list_freezes_nothing():
    assert parse_freeze("[]") == ()


# A week has 168 hours: two weekly windows of 60 leave a gap, so that every freeze has an end.
MINUTES = st.integers(-40_000, 40_000)
WEEKLY = st.builds(
    lambda minute, hour, day, hours: CronWindow(cron=f"{minute} {hour} * * {day}", hours=hours),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 6),
    st.integers(1, 60),
)
DATED = st.builds(
    lambda start, minutes: DatedWindow(
        **{
            "from": NOW + timedelta(minutes=start),
            "until": NOW + timedelta(minutes=start + minutes),
        }
    ),
    MINUTES,
    st.integers(1, 20_000),
)
FREEZES = st.builds(
    lambda weekly, dated: [*weekly, *dated],
    st.lists(WEEKLY, max_size=2),
    st.lists(DATED, max_size=4),
)
TIMES = st.builds(
    lambda minutes, microseconds: NOW + timedelta(minutes=minutes, microseconds=microseconds),
    MINUTES,
    st.sampled_from([0, 0, 1, 999_999, 59_999_999]),
)


def spans(window: Any) -> list[tuple[datetime, datetime]]:
    """Start and end of a window each time it comes, reckoned without the library."""
    if isinstance(window, DatedWindow):
        return [(window.start, window.until)]
    minute, hour, _, _, day = window.cron.split()
    sunday = datetime(2026, 8, 2, int(hour), int(minute), tzinfo=UTC) + timedelta(days=int(day))
    starts = [sunday + timedelta(weeks=week) for week in range(40)]
    return [(start, start + timedelta(hours=window.hours)) for start in starts]


@given(FREEZES, TIMES)
def test_the_end_of_a_freeze_is_the_end_of_its_joined_windows(freeze, now):
    end = now
    for start, later in sorted(span for window in freeze for span in spans(window)):
        if start <= end:
            end = max(end, later)

    assert frozen_until(freeze, now) == (end if end > now else None)


@given(FREEZES, TIMES)
def test_the_end_of_a_freeze_is_after_now(freeze, now):
    end = frozen_until(freeze, now)

    assert end is None or end > now


@given(FREEZES, TIMES)
def test_the_moment_of_the_end_of_a_freeze_is_not_frozen(freeze, now):
    end = frozen_until(freeze, now)

    assert end is None or frozen_until(freeze, end) is None


@given(FREEZES, TIMES)
def test_the_moment_before_the_end_of_a_freeze_is_frozen_until_that_end(freeze, now):
    end = frozen_until(freeze, now)

    assert end is None or frozen_until(freeze, end - A_MOMENT) == end


@given(FREEZES.flatmap(lambda freeze: st.tuples(st.just(freeze), st.permutations(freeze))), TIMES)
def test_the_order_of_the_windows_does_not_matter(freezes, now):
    freeze, shuffled = freezes

    assert frozen_until(freeze, now) == frozen_until(shuffled, now)


@given(FREEZES, TIMES)
def test_another_window_never_ends_a_freeze_sooner(freeze, now):
    end = frozen_until(freeze, now)

    assert end is None or frozen_until([*freeze, CronWindow(**WEEKEND)], now) >= end
