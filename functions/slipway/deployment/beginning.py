"""What a deployment begins with: who starts it, and what BeginDeployment decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, Field

from slipway.ecs.service import Service
from slipway.errors import InvalidInput, Superseded
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.ledger.ledger import Busy, Ledger, refuse_older
from slipway.ledger.records import ClaimId, End, ServiceRecord, deployment_id
from slipway.model import Model
from slipway.release.plan import ServiceName
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient

BUSY_SECONDS = 2
"""Between two checks whether another deployment has ended its change, which takes half a minute at most."""


class Start(Model):
    """The input of BeginDeployment."""

    start: dict[str, Any]
    """The input of the deployment state machine: a Deployment, a ManualRollback or a Recovery."""
    execution: str
    """ARN."""
    started_at: AwareDatetime

    def claim_id(self, service: str) -> ClaimId:
        """The claim that the steps of this execution work under."""
        own = deployment_id(self.started_at, self.execution)
        return ClaimId(service=service, deployment=own, execution=self.execution)


class ManualRollback(Model):
    """A person's input of the deployment state machine: put back what was good before."""

    action: Literal["rollback"]
    service: ServiceName
    to: str | None = Field(default=None, min_length=1)
    """A digest, a tag or a task definition; by default the last good one before what runs now."""
    by: str | None = Field(default=None, min_length=1, max_length=256)


class Recovery(Model):
    """Recover's input of the deployment state machine: end what a dead execution has begun."""

    action: Literal["recover"]
    deployment: str
    """The deployment's id in the ledger."""
    execution: str
    """ARN of the dead execution."""
    started_at: AwareDatetime
    why: str
    """How the execution ended."""
    start: dict[str, Any]
    """The input of the deployment's first execution."""
    attempt: int
    """The first recovery of a deployment is 1."""


class Decision(StrEnum):
    """What comes next."""

    GO = "GO"  # on with it
    ROLL_BACK = "ROLL_BACK"  # straight to RollBack: a dead execution has changed the service
    WAIT = "WAIT"  # and begin again
    END = "END"  # with an outcome


class Beginning(Model):
    """What was decided, and what the deployment starts from."""

    decision: Decision
    claim: ClaimId
    deployment: Deployment
    outcome: Outcome | None = None
    """Of END."""
    reason: str = ""
    cause: Cause | None = None
    """The same as data; None where nothing stands against it."""
    alarms_fired: tuple[str, ...] = ()
    """The alarms that keep it from beginning."""
    evidence: tuple[str, ...] = ()
    wait_seconds: int = 0
    began_at: datetime
    manual_rollback: bool = False
    updated: bool = False
    """Whether ``task_definition`` is known to have been put on the service."""
    rollback_target: str | None = None
    """ARN of the task definition to go back to; None where it has to be registered first."""
    rollback_target_images: Mapping[str, str] = {}
    """What it runs, by container."""
    replaced: str | None = None
    """ARN of what the service runs now: where ECS's circuit breaker goes back to, good or not."""
    image: Image | None = None
    """Of a manual rollback to an image that no known task definition has."""
    task_definition: str | None = None
    """ARN of the task definition to go back from, where that is known already."""
    unproven: tuple[str, ...] = ()
    """ARNs of what others may have put on the service with nobody having seen to it: if this one fails
    before it comes to change anything, that must not stay."""
    alarms_firing: tuple[str, ...] = ()
    """Alarms of the policy that are in ALARM now: they can't fail this deployment until they fire anew."""
    gates: tuple[str, ...] = ()
    """What it passed on its way to GO, one sentence each."""


@dataclass(frozen=True)
class World:
    """What BeginDeployment reads."""

    ledger: Ledger
    ecs: ECSClient
    ecr: ECRClient
    cloudwatch: CloudWatchClient
    ssm: SSMClient


@dataclass(frozen=True)
class Case:
    """One deployment that wants to begin, at one moment."""

    claim: ClaimId
    deployment: Deployment
    started_at: datetime
    now: datetime

    @property
    def service(self) -> str:
        """``cluster/service``."""
        return self.deployment.service

    def end(self, outcome: Outcome, cause: Cause | None, reason: str, **what: Any) -> Beginning:
        """It ends here."""
        return self._decide(Decision.END, outcome=outcome, cause=cause, reason=reason, **what)

    def end_again(self, end: End) -> Beginning:
        """It has ended like this before."""
        return self._decide(Decision.END, **dict(end))

    def wait(self, reason: str, seconds: int) -> Beginning:
        """It has to begin again in a moment."""
        return self._decide(Decision.WAIT, reason=reason, wait_seconds=seconds)

    def wait_patiently(self, cause: Cause, reason: str) -> Beginning:
        """It has to wait, but not longer than it may take to become healthy: then it is FAILED."""
        policy = self.deployment.policy
        if self.now >= self.started_at + timedelta(seconds=policy.timeout_seconds):
            patience = f"it could not begin within {policy.timeout_seconds} seconds"
            return self.end(Outcome.FAILED, cause, f"{patience}: {reason}")
        return self.wait(reason, policy.poll_seconds)

    def go(self, **what: Any) -> Beginning:
        """It goes on."""
        return self._decide(Decision.GO, **what)

    def roll_back(self, **what: Any) -> Beginning:
        """It goes back."""
        return self._decide(Decision.ROLL_BACK, **what)

    def refused_as_older(self, record: ServiceRecord) -> Beginning | None:
        """Its end, where a newer release was accepted on the service."""
        try:
            refuse_older(record, self.deployment)
        except Superseded as newer:
            return self.end(Outcome.SUPERSEDED, Cause.NEWER_RELEASE, str(newer))
        return None

    def claim_service(self, ledger: Ledger, baseline: str) -> Beginning | None:
        """Claim the service; what is decided where that can't be."""
        try:
            ledger.claim(self.claim, self.deployment, baseline, self.now)
        except Superseded as newer:
            return self.end(Outcome.SUPERSEDED, Cause.NEWER_RELEASE, str(newer))
        except Busy as busy:
            return self.wait(str(busy), BUSY_SECONDS)
        return None

    def _decide(self, decision: Decision, **what: Any) -> Beginning:
        return Beginning(
            decision=decision,
            claim=self.claim,
            deployment=self.deployment,
            began_at=self.now,
            **what,
        )


def refuse_other_kinds(service: str, found: Service) -> None:
    """Refuse a service that Slipway does not know how to judge.

    Slipway's verdict is made of what can be observed of a rolling update. The others keep two sets of
    tasks, or leave the deployment to another AWS service: by these rules they would be healthy too early.

    Raises:
        InvalidInput: names the kind.
    """
    controller = found.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise InvalidInput(
            f"service {service} is deployed by {controller}; Slipway needs controller ECS"
        )
    strategy = found.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if strategy != "ROLLING":
        raise InvalidInput(
            f"service {service} has strategy {strategy}; Slipway knows ROLLING only so far"
        )
    if any(balancer.get("loadBalancerName") for balancer in found.get("loadBalancers", [])):
        raise InvalidInput(
            f"service {service} uses a Classic Load Balancer; Slipway needs a target group"
        )
