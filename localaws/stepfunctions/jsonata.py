"""JSONata for the interpreter of state machines, where moto has a stub.

jsonata-python evaluates the language. This module adds the rules of AWS Step Functions: variables are
bound as values, so that no value can break an expression; the functions $partition, $range, $hash,
$random, $uuid and $parse exist, and $eval does not; and an expression that fails, has no result or a
result that is not JSON fails the state with States.QueryEvaluationError.

jsonata-python uses None for undefined as well as for null. So bound values contain its own null object
instead of None, and None always means undefined.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import random
import uuid
from collections.abc import Iterable, Mapping
from copy import copy
from functools import lru_cache
from typing import Any

import jsonata as language
from jsonata.functions import Functions
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringJSONata,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

_NULL = Utils.NULL_VALUE
_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class JSONataError(Exception):
    """An expression that has no JSON value. The message says why."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate an expression. The names of variables have no leading $.

    Raises JSONataError if the evaluation fails or the result is not JSON.
    """
    try:
        program = copy(_parsed(expression))
    except Exception as error:
        raise JSONataError(f"The JSONata expression '{expression}' is invalid: {error}") from error
    # The library keeps the scope in the expression, so each evaluation has a copy; and it reads the
    # time of $now() from the thread's current expression. The shared syntax tree is only read.
    program.environment = language.Jsonata.Frame(language.Jsonata.static_frame)
    language.Jsonata.CURRENT.jsonata = program
    program.set_output_convert_nulls(False)
    bindings = {
        name: _bound(value) for name, value in variables.items() if f"${name}" in expression
    }
    try:
        result = program.evaluate(None, {**_FUNCTIONS, **bindings})
    except Exception as error:
        raise JSONataError(f"The JSONata expression '{expression}' failed: {error}") from error
    if result is None:
        raise JSONataError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    try:
        return _json(result)
    except TypeError as error:
        raise JSONataError(
            f"The JSONata expression '{expression}' returned an unsupported result type."
        ) from error


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Any:
    return language.Jsonata(expression)


def _bound(value: Any) -> Any:
    if value is None:
        return _NULL
    if isinstance(value, dict):
        return {key: _bound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bound(item) for item in value]
    if isinstance(value, datetime.datetime):
        return iso(value)
    return value


def _json(value: Any) -> Any:
    if value is None or value is _NULL:
        return None
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(value)
        # JSONata has a single type of number: $number('5') is 5, not 5.0.
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, (bool, int, str)):
        return value
    raise TypeError(value)


def iso(moment: datetime.datetime) -> str:
    """A time in the format of the context object and of AWS events: 2026-11-22T10:00:00.123Z."""
    utc = moment.astimezone(datetime.UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- the functions that Step Functions adds ---------------------------------------------------


def _partition(array: list[Any], size: float) -> list[list[Any]]:
    if size < 1:
        raise ValueError("$partition: the chunk size must be positive")
    step = math.floor(size)
    items = list(array)
    return [items[start : start + step] for start in range(0, len(items), step)]


def _range(first: float, last: float, step: float) -> list[float]:
    if step == 0:
        raise ValueError("$range: the step must not be 0")
    count = math.floor((last - first) / step) + 1
    return [first + index * step for index in range(max(count, 0))]


def _hash(data: str, algorithm: str) -> str:
    if not isinstance(data, str):
        raise TypeError("$hash: the data must be a string")
    if algorithm not in _HASHES:
        raise ValueError(f"$hash: the algorithm must be one of {', '.join(_HASHES)}")
    return hashlib.new(_HASHES[algorithm], data.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return random.random() if seed is None else random.Random(seed).random()


def _uuid() -> str:
    return str(uuid.uuid4())


def _parse(text: str | None) -> Any:
    return None if text is None else _bound(json.loads(text))


def _no_eval(*_: Any) -> Any:
    raise ValueError("Step Functions does not support $eval; use $parse")


_FUNCTIONS = {
    name: language.Jsonata.JLambda(function)
    for name, function in {
        "partition": _partition,
        "range": _range,
        "hash": _hash,
        "random": _random,
        "uuid": _uuid,
        "parse": _parse,
        "eval": _no_eval,
    }.items()
}


def _to_string(value: Any, prettify: bool) -> str:
    """$string of anything but a string. jsonata-python's escapes all characters beyond ASCII."""
    if callable(getattr(value, "call", None)) or getattr(value, "_jsonata_lambda", False):
        return ""
    form: dict[str, Any] = {"indent": "  "} if prettify else {"separators": (",", ":")}
    return json.dumps(value, cls=Functions.Encoder, ensure_ascii=False, **form)


# --- the interpreter ---------------------------------------------------------------------------------


def query_evaluation_error(env: Environment, cause: str) -> FailureEventException:
    """The error of a state whose JSONata fails, or whose result its field can't take."""
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(
        error=name.error_name, cause=cause, state=env.next_state_name or ""
    )
    failure = FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),  # type: ignore[typeddict-item]
    )
    return FailureEventException(failure_event=failure)


def _eval_body(self: StringJSONata | StringVariableSample, env: Environment) -> None:
    variables = dict(_scope(env), states=env.states._states_data)
    try:
        env.stack.append(evaluate(self.expression, variables))
    except JSONataError as error:
        raise query_evaluation_error(env, str(error)) from error


def _scope(env: Environment) -> Iterable[tuple[str, Any]]:
    store = env.variable_store
    return {**store._outer_scope, **store._inner_scope}.items()


def install() -> None:
    """Make moto's interpreter evaluate JSONata."""
    Functions._string = staticmethod(_to_string)
    for hooked in (StringJSONata, StringVariableSample):
        hooked._eval_body = _eval_body  # type: ignore[method-assign]
