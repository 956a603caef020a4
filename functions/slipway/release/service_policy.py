"""The policy of a service: which repositories may deploy to it, and gates that add to those of their plans.

A service may have an SSM parameter ``<prefix>/services/<cluster>/<service>``, which holds its policy as JSON.
Whoever may write that parameter need not trust those who write plans. ``make schema`` generates
docs/service-policy.schema.json from this model. This module does not call AWS.
"""

from __future__ import annotations

from pydantic import Field

from slipway.errors import InvalidInput
from slipway.image import RepositoryName
from slipway.model import Model, parse, parse_written, read_json
from slipway.release.freeze import Windows
from slipway.release.parameter_names import plan_parameter, service_parameter
from slipway.release.plan import (
    Alarms,
    BakeSeconds,
    FailedTasks,
    GuardingAlarm,
    Name,
    PlannedAlarm,
    Policy,
    PollSeconds,
    TimeoutSeconds,
    alarm_name,
)


class ServicePolicy(Model):
    """Which repositories may deploy to a service, and the gates that add to those of their plans.

    What is not given leaves the plan's value as it is.
    """

    repositories: tuple[RepositoryName, ...] = Field(
        min_length=1,
        max_length=100,
        description="the repositories whose plans may name this service",
    )
    alarms: Alarms = Field(
        default=(),
        description="alarms in addition to the plan's; one that blocks here or there blocks",
    )
    bake_seconds: BakeSeconds | None = Field(
        default=None, description="the bake lasts at least this long"
    )
    timeout_seconds: TimeoutSeconds | None = Field(
        default=None, description="the service may take at most this long to become healthy"
    )
    poll_seconds: PollSeconds | None = Field(
        default=None, description="the time between two checks is at most this"
    )
    failed_tasks: FailedTasks | None = Field(
        default=None,
        description="the deployment fails with at most as many failed tasks; a percentage is of the desired "
        "count, rounded up, at least 1",
    )
    container: Name | None = Field(
        default=None,
        description="the container that gets the image; a plan that names another one is refused",
    )
    freeze: Windows = Field(
        default=(), description="windows in addition to those of the plan and of the whole pipeline"
    )


def parse_service_policy(text: str, service: str) -> ServicePolicy:
    """Read the policy of ``service`` from JSON.

    Raises:
        InvalidInput: the text is not JSON, or not a valid policy. The message names the service, the
            parameter and each wrong field.
    """
    where = f"the policy of service {service} (SSM parameter {service_parameter(service)})"
    return parse_written(ServicePolicy, read_json(text, where), where)


def admitted(
    repository: str,
    service: str,
    planned: Policy,
    of_service: ServicePolicy | None,
    *,
    required: bool,
) -> Policy:
    """The policy by which a release of ``repository`` is deployed to ``service``.

    Args:
        planned: what the plan of the repository says about the service.
        of_service: the policy of the service, if it has one.
        required: whether a service without one is not deployed to.

    Raises:
        InvalidInput: the service does not admit the repository, or has no policy and needs one, or plan and
            policy contradict each other. The message names the parameters to change.
    """
    parameter = service_parameter(service)
    if of_service is None and required:
        raise InvalidInput(
            f"service {service} has no policy, and this stack deploys only to services that have one "
            f'(ServicePolicies=required): put {{"repositories": ["{repository}"]}} at SSM parameter '
            f"{parameter}"
        )
    if of_service and repository not in of_service.repositories:
        raise InvalidInput(
            f"service {service} does not admit repository {repository}: add the repository to "
            f'"repositories" in SSM parameter {parameter}, or take the service out of the plan in SSM '
            f"parameter {plan_parameter(repository)}"
        )
    return policy_of(service, planned, of_service)


def policy_of(service: str, planned: Policy, of_service: ServicePolicy | None) -> Policy:
    """The plan's policy with the gates of the service added. No gate gets weaker.

    Raises:
        InvalidInput: the two name different containers, or are too much together: too many alarms or
            windows, or checks that don't fit into one execution.
    """
    if of_service is None:
        return planned
    both = (
        f"the plan and the policy of service {service} (SSM parameter {service_parameter(service)})"
    )
    containers = {planned.container, of_service.container} - {None}
    if len(containers) > 1:
        raise InvalidInput(
            f"{both} name different containers: {planned.container} and {of_service.container}"
        )
    merged = {
        "alarms": _alarms(planned.alarms, of_service.alarms),
        "bake_seconds": max(planned.bake_seconds, of_service.bake_seconds or 0),
        "timeout_seconds": min(filter(None, (planned.timeout_seconds, of_service.timeout_seconds))),
        "poll_seconds": min(filter(None, (planned.poll_seconds, of_service.poll_seconds))),
        "failed_tasks": (*planned.failed_tasks, *(of_service.failed_tasks or ())),
        "container": next(iter(containers), None),
        "freeze": tuple(dict.fromkeys((*planned.freeze, *of_service.freeze))),
    }
    return parse(Policy, merged, f"what {both} require together")


def with_gates_of(policy: Policy, other: Policy, service: str) -> Policy:
    """The policy with the alarms and freezes of another one of the same service added.

    Its times stay its own: another image may be slower to start.

    Raises:
        InvalidInput: they are too many together.
    """
    merged = policy.model_dump() | {
        "alarms": _alarms(policy.alarms, other.alarms),
        "freeze": tuple(dict.fromkeys((*policy.freeze, *other.freeze))),
    }
    return parse(Policy, merged, f"what the plans of service {service} require together")


def _alarms(
    planned: tuple[PlannedAlarm, ...], of_service: tuple[PlannedAlarm, ...]
) -> tuple[PlannedAlarm, ...]:
    """Each alarm of both, once. An alarm that blocks in one of them blocks."""
    found: dict[str, PlannedAlarm] = {}
    for alarm in (*planned, *of_service):
        if _blocks(alarm) or alarm_name(alarm) not in found:
            found[alarm_name(alarm)] = alarm
    return tuple(found.values())


def _blocks(alarm: PlannedAlarm) -> bool:
    return isinstance(alarm, GuardingAlarm) and alarm.when_firing == "block"
