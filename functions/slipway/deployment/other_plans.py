"""Adds the gates that the other images of a service have.

They are in the plans of other repositories, and in routes of the same plan for other containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from slipway.deployment.beginning import Case, World
from slipway.ecs.task_definition import Revision
from slipway.errors import AwsRefused
from slipway.image import source
from slipway.release.parameters import read_plan, read_service_policy
from slipway.release.plan import Policy
from slipway.release.service_policy import with_gates_of


def with_gates_of_other_plans(case: Case, running: Revision, world: World) -> Case:
    """The same case, with the alarms and freezes of the other images of the service added.

    A new image of one container may break what another one's alarms watch, and a freeze is meant for the
    service, not for one of its containers.

    Raises:
        InvalidInput: such a plan or the policy of the service is invalid, or all gates are too many together.
        AwsUnavailable: from SSM.
        AwsRefused: from SSM, of the policy of the service.
    """
    deployment = case.deployment
    policy = deployment.policy
    for other in _others(case, running, world):
        policy = with_gates_of(policy, other, case.service)
    return replace(case, deployment=deployment.model_copy(update={"policy": policy}))


def _others(case: Case, running: Revision, world: World) -> Iterator[Policy]:
    """The policies that the plans of the other images have for the service: one for each named container."""
    ours = case.deployment.release.image.repository
    container = case.deployment.policy.container
    owns = {running.own_repository(source(reference)) for reference in running.images.values()}
    repositories = {own.name for own in owns if own}
    if container is None:  # nor does any other route of its plan name one
        repositories.discard(ours)
    if repositories - {ours} and (of_service := read_service_policy(case.service, world.ssm)):
        repositories &= {ours, *of_service.repositories}
    for repository in sorted(repositories):
        try:
            plan = read_plan(repository, world.ssm)
        except (
            AwsRefused
        ):  # it is outside of the stack's RepositoryPrefix, so that nothing deploys it here
            continue
        for policy in plan.policies_of(case.service) if plan else ():
            # Another route to the same containers is another way of the same image, with gates of its own. If
            # the policy of the service names the container, the plan need not.
            if repository != ours or policy.container not in (None, container):
                yield policy
