"""Target health: the state of a target follows the task that it stands for.

In moto every registered target is healthy at once and for ever, and a target has only one port. Here
a target may be registered with a probe, which answers the health check; the local ECS does so. A
target without a probe answers no health check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.elbv2.exceptions import InvalidTargetError, TargetGroupNotFoundError, TargetNotRunning
from moto.elbv2.models import (
    ELBv2Backend,
    FakeHealthStatus,
    FakeListener,
    FakeTargetGroup,
    elbv2_backends,
)

from localaws import clock
from localaws.aws import ACCOUNT, REGION
from localaws.ecs.state import LOCK

# In seconds. On AWS the registration takes some seconds, and the interval of checks is 30 s.
REGISTRATION = 0.05
FIRST_CHECK = 0.15
#: How long a second of the deregistration delay, for which a target drains, takes here. Its default, 300 s,
#: takes 0.2 s. A test that needs time while a target drains sets 1.
DRAINING_SCALE = 0.2 / 300

#: Answers a health check: None if it passes, the HTTP status if it fails. Raises ConnectionRefusedError
#: if nothing listens, TimeoutError if nothing answers.
Probe = Callable[[], int | None]

_NOT_REGISTERED = (
    "unused",
    "Target.NotRegistered",
    "Target is not registered to the target group",
)


def _nothing_there() -> int | None:
    raise TimeoutError


@dataclass
class Target:
    """A target that is registered or drains."""

    id: str
    port: int
    probe: Probe = _nothing_there
    registered_at: float = field(default_factory=clock.monotonic)
    gone_at: float | None = None


_last_used_by: dict[str, tuple[str, str]] = {}
"""By target group: the load balancer and the listener that forwarded to it when last checked."""


def find(target_group_arn: str) -> FakeTargetGroup | None:
    """The target group, or None."""
    return elbv2_backends[ACCOUNT][REGION].target_groups.get(target_group_arn)


def in_use(target_group_arn: str) -> bool:
    """Whether a listener forwards to the target group."""
    # The scheduler asks this for every target many times a second, and moto searches all listeners
    # for it, so the last result is tried first.
    balancers = elbv2_backends[ACCOUNT][REGION].load_balancers
    balancer, listener = _last_used_by.get(target_group_arn, ("", ""))
    former = balancers.get(balancer)
    last = former.listeners.get(listener) if former else None
    if last is not None and _sends(last, target_group_arn):
        return True
    for balancer, candidate in balancers.items():
        for listener, found in candidate.listeners.items():
            if _sends(found, target_group_arn):
                _last_used_by[target_group_arn] = balancer, listener
                return True
    return False


def _sends(listener: FakeListener, target_group_arn: str) -> bool:
    backend = elbv2_backends[ACCOUNT][REGION]
    return any(
        target_group_arn in backend._get_target_group_arns_from(action_data=action.data)
        for rule in listener.rules.values()
        for action in rule.actions
    )


def register(target_group_arn: str, target: Target) -> None:
    """Register a target with a probe. It replaces a target with the same address."""
    with LOCK:
        if group := find(target_group_arn):
            group.targets[(target.id, target.port)] = target  # type: ignore[index,assignment]


def deregister(target_group_arn: str, target: Target) -> None:
    """Start to drain a target, unless another target has its address by now."""
    with LOCK:
        group = find(target_group_arn)
        if group and _targets(group).get((target.id, target.port)) is target:
            _drain(group, target)


def health(target_group_arn: str, target: Target) -> tuple[str, str | None, str | None]:
    """The state, reason and description of a target, as in DescribeTargetHealth."""
    with LOCK:
        group = find(target_group_arn)
        if group is None or _targets(group).get((target.id, target.port)) is not target:
            return _NOT_REGISTERED
        return _health(group, target)


def install() -> None:
    """Let target groups hold targets with probes."""
    FakeTargetGroup.register = _register  # type: ignore[method-assign]
    FakeTargetGroup.deregister = _deregister  # type: ignore[method-assign]
    FakeTargetGroup.deregister_terminated_instances = (  # type: ignore[method-assign]
        _deregister_terminated_instances
    )
    ELBv2Backend.describe_target_health = _describe_target_health  # type: ignore[method-assign]


def _targets(group: FakeTargetGroup) -> dict[tuple[str, int], Target]:
    now = clock.monotonic()
    targets: dict[tuple[str, int], Target] = group.targets  # type: ignore[assignment]
    for key, target in list(targets.items()):
        if target.gone_at is not None and target.gone_at <= now:
            del targets[key]
    return targets


def _drain(group: FakeTargetGroup, target: Target) -> None:
    if target.gone_at is None:
        delay = float(str(group.attributes["deregistration_delay.timeout_seconds"]))
        target.gone_at = clock.monotonic() + delay * DRAINING_SCALE


def _register(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    with LOCK:
        for wanted in targets:
            instance = ec2_backends[ACCOUNT][REGION].get_instance_by_id(wanted["Id"])
            if instance and instance.state != "running":
                raise TargetNotRunning(instance_id=wanted["Id"])
            target = Target(wanted["Id"], int(wanted.get("Port") or self.port))
            known = _targets(self).get((target.id, target.port))
            if known is None or known.gone_at is not None:
                self.targets[(target.id, target.port)] = target  # type: ignore[index,assignment]


def _deregister(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    with LOCK:
        for wanted in targets:
            matching = _matching(self, wanted)
            if not matching:
                raise InvalidTargetError
            for target in matching:
                _drain(self, target)


def _deregister_terminated_instances(self: FakeTargetGroup, instance_ids: list[str]) -> None:
    with LOCK:
        for target in _targets(self).values():
            if target.id in instance_ids:
                _drain(self, target)


def _describe_target_health(
    self: ELBv2Backend, target_group_arn: str, targets: list[dict[str, Any]]
) -> list[FakeHealthStatus]:
    with LOCK:
        group = self.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError
        if not targets:
            return [_description(group, target) for target in _targets(group).values()]
        descriptions = []
        for wanted in targets:
            matching = _matching(group, wanted)
            descriptions += [_description(group, target) for target in matching]
            if not matching:
                port = wanted.get("Port") or group.port
                descriptions.append(FakeHealthStatus(wanted["Id"], port, None, *_NOT_REGISTERED))
        return descriptions


def _matching(group: FakeTargetGroup, wanted: dict[str, Any]) -> list[Target]:
    return [
        target
        for target in _targets(group).values()
        if target.id == wanted["Id"] and wanted.get("Port") in (None, target.port)
    ]


def _description(group: FakeTargetGroup, target: Target) -> FakeHealthStatus:
    check_port = group.health_check_port
    if check_port == "traffic-port":
        check_port = str(target.port)
    return FakeHealthStatus(
        target.id,
        target.port,  # type: ignore[arg-type]
        check_port,
        *_health(group, target),
    )


def _health(group: FakeTargetGroup, target: Target) -> tuple[str, str | None, str | None]:
    """The state, reason and description of a target, in the wording of Elastic Load Balancing."""
    age = clock.monotonic() - target.registered_at
    if target.gone_at is not None:
        text = "Target deregistration is in progress"
        return "draining", "Target.DeregistrationInProgress", text
    if not in_use(group.arn):
        text = "Target group is not configured to receive traffic from the load balancer"
        return "unused", "Target.NotInUse", text
    if not group.health_check_enabled:
        text = "Health checks are not enabled for this target"
        return "unavailable", "Target.HealthCheckDisabled", text
    if age < REGISTRATION:
        return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
    if age < REGISTRATION + FIRST_CHECK:
        return "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
    try:
        status = target.probe()
    except TimeoutError:
        return "unhealthy", "Target.Timeout", "Request timed out"
    except ConnectionRefusedError:
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    if status is None:
        return "healthy", None, None
    if group.health_check_protocol not in ("HTTP", "HTTPS"):
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    text = f"Health checks failed with these codes: [{status}]"
    return "unhealthy", "Target.ResponseCodeMismatch", text
