"""Builders of the functions' values. Everything has a default, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from slipway.ecs.service import Copied, Update
from slipway.ecs.service_deployment import RecordedDeployment
from slipway.health.alarms import Alarm
from slipway.health.observation import Observation, RunningTask, ServiceDeployment, Target
from slipway.health.stopped_tasks import Container, StoppedTask
from slipway.health.verdict import Watch
from slipway.image import Image
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId, Good, Quarantined, deployment_id
from slipway.release.plan import Policy
from slipway.release.release import Deployment, Release

M = TypeVar("M", bound=BaseModel)
REGION = "eu-west-1"
ACCOUNT = "123456789012"
SERVICE = "production/api"
OURS = "ecs-svc/2"
THEIRS = "ecs-svc/3"
BEFORE = "ecs-svc/1"
FAMILY = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/shop-api"
OLD = f"{FAMILY}:41"
NEW = f"{FAMILY}:42"
OTHER = f"{FAMILY}:43"
URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/api"
DIGEST = "sha256:" + "ab" * 32
OLD_DIGEST = "sha256:" + "cd" * 32
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/api/0123456789abcdef"
GROUP_2 = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/admin/fedcba9876543210"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:notifications"
RELEASES = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:slipway-release"
DEPLOYMENTS = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:slipway-deployment"
ROLLBACKS = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:slipway-rollback"
OPERATE = "slipway-Operate-1A2B3C4D5E6F"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The time this many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def _made(model: type[M], values: dict[str, Any]) -> M:
    """The value with these fields. The model itself would ignore one that it does not have."""
    assert not values.keys() - model.model_fields.keys(), (model, values)
    return model(**values)


def image(**changes: Any) -> Image:
    defaults = {"repository": "shop/api", "uri": URI, "digest": DIGEST, "tag": "v2"}
    return _made(Image, defaults | changes)


ANOTHER_IMAGE = image(digest="sha256:" + "ef" * 32)
"""For a release that takes over from another one, which one of the same image does not."""


def release(**changes: Any) -> Release:
    defaults = {"id": "event-1", "image": image(), "released_at": NOW, "started_by": "push"}
    return _made(Release, defaults | changes)


def execution(name: str = "e-1") -> str:
    """The ARN of an execution of the deployment state machine."""
    return f"{DEPLOYMENTS.replace(':stateMachine:', ':execution:')}:{name}"


def claim(name: str = "e-1", **changes: Any) -> ClaimId:
    """The claim of the execution with this name, which started at NOW."""
    arn = execution(name)
    defaults = {"service": SERVICE, "deployment": deployment_id(NOW, arn), "execution": arn}
    return _made(ClaimId, defaults | changes)


def policy(**changes: Any) -> Policy:
    defaults = {"bake_seconds": 300, "timeout_seconds": 600, "poll_seconds": 15, "alarms": ()}
    return _made(Policy, defaults | changes)


def deployment(**changes: Any) -> Deployment:
    defaults = {
        "release": release(),
        "stage": "production",
        "service": SERVICE,
        "policy": policy(**changes.pop("policy", {})),
    }
    return _made(Deployment, defaults | changes)


def watch(healthy_at: datetime | None = None, **of_policy: Any) -> Watch:
    """What to watch in a deployment that started at NOW."""
    return Watch(update=update(), healthy_at=healthy_at, policy=policy(**of_policy))


def update(**changes: Any) -> Update:
    """The update of the service to NEW at NOW."""
    defaults = {"deployment_id": OURS, "started_at": NOW, "task_definition": NEW}
    return _made(Update, defaults | changes)


def copied(**changes: Any) -> Copied:
    """What the service ran before: OLD, for an hour."""
    defaults = {"deployment_id": BEFORE, "created_at": at(-3600), "task_definition": OLD}
    return _made(Copied, defaults | changes)


def recorded(**changes: Any) -> RecordedDeployment:
    """ECS's own record of a service deployment that someone else made after ours."""
    defaults = {
        "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{SERVICE}/theirs",
        "created_at": at(20),
        "status": "IN_PROGRESS",
        "reason": "",
        "task_definition": OTHER,
    }
    return _made(RecordedDeployment, defaults | changes)


def service_deployment(**changes: Any) -> ServiceDeployment:
    defaults = {
        "id": OURS,
        "primary": True,
        "state": "COMPLETED",
        "reason": "",
        "task_definition": NEW,
        "desired": 2,
        "running": 2,
    }
    return _made(ServiceDeployment, defaults | changes)


def target(state: str = "healthy", group: str = GROUP, reason: str = "") -> Target:
    return Target(group=group, state=state, reason=reason)


def task(*targets: Target, status: str = "RUNNING", health: str = "UNKNOWN") -> RunningTask:
    return RunningTask(id="t1", status=status, health=health, targets=targets or (target(),))


def stopped(
    code: str = "EssentialContainerExited",
    reason: str = "",
    *containers: Container,
    task: str = "s1",
) -> StoppedTask:
    return StoppedTask(
        id=task, task_definition=NEW, code=code, reason=reason, containers=containers
    )


def exited(exit_code: int | None = 1, name: str = "api", **changes: Any) -> Container:
    return _made(Container, {"name": name, "exit_code": exit_code} | changes)


def alarm(state: str = "OK", changed: float = 10, name: str = "api-5xx") -> Alarm:
    """An alarm whose state last changed this many seconds after NOW."""
    return Alarm(name=name, state=state, reason="too many 5xx", changed_at=at(changed))


def observation(*alarms: Alarm, **changes: Any) -> Observation:
    """An observation of a COMPLETED service deployment with two healthy tasks behind a load balancer."""
    defaults = {
        "service_deployment": service_deployment(),
        "running": (task(), task()),
        "alarms": {a.name: a for a in alarms},
    }
    return _made(Observation, defaults | changes)


def good(task_definition: str = OLD, digest: str = OLD_DIGEST, **changes: Any) -> Good:
    """A version that was recorded as good an hour before NOW."""
    defaults = {"task_definition": task_definition, "digest": digest, "at": at(-3600)}
    return _made(Good, defaults | changes)


def quarantined(reason: str = "a task failed", by: ClaimId | None = None) -> Quarantined:
    return Quarantined(at=at(-60), reason=reason, deployment=(by or claim("e-0")).deployment)


def accepted(
    ledger: Ledger,
    name: str,
    baseline: str = OLD,
    good_target: Good | None = None,
    now: datetime = NOW,
    **changes: Any,
) -> ClaimId:
    """Record a deployment that has claimed the service but has not changed it yet; its claim."""
    asked = deployment(**changes)
    own = claim(name, service=asked.service)
    ledger.claim(own, asked, baseline, now)
    target = good_target.task_definition if good_target else baseline
    ledger.open(own, asked, target, good_target, None, now)
    return own


def ended(
    ledger: Ledger,
    outcome: str = "SUCCEEDED",
    found: Good | None = None,
    bad: Quarantined | None = None,
    digest: str = OLD_DIGEST,
) -> ClaimId:
    """Record an ended deployment of a release that was pushed an hour before NOW; its claim."""
    asked = deployment(release=release(image=image(digest=digest), released_at=at(-3600)))
    own = accepted(ledger, f"e-of-{(found or good()).task_definition[-2:]}", release=asked.release)
    ledger.finish(own, asked, {"outcome": outcome, "reason": outcome, "evidence": []}, found, bad)
    return own
