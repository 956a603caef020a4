"""Finds out whether a version can start: its task definition and its images must still be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slipway.aws import resource_name
from slipway.ecs.task_definition import Revision, TaskDefinition, find_task_definition, is_essential
from slipway.release.registry import gone_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient

Kept = Callable[[str], TaskDefinition | None]
"""Reads the copy that the ledger keeps of a good task definition, given by its ARN; None if it has none."""


class CannotStart(Exception):  # noqa: N818 - not an error: another version is tried
    """No task of the version can start; the message is a sentence that says why."""


def find_version(name: str, kept: Kept, ecs: ECSClient) -> Revision | None:
    """The revision, if ECS still has it, or one with the content that the ledger keeps; None without both.

    Args:
        name: ARN of the task definition.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    if found := find_task_definition(name, ecs):
        return found
    content = kept(name)
    return (
        Revision(arn=name, active=False, registered_at=None, content=content) if content else None
    )


def startable(name: str, kept: Kept, ecs: ECSClient, ecr: ECRClient) -> Revision:
    """As `find_version`, of a version whose tasks can start.

    Raises:
        CannotStart: its task definition or one of its images is gone.
        AwsUnavailable, AwsRefused: from ECS.
    """
    revision = find_version(name, kept, ecs)
    if revision is None:
        raise CannotStart(
            f"{resource_name(name)} can't start: its task definition was deleted, and the ledger has no copy "
            "of it"
        )
    check_images(revision, ecr)
    return revision


def check_images(revision: Revision, ecr: ECRClient) -> None:
    """Check that the images that the revision needs are still there.

    Raises:
        CannotStart: ECR says that one of them is not.
    """
    if gone := gone_image(_needed_images(revision), ecr):
        raise CannotStart(
            f"{resource_name(revision.arn)} can't start: ECR no longer has its image {resource_name(gone)}"
        )


def _needed_images(revision: Revision) -> list[str]:
    """The images without which a task does not start.

    They are those of the essential containers and of what these wait for. A task runs without a container
    that is not essential, even if the image of that one can't be pulled.
    """
    containers = {c["name"]: c for c in revision.content["containerDefinitions"]}
    needed = [name for name, c in containers.items() if is_essential(c)]
    for name in needed:  # it grows meanwhile
        waits_for = [d["containerName"] for d in containers[name].get("dependsOn", [])]
        needed += [other for other in waits_for if other in containers and other not in needed]
    return list(dict.fromkeys(containers[name]["image"] for name in needed))
