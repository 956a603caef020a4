"""SSM's PutParameter refuses what is too long for its tier, and names that are none.

moto takes values and names of any length, and keeps whatever tier it is given. Here a value that is too
long for a standard parameter needs the advanced tier, which Intelligent-Tiering takes by itself, and from
which no parameter comes back.

Not simulated: how many parameters an account may have.
"""

from __future__ import annotations

import re
from typing import Any

from moto.ssm.exceptions import SSMException, ValidationException
from moto.ssm.models import Parameter, SimpleSystemManagerBackend

_LONGEST_NAME = 1011  # the ARN counts
_LEVELS = 15
_STANDARD, _ADVANCED = 4096, 8192
_GUIDE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"

_put: Any = SimpleSystemManagerBackend.put_parameter


def install() -> None:
    """Replace moto's method."""
    SimpleSystemManagerBackend.put_parameter = _put_checked  # type: ignore[method-assign]


def _put_checked(
    self: SimpleSystemManagerBackend,
    name: str,
    description: Any,
    value: str,
    *args: Any,
    **more: Any,
) -> Parameter:
    _check_name(name, f"arn:aws:ssm:{self.region_name}:{self.account_id}:parameter/")
    present = self._parameters[name][-1].tier if name in self._parameters else None
    asked = more.pop("tier", None) or present or self.default_parameter_tier
    needed = len(value) > _STANDARD or bool(more.get("policies"))
    tier = _tier(asked, present, len(value), advanced=needed)
    put: Parameter = _put(self, name, description, value, *args, tier=tier, **more)
    return put


def _check_name(name: str, arn: str) -> None:
    """Refuse a name that SSM refuses; ``arn`` is what precedes it in the ARN."""
    if not re.fullmatch(r"[a-zA-Z0-9_./-]+", name):
        raise ValidationException(
            'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path,'
            " it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a"
            " mix of letters, numbers and the following 3 symbols .-_"
        )
    if "/" in name and not name.startswith("/"):
        raise ValidationException("Parameter name must be a fully qualified name.")
    if len(arn + name) > _LONGEST_NAME:
        raise ValidationException(
            f"Parameter name: with its ARN it must not have more than {_LONGEST_NAME} characters"
        )
    if name.count("/") > _LEVELS:
        raise SSMException(
            "HierarchyLevelLimitExceededException",
            f"Hierarchy level limit exceeded: a hierarchy can have a maximum of {_LEVELS} levels",
        )


def _tier(asked: str, present: str | None, length: int, *, advanced: bool) -> str:
    """The tier of the parameter. Raises ValidationException if the value can't have it."""
    if asked == "Intelligent-Tiering":
        asked = "Advanced" if advanced or present == "Advanced" else "Standard"
    if asked == "Standard" and present == "Advanced":
        raise ValidationException(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from"
            " the advanced-parameter tier to the standard-parameter tier. If necessary, you can"
            " delete the advanced parameter and recreate it as a standard parameter. Be aware that"
            f" standard parameters have a value limit of {_STANDARD} characters."
        )
    if asked == "Standard" and length > _STANDARD:
        raise ValidationException(
            f"Standard tier parameters support a maximum parameter value of {_STANDARD} characters."
            " To create a larger parameter value, upgrade the parameter to use the"
            f" advanced-parameter tier. For more information, see {_GUIDE}"
        )
    if length > _ADVANCED:
        raise ValidationException(
            "The specified parameter value is too large. Advanced-tier parameters support a maximum"
            f" parameter value of {_ADVANCED} characters."
        )
    return asked
