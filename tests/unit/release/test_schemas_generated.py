"""What the published schemas allow is read, or refused for a reason that JSON Schema can't express; what they
forbid is refused with its path.

The values are generated from the schemas in docs/, as an editor or another program reads them.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import jsonschema
import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slipway.errors import InvalidInput
from slipway.model import DEEPEST, MESSAGE_BYTES
from slipway.release.freeze import parse_freeze
from slipway.release.plan import MAXIMUM_POLLS, parse_plan
from slipway.release.service_policy import parse_service_policy
from tests.support.builders import NOW, SERVICE
from tests.support.examples import examples
from tools import schemas

PLAN = json.loads(schemas.PLAN.read_text())
POLICY = json.loads(schemas.SERVICE_POLICY.read_text())
# The freeze of the whole pipeline has the form of a service's.
FREEZE = {"$defs": PLAN["$defs"], **PLAN["$defs"]["PlannedService"]["properties"]["freeze"]}

READERS: dict[str, tuple[dict[str, Any], Callable[[str], Any]]] = {
    "plan": (PLAN, lambda text: parse_plan(text, "shop/api")),
    "policy": (POLICY, lambda text: parse_service_policy(text, SERVICE)),
    "freeze": (FREEZE, parse_freeze),
}
KINDS = pytest.mark.parametrize("kind", READERS)
FORMATS = jsonschema.FormatChecker(["date-time"])
VALIDATORS = {
    kind: jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    for kind, (schema, _) in READERS.items()
}

# --- generating -------------------------------------------------------------------------------------

Path = tuple[int | str, ...]
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples"}
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# RFC 3339 also allows small letters, and any number of digits of a second.
TIMES = st.tuples(
    st.datetimes(timezones=st.just(UTC) | OFFSETS),
    st.sampled_from(["Z", "z", None]),
    st.sampled_from("TTTt"),
    st.sampled_from(["", ".5", ".123456789", ".1234567890"]),
)


def from_schema(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows.

    It is written here because hypothesis-jsonschema rests on private parts of Hypothesis, and does not run
    with a current one. A keyword that is not known here is an error, so that none is ignored.
    """
    rules = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
    match rules:
        case {"$ref": str(name), **rest}:
            made = from_schema(defs[name.removeprefix("#/$defs/")], defs)
        case {"anyOf": list(forms), **rest}:
            made = st.one_of([from_schema(form, defs) for form in forms])
        case {"enum": list(values), "type": "string", **rest}:
            made = st.sampled_from(values)
        case {"type": "null", **rest}:
            made = st.none()
        case {"type": "boolean", **rest}:
            made = st.booleans()
        case {"type": "integer", "minimum": int(least), "maximum": int(most), **rest}:
            made = st.integers(least, most)
        case {"type": "array", "items": dict(items), **rest}:
            least = rest.pop("minItems", 0)
            most = min(rest.pop("maxItems", least + 1), least + 1)
            made = st.lists(from_schema(items, defs), min_size=least, max_size=most)
        case {
            "type": "object",
            "properties": dict(properties),
            "additionalProperties": False,
            "required": list(required),
            **rest,
        }:
            fields = {name: from_schema(value, defs) for name, value in properties.items()}
            optional = {name: fields.pop(name) for name in properties if name not in required}
            made = st.fixed_dictionaries(fields, optional=optional)
        case {"type": "string", **rest}:
            made = texts(rest, schema.get("examples", []))
            rest = {}
    assert not rest, rest
    return made


def texts(rules: dict[str, Any], examples: list[str]) -> st.SearchStrategy[str]:
    least, most = rules.pop("minLength", 0), rules.pop("maxLength", 1000)
    pattern = rules.pop("pattern", "")
    match rules:
        case {"format": "date-time"}:
            made = TIMES.map(rfc_3339)
        case {}:
            # `$` of JSON Schema matches only at the end, but Python's also before a line feed there.
            made = (
                st.from_regex(re.sub(r"\$$", r"\\Z", pattern))
                if pattern
                else st.text(min_size=least, max_size=most)
            )
        case _:
            raise AssertionError(rules)
    fitting = made.filter(lambda text: least <= len(text) <= most and re.search(pattern, text))
    return st.sampled_from(examples) | fitting if examples else fitting


def rfc_3339(parts: tuple[Any, ...]) -> str:
    time, zulu, between, fraction = parts
    day, clock = time.strftime("%Y-%m-%d").rjust(10, "0"), time.strftime("%H:%M:%S")
    offset = time.strftime("%z")
    return f"{day}{between}{clock}{fraction}{zulu or f'{offset[:3]}:{offset[3:]}'}"


VALUES = {kind: from_schema(schema, PLAN["$defs"]) for kind, (schema, _) in READERS.items()}

# --- reading ----------------------------------------------------------------------------------------


def problems(kind: str, text: str) -> list[tuple[Path, str]]:
    """The path and the text of each problem that the reader names, or nothing if it accepts the text."""
    try:
        READERS[kind][1](text)
    except InvalidInput as refused:
        message = str(refused)
    else:
        return []
    first, *lines = message.splitlines()
    assert len(message.encode()) <= MESSAGE_BYTES
    assert first.endswith(" is not valid:")
    assert lines
    return [problem(line) for line in lines]


def problem(line: str) -> tuple[Path, str]:
    path, said = re.fullmatch(r"  (\S+|as a whole): (.+)", line).groups()
    parts = [] if path == "as a whole" else path.split(".")
    return tuple(int(part) if part.isdecimal() else part for part in parts), said


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def twice(names: list[Any]) -> bool:
    return len(set(names)) < len(names)


def too_many_checks(service: dict[str, Any]) -> bool:
    timeout, bake = service.get("timeout_seconds", 1800), service.get("bake_seconds", 300)
    return 4 * timeout + bake > MAXIMUM_POLLS * service.get("poll_seconds", 15)


def with_and_without_container(plan: dict[str, Any]) -> bool:
    """Whether one service is named with a container and without one."""
    named: dict[str, set[bool]] = {}
    for route in plan["routes"]:
        for stage in route["stages"]:
            for planned in stage["services"]:
                has_one = planned.get("container") is not None
                named.setdefault(planned["service"], set()).add(has_one)
    return any(len(both) > 1 for both in named.values())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.upper())


def in_range(text: str) -> bool:
    # Adding an offset at the ends of the range never leaves Python's calendar.
    return 2000 <= moment(text).astimezone(UTC).year < 9000


def simple(cron: str) -> bool:
    """Whether each field is a star or one number, of a day that all months have."""
    fields = zip(
        cron.split(), (range(60), range(24), range(1, 29), range(1, 13), range(8)), strict=True
    )
    return all(field == "*" or (field.isdecimal() and int(field) in fits) for field, fits in fields)


def plan_of(*services: dict[str, Any]) -> dict[str, Any]:
    return {"routes": [{"tags": ["v*"], "stages": [{"name": "all", "services": list(services)}]}]}


# Each problem that a value may have although the schema allows it: what is said of it, whether the value at
# its path has it, and a value that has no other problem.
INEXPRESSIBLE: dict[str, tuple[str, Callable[[Any], bool], str, Any]] = {
    "two members of an array with one name, one of them as text": (
        "an alarm is named twice: ",
        lambda alarms: twice([a if isinstance(a, str) else a["name"] for a in alarms]),
        "policy",
        {"repositories": ["a"], "alarms": ["x" * 255, {"name": "x" * 255}]},
    ),
    "two objects of an array with one service": (
        "a service is named twice: ",
        lambda stage: twice([planned["service"] for planned in stage["services"]]),
        "plan",
        plan_of({"service": "a/b"}, {"service": "a/b", "bake_seconds": 0}),
    ),
    "two objects of an array with one name": (
        "a stage is named twice: ",
        lambda route: twice([stage["name"] for stage in route["stages"]]),
        "plan",
        {
            "routes": [
                {"tags": ["v*"], "stages": 2 * [{"name": "x", "services": [{"service": "a/b"}]}]}
            ]
        },
    ),
    "a service with a container in one place and without one in another": (
        "service ",
        with_and_without_container,
        "plan",
        {
            "routes": [
                *plan_of({"service": "a/b"})["routes"],
                *plan_of({"service": "a/b", "container": "web"})["routes"],
            ]
        },
    ),
    "a sum that is too large for another field": (
        "poll_seconds is too short for this timeout and bake: ",
        too_many_checks,
        "plan",
        plan_of({"service": "a/b", "poll_seconds": 1}),
    ),
    "a time before another one": (
        "until has to be after from",
        lambda window: moment(window["until"]) <= moment(window["from"]),
        "freeze",
        [{"from": "2026-12-23T00:00:00Z", "until": "2026-12-23T01:00:00+01:00"}],
    ),
    "a time whose offset puts it into a year that is out of range": (
        "a time has to be between the years 2000 and 8999",
        lambda time: not in_range(time),
        "freeze",
        [{"from": "2000-01-01T00:00:00+00:01", "until": "2026-12-23T00:00:00Z"}],
    ),
    "a field of a cron expression that is wrong as a number, a name or a range": (
        "Bad ",
        lambda cron: not simple(cron),
        "freeze",
        [{"cron": "0 18 * * FRI-MON", "hours": 1}],
    ),
    "a cron expression without a day": (
        "a cron expression that never fires, because no day is like this: ",
        lambda cron: next(CronSim(cron, NOW), None) is None,
        "freeze",
        [{"cron": "0 0 */31 * MON#5", "hours": 1}],
    ),
    "an integer that is written with a fraction": (
        "it has to be a whole number",
        lambda number: isinstance(number, float) and number.is_integer(),
        "policy",
        {"repositories": ["a"], "bake_seconds": 60.0},
    ),
    "half a pair of surrogates": (
        "it has half a character",
        lambda text: any("\ud800" <= letter <= "\udfff" for letter in text),
        "policy",
        {"repositories": ["a"], "container": "web\ud83d"},
    ),
}


@pytest.mark.parametrize("why", INEXPRESSIBLE)
def test_a_reason_to_refuse_what_the_schema_allows_is_named_with_its_path(why):
    said_of_it, holds, kind, value = INEXPRESSIBLE[why]
    [(path, said)] = problems(kind, json.dumps(value))

    assert VALIDATORS[kind].is_valid(value)
    assert said.startswith(said_of_it)
    assert holds(at(value, path))


@cache
def accepted(kind: str) -> list[Any]:
    """Generated values that are read; each other one is refused for a reason of INEXPRESSIBLE."""
    found = []

    @settings(max_examples=40)  # fewer would leave too few that are read
    @given(VALUES[kind])
    def read(value: Any) -> None:
        wrong = problems(kind, json.dumps(value))
        for path, said in wrong:
            reasons = [
                holds for start, holds, *_ in INEXPRESSIBLE.values() if said.startswith(start)
            ]
            assert any(holds(at(value, path)) for holds in reasons), (path, said)
        assert VALIDATORS[kind].is_valid(value)
        if not wrong:
            found.append(value)

    read()
    return found


@KINDS
def test_what_a_schema_allows_is_read_or_refused_for_a_reason_that_it_cannot_express(kind):
    assert len(accepted(kind)) > 5


# --- mistakes ---------------------------------------------------------------------------------------


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of the value and of everything within it."""
    yield path
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, name))


def objects(value: Any) -> list[Path]:
    return [path for path in places(value) if isinstance(at(value, path), dict)]


def changed(value: Any, path: Path, member: int | str, into: Any) -> Any:
    copied = copy.deepcopy(value)
    at(copied, path)[member] = into
    return copied


def with_objects(kind: str) -> list[Any]:
    return [value for value in accepted(kind) if objects(value)]


NO_SUCH = "there is no such name here: it is misspelt, or belongs elsewhere"
WRONG = (None, True, 0.5, -1, "", {}, [])


@KINDS
@settings(max_examples=examples(20))
@given(data=st.data())
def test_an_unknown_name_is_refused_with_its_path(kind, data):
    value = data.draw(st.sampled_from(with_objects(kind)))
    path = data.draw(st.sampled_from(objects(value)))
    name = data.draw(st.from_regex(r"[a-z_]{1,20}", fullmatch=True))
    wrong = changed(value, path, name, None)
    assume(not VALIDATORS[kind].is_valid(wrong))

    assert problems(kind, json.dumps(wrong)) == [((*path, name), NO_SUCH)]


@KINDS
@settings(max_examples=examples(20))
@given(data=st.data())
def test_a_value_of_a_wrong_type_is_refused_with_its_path(kind, data):
    value = data.draw(st.sampled_from(with_objects(kind)))
    *path, member = data.draw(st.sampled_from([path for path in places(value) if path]))
    # What is nested too deep is refused as a whole.
    fitting = WRONG if len(path) + 2 <= DEEPEST else WRONG[:-2]
    wrong = changed(value, tuple(path), member, data.draw(st.sampled_from(fitting)))
    assume(not VALIDATORS[kind].is_valid(wrong))
    found = problems(kind, json.dumps(wrong))

    assert found
    assert {where[: len(path) + 1] for where, _ in found} == {(*path, member)}


@KINDS
@settings(max_examples=examples(20))
@given(data=st.data())
def test_a_name_that_stands_twice_is_refused_with_its_path(kind, data):
    value = data.draw(st.sampled_from(with_objects(kind)))
    *path, member = data.draw(
        st.sampled_from([path for path in places(value) if path and isinstance(path[-1], str)])
    )
    again = changed(value, tuple(path), "the same name", at(value, (*path, member)))
    text = json.dumps(again).replace('"the same name"', json.dumps(member))

    assert problems(kind, text) == [((*path, member), "this name stands there more than once")]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


@pytest.mark.parametrize("kind", ["plan", "policy"])
@settings(max_examples=examples(25))
@given(text=ANY_TEXT, length=st.sampled_from([1, 100]), number=st.integers(1, 100))
def test_names_of_any_characters_and_number_are_refused_in_a_short_message(
    kind, text, length, number
):
    names = [f"{turn}{length * text}" for turn in range(number)]
    with pytest.raises(InvalidInput) as refused:
        READERS[kind][1](json.dumps(dict.fromkeys(names)))

    assert len(str(refused.value).encode()) <= MESSAGE_BYTES
