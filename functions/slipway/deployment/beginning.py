"""The input of BeginDeployment, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime

from slipway.ecs.service import Service, Update, primary_deployment
from slipway.ecs.service_revision import newest_revision
from slipway.errors import InvalidInput, Superseded
from slipway.health.cause import Cause, cause_of
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.ledger.ledger import Busy, Ledger, refuse_older
from slipway.ledger.records import ClaimId, End, ServiceRecord
from slipway.model import Model
from slipway.reasons import Evidence, Reason
from slipway.release.named import NamedRelease
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

BUSY_SECONDS = 2
"""Pause before trying again while another deployment changes the service, at most half a minute long."""


LONGEST_TURN_SECONDS = 172_800
"""How long a release waits for its turn: the longest bake and four of the longest timeouts."""
LONGEST_PAUSE_SECONDS = 1800
"""The longest pause before a release asks again whether it is its turn. After retries, the state machine
waits up to three times as long."""

UNCHECKED = (
    "whose targets Slipway can't check; it deploys only to services with target groups of a load balancer, "
    "or without any"
)


class Start(Model):
    """The input of BeginDeployment."""

    start: Any
    """The input of the deployment state machine; see `slipway.release.named`."""
    execution: str
    """ARN of the execution."""
    started_at: AwareDatetime
    patient_since: AwareDatetime | None = None
    """As in the last Beginning of this execution."""


class Decision(StrEnum):
    """How the execution goes on."""

    GO = "GO"  # the deployment begins
    ROLL_BACK = "ROLL_BACK"  # straight to RollBack: a dead execution may have changed the service
    WAIT = "WAIT"  # BeginDeployment runs again after wait_seconds
    END = "END"  # the deployment ends with an outcome, and changes nothing


class Beginning(Model):
    """The answer of BeginDeployment: the decision, and what the deployment starts from."""

    decision: Decision
    claim: ClaimId
    deployment: Deployment
    part: NamedRelease | None = None
    """The part of a release that the deployment carries out; None for a manual rollback."""
    outcome: Outcome | None = None
    """The outcome, if the decision is END; otherwise None."""
    reason: Reason = ""
    cause: Cause | None = None
    """The reason as data; None if nothing prevents the deployment."""
    alarms_fired: tuple[str, ...] = ()
    """Names of the firing alarms that block the deployment."""
    evidence: Evidence = ()
    wait_seconds: int = 0
    patient_since: datetime | None = None
    """Since when it waits for alarms that can't be read; None if it does not."""
    began_at: datetime
    manual_rollback: bool = False
    updated: bool = False
    """Whether ``task_definition`` is known to have been put on the service."""
    update: Update | None = None
    """The update of the service that a dead execution has done; None if none is known."""
    rollback_target: str | None = None
    """ARN of the task definition to go back to; None if it has to be registered first."""
    rollback_target_tag: str | None = None
    """The tag of the image that was released with it."""
    rollback_target_images: Mapping[str, str] = {}
    """The images of the rollback target, by container."""
    replaced: str | None = None
    """ARN of the task definition that ECS's circuit breaker goes back to, whether it is good or not."""
    image: Image | None = None
    """The target of a manual rollback to an image that no known task definition has."""
    task_definition: str | None = None
    """ARN of the task definition to go back from, if it exists already."""
    unproven: tuple[str, ...] = ()
    """ARNs of the unproven task definitions that earlier deployments may have left on the service, because
    this one took over from them or a person freed the service. If this one fails before it changes anything,
    it must still put the rollback target in their place."""
    left: tuple[str, ...] = ()
    """ARNs of what deployments may have left on the service that ended without proving it good. They may
    stay, but no new version is built on them if there is a good one."""
    alarms_firing: tuple[str, ...] = ()
    """Names of the policy's alarms that are in ALARM now. They can't fail this deployment until they have
    left that state and fire again."""
    gates: tuple[str, ...] = ()
    """The gates that it passed, a sentence for each."""


@dataclass(frozen=True)
class World:
    """The ledger, and the clients of the AWS services that the beginning of a deployment reads."""

    ledger: Ledger
    ecs: ECSClient
    ecr: ECRClient
    cloudwatch: CloudWatchClient
    ssm: SSMClient
    stepfunctions: SFNClient


@dataclass(frozen=True)
class Case:
    """A deployment that is to begin, at the time ``now``; it makes the Beginnings of this deployment."""

    claim: ClaimId
    deployment: Deployment
    started_at: datetime
    now: datetime
    patient_since: datetime | None = None

    @property
    def service(self) -> str:
        """The service's name, ``cluster/service``."""
        return self.deployment.service

    def end(self, outcome: Outcome, cause: Cause | None, reason: str, **what: Any) -> Beginning:
        """END with this outcome; ``what`` sets further fields of the Beginning."""
        return self._decide(Decision.END, outcome=outcome, cause=cause, reason=reason, **what)

    def end_again(self, end: End) -> Beginning:
        """END with what an earlier try has recorded."""
        return self._decide(Decision.END, **dict(end))

    def superseded(self, error: Superseded) -> Beginning:
        """END as SUPERSEDED, by whatever has taken the service."""
        return self.end(Outcome.SUPERSEDED, cause_of(error), str(error))

    def wait(self, reason: str, seconds: int, **what: Any) -> Beginning:
        """WAIT for this many seconds before BeginDeployment runs again; ``what`` as for `end`."""
        return self._decide(Decision.WAIT, reason=reason, wait_seconds=seconds, **what)

    def wait_patiently(self, cause: Cause, reason: str) -> Beginning:
        """WAIT for the policy's ``poll_seconds``, or END as FAILED once its ``timeout_seconds`` are over."""
        policy = self.deployment.policy
        since = self.patient_since or self.now
        late = self._too_late(since, policy.timeout_seconds, cause, reason)
        return late or self.wait(reason, policy.poll_seconds, patient_since=since)

    def wait_for_turn(self, reason: str, record: ServiceRecord, ledger: Ledger) -> Beginning:
        """WAIT for another deployment, or END: as FAILED if that takes too long, or as SUPERSEDED.

        A pause is a tenth of the time waited so far, from ``poll_seconds`` to LONGEST_PAUSE_SECONDS. So an
        execution's history has room for two days of waiting, and the release begins little later than it
        could.

        Raises:
            AwsUnavailable, AwsRefused, Unreadable: from the ledger.
        """
        if late := self._too_late(self.started_at, LONGEST_TURN_SECONDS, Cause.TIMEOUT, reason):
            return late
        waited = (self.now - self.started_at).total_seconds()
        least = self.deployment.policy.poll_seconds
        seconds = int(min(LONGEST_PAUSE_SECONDS, max(least, waited / 10)))
        try:
            ledger.wait(self.claim, self.deployment, record, self.now, seconds)
        except Superseded as newer:
            return self.superseded(newer)
        return self.wait(reason, seconds)

    def _too_late(self, since: datetime, limit: int, cause: Cause, reason: str) -> Beginning | None:
        if self.now < since + timedelta(seconds=limit):
            return None
        said = f"it could not begin within {limit} seconds: {reason}"
        return self.end(Outcome.FAILED, cause, said)

    def go(self, **what: Any) -> Beginning:
        """GO; ``what`` sets further fields of the Beginning."""
        return self._decide(Decision.GO, **what)

    def roll_back(self, **what: Any) -> Beginning:
        """ROLL_BACK; ``what`` sets further fields of the Beginning."""
        return self._decide(Decision.ROLL_BACK, **what)

    def refused_as_older(self, record: ServiceRecord) -> Beginning | None:
        """END as SUPERSEDED if the service has accepted a newer release; otherwise None."""
        try:
            refuse_older(record, self.deployment, self.now)
        except Superseded as other:
            return self.superseded(other)
        return None

    def claim_service(
        self,
        ledger: Ledger,
        baseline: str,
        *,
        recovering: bool = False,
        version: str | None = None,
        waited: bool = False,
    ) -> Beginning | None:
        """Claim the service, and return None; if that is refused, return END or WAIT instead.

        Args:
            baseline: ARN of what the service ran before anything that is unproven now.
            recovering: whether to take the claim over from the deployment's own dead execution only.
            version: the version that a manual rollback goes back to; None if it is not known.
            waited: whether the lane has a place among those that wait, which this claim ends.

        Raises:
            AwsUnavailable, AwsRefused, Unreadable: from the ledger.
        """
        try:
            ledger.claim(
                self.claim,
                self.deployment,
                baseline,
                self.now,
                recovering=recovering,
                version=version,
                waited=waited,
            )
        except Superseded as other:
            return self.superseded(other)
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


def refuse_other_kinds(service: str, found: Service, ecs: ECSClient) -> None:
    """Refuse a service whose deployments Slipway can't judge, or that ECS could never update.

    The verdict's rules are those of a rolling update. Other strategies keep two sets of tasks, other
    controllers leave the deployment to another AWS service, and a hook holds it up or fails it: by these
    rules such a service would count as healthy too early. The verdict does not read the targets of an Express
    service, of a gateway or of VPC Lattice.

    Args:
        found: the service as DescribeServices returned it.

    Raises:
        InvalidInput: names the kind.
        AwsUnavailable, AwsRefused: from ECS.
    """
    controller = found.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise InvalidInput(
            f"service {service} is deployed by {controller}; Slipway needs controller ECS"
        )
    configuration = found.get("deploymentConfiguration", {})
    strategy = configuration.get("strategy", "ROLLING")
    if strategy != "ROLLING":
        raise InvalidInput(
            f"service {service} has strategy {strategy}; Slipway supports only ROLLING"
        )
    if configuration.get("lifecycleHooks"):
        raise InvalidInput(
            f"service {service} has lifecycle hooks; Slipway supports none: remove lifecycleHooks from its "
            "deploymentConfiguration"
        )
    if found.get("resourceManagementType", "CUSTOMER") != "CUSTOMER":
        raise InvalidInput(
            f"service {service} is an Express service, whose load balancer ECS manages; Slipway needs a "
            "service that you manage (resourceManagementType CUSTOMER)"
        )
    if primary_deployment(found).get("vpcLatticeConfigurations"):
        raise InvalidInput(f"service {service} uses VPC Lattice, {UNCHECKED}")
    if any(balancer.get("loadBalancerName") for balancer in found.get("loadBalancers", [])):
        raise InvalidInput(
            f"service {service} uses a Classic Load Balancer; Slipway needs a target group"
        )
    _refuse_what_can_never_be_updated(service, found)
    _refuse_what_ecs_manages(service, found, ecs)


def _refuse_what_ecs_manages(service: str, found: Service, ecs: ECSClient) -> None:
    """Refuse a service whose tasks have targets that only its service revision shows.

    Without a revision nothing is known against the service, so that it is not refused.

    Raises:
        InvalidInput: names the kind.
        AwsUnavailable, AwsRefused: from ECS.
    """
    revision = newest_revision(service, found, ecs) or {}
    managed = revision.get("ecsManagedResources", {})
    resolved = revision.get("resolvedConfiguration", {})
    if revision.get("gatewayConnectors") or managed.get("gatewayConnections"):
        raise InvalidInput(f"service {service} has a gateway connector, {UNCHECKED}")
    if managed.get("ingressPaths"):
        raise InvalidInput(f"service {service} has ingress paths that ECS manages, {UNCHECKED}")
    if revision.get("vpcLatticeConfigurations") or resolved.get("vpcLatticeConfigurations"):
        raise InvalidInput(f"service {service} uses VPC Lattice, {UNCHECKED}")
    named = {balancer.get("targetGroupArn") for balancer in revision.get("loadBalancers", [])}
    for balancer in resolved.get("loadBalancers", []):
        if (group := balancer.get("targetGroupArn")) not in named:
            raise InvalidInput(
                f"service {service} serves traffic through target group {group}, which its loadBalancers "
                "do not name, so that Slipway can't check its targets"
            )


def _refuse_what_can_never_be_updated(service: str, found: Service) -> None:
    """Refuse percentages that leave ECS no way to replace a task.

    ECS itself would try for ever. It rounds the least number of tasks up and the greatest one down, so that
    with one task 50 and 150 are as bad as 100 and 100. A daemon never has a second task on an instance: ECS
    has to stop the first one.

    Raises:
        InvalidInput: names the percentages, and those that would do.
    """
    configuration, desired = found.get("deploymentConfiguration", {}), found["desiredCount"]
    daemon = found.get("schedulingStrategy") == "DAEMON"
    minimum = configuration.get("minimumHealthyPercent", 0 if daemon else 100)
    maximum = configuration.get("maximumPercent", 100 if daemon else 200)
    may_stop = minimum < 100 if daemon else -(-desired * minimum // 100) < desired
    may_start = not daemon and desired * maximum // 100 > desired
    if desired == 0 or may_stop or may_start:
        return
    none = (
        f"service {service} can never be updated: of its {desired} tasks, minimumHealthyPercent {minimum} "
        "lets ECS stop none, and "
    )
    if daemon:
        raise InvalidInput(f"{none}a daemon has no second one on an instance; lower it below 100")
    low, high = 100 * (desired - 1) // desired, -(-100 * (desired + 1) // desired)
    raise InvalidInput(
        f"{none}maximumPercent {maximum} lets it start none beside them; lower minimumHealthyPercent to "
        f"{low} or raise maximumPercent to {high}"
    )
