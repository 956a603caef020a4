"""A new task definition: the running one with only the image changed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slipway.aws import calling
from slipway.ecs.service import read_service
from slipway.errors import InvalidInput
from slipway.image import Image, source
from slipway.model import Model
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

OWN_TAGS = "slipway:"
MAXIMUM_TAGS = 50  # of one ECS resource
NOT_IN_A_TAG = re.compile(r"[^\w .:/=+@-]")  # what a tag's value may not hold (API reference, Tag)

UNORDERED = ("environment", "secrets")  # of a container

TaskDefinition = dict[str, Any]
"""The input of RegisterTaskDefinition."""


class Registration(Model):
    """The task definition that the service is to run."""

    task_definition: str
    """ARN of the revision."""


def register(deployment: Deployment, image: Image, since: datetime, ecs: ECSClient) -> Registration:
    """Register the service's task definition with an image in it, unless it is there already.

    Args:
        since: when the deployment began. A revision with the same content registered after that is
            the answer of an earlier try which got lost, and is taken instead of a second one.
        ecs: a client that tries nothing again by itself.

    Raises:
        InvalidInput: no such service or container.
        AwsUnavailable, AwsRefused: from ECS.
    """
    service, release = deployment.service, deployment.release
    found = read_service(service, ecs)
    running = read_task_definition(found["taskDefinition"], ecs)
    wanted = with_image(running.content, image, deployment.policy.container, service)
    if wanted == running.content:
        return Registration(task_definition=running.arn)
    wanted = tagged(wanted, release.id, image.tag)
    return Registration(
        task_definition=_registered_since(since, wanted, ecs) or _register(wanted, ecs)
    )


def usable_revision(name: str, since: datetime, ecs: ECSClient) -> str:
    """The ARN of a revision that a service can be given: this one, or the same content registered anew.

    ECS takes no update to a revision that was deregistered (INACTIVE, or DELETE_IN_PROGRESS after that).

    Args:
        since: as for `register`.
        ecs: a client that tries nothing again by itself.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    revision = read_task_definition(name, ecs)
    if revision.active:
        return revision.arn
    return _registered_since(since, revision.content, ecs) or _register(revision.content, ecs)


def same_content(one: str, other: str, ecs: ECSClient) -> bool:
    """Whether two revisions have the same content, tags and all.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    contents = [read_task_definition(name, ecs).content for name in (one, other)]
    return _in_order(contents[0]) == _in_order(contents[1])


class Revision(Model):
    """One registered revision."""

    arn: str
    active: bool
    registered_at: datetime | None
    content: TaskDefinition
    """What RegisterTaskDefinition would take to make it again."""

    @property
    def images(self) -> dict[str, str]:
        """What it runs, by container."""
        return {c["name"]: c["image"] for c in self.content["containerDefinitions"]}


def read_task_definition(name: str, ecs: ECSClient) -> Revision:
    """Read a revision (ARN or ``family:revision``), or the newest active one of a family."""
    with calling("ecs:DescribeTaskDefinition", f"task definition {name}"):
        found: dict[str, Any] = dict(
            ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        )
    described = {**found["taskDefinition"], "tags": found.get("tags", [])}
    # The fields to keep are the ones that botocore's own model of the input names, so that a field which
    # AWS adds is copied as soon as botocore knows it, and what only the answer has is left out.
    shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    members = shape.members if shape else {}
    content = {field: described[field] for field in members if field in described}
    # AWS sets aws:* tags itself (CloudFormation's, for one) and refuses them from others.
    content["tags"] = [tag for tag in content["tags"] if not tag["key"].startswith("aws:")]
    return Revision(
        arn=described["taskDefinitionArn"],
        active=described.get("status", "ACTIVE") == "ACTIVE",
        registered_at=described.get("registeredAt"),
        content=content,
    )


def containers_for(
    content: TaskDefinition, image: Image, container: str | None, service: str
) -> list[str]:
    """The names of the containers that get ``image``.

    Raises:
        InvalidInput: there is none; the message names the containers that there are.
    """
    containers = content["containerDefinitions"]
    if container is None:
        chosen = [c["name"] for c in containers if source(c["image"]) == image.uri]
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
    """``content`` with the image, by digest, in the containers that it is for; nothing else differs."""
    chosen = containers_for(content, image, container, service)
    containers = [
        {**c, "image": image.reference} if c["name"] in chosen else c
        for c in content["containerDefinitions"]
    ]
    return {**content, "containerDefinitions": containers}


def tagged(content: TaskDefinition, release_id: str, image_tag: str | None) -> TaskDefinition:
    """``content`` with the tags that say where it comes from.

    Raises:
        InvalidInput: the task definition has too many tags of its own.
    """
    own = {
        f"{OWN_TAGS}release": NOT_IN_A_TAG.sub("_", release_id),
        f"{OWN_TAGS}image-tag": image_tag or "none",
    }
    tags = [tag for tag in content["tags"] if not tag["key"].startswith(OWN_TAGS)]
    tags += [{"key": key, "value": value} for key, value in own.items()]
    if len(tags) > MAXIMUM_TAGS:
        raise InvalidInput(
            f"task definition {content['family']} has {len(tags) - len(own)} tags of its own; "
            f"ECS allows {MAXIMUM_TAGS} and Slipway needs {len(own)}"
        )
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
    """The same whatever order AWS gives lists in that are sets."""
    containers = [
        {**container, **{field: sorted(container.get(field, []), key=str) for field in UNORDERED}}
        for container in content["containerDefinitions"]
    ]
    tags = sorted(content["tags"], key=str)
    return {**content, "containerDefinitions": containers, "tags": tags}


def _register(wanted: TaskDefinition, ecs: ECSClient) -> str:
    with calling("ecs:RegisterTaskDefinition", f"task definition {wanted['family']}"):
        registered = ecs.register_task_definition(**wanted)
    return registered["taskDefinition"]["taskDefinitionArn"]
