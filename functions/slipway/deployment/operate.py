"""What a person may change while the pipeline runs: freezes, quarantines, claims; and a sweep at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, RootModel

from slipway.aws import calling
from slipway.errors import InvalidInput
from slipway.ledger.ledger import Ledger
from slipway.ledger.operations import Operations
from slipway.ledger.records import Audit, Freeze, Quarantined
from slipway.model import Model, parse_written
from slipway.reasons import Written
from slipway.release.freeze import Time
from slipway.release.plan import ServiceName

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Action(Model):
    by: Written
    """Who wants it."""
    why: Written

    @property
    def about(self) -> dict[str, Any]:
        """The fields of the audit item that not every action has."""
        return self.model_dump(include={"service", "digest", "until"})


class FreezeAction(_Action):
    """Freeze a service, or the whole pipeline."""

    action: Literal["freeze"]
    service: ServiceName | None = None
    until: Time | None = None


class UnfreezeAction(_Action):
    """Remove a freeze that this function has set."""

    action: Literal["unfreeze"]
    service: ServiceName | None = None


class QuarantineAction(_Action):
    """Quarantine an image on a service."""

    action: Literal["quarantine"]
    service: ServiceName
    digest: Digest


class ReleaseAction(_Action):
    """Release an image from quarantine on a service."""

    action: Literal["release_from_quarantine"]
    service: ServiceName
    digest: Digest


class FreeAction(_Action):
    """Free a service of the deployment that has claimed it."""

    action: Literal["free"]
    service: ServiceName


class SweepAction(_Action):
    """Sweep now."""

    action: Literal["sweep"]


class RunningAction(Model):
    """Tell which deployments are under way. It changes nothing, so it need not say who and why."""

    action: Literal["running"]
    by: Written | None = None
    why: Written | None = None


class Action(RootModel[Any]):
    """One typed action."""

    root: Annotated[
        FreezeAction
        | UnfreezeAction
        | QuarantineAction
        | ReleaseAction
        | FreeAction
        | SweepAction
        | RunningAction,
        Field(discriminator="action"),
    ]


@dataclass(frozen=True)
class Operator:
    """Carries out a person's actions."""

    operations: Operations
    ledger: Ledger
    functions: LambdaClient
    sweep: str
    """Name or ARN of the function Sweep."""
    history: timedelta
    """How long audit items are kept."""

    def operate(self, given: Any, invocation: str, now: datetime) -> dict[str, Any]:
        """Carry out one action.

        Args:
            given: the input, any JSON.
            invocation: the id of the invocation, for the audit item.

        Returns:
            ``{"done": ...}``, a sentence; of ``running`` also ``deployments``.

        Raises:
            InvalidInput: the input is not valid, or there is nothing to change.
            AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
        """
        action = parse_written(Action, given, "the input of Operate").root
        if isinstance(action, RunningAction):
            return self._running()
        audit = Audit(
            id=invocation,
            at=now,
            action=action.action,
            by=action.by,
            why=action.why,
            expires_at=int((now + self.history).timestamp()),
            **{"service": None, **action.about},
        )
        return {"done": self._do(action, audit, now)}

    def _do(self, action: Any, audit: Audit, now: datetime) -> str:
        operations = self.operations
        match action:
            case FreezeAction(service=service, until=until):
                if until and until <= now:
                    raise InvalidInput(f"the freeze would have ended at {until.isoformat()}")
                freeze = Freeze(at=now, until=until, by=action.by, why=action.why)
                operations.freeze(service, freeze, audit)
                end = f"until {until.isoformat()}" if until else "until a person unfreezes it"
                return f"{_named(service)} is frozen {end}"
            case UnfreezeAction(service=service):
                operations.unfreeze(service, audit)
                return f"the freeze of {_named(service)} that Operate had set is gone"
            case QuarantineAction(service=service, digest=digest):
                why = Quarantined(at=now, reason=f"{action.by}: {action.why}")
                operations.quarantine(service, digest, why, audit)
                return f"image {digest} is quarantined on service {service}"
            case ReleaseAction(service=service, digest=digest):
                operations.release_from_quarantine(service, digest, audit)
                return f"image {digest} is not quarantined on service {service} any more"
            case FreeAction(service=service):
                deployment = operations.free(service, audit)
                return f"service {service} is free of deployment {deployment}"
            case _:
                operations.note(audit)
                with calling("lambda:InvokeFunction", f"function {self.sweep}"):
                    self.functions.invoke(FunctionName=self.sweep, InvocationType="Event")
                return "a sweep begins; its log says what it finds"

    def _running(self) -> dict[str, Any]:
        claimed, problems = self.ledger.claimed()
        deployments = [
            {
                "service": record.service,
                "deployment": record.claim.deployment,
                "claimant": str(record.last_claimed),
                "execution": record.claim.execution,
            }
            for record in claimed
            if record.claim
        ]
        count = len(deployments)
        are = {0: "no deployment is", 1: "1 deployment is"}.get(count, f"{count} deployments are")
        return {"done": f"{are} under way", "deployments": deployments, "problems": problems}


def _named(service: str | None) -> str:
    return f"service {service}" if service else "the whole pipeline"
