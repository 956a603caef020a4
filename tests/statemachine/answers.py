"""What the functions answer, made by the models with which the real ones make it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from slipway.begin import Beginning
from slipway.message import Ending
from slipway.release import NamedDeployment, ReleaseStage, Resolution, execution_name
from slipway.service import RollBack, RollBackAction, Update
from slipway.task_definition import Registration
from slipway.verdict import Judgement, Verdict
from tests.unit.builders import DIGEST, NEW, NOW, OLD, OLD_DIGEST, OURS, URI, at
from tests.unit.builders import deployment as a_deployment
from tests.unit.builders import release as a_release

BACK = "ecs-svc/4"
"""The ECS deployment that puts the previous task definition back."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Failure:
    """The function runs and raises: its error's class and message."""

    error: str
    message: str = "no answer from ecs:DescribeServices"

    @property
    def body(self) -> dict[str, Any]:
        """What Lambda answers; Step Functions has it as the Cause."""
        return {
            "errorMessage": self.message,
            "errorType": self.error,
            "requestId": "0a1b2c3d-0000-4000-8000-000000000000",
            "stackTrace": ['  File "/var/task/slipway/aws.py", line 108, in calling\n'],
        }


@dataclass(frozen=True)
class Rejection:
    """Lambda does not run the function: the code and the message of Invoke's error."""

    code: str
    message: str = "Rate exceeded"


def deployment(**changes: Any) -> dict[str, Any]:
    """The input of the deployment state machine."""
    return a_deployment(**changes).to_json()


def beginning() -> dict[str, Any]:
    images = {"api": f"{URI}@{OLD_DIGEST}"}
    return Beginning(began_at=NOW, previous=OLD, previous_images=images, alarms_firing=()).to_json()


def registration(no_change: bool = False) -> dict[str, Any]:
    arn = OLD if no_change else NEW
    return Registration(task_definition=arn, no_change=no_change).to_json()


def update() -> dict[str, Any]:
    return Update(deployment_id=OURS, started_at=at(5)).to_json()


def verdict(judgement: Judgement, reason: str, **more: Any) -> dict[str, Any]:
    return Verdict(verdict=judgement, reason=reason, **{"wait_seconds": 15, **more}).to_json()


def pending(wait_seconds: int = 15) -> dict[str, Any]:
    missing = "1 of 2 tasks are running"
    return verdict(Judgement.PENDING, missing, evidence=(missing,), wait_seconds=wait_seconds)


def healthy(wait_seconds: int = 15, baked: bool = False) -> dict[str, Any]:
    return verdict(
        Judgement.HEALTHY,
        "every task is healthy",
        healthy_at=at(60),
        baked=baked,
        wait_seconds=wait_seconds,
    )


def failed(reason: str = "alarm api-5xx went to ALARM: too many 5xx") -> dict[str, Any]:
    return verdict(Judgement.FAILED, reason, evidence=(f"evidence: {reason}",))


def superseded() -> dict[str, Any]:
    return verdict(Judgement.SUPERSEDED, "someone else has put shop-api:43 on the service")


def rolled_back(action: RollBackAction = RollBackAction.UPDATED) -> dict[str, Any]:
    """What RollBack answers, with something to watch where there is."""
    to_watch = action in (RollBackAction.UPDATED, RollBackAction.ALREADY_BACK)
    watch = Update(deployment_id=BACK, started_at=at(90)) if to_watch else None
    reason = f"what was found to do is {action}"
    return RollBack(action=action, reason=reason, update=watch).to_json()


def told(ending: dict[str, Any]) -> dict[str, Any] | Failure:
    """What Notify answers."""
    try:
        return {"message_id": "m-1", "reason": Ending.model_validate(ending).sentence}
    except ValidationError as error:
        return Failure("InvalidInput", str(error))


def resolution(**stages: list[str]) -> dict[str, Any]:
    """A release of its own: the services of each stage, in order."""
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
    "detail": {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": "shop/api",
        "image-tag": "v2",
        "image-digest": DIGEST,
    },
}

GOOD = {
    "BeginDeployment": beginning(),
    "RegisterTaskDefinition": registration(),
    "UpdateService": update(),
    "CheckDeployment": healthy(baked=True),
    "RollBack": rolled_back(),
    "Notify": told,
}
"""As when all goes well; ResolveRelease's has to be a release of the test's own."""
