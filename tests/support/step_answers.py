"""Answers of the functions, made with the same models as those of the real functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.deployment.beginning import Beginning, Decision, ManualRollback, Recovery, Start
from slipway.deployment.finish import Ending, Finished
from slipway.ecs.rollback import RollBack, RollBackAction
from slipway.ecs.service import Update
from slipway.ecs.task_definition import Registration
from slipway.errors import InvalidInput, reason_of
from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed
from slipway.health.verdict import CheckResult, Verdict
from slipway.ledger.records import ClaimId
from slipway.model import parse
from slipway.notices.news import News
from slipway.release.release import (
    Deployment,
    NamedDeployment,
    ReleaseStage,
    Resolution,
    execution_name,
)
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OURS,
    SERVICE,
    URI,
    at,
    execution,
)
from tests.support.builders import claim as a_claim
from tests.support.builders import deployment as a_deployment
from tests.support.builders import release as a_release

BACK = "ecs-svc/4"
"""The id of the ECS service deployment of the rollback target."""

FAILED = Failed(task_definition=NEW, task="0" * 32, container="app")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Failure:
    """The function runs and raises an error of this class with this message."""

    error: str
    message: str = "no answer from ecs:DescribeServices"

    @property
    def body(self) -> dict[str, Any]:
        """Lambda's answer for the error, which Step Functions gives as the Cause."""
        return {
            "errorMessage": self.message,
            "errorType": self.error,
            "requestId": "0a1b2c3d-0000-4000-8000-000000000000",
            "stackTrace": ['  File "/var/task/slipway/aws.py", line 108, in calling\n'],
        }


@dataclass(frozen=True)
class Rejection:
    """Lambda does not run the function; Invoke fails with this code and message."""

    code: str
    message: str = "Rate exceeded"


def deployment(**changes: Any) -> dict[str, Any]:
    """The input of the deployment state machine for a deployment."""
    return a_deployment(**changes).to_json()


def rollback(**changes: Any) -> dict[str, Any]:
    """The input of the deployment state machine for a manual rollback."""
    return {"action": "rollback", "service": SERVICE} | changes


def recovery(**changes: Any) -> dict[str, Any]:
    """The input of the deployment state machine for a recovery."""
    defaults = {
        "action": "recover",
        "deployment": a_claim("dead").deployment,
        "execution": execution("dead"),
        "started_at": NOW,
        "why": "its execution was stopped (enough)",
        "start": deployment(),
        "attempt": 1,
    }
    return Recovery(**defaults | changes).to_json()


def _asked(start: Start) -> tuple[ClaimId, Deployment]:
    """The claim and the deployment that BeginDeployment makes of each of the three kinds of input."""
    given = start.start
    if given.get("action") == "rollback":
        wanted = parse(ManualRollback, given, "the manual rollback")
        release = a_release(started_by="manual rollback", by=wanted.by)
        asked = a_deployment(release=release, stage=None, service=wanted.service)
        return start.claim_id(asked.service), asked
    if given.get("action") == "recover":
        dead = parse(Recovery, given, "the input of the recovery")
        asked = parse(Deployment, dead.start, "the input of the execution to recover")
        claim = start.claim_id(asked.service).model_copy(update={"deployment": dead.deployment})
        return claim, asked
    asked = parse(Deployment, given, "the input of the deployment state machine")
    return start.claim_id(asked.service), asked


def deciding(decision: Decision, **what: Any) -> Callable[[Any], dict[str, Any] | Failure]:
    """An answer of BeginDeployment with this decision, for any input."""

    def decide(event: Any) -> dict[str, Any] | Failure:
        try:
            claim, asked = _asked(parse(Start, event, "the input of BeginDeployment"))
        except InvalidInput as error:
            return Failure("InvalidInput", str(error))
        decided = {"decision": decision, "claim": claim, "deployment": asked, "began_at": NOW}
        return Beginning(**decided | what).to_json()

    return decide


BEFORE = {
    "rollback_target": OLD,
    "rollback_target_images": {"api": f"{URI}@{OLD_DIGEST}"},
    "gates": ("no freeze is in force",),
}
go = deciding(Decision.GO, **BEFORE)
manual_rollback = deciding(
    Decision.GO,
    **BEFORE,
    manual_rollback=True,
    cause=Cause.PERSON,
    updated=True,
    task_definition=NEW,
)


def end(outcome: str, reason: str, *evidence: str) -> Callable[[Any], dict[str, Any] | Failure]:
    """An answer of BeginDeployment that ends the deployment with this outcome."""
    return deciding(Decision.END, outcome=outcome, reason=reason, evidence=evidence)


def registration(task_definition: str = NEW) -> dict[str, Any]:
    return Registration(task_definition=task_definition).to_json()


def update() -> dict[str, Any]:
    return Update(deployment_id=OURS, started_at=at(5)).to_json()


def verdict(verdict_: Verdict, reason: str, **more: Any) -> dict[str, Any]:
    return CheckResult(verdict=verdict_, reason=reason, **{"wait_seconds": 15, **more}).to_json()


def pending(wait_seconds: int = 15) -> dict[str, Any]:
    missing = "1 of 2 tasks are running"
    return verdict(
        Verdict.PENDING,
        missing,
        evidence=(missing,),
        wait_seconds=wait_seconds,
        progress="1 of 2 tasks healthy",
    )


def healthy(wait_seconds: int = 15, baked: bool = False) -> dict[str, Any]:
    return verdict(
        Verdict.HEALTHY,
        "every task is healthy",
        healthy_at=at(60),
        baked=baked,
        wait_seconds=wait_seconds,
    )


def failed(
    reason: str = "alarm api-5xx went to ALARM: too many 5xx",
    cause: Cause = Cause.ALARM,
    alarms_fired: tuple[str, ...] = ("api-5xx",),
) -> dict[str, Any]:
    return verdict(
        Verdict.FAILED,
        reason,
        cause=cause,
        evidence=(f"evidence: {reason}",),
        alarms_fired=alarms_fired,
        failed=FAILED,
        progress=reason,
    )


def superseded() -> dict[str, Any]:
    reason = "someone else has put shop-api:43 on the service"
    return verdict(Verdict.SUPERSEDED, reason, cause=Cause.PERSON)


def rolled_back(action: RollBackAction = RollBackAction.UPDATED) -> dict[str, Any]:
    """An answer of RollBack, with an update to watch if the action has one."""
    to_watch = action in (RollBackAction.UPDATED, RollBackAction.ALREADY_ROLLED_BACK)
    watch = Update(deployment_id=BACK, started_at=at(90)) if to_watch else None
    reason = f"what was found to do is {action}"
    return RollBack(action=action, reason=reason, task_definition=OLD, update=watch).to_json()


def finished(event: Any) -> dict[str, Any] | Failure:
    """The answer of FinishDeployment if the ledger records the end as it was given."""
    try:
        ending = parse(Ending, event, "the input of FinishDeployment")
    except InvalidInput as error:
        return Failure("InvalidInput", str(error))
    reason = reason_of(ending.reason)
    if ending.rollback_reason is not None:
        reason += f"; rolling back failed: {reason_of(ending.rollback_reason)}"
    known = {"cause": ending.cause, "alarms_fired": ending.alarms_fired}
    return finding(ending.outcome, reason, *ending.evidence, **known)(event)


def finding(
    outcome: str, reason: str, *evidence: str, **known: Any
) -> Callable[[Any], dict[str, Any]]:
    """An answer of FinishDeployment that records another end than it was given."""

    def answer(event: Any) -> dict[str, Any]:
        found = {"reason": reason, "evidence": evidence, "claim": event["claim"], **known}
        return Finished(outcome=outcome, **found).to_json()

    return answer


def notified(event: Any) -> dict[str, Any] | Failure:
    """The answer of Notify."""
    try:
        return {"message_id": "m-1", "reason": parse(News, event, "the input of Notify").sentence}
    except InvalidInput as error:
        return Failure("InvalidInput", str(error))


def resolution(**stages: list[str]) -> dict[str, Any]:
    """An answer of ResolveRelease: a new release with these stages in order, each with its services."""
    release = a_release(id=f"release-{next(_numbers)}")
    made = []
    for stage, services in stages.items():
        inputs = [a_deployment(release=release, stage=stage, service=s) for s in services]
        named = tuple(NamedDeployment(name=execution_name(i), input=i) for i in inputs)
        made.append(ReleaseStage(name=stage, deployments=named))
    return Resolution(release=release, stages=tuple(made)).to_json()


def ignored(why: str) -> dict[str, Any]:
    return Resolution(ignored=why).to_json()


MANUAL = {"repository": "shop/api", "tag": "v2"}
PUSH = {
    "id": "event-1",
    "detail-type": "ECR Image Action",
    "source": "aws.ecr",
    "time": "2026-11-22T03:00:00Z",
    "detail": {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": "shop/api",
        "image-tag": "v2",
        "image-digest": DIGEST,
    },
}

GOOD = {
    "BeginDeployment": go,
    "RegisterTaskDefinition": registration(),
    "UpdateService": update(),
    "CheckDeployment": healthy(baked=True),
    "RollBack": rolled_back(),
    "FinishDeployment": finished,
    "Notify": notified,
}
"""The answers if all goes well. A test that starts a release adds one for ResolveRelease."""
