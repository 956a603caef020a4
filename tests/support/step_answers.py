"""Answers of the functions, made with the same models as those of the real functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from slipway.deployment.beginning import Beginning, Decision, Start
from slipway.deployment.finish import Ending, Finished
from slipway.deployment.go_back import GoneBack
from slipway.deployment.resolve_rollback import ManualRollback, RollbackDeployment
from slipway.ecs.rollback import RollBackAction
from slipway.ecs.task_definition import Registration
from slipway.errors import InvalidInput, Refused, reason_of
from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed
from slipway.health.verdict import CheckResult, Verdict
from slipway.ledger.records import ClaimId, deployment_id
from slipway.model import parse, parse_written
from slipway.notices.news import News
from slipway.release.named import (
    Named,
    NamedRecovery,
    NamedRelease,
    NamedRollback,
    parse_named,
)
from slipway.release.release import (
    Deployment,
    PlannedDeployment,
    ReleaseStage,
    Resolution,
    Resolved,
    execution_name,
    started_id,
)
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    URI,
    at,
    copied,
    policy,
)
from tests.support.builders import claim as a_claim
from tests.support.builders import deployment as a_deployment
from tests.support.builders import release as a_release
from tests.support.builders import update as an_update
from update_service import Updated

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


Answer = dict[str, Any] | Failure

# The scripted functions' ledger: what they know of the inputs that name something.
_deployments: dict[Named, Deployment] = {}
_recovered: dict[NamedRecovery, NamedRelease | NamedRollback] = {}


def deployment(**changes: Any) -> dict[str, Any]:
    """Record a deployment of a release; the input of the deployment state machine that names it."""
    changes.setdefault("release", a_release(id=f"release-{next(_numbers)}"))
    return _recorded(a_deployment(**changes))


def rollback(**changes: Any) -> dict[str, Any]:
    """Record a manual rollback; the input of the deployment state machine that names it.

    Args:
        changes: to its release.
    """
    defaults = {"id": f"rollback-{next(_numbers)}", "started_by": "manual rollback"}
    return _recorded(a_deployment(release=a_release(**defaults | changes), stage=None))


def recovery(of: dict[str, Any] | None = None) -> dict[str, Any]:
    """Record a recovery; the input of the deployment state machine that names it.

    Args:
        of: the input of the dead execution; by default, of a release.
    """
    start = parse_named(of or deployment())
    assert not isinstance(start, NamedRecovery)
    service = _deployments[start].service
    named = NamedRecovery(recover=a_claim(f"dead-{next(_numbers)}").deployment, service=service)
    _recovered[named] = start
    return named.to_json()


def recorded(given: dict[str, Any]) -> dict[str, Any]:
    """The deployment that an input names, as the functions have it in their answers."""
    return _deployments[parse_named(given)].to_json()


def _recorded(asked: Deployment) -> dict[str, Any]:
    named: NamedRelease | NamedRollback
    if asked.stage is None:
        named = NamedRollback(rollback=asked.release.id)
    else:
        named = NamedRelease(release=asked.release.id, stage=asked.stage, service=asked.service)
    _deployments[named] = asked
    return named.to_json()


@dataclass(frozen=True)
class Asked:
    """What the scripted functions' ledger has for an execution."""

    claim: ClaimId
    deployment: Deployment
    part: NamedRelease | None


def _asked(start: Any, execution: str, started_at: datetime) -> Asked:
    """Read what the input of an execution names, as the real functions do.

    Raises:
        Refused: the input has another form, or names nothing that was recorded.
    """
    named = parse_named(start)
    own = deployment_id(started_at, execution)
    if isinstance(named, NamedRecovery):
        own = named.recover
        if named not in _recovered:
            raise Refused("the ledger has no recovery that this execution has to carry out")
        named = _recovered[named]
    if named not in _deployments:
        raise Refused("the ledger has nothing that the input of the execution names")
    known = _deployments[named]
    return Asked(
        claim=ClaimId(service=known.service, deployment=own, execution=execution),
        deployment=known,
        part=named if isinstance(named, NamedRelease) else None,
    )


def _failing(answer: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Answer]:
    """The same answer, where the errors of a wrong input are Failures."""

    @wraps(answer)
    def answer_or_failure(event: Any) -> Answer:
        try:
            return answer(event)
        except (InvalidInput, Refused) as error:
            return Failure(type(error).__name__, str(error))

    return answer_or_failure


def deciding(decision: Decision, **what: Any) -> Callable[[Any], Answer]:
    """An answer of BeginDeployment with this decision, for any input that names something."""

    @_failing
    def decide(event: Any) -> dict[str, Any]:
        start = parse(Start, event, "the input of BeginDeployment")
        asked = _asked(start.start, start.execution, start.started_at)
        decided = {
            "decision": decision,
            "claim": asked.claim,
            "deployment": asked.deployment,
            "part": asked.part,
            "began_at": NOW,
        }
        return Beginning(**decided | what).to_json()

    return decide


BEFORE = {
    "rollback_target": OLD,
    "rollback_target_tag": "v1",
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


def end(outcome: str, reason: str, *evidence: str) -> Callable[[Any], Answer]:
    """An answer of BeginDeployment that ends the deployment with this outcome."""
    return deciding(Decision.END, outcome=outcome, reason=reason, evidence=evidence)


def registration(task_definition: str = NEW) -> dict[str, Any]:
    return Registration(task_definition=task_definition, copied=copied()).to_json()


def update() -> dict[str, Any]:
    return Updated(update=an_update(started_at=at(5))).to_json()


def changed() -> dict[str, Any]:
    """The answer of UpdateService if someone has changed the service since it was copied."""
    return Updated(update=None, changed=("service production/api was changed",)).to_json()


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
    watch = (
        an_update(deployment_id=BACK, started_at=at(90), task_definition=OLD) if to_watch else None
    )
    reason = f"what was found to do is {action}"
    return GoneBack(action=action, reason=reason, task_definition=OLD, update=watch).to_json()


def finding(outcome: str, reason: str, *evidence: str, **known: Any) -> Callable[[Any], Answer]:
    """An answer of FinishDeployment that records another end than it was given."""

    @_failing
    def answer(event: Any) -> dict[str, Any]:
        ending = parse(Ending, event, "the input of FinishDeployment")
        found = {"reason": reason, "evidence": evidence, **_of_its_deployment(ending), **known}
        return Finished(outcome=outcome, **found).to_json()

    return answer


def _of_its_deployment(ending: Ending) -> dict[str, Any]:
    """The claim and the deployment in the answer of FinishDeployment, even if BeginDeployment failed."""
    if ending.claim and ending.deployment:
        return {"claim": ending.claim, "deployment": ending.deployment}
    try:
        asked = _asked(ending.start, ending.execution, ending.started_at)
    except Refused:
        return {"claim": None}
    return {"claim": asked.claim, "deployment": asked.deployment}


@_failing
def finished(event: Any) -> Any:
    """The answer of FinishDeployment if the ledger records the end as it was given."""
    ending = parse(Ending, event, "the input of FinishDeployment")
    reason = reason_of(ending.reason)
    if ending.rollback_reason is not None:
        reason += f"; rolling back failed: {reason_of(ending.rollback_reason)}"
    known = {"cause": ending.cause, "alarms_fired": ending.alarms_fired}
    return finding(ending.outcome, reason, *ending.evidence, **known)(event)


@_failing
def notified(event: Any) -> dict[str, Any]:
    """The answer of Notify."""
    return {"message_id": "m-1", "reason": parse(News, event, "the input of Notify").sentence}


def resolution(**stages: list[str]) -> dict[str, Any]:
    """Record a release with these stages in order, each with its services; the answer of ResolveRelease."""
    release = a_release(id=f"release-{next(_numbers)}")
    made = []
    for stage, services in stages.items():
        for service in services:
            _recorded(a_deployment(release=release, stage=stage, service=service))
        planned = tuple(PlannedDeployment(service=s, policy=policy()) for s in services)
        made.append(ReleaseStage(name=stage, services=planned))
    return Resolution.of(Resolved(release=release, stages=tuple(made))).to_json()


def ignored(why: str) -> dict[str, Any]:
    return Resolution(ignored=why).to_json()


@_failing
def resolved_rollback(event: Any) -> dict[str, Any]:
    """The answer of ResolveRollback: it records the rollback that it was given."""
    wanted = parse_written(ManualRollback, event["start"], "a manual rollback")
    release = a_release(
        id=started_id(event["execution"], datetime.fromisoformat(event["started_at"])),
        started_by="manual rollback",
        by=wanted.by,
    )
    named = _recorded(a_deployment(release=release, stage=None, service=wanted.service))
    name = execution_name(release, "rollback", wanted.service)
    return RollbackDeployment(name=name, input=NamedRollback(**named)).to_json()


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
    "ResolveRollback": resolved_rollback,
    "BeginDeployment": go,
    "RegisterTaskDefinition": registration(),
    "UpdateService": update(),
    "CheckDeployment": healthy(baked=True),
    "RollBack": rolled_back(),
    "FinishDeployment": finished,
    "Notify": notified,
}
"""The answers if all goes well. A test that starts a release adds one for ResolveRelease."""
