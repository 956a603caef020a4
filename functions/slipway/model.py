"""The base class of the values that steps exchange as JSON, and the parser for JSON from outside."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from slipway.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)


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
    """An immutable value. An unknown field is an error, so that a misspelt name is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        within = [problem["loc"] for problem in problems]
        wrong = "\n".join(
            f"  {'.'.join(str(part) for part in problem['loc']) or 'as a whole'}: {problem['msg']}"
            for problem in problems
            # Pydantic counts only the valid members of a list, so it also reports a list with wrong
            # members as too short. Only the errors of the members help a reader.
            if problem["type"] != "too_short"
            or not any(
                loc != problem["loc"] and loc[: len(problem["loc"])] == problem["loc"]
                for loc in within
            )
        )
        raise InvalidInput(f"{where} is not valid:\n{wrong}") from error
