"""Starts recoveries: executions that finish deployments whose execution was stopped, timed out or failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from slipway.aws import calling, error_code
from slipway.deployment.asked import Asked, read_asked
from slipway.deployment.executions import Execution, read_execution
from slipway.errors import AwsRefused, AwsUnavailable, Refused, SlipwayError
from slipway.ledger.ledger import TAKEN_UP, Ledger, Unreadable
from slipway.ledger.records import ClaimId, DeploymentRecord, Recovery
from slipway.release.named import NamedRecovery, parse_named
from slipway.release.release import unique_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# A recovery can die as well, and is then recovered in turn. After this many, a person has to look: whoever
# has stopped three in a row means it.
ATTEMPTS = 3
_BEGUN = "another call has begun its recovery"
_ENDED = "it has come to its end"


class NotRecovered(SlipwayError):  # noqa: N818
    """No execution can recover the deployment, so that a person has to look."""


@dataclass(frozen=True)
class Recoverer:
    """Starts the recoveries of dead executions of the deployment state machine."""

    machine: str
    """ARN of that state machine."""
    ledger: Ledger
    stepfunctions: SFNClient

    def recover_ended(self, execution: str, redrives: int) -> str:
        """Do as `recover` does for an execution whose end Step Functions has announced.

        Args:
            redrives: how often a person had redriven the execution when it ended.

        Raises:
            AwsUnavailable: also if Step Functions does not show the end yet. The caller tries again: nobody
                else may ever ask for this execution, if it has no claim.
        """
        found = read_execution(execution, self.stepfunctions)
        if found and found.is_running and found.redrives <= redrives:
            raise AwsUnavailable(
                f"execution {execution} has ended, and Step Functions describes it as running still"
            )
        return self._recover(execution, found)

    def recover(self, execution: str, *, claimed: bool = False) -> str:
        """Start the recovery of a deployment whose execution died, if anything is left to do.

        The ledger has the newest recovery of each deployment. So a second call starts no second one, the
        attempts are counted, and an execution that somebody else has started does not stand in the way.

        Args:
            execution: ARN of an execution of the deployment state machine.
            claimed: whether the execution has a claim, so that it may have changed a service.

        Returns:
            What was done, in a sentence.

        Raises:
            NotRecovered: three recoveries have died as well, or there is no such execution.
            AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
        """
        found = read_execution(execution, self.stepfunctions)
        return self._recover(execution, found, claimed=claimed)

    def _recover(self, execution: str, found: Execution | None, *, claimed: bool = False) -> str:
        if found is None:
            raise NotRecovered(
                f"Step Functions has no execution {execution}, or forgot it (docs/operations.md)"
            )
        if found.is_running:
            return "it is running"
        if later := self._later(found.start, execution):
            claim, known, newest = later
            return _ENDED if self._has_ended(claim, known) else self._go_on(claim, newest)
        try:
            asked = read_asked(found.start, execution, found.started_at, self.ledger)
        except Refused as refused:
            if claimed:
                raise NotRecovered(
                    f"execution {execution} has claimed a service, but can't be recovered: {refused}; look "
                    "at the service, and free it (docs/operations.md)"
                ) from refused
            return f"it can't have changed anything: {refused}"
        claim = self._known(asked)
        if asked.owner not in (None, claim.deployment):
            return f"it can't have changed anything: {TAKEN_UP}"
        record = self.ledger.deployment(claim)
        if self._has_ended(claim, record):
            return _ENDED
        last = record.recovery if record else None
        if last and last.execution != execution:
            return self._go_on(claim, last)
        self._check_readable(claim, record)
        attempt = last.attempt + 1 if last else 1
        if attempt > ATTEMPTS:
            raise NotRecovered(
                f"{ATTEMPTS} executions that had to recover the deployment {claim.deployment} of service "
                f"{claim.service} have died as well, the last one is {execution}: look at the service, and "
                "free it (docs/operations.md)"
            )
        recovery = Recovery(
            attempt=attempt,
            execution=self._new_execution(claim.service),
            why=_why(found),
            start=asked.named,
        )
        return self._begin(claim, recovery, last)

    def _known(self, asked: Asked) -> ClaimId:
        """The claim of the deployment, under the id that the ledger has for it.

        The id is found by the execution's ARN. It was made of the time that Step Functions told the states,
        and AWS does not say that DescribeExecution shows the same.
        """
        claim = asked.claim
        if asked.recovery:
            return claim  # its input names it
        if asked.owner is None:
            known = self.ledger.deployment_of(claim)
        else:
            known = asked.owner if asked.carried_out_in == claim.execution else None
        return claim.model_copy(update={"deployment": known}) if known else claim

    def _check_readable(self, claim: ClaimId, record: DeploymentRecord | None) -> None:
        """Raise Unreadable if the deployment has claimed its service, and the service's item can't be read.

        A recovery could do nothing then, and would count as one of the attempts.
        """
        if record and record.steps:
            self.ledger.service(claim.service)

    def _later(
        self, start: Any, execution: str
    ) -> tuple[ClaimId, DeploymentRecord, Recovery] | None:
        """The newest recovery of a deployment, if the execution was to carry out an earlier one of it.

        An earlier call may have noted the newest one, and died before it was started.
        """
        try:
            named = parse_named(start)
        except Refused:
            return None
        if not isinstance(named, NamedRecovery):
            return None
        claim = ClaimId(service=named.service, deployment=named.recover, execution=execution)
        record = self.ledger.deployment(claim)
        if record is None or record.recovery is None or record.recovery.execution == execution:
            return None
        return claim, record, record.recovery

    def _begin(self, claim: ClaimId, recovery: Recovery, last: Recovery | None) -> str:
        if not self.ledger.note_recovery(claim, recovery, last):
            return _BEGUN
        return self._start(claim, recovery)

    def _go_on(self, claim: ClaimId, recovery: Recovery, *, exists: bool = False) -> str:
        """Go on with a recovery that is in the ledger: it may not have been started, or have died.

        Args:
            exists: whether its execution is known to exist, even if Step Functions does not show it yet.
        """
        found = read_execution(recovery.execution, self.stepfunctions)
        if found is None and exists:
            raise AwsUnavailable(f"execution {recovery.execution} is not there yet")
        if found is None:
            return self._start(claim, recovery)
        if found.start == _input(claim):
            return self._recover(recovery.execution, found)
        renamed = recovery.model_copy(update={"execution": self._new_execution(claim.service)})
        return self._begin(claim, renamed, recovery)  # somebody else has taken the name

    def _start(self, claim: ClaimId, recovery: Recovery) -> str:
        name = recovery.execution.rpartition(":")[2]
        try:
            with calling("states:StartExecution", f"state machine {self.machine}"):
                self.stepfunctions.start_execution(
                    stateMachineArn=self.machine, name=name, input=json.dumps(_input(claim))
                )
        except AwsRefused as refused:
            if error_code(refused.__cause__) != "ExecutionAlreadyExists":
                raise
            return self._go_on(claim, recovery, exists=True)
        return f"execution {name} recovers it"

    def _new_execution(self, service: str) -> str:
        """The ARN of an execution whose name nobody can foresee."""
        name = unique_name(f"recover-{service}", uuid4().hex)
        return f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"

    def _has_ended(self, claim: ClaimId, record: DeploymentRecord | None) -> bool:
        """Whether the outcome is recorded and (unless it is quiet) notified, and the service is free of
        it."""
        if record is None or record.outcome is None:
            return False
        if not record.outcome.facts.quiet and "end" not in record.notified:
            return False
        try:
            current = self.ledger.service(claim.service).claim
        except Unreadable:
            if record.steps:
                raise
            return True  # it never claimed the service
        return current is None or current.deployment != claim.deployment


def _input(claim: ClaimId) -> dict[str, str]:
    return NamedRecovery(recover=claim.deployment, service=claim.service).to_json()


def _why(execution: Execution) -> str:
    """How the execution ended, in words for people."""
    how = {
        "ABORTED": "its execution was stopped",
        "TIMED_OUT": "its execution ran out of time",
        "FAILED": "its execution failed",
        "SUCCEEDED": "its execution ended without freeing the service",
    }[execution.status]
    said = ": ".join(filter(None, (execution.error, execution.cause)))
    return f"{how} ({said})" if said else how
