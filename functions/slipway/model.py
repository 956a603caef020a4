"""The base class of the values that steps exchange as JSON, and the readers of JSON from outside."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from slipway.errors import InvalidInput
from slipway.text import one_line, truncate, truncate_bytes
from slipway.wrong_fields import words_for

M = TypeVar("M", bound=BaseModel)
Path = tuple[int | str, ...]

# A message about wrong fields becomes the reason of a release, in emails and in the data of its execution.
MESSAGE_BYTES = 8_192
PROBLEMS = 20
PATH_BYTES, PROBLEM_BYTES = 180, 170
NAME_LENGTH = 80
# The levels of a plan: object, routes, route, stages, stage, services, service, alarms, alarm.
DEEPEST = 9
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


IfReadable = WrapValidator(_or_none)
"""Marks a field that becomes None if its value is not valid.

A person may start a state machine with any input. The deployment still has to end and notify people, even
if a part of that input can't be read.
"""


class Model(BaseModel):
    """An immutable value. A field that this version of Slipway does not know is ignored.

    Another version may have written the value: a step of an execution that began before an upgrade, or an
    item of the ledger. What a person writes is read by `parse_written`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> dict[str, Any]:
        """The value as a dict of JSON types, as a function returns it to Step Functions."""
        return self.model_dump(mode="json")


def parse(model: type[M], value: Any, where: str) -> M:
    """Read ``value`` as an instance of ``model``.

    Args:
        where: what the value is and where it comes from, for the error's message.

    Raises:
        InvalidInput: the value is not valid. The message has ``where`` and, on a line each, the path of
            every wrong field.
    """
    return _parsed(model, value, where, {})


def parse_written(model: type[M], value: Any, where: str) -> M:
    """Read what a person has written, as `parse` does. An unknown field is an error: its name is misspelt."""
    return _parsed(model, value, where, {"extra": "forbid"})


def parse_member(model: type[M], value: Any, info: ValidationInfo) -> M:
    """Read a part of a value, in a validator of the whole, as strictly as the whole is read."""
    return model.model_validate(value, context=info.context, **(info.context or {}))


def _parsed(model: type[M], value: Any, where: str, how: dict[str, Any]) -> M:
    try:
        return model.model_validate(value, context=how, **how)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # Pydantic counts only the valid members of a list, so it also reports a list with wrong members as
        # too short. Only the errors of the members help a reader.
        within = {
            problem["loc"][:length] for problem in problems for length in range(len(problem["loc"]))
        }
        found = [
            (problem["loc"], words_for(problem))
            for problem in problems
            if problem["type"] != "too_short" or problem["loc"] not in within
        ]
        raise InvalidInput(_not_valid(where, found)) from error


def read_json(text: str, where: str) -> Any:
    """Read JSON that a person wrote: a plan, a policy, or freezes.

    Python's parser takes the last one of two members with one name, so that a gate would be gone without a
    word. For each level of nesting it calls itself, which ends in a RecursionError at some depth.

    Args:
        where: what the text is and where it comes from, for the error's message.

    Raises:
        InvalidInput: the text is not JSON, has a name twice in one object, or is nested too deep.
    """
    if _depth(text) > DEEPEST:
        problem = f"it is nested deeper than {DEEPEST} levels"
        raise InvalidInput(_not_valid(where, [((), problem)]))
    try:
        value = json.loads(text, object_pairs_hook=_Object, parse_constant=_no_number)
    except ValueError as error:
        raise InvalidInput(f"{where} is not JSON: {error}") from error
    if repeated := list(_repeated(value, ())):
        problem = "this name stands there more than once"
        raise InvalidInput(_not_valid(where, [(path, problem) for path in repeated]))
    return value


def _not_valid(where: str, problems: Sequence[tuple[Path, str]]) -> str:
    """The message about wrong fields, of MESSAGE_BYTES at most unless ``where`` is long."""
    lines = [_line(path, said) for path, said in problems[:PROBLEMS]]
    more = [f"  and {len(problems) - PROBLEMS} more"] if len(problems) > PROBLEMS else []
    return "\n".join([f"{where} is not valid:", *lines, *more])


def together(problems: Sequence[str]) -> str:
    """Several messages as one, of MESSAGE_BYTES at most unless the first one is longer.

    Those that have no room are counted.
    """
    shown: list[str] = []
    room = MESSAGE_BYTES - len(f"\nand {len(problems)} more")
    for problem in problems[:PROBLEMS]:
        room -= len(f"{problem}\n".encode())
        if room < 0 and shown:
            break
        shown.append(problem)
    more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
    return "\n".join([*shown, *more])


def _line(path: Path, said: str) -> str:
    shown = ".".join(truncate(one_line(str(part)), NAME_LENGTH) for part in path)
    where = truncate_bytes(shown, PATH_BYTES) if path else "as a whole"
    return f"  {where}: {truncate_bytes(one_line(said), PROBLEM_BYTES)}"


class _Object(dict[str, Any]):
    """An object of JSON, and the names that it has more than once."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        counts = Counter(name for name, _ in members)
        self.repeated = [name for name, count in counts.items() if count > 1]


def _repeated(value: Any, path: Path) -> Iterator[Path]:
    """The paths of the names that stand in one object more than once."""
    if isinstance(value, _Object):
        yield from ((*path, name) for name in value.repeated)
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, member in members:
            yield from _repeated(member, (*path, name))


def _depth(text: str) -> int:
    """How deep the text would be nested as JSON."""
    depth = deepest = 0
    for found in _NESTING.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
