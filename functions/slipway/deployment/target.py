"""Chooses the good version to go back to: the newest one that can start and has no quarantined image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from slipway.ecs.startable import CannotStart, Kept, startable
from slipway.ecs.task_definition import Revision
from slipway.image import digest_of
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import Good, ServiceRecord

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient


def usable(
    good: Iterable[Good],
    record: ServiceRecord,
    ledger: Ledger,
    ecs: ECSClient,
    ecr: ECRClient,
    passed_over: Callable[[str], object],
) -> Iterator[tuple[Good, Revision]]:
    """Those of the good versions that a service can go back to, in their order, each read when it is due.

    A good version is known by the image that was released with it. If the service has images of several
    repositories, another one of them may be quarantined.

    Args:
        passed_over: gets a sentence for each version that can't start.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    kept = kept_by(ledger, record.service)
    for version in good:
        try:
            revision = startable(version.task_definition, kept, ecs, ecr)
        except CannotStart as why:
            passed_over(str(why))
            continue
        if not has_quarantined_image(revision, record):
            yield version, revision


def kept_by(ledger: Ledger, service: str) -> Kept:
    """The copies that the ledger keeps of the good task definitions of a service."""
    return partial(ledger.definition, service)


def has_quarantined_image(revision: Revision, record: ServiceRecord) -> bool:
    """Whether a container of the revision has an image that is quarantined on the service."""
    return not record.quarantined.keys().isdisjoint(map(digest_of, revision.images.values()))


def rollback_targets(
    rollback_target: str,
    replaced: str | None,
    abandoned: Collection[str],
    record: ServiceRecord,
    *,
    manual: bool,
) -> tuple[str, ...]:
    """ARNs of what to go back to, in the order in which it is tried.

    First comes the rollback target, then what else is good, the newest first, and last what the service ran
    before. In a manual rollback, only older versions follow the target: to go to a newer one would be no
    rollback.

    Args:
        abandoned: ARNs of the versions that the service must not keep.
    """
    own = record.good_of(rollback_target)
    others = [g.task_definition for g in record.all_good if not (manual and own and g.at > own.at)]
    more = [*others, *([replaced] if replaced else [])]
    return tuple(dict.fromkeys([rollback_target, *(arn for arn in more if arn not in abandoned)]))
