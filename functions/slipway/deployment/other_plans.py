"""Adds the gates that the other images of a service have.

They are in the plans of other repositories, and in routes of the same plan for other containers.
"""

from __future__ import annotations

from dataclasses import replace

from slipway.aws import error_code
from slipway.deployment.beginning import Case, World
from slipway.ecs.task_definition import Revision
from slipway.errors import AwsRefused
from slipway.image import source
from slipway.release.parameter_names import plan_parameter
from slipway.release.parameters import read_parameter, read_service_policy
from slipway.release.plan import Policy, parse_plan
from slipway.release.service_policy import policy_of, with_gates_of


def with_gates_of_other_plans(case: Case, running: Revision, world: World) -> Case:
    """The same case, with the alarms and freezes of the other images of the service added.

    A new image of one container may break what another one's alarms watch, and a freeze is meant for the
    service, not for one of its containers. The gates of the service's own policy are those of now, because
    the release may have waited for its turn.

    Raises:
        InvalidInput: such a plan or the policy of the service is invalid, or all gates are too many together.
        AwsUnavailable, AwsRefused: from SSM.
    """
    deployment, service = case.deployment, case.service
    ours, policy = deployment.release.image.repository, deployment.policy
    owns = {running.own_repository(source(reference)) for reference in running.images.values()}
    repositories = {own.name for own in owns if own}
    if policy.container is None:  # nor does any other route of its plan name one
        repositories.discard(ours)
    if not repositories:
        return case
    if of_service := read_service_policy(service, world.ssm):
        repositories &= {ours, *of_service.repositories}
        policy = policy_of(service, policy, of_service)
    for repository in sorted(repositories):
        for other in _policies(repository, service, world):
            # Another route to the same container is another way of the same image, with gates of its own. If
            # the policy of the service names the container, the plan need not.
            if repository != ours or other.container not in (None, policy.container):
                policy = with_gates_of(policy, other, service)
    return replace(case, deployment=deployment.model_copy(update={"policy": policy}))


def _policies(repository: str, service: str, world: World) -> tuple[Policy, ...]:
    """The policies that the plan of a repository has for the service; none if it does not name it."""
    try:
        text = read_parameter(plan_parameter(repository), world.ssm)
    except AwsRefused as refused:
        if error_code(refused.__cause__) != "AccessDeniedException":
            raise
        return ()  # outside of the stack's RepositoryPrefix, so that the stack deploys nothing by it
    # A mistake in a plan must not stop services that it has nothing to do with.
    if text is None or service not in text.replace("\\/", "/"):
        return ()
    return parse_plan(text, repository).all_policies_of(service)
