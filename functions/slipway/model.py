"""The base of every typed value that crosses a step's border, and how one is read from JSON."""

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
"""What a person started a machine with may be anything: it is still ended, and people are notified."""


class Model(BaseModel):
    """An immutable value; a field that it does not know is an error, not a silent nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as Step Functions carries it."""
        return self.model_dump(mode="json")


def parse(model: type[M], value: Any, where: str) -> M:
    """Read ``value`` as ``model``.

    Raises:
        InvalidInput: names ``where`` and every wrong field with its path, one a line.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        within = [problem["loc"] for problem in problems]
        wrong = "\n".join(
            f"  {'.'.join(str(part) for part in problem['loc']) or 'as a whole'}: {problem['msg']}"
            for problem in problems
            # A list is called too short when what it holds is wrong: pydantic counts the right ones.
            if problem["type"] != "too_short"
            or not any(
                loc != problem["loc"] and loc[: len(problem["loc"])] == problem["loc"]
                for loc in within
            )
        )
        raise InvalidInput(f"{where} is not valid:\n{wrong}") from error
