"""What a manual rollback abandons: the image that the service runs and its target has not, or not there.

The containers of a service may have images of several repositories. What is abandoned gives the rollback its
name in notices, its place in the order of releases, and its policy; and it is quarantined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from slipway.deployment.beginning import World
from slipway.ecs.task_definition import Revision
from slipway.errors import AwsRefused, InvalidInput
from slipway.image import EcrRepository, Image, ecr_repository
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ServiceRecord
from slipway.release.parameters import read_plan, read_service_policy
from slipway.release.plan import Plan, Policy
from slipway.release.registry import image_of
from slipway.release.service_policy import ServicePolicy, policy_of


@dataclass(frozen=True)
class Running:
    """What a service runs, and the plans and the policy that its images are deployed by."""

    service: str
    revision: Revision
    images: Mapping[str, Image]
    """By container. The digest is empty if it is not known."""
    planned: Mapping[EcrRepository, Plan]
    """The plans that name the service, of repositories of this account and region whose images run here, and
    which the service admits."""
    plans_unreadable: frozenset[EcrRepository]
    """The repositories of images that run here whose plan can't be read: it may name the service."""
    of_service: ServicePolicy | None
    """The service's own policy, if it has one that can be read."""
    policy_unreadable: bool

    @property
    def of_releases(self) -> list[Image]:
        """The images, one of each repository, that may be replaced by another one of their repository.

        They are those with a plan or, without any plan, the first one. A policy of the service has to admit
        the repository; one that can't be read admits none.
        """
        if self.policy_unreadable:
            return []
        first, *_ = self.images.values()
        images = [image for image in self.images.values() if self._plan_of(image)] or [first]
        return self._admitted(images)

    @property
    def of_unknown_plans(self) -> list[Image]:
        """The images, one of each repository, whose plan can't be read."""
        return self._admitted(
            image for image in self.images.values() if self._own(image) in self.plans_unreadable
        )

    def _admitted(self, images: Iterable[Image]) -> list[Image]:
        admitted = [image for image in images if self._admits(self._own(image))]
        return list({_repository(image): image for image in reversed(admitted)}.values())[::-1]

    def policy_for(self, image: Image, containers: Collection[str] = ()) -> Policy:
        """The policy by which an image of this repository is deployed: that of its plan, and the service's.

        Without a plan that names the service, no container is named, so that the image replaces only images
        of its own repository.

        Args:
            containers: those in which the image changes, if they are known. An image in several containers
                may have been released for another one, by whose route its tag would go.
        """
        planned = self._plan_of(image, containers)
        if planned:
            return self._guarded(planned)
        others = [plan.policies_of(self.service)[-1] for plan in self.planned.values()]
        return self._guarded(next(iter(others), Policy())).model_copy(update={"container": None})

    def containers_of(self, image: Image) -> tuple[str, ...]:
        """The containers that the route of the image's tag names for the service; none if it names none."""
        own = self._own(image)
        plan = self.planned.get(own) if own else None
        policies = plan.policies_of(self.service, image.tag) if plan and image.tag else ()
        return tuple(policy.container for policy in policies if policy.container)

    def _guarded(self, planned: Policy) -> Policy:
        """The policy of the plan, with the gates of the service's own policy if they fit together."""
        try:
            return policy_of(self.service, planned, self.of_service)
        except InvalidInput:
            return planned

    def _plan_of(self, image: Image, containers: Collection[str] = ()) -> Policy | None:
        own = self._own(image)
        plan = self.planned.get(own) if own else None
        if plan is None:
            return None
        runs = [name for name, running in self.images.items() if _key(running) == _key(image)]
        found = plan.policy_of(self.service, image.tag, containers or runs)
        if containers and found and found.container and found.container not in containers:
            return plan.policy_of(self.service, None, containers)
        return found

    def _own(self, image: Image) -> EcrRepository | None:
        return self.revision.own_repository(image.uri)

    def _admits(self, own: EcrRepository | None) -> bool:
        return self.of_service is None or (
            own is not None and own.name in self.of_service.repositories
        )


@dataclass(frozen=True)
class Abandoned:
    """What a manual rollback abandons."""

    image: Image
    containers: tuple[str, ...] = ()
    """Those in which the image changes. None if only settings change; the image is then named for want of
    another one."""
    leaves: bool = False
    """Whether the image leaves the service. Otherwise another container keeps it, or only settings change."""
    also: tuple[str, ...] = ()
    """A sentence for each other image that leaves the service, too."""


def read_running(service: str, revision: Revision, world: World) -> Running:
    """Read what speaks for the images of this revision, which the service runs.

    Raises:
        AwsUnavailable: from AWS. What can't be read for another reason does not prevent a rollback.
    """
    images = {}
    plans: dict[EcrRepository, Plan | None] = {}
    plans_unreadable = set()
    for container, reference in revision.images.items():
        image = images[container] = image_of(reference, world.ecr)
        own = revision.own_repository(image.uri)
        if own and own not in plans:
            try:
                plans[own] = read_plan(own.name, world.ssm)
            except (InvalidInput, AwsRefused):  # which must not prevent a rollback
                plans[own] = None
                plans_unreadable.add(own)
    of_service, unreadable = None, False
    try:
        of_service = read_service_policy(service, world.ssm)
    except (InvalidInput, AwsRefused):
        unreadable = True
    planned = {
        own: plan
        for own, plan in plans.items()
        if plan
        and (of_service is None or own.name in of_service.repositories)
        and plan.policies_of(service)
    }
    return Running(
        service, revision, images, planned, frozenset(plans_unreadable), of_service, unreadable
    )


def abandoned(
    running: Running,
    target: Mapping[str, str],
    record: ServiceRecord,
    world: World,
) -> Abandoned:
    """What the service abandons if it comes to run these images.

    Args:
        target: the image references of the target, by container.

    Raises:
        AwsUnavailable, AwsRefused: from ECR and the ledger.
    """
    ours, there = _of_slipway(running, record), _keys(target, running, world)
    changing = _changing(ours, there)
    if not changing:
        # Most likely the one that a deployment under way is about to replace.
        claimed = record.last_claimed.image.repository if record.last_claimed else None
        images = list(ours.values())
        return Abandoned(
            next((image for image in images if image.repository == claimed), images[0])
        )
    leaving = {
        _key(image): image for image in changing.values() if _key(image) not in there.values()
    }
    # One build may run in several containers, of which only some go back.
    among = leaving or {_key(image): image for image in changing.values()}
    last = _released_last(running.service, among.values(), world.ledger)
    return Abandoned(
        last,
        containers=tuple(name for name, image in changing.items() if _key(image) == _key(last)),
        leaves=bool(leaving),
        also=tuple(
            f"{image} leaves the service, too; it is not quarantined, because {last} was released after it"
            for image in leaving.values()
            if image is not last
        ),
    )


def changes_an_image(
    running: Running, target: Mapping[str, str], record: ServiceRecord, world: World
) -> bool:
    """Whether a container gets another image if the service comes to run these.

    Args, Raises: as for `abandoned`.
    """
    return bool(_changing(_of_slipway(running, record), _keys(target, running, world)))


def _changing(ours: Mapping[str, Image], there: Mapping[str, str]) -> dict[str, Image]:
    """Those of our images that the target has not, or not there; a container may have another name in it.

    Args:
        there: the `_key` of each image of the target, by container.
    """
    return {
        container: image
        for container, image in ours.items()
        if (
            there[container] != _key(image)
            if container in there
            else _key(image) not in there.values()
        )
    }


def _keys(target: Mapping[str, str], running: Running, world: World) -> dict[str, str]:
    """The `_key` of each image of the target, by container."""
    images = images_of(target, running, world)
    return {container: _key(image) for container, image in images.items()}


def images_of(references: Mapping[str, str], running: Running, world: World) -> Mapping[str, Image]:
    """The images of these references, by container; ECR is not asked for one that the service runs.

    Raises:
        AwsUnavailable: from ECR.
    """
    runs = running.revision.images
    return {
        container: running.images[container]
        if runs.get(container) == reference
        else image_of(reference, world.ecr)
        for container, reference in references.items()
    }


def _of_slipway(running: Running, record: ServiceRecord) -> dict[str, Image]:
    """The images that Slipway deploys, or has deployed; without any, all that the service runs.

    A task definition has only the digest of an image; the ledger knows the tag with which it was released.
    """
    known = {
        container: image
        for container, image in running.images.items()
        if (own := running.revision.own_repository(image.uri))
        and (own in running.planned or record.lanes_of(own.name))
    }
    return {
        container: image.model_copy(update={"tag": image.tag or record.tag_of(image.digest)})
        for container, image in (known or running.images).items()
    }


def _released_last(service: str, leaving: Iterable[Image], ledger: Ledger) -> Image:
    """The one of these images that a release has put on the service last, as the ledger's history has it."""
    images = list(leaving)
    if len(images) == 1:
        return images[0]
    last = ledger.last_released(service, [image.digest for image in images if image.digest])
    return next((image for image in images if image.digest == last), images[0])


def _repository(image: Image) -> EcrRepository | str:
    return ecr_repository(image.uri) or image.uri


def _key(image: Image) -> str:
    """Equal for the same image. Without a digest, the same tag has to do."""
    return image.digest or f"{image.uri}:{image.tag}"
