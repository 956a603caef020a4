"""Resolves a manual rollback: the version to go back to, recorded before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from slipway.aws import error_code, resource_name
from slipway.deployment.beginning import World, refuse_other_kinds
from slipway.ecs.service import read_service
from slipway.ecs.task_definition import Revision, read_task_definition
from slipway.errors import AwsRefused, InvalidInput
from slipway.health.cause import Cause
from slipway.image import Image, source
from slipway.ledger.records import Good, RollbackRecord, ServiceRecord
from slipway.model import Model, parse_written
from slipway.reasons import MASKING
from slipway.release.named import NamedRollback
from slipway.release.parameters import read_plan, read_service_policy
from slipway.release.plan import Policy, ServiceName
from slipway.release.registry import find_image, image_of
from slipway.release.release import Deployment, Release, StartedBy, started_id, unique_name
from slipway.release.service_policy import policy_of
from slipway.text import one_line, truncate

# ECR's own patterns: imageDigest and imageTag in its API reference.
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}|[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
GOOD_NAMED = 3
"""How many versions a refusal names."""
WHY_LENGTH = 100
"""Characters of the reason of a quarantine in a refusal."""


class ManualRollback(Model):
    """The input with which a person starts the rollback state machine."""

    service: ServiceName
    to: str | None = Field(default=None, min_length=1, max_length=2048)
    """A digest, a tag, or a task definition's name or ARN; by default the last good version before the
    running one."""
    by: Annotated[str, MASKING] | None = Field(default=None, min_length=1, max_length=256)


class RollbackDeployment(Model):
    """The answer of ResolveRollback: the deployment that carries the rollback out."""

    name: str
    """Of its execution."""
    input: NamedRollback


class _Rejected(Exception):  # noqa: N818 - not an error, but the end of a rollback that has no target
    """The rollback has no target; the message says why."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


def resolve_rollback(
    start: dict[str, Any],
    execution: str,
    started_at: datetime,
    history: timedelta,
    world: World,
) -> RollbackDeployment:
    """Choose what a manual rollback goes back to, and record it in the ledger.

    If there is nothing to go back to, the record says why, and the deployment ends REJECTED.

    Args:
        start: the input of the rollback state machine.
        execution: ARN of its execution.
        started_at: when that execution started.
        history: how long the ledger keeps the record.

    Raises:
        InvalidInput: the input is not valid, the service does not exist, or Slipway can't deploy to its kind.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    allowed = 'a manual rollback ({"service": ..., "to": ..., "by": ...})'
    wanted = parse_written(ManualRollback, start, allowed)
    service = wanted.service
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    record = world.ledger.service(service)
    rollback = started_id(execution, started_at)
    image, policy = _abandoned(running, record, world)
    facts: dict[str, Any]
    try:
        facts = _target(wanted.to, record, running, image, started_at, world)
    except _Rejected as rejected:
        facts = {"refusal": str(rejected), "cause": rejected.cause}
    if "image" in facts:  # it replaces the image of its own repository, by that repository's plan
        image, policy = _abandoned(running, record, world, facts["image"].repository)
    release = Release(
        id=rollback,
        image=image,
        released_at=started_at,
        started_by=StartedBy.MANUAL_ROLLBACK,
        by=wanted.by,
    )
    asked = RollbackRecord(
        deployment=Deployment(release=release, stage=None, service=service, policy=policy),
        running=running.arn,
        execution=execution,
        expires_at=int((started_at + history).timestamp()),
        **facts,
    )
    world.ledger.record_rollback(rollback, asked)
    return RollbackDeployment(
        name=unique_name(f"{service}-rollback", rollback), input=NamedRollback(rollback=rollback)
    )


def _target(
    to: str | None,
    record: ServiceRecord,
    running: Revision,
    abandoned: Image,
    now: datetime,
    world: World,
) -> dict[str, Any]:
    """What to go back to, as the fields ``good`` or ``image`` of RollbackRecord."""
    if to is None:
        # A deployment that is under way, or a version that it left unproven, is what to abandon, even if the
        # service has gone back from it already. The target is then the last good version itself.
        if (record.claim or running.arn in record.unproven) and record.last_good:
            return {"good": record.last_good}
        return {"good": _last_good_before(record, running, abandoned.digest)}
    if ":" in to.removeprefix("sha256:"):
        return {"good": _named(to, record, running, abandoned, now, world)}
    return _of_image(to, record, running, abandoned, world)


def _last_good_before(record: ServiceRecord, running: Revision, abandoned: str) -> Good:
    service, name = record.service, resource_name(running.arn)
    # Of a version that was good, the ledger knows which of its images was released with it.
    released = (g.digest for g in record.good if g.task_definition == running.arn and g.digest)
    abandoned = next(released, abandoned)
    # Another task definition of the same image is the same version, with settings that its stack changed.
    passed = [
        good
        for good in record.good
        if good.task_definition != running.arn and (not abandoned or good.digest != abandoned)
    ]
    others = [good for good in passed if good.digest not in record.quarantined]
    back = record.gone_back
    if back and back.task_definition == running.arn and others:
        # Its person may not know yet that the service has gone back. A good version must not be abandoned for
        # that.
        known = ", ".join(_called(good) for good in others[:GOOD_NAMED])
        raise _Rejected(
            Cause.GONE_BACK,
            f"service {service} has gone back to {name} already, at {back.at.isoformat(timespec='seconds')}, "
            f'without a person; to go back further, name the version as "to": {known}',
        )
    if others:
        return others[0]
    none = f"there is no last good version of service {service} before {name}"
    how = '"to" (a digest, a tag or a task definition)'
    if passed:
        listed = ", ".join(_quarantined(good, record) for good in passed[:GOOD_NAMED])
        raise _Rejected(
            Cause.NO_TARGET,
            f"{none}: others have passed every gate here, but are quarantined: {listed}; to go back to one "
            f"of them all the same, or to any other version, name it as {how}",
        )
    raise _Rejected(
        Cause.NO_TARGET,
        f"{none}: no other one has passed every gate here; name what to go back to as {how}",
    )


def _quarantined(good: Good, record: ServiceRecord) -> str:
    """A version with its quarantine: ``v2 (api:41) since 2026-11-22T02:59:00+00:00 (a task failed)``."""
    why = record.quarantined[good.digest]
    since = why.at.isoformat(timespec="seconds")
    return f"{good} since {since} ({truncate(one_line(why.reason), WHY_LENGTH)})"


def _called(good: Good) -> str:
    return good.tag or resource_name(good.task_definition)


def _named(
    name: str,
    record: ServiceRecord,
    running: Revision,
    abandoned: Image,
    now: datetime,
    world: World,
) -> Good:
    """The good version with this task definition, given by name or ARN, or a Good made of what ECS knows.

    Only a version that the ledger knows, or one of the service's own family, has a role that was meant for
    the service.
    """
    try:
        revision = read_task_definition(name, world.ecs)
    except AwsRefused as refused:
        # ECS answers ClientException if the task definition does not exist.
        if error_code(refused.__cause__) == "ClientException":
            raise _Rejected(Cause.NO_TARGET, f"there is no task definition {name}") from refused
        raise
    for good in record.good:
        if good.task_definition == revision.arn:
            return good
    own = {family(running.arn), *(family(good.task_definition) for good in record.good)}
    if family(revision.arn) not in own:
        raise _Rejected(
            Cause.NO_TARGET,
            f"task definition {resource_name(revision.arn)} is none of service {record.service}, whose "
            f"family is {family(running.arn)}; name one of that family, a tag or a digest",
        )
    # Only containers of the release's repository count: a sidecar's image says nothing about the release.
    ours = [image for image in revision.images.values() if source(image) == abandoned.uri]
    digests = [image_of(reference, world.ecr).digest for reference in ours]
    return Good(
        task_definition=revision.arn,
        digest=next(filter(None, digests), ""),
        at=revision.registered_at or now,
    )


def family(arn: str) -> str:
    """The family of a task definition, given by its ARN."""
    return resource_name(arn).rpartition(":")[0]


def _of_image(
    to: str, record: ServiceRecord, running: Revision, abandoned: Image, world: World
) -> dict[str, Any]:
    """The target for a digest or a tag in one of the service's repositories."""
    if not _IMAGE.fullmatch(to):
        raise _Rejected(Cause.NO_TARGET, f"{to} is neither a digest nor a tag of ECR")
    by: dict[str, Any] = {"imageDigest": to} if to.startswith("sha256:") else {"imageTag": to}
    images = list(_of_service(record.service, running, abandoned, world))
    refused = None
    for image in images:
        try:
            found = find_image(image.repository, by, world.ecr)
        except AwsRefused as error:
            refused = error  # Slipway may not read it, but may know another place
            continue
        if found:
            digest = str(found["imageDigest"])
            if known := [good for good in record.good if good.digest == digest]:
                return {"good": known[0]}
            tag = None if to.startswith("sha256:") else to
            return {"image": image.model_copy(update={"digest": digest, "tag": tag})}
    if known := [good for good in record.good if to in (good.digest, good.tag)]:
        return {"good": known[0]}
    if refused:
        raise refused
    repositories = " or ".join(image.repository for image in images)
    raise _Rejected(Cause.NO_TARGET, f"repository {repositories} holds no image {to}")


def _of_service(service: str, running: Revision, abandoned: Image, world: World) -> Iterator[Image]:
    """The images that the service runs of repositories whose plan names the service.

    The first is the one that is abandoned, even if no plan names the service.
    """
    yield abandoned
    for image, _ in _planned(service, running, world):
        if image.repository != abandoned.repository:
            yield image


def abandoning(
    deployment: Deployment, running: Revision, record: ServiceRecord, world: World
) -> Deployment:
    """The manual rollback, which abandons what the service runs now, of the same repository if it can.

    Raises:
        AwsUnavailable: from AWS.
    """
    repository = deployment.release.image.repository
    image, policy = _abandoned(running, record, world, repository)
    release = deployment.release.model_copy(update={"image": image})
    return deployment.model_copy(update={"release": release, "policy": policy})


def _abandoned(
    running: Revision, record: ServiceRecord, world: World, repository: str | None = None
) -> tuple[Image, Policy]:
    """The image that the service runs, and the service's policy in the plan of the image's repository.

    A task definition has only the digest of an image; the ledger knows the tag with which it was released.

    Args:
        repository: the one whose image to take if the service runs several; None for the first.

    Returns:
        With the default policy if no plan names the service.
    """
    service = record.service
    planned = list(_planned(service, running, world))
    of_it = [found for found in planned if found[0].repository == repository]
    if found := (of_it or planned):
        image, policy = found[0]
    else:
        first = next(iter(running.images.values()))
        image, policy = image_of(first, world.ecr), Policy()
    tag = image.tag or record.tag_of(image.digest)
    return image.model_copy(update={"tag": tag}), _policy(service, policy, world)


def _planned(service: str, running: Revision, world: World) -> Iterator[tuple[Image, Policy]]:
    """The images that the service runs, and its policy in the plan of each one's repository."""
    for reference in running.images.values():
        image = image_of(reference, world.ecr)
        try:
            plan = read_plan(image.repository, world.ssm)
        except (InvalidInput, AwsRefused):
            continue  # a plan that can't be read must not prevent a rollback
        if plan and (policy := plan.policy_of(service)):
            yield image, policy


def _policy(service: str, planned: Policy, world: World) -> Policy:
    """The policy of the plan, with the gates of the service's own policy."""
    try:
        return policy_of(service, planned, read_service_policy(service, world.ssm))
    except (InvalidInput, AwsRefused):
        return planned  # a policy that can't be read must not prevent a rollback
