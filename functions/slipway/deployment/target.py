"""Chooses the good version to go back to: the newest one that can start and has no quarantined image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from slipway.aws import error_code
from slipway.ecs.task_definition import Revision, read_task_definition
from slipway.errors import AwsRefused
from slipway.ledger.records import Good, ServiceRecord

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def usable(
    good: Iterable[Good], record: ServiceRecord, ecs: ECSClient
) -> Iterator[tuple[Good, Revision]]:
    """Those of the good versions that a service can go back to, in their order, each read when it is due.

    A good version is known by the image that was released with it. If the service has images of several
    repositories, another one of them may be quarantined.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    for version in good:
        revision = find_task_definition(version.task_definition, ecs)
        if revision and not has_quarantined_image(revision, record):
            yield version, revision


def find_task_definition(name: str, ecs: ECSClient) -> Revision | None:
    """The revision of a task definition, or None if ECS no longer has it.

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


def has_quarantined_image(revision: Revision, record: ServiceRecord) -> bool:
    """Whether a container of the revision has an image that is quarantined on the service."""
    digests = {reference.partition("@")[2] for reference in revision.images.values()}
    return not digests.isdisjoint(record.quarantined)
