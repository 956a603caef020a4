"""The inputs of the deployment state machine. Each one only names what the ledger holds.

Image, policy, task definition, times and texts never come from such an input. So whoever can start the state
machine can only make it do what a push, a manual start, a manual rollback or a death has recorded.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from slipway.errors import Refused
from slipway.model import Model
from slipway.release.plan import ServiceName

# A key in the ledger, as resolve makes ids. A longer one would be refused by DynamoDB.
_ID = Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")


class NamedRelease(Model):
    """A service in a stage of a release, which ResolveRelease has recorded."""

    release: str = _ID
    """The release's id."""
    stage: str
    service: ServiceName


class NamedRollback(Model):
    """A manual rollback, which ResolveRollback has recorded."""

    rollback: str = _ID
    """The rollback's id."""


class NamedRecovery(Model):
    """A recovery of a deployment, which Recover has recorded."""

    recover: str = _ID
    """The deployment's id."""
    service: ServiceName


Named = NamedRelease | NamedRollback | NamedRecovery
_NAMED: TypeAdapter[Named] = TypeAdapter(Named, config=ConfigDict(strict=True))


def parse_named(start: Any) -> Named:
    """Read the input of an execution of the deployment state machine.

    Raises:
        Refused: the input has another form. The message does not repeat it, because people read the message.
    """
    try:
        return _NAMED.validate_python(start, extra="forbid")
    except ValidationError as error:
        raise Refused(
            "only Slipway starts the deployment state machine, and not with this input; to deploy or "
            "to roll back manually, start the release or the rollback state machine"
        ) from error
