"""Reads task definitions, and registers a copy of the running one with only the image changed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.ecs.service import Copied, copied_from, read_service
from slipway.errors import AwsRefused, InvalidInput
from slipway.image import EcrRepository, Image, digest_of, ecr_repository
from slipway.model import Model
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

OWN_TAGS = "slipway:"
MAXIMUM_TAGS = 50  # for each resource of ECS
NOT_IN_A_TAG = re.compile(r"[^\w .:/=+@-]")  # not allowed in a tag's value (ECS API reference, Tag)

UNORDERED = ("environment", "secrets")  # fields of a container whose order has no meaning

TaskDefinition = dict[str, Any]
"""A task definition in the form of RegisterTaskDefinition's input."""


class Registration(Model):
    """The answer of the step that registers the new task definition."""

    task_definition: str
    """ARN of the revision that the service should run."""
    copied: Copied
    """What the service ran then."""
    rollback_target: str | None = None
    """ARN of the rollback target, if it is another one from now on."""


class Base(Model):
    """What the new task definition is made of."""

    unproven: tuple[str, ...] = ()
    """ARNs of what other deployments may have left on the service. No new version is built on them."""
    rollback_target: str | None = None
    """ARN of the rollback target: what the new version is built on, if the service runs something
    unproven."""
    changed: bool = False
    """Whether someone has changed the service since the deployment began."""


def register(
    deployment: Deployment, image: Image, base: Base, since: datetime, ecs: ECSClient
) -> Registration:
    """Register a copy of the service's task definition that has ``image`` in it.

    If the service already runs this image, its own task definition is the result, and nothing is registered.

    Args:
        since: when the deployment began. A revision with the same content that was registered after this
            time comes from an earlier attempt whose answer was lost. It is used instead of a second one.
        ecs: a client without retries, see `slipway.aws.ecs_once`.

    Raises:
        InvalidInput: the service does not exist, no container is for the image, or the task definition has
            too many tags.
        AwsUnavailable, AwsRefused: from ECS.
    """
    service, release = deployment.service, deployment.release
    copied = copied_from(read_service(service, ecs))
    running = read_task_definition(copied.task_definition, ecs)
    proven = running
    if running.arn in base.unproven and base.rollback_target:
        proven = read_task_definition(base.rollback_target, ecs)
    wanted = with_image(proven.content, image, deployment.policy.container, service)
    target = _moved_target(running, base, ecs)
    if _in_order(untagged(wanted)) == _in_order(untagged(running.content)):
        return Registration(task_definition=running.arn, copied=copied, rollback_target=target)
    wanted = tagged(wanted, release.id, image.tag)
    registered = _registered_since(since, wanted, ecs) or _register(wanted, ecs)
    return Registration(task_definition=registered, copied=copied, rollback_target=target)


def _moved_target(running: Revision, base: Base, ecs: ECSClient) -> str | None:
    """The ARN of what runs, if someone has changed the settings of the rollback target, but no image of it.

    A rollback must not undo what was changed on purpose.
    """
    if not base.changed or base.rollback_target is None or running.arn in base.unproven:
        return None
    before = read_task_definition(base.rollback_target, ecs)
    return running.arn if running.images == before.images else None


def usable_revision(revision: Revision, since: datetime, ecs: ECSClient) -> str:
    """The ARN of a revision that a service can be updated to: this one, or its content registered anew.

    ECS refuses an update to a revision that was deregistered (INACTIVE, later DELETE_IN_PROGRESS) or deleted.

    Args:
        since: when the deployment began, as for `register`.
        ecs: a client without retries, see `slipway.aws.ecs_once`.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    if revision.active:
        return revision.arn
    return _registered_since(since, revision.content, ecs) or _register(revision.content, ecs)


def same_content(one: Revision, other: Revision) -> bool:
    """Whether two revisions have the same content, tags included."""
    return _in_order(one.content) == _in_order(other.content)


class Revision(Model):
    """A registered revision of a task definition."""

    arn: str
    active: bool
    registered_at: datetime | None
    content: TaskDefinition
    """The input with which RegisterTaskDefinition would register it again."""

    @property
    def images(self) -> dict[str, str]:
        """The image references of the containers, by the container's name."""
        return {c["name"]: c["image"] for c in self.content["containerDefinitions"]}

    @property
    def pinned_images(self) -> dict[str, str]:
        """The image references that name a digest, by the container's name."""
        return {name: image for name, image in self.images.items() if digest_of(image)}

    def own_repository(self, uri: str) -> EcrRepository | None:
        """The repository of this ``registry/repository``, if it is one of this account and region.

        Another registry may have a repository of the same name, which is another one.
        """
        found = ecr_repository(uri)
        region, account = self.arn.split(":")[3:5]
        return found if found and (found.region, found.account) == (region, account) else None


def read_task_definition(name: str, ecs: ECSClient) -> Revision:
    """Read a revision of a task definition.

    Args:
        name: ARN or ``family:revision``; a family alone means its newest active revision.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    with calling("ecs:DescribeTaskDefinition", f"task definition {name}"):
        found: dict[str, Any] = dict(
            ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        )
    described = {**found["taskDefinition"], "tags": found.get("tags", [])}
    # The copy has the fields of botocore's model of the input. So a field that AWS adds is copied as soon
    # as botocore knows it, and fields that only the answer has are left out.
    shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    members = shape.members if shape else {}
    content = {field: described[field] for field in members if field in described}
    # AWS reserves tags that begin with aws: (CloudFormation sets some) and refuses them in a request.
    content["tags"] = [tag for tag in content["tags"] if not tag["key"].startswith("aws:")]
    return Revision(
        arn=described["taskDefinitionArn"],
        active=described.get("status", "ACTIVE") == "ACTIVE",
        registered_at=described.get("registeredAt"),
        content=content,
    )


def find_task_definition(name: str, ecs: ECSClient) -> Revision | None:
    """As `read_task_definition`, but None if ECS does not have the task definition, or no longer.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    try:
        return read_task_definition(name, ecs)
    except AwsRefused as refused:
        # ECS answers ClientException if the task definition does not exist.
        if error_code(refused.__cause__) == "ClientException":
            return None
        raise


def containers_for(
    content: TaskDefinition, image: Image, container: str | None, service: str
) -> list[str]:
    """The names of the containers that get ``image``; at least one.

    Args:
        container: the container's name from the plan; None means every container whose image is from the
            repository of ``image``.
        service: ``cluster/service``, for the error's message.

    Raises:
        InvalidInput: no container fits. The message lists the containers of the task definition.
    """
    containers = content["containerDefinitions"]
    if container is None:
        chosen = [c["name"] for c in containers if image.is_version_of(c["image"])]
        missing = f"no container of service {service} runs an image of {image.uri}"
        advice = 'name the one that should get it as "container" in the plan'
    else:
        chosen = [c["name"] for c in containers if c["name"] == container]
        missing = f"service {service} has no container {container}"
        advice = 'correct "container" in the plan'
    if not chosen:
        present = ", ".join(f"{c['name']} ({c['image']})" for c in containers)
        raise InvalidInput(f"{missing}; its containers are: {present}; {advice}")
    return chosen


def with_image(
    content: TaskDefinition, image: Image, container: str | None, service: str
) -> TaskDefinition:
    """A copy of ``content`` that names ``image`` by digest in the containers that `containers_for` finds.

    Raises:
        InvalidInput: no container fits.
    """
    chosen = containers_for(content, image, container, service)
    containers = [
        {**c, "image": image.reference_instead_of(c["image"])} if c["name"] in chosen else c
        for c in content["containerDefinitions"]
    ]
    return {**content, "containerDefinitions": containers}


def is_essential(container: dict[str, Any]) -> bool:
    """Whether the task stops when this container does, given its definition."""
    return bool(container.get("essential", True))


def tagged(content: TaskDefinition, release_id: str, image_tag: str | None) -> TaskDefinition:
    """A copy of ``content`` with tags that name the release and the image's tag that it comes from.

    Raises:
        InvalidInput: with Slipway's tags, the task definition would have more tags than ECS allows.
    """
    own = {
        f"{OWN_TAGS}release": NOT_IN_A_TAG.sub("_", release_id),
        f"{OWN_TAGS}image-tag": image_tag or "none",
    }
    tags = untagged(content)["tags"] + [{"key": key, "value": value} for key, value in own.items()]
    if len(tags) > MAXIMUM_TAGS:
        raise InvalidInput(
            f"task definition {content['family']} has {len(tags) - len(own)} tags of its own; "
            f"ECS allows {MAXIMUM_TAGS} and Slipway needs {len(own)}"
        )
    return {**content, "tags": tags}


def untagged(content: TaskDefinition) -> TaskDefinition:
    """A copy of ``content`` without Slipway's own tags."""
    tags = [tag for tag in content["tags"] if not tag["key"].startswith(OWN_TAGS)]
    return {**content, "tags": tags}


def _registered_since(since: datetime, wanted: TaskDefinition, ecs: ECSClient) -> str | None:
    pages = ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=wanted["family"], sort="DESC"
    )
    with calling("ecs:ListTaskDefinitions", f"task definition family {wanted['family']}"):
        for page in pages:
            for arn in page["taskDefinitionArns"]:
                revision = read_task_definition(arn, ecs)
                if _in_order(revision.content) == _in_order(wanted):
                    return revision.arn
                if revision.registered_at is None or revision.registered_at < since:
                    return None
    return None


def _in_order(content: TaskDefinition) -> TaskDefinition:
    """A copy for comparisons: AWS may return some lists in any order, and here they are sorted."""
    containers = [
        {**container, **{field: sorted(container.get(field, []), key=str) for field in UNORDERED}}
        for container in content["containerDefinitions"]
    ]
    tags = sorted(content["tags"], key=str)
    return {**content, "containerDefinitions": containers, "tags": tags}


def _register(wanted: TaskDefinition, ecs: ECSClient) -> str:
    # ECS refuses an empty list of tags: "Tags can not be empty." (fabfuel/ecs-deploy#146)
    wanted = {field: value for field, value in wanted.items() if field != "tags" or value}
    with calling("ecs:RegisterTaskDefinition", f"task definition {wanted['family']}"):
        registered = ecs.register_task_definition(**wanted)
    return registered["taskDefinition"]["taskDefinitionArn"]
