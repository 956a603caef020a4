"""Resolves a manual rollback: the version to go back to, recorded before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from slipway.aws import resource_name
from slipway.deployment.abandoned import (
    Abandoned,
    Running,
    abandoned,
    changes_an_image,
    images_of,
    read_running,
)
from slipway.deployment.beginning import World, refuse_other_kinds
from slipway.deployment.target import kept_by, usable
from slipway.ecs.service import read_service
from slipway.ecs.startable import CannotStart, check_images, find_version, startable
from slipway.ecs.task_definition import (
    Revision,
    find_task_definition,
    read_task_definition,
    with_image,
)
from slipway.errors import AwsRefused, InvalidInput
from slipway.health.cause import Cause
from slipway.image import Image, digest_of
from slipway.ledger.records import Good, Quarantined, RollbackRecord, ServiceRecord
from slipway.model import Model, parse_written
from slipway.reasons import Written
from slipway.release.named import NamedRollback
from slipway.release.parameter_names import service_parameter
from slipway.release.plan import Policy, ServiceName
from slipway.release.registry import artifact_type, find_image_at
from slipway.release.release import Deployment, Release, StartedBy, started_id, unique_name
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
    by: Written | None = None


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
        InvalidInput: the input is not valid, the service does not exist, Slipway can't deploy to its kind, or
            the named image comes only with another one that is quarantined.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    allowed = 'a manual rollback ({"service": ..., "to": ..., "by": ...})'
    wanted = parse_written(ManualRollback, start, allowed)
    service = wanted.service
    found = read_service(service, world.ecs)
    refuse_other_kinds(service, found, world.ecs)
    running = read_task_definition(found["taskDefinition"], world.ecs)
    record = world.ledger.service(service)
    rollback = started_id(execution, started_at)
    now = read_running(service, running, world)
    facts: dict[str, Any]
    named = None
    try:
        target = _target(wanted.to, record, now, started_at, world)
    except _Rejected as rejected:
        left = abandoned(now, running.images, record, world)
        policy = now.policy_for(left.image, left.containers)
        facts = {"refusal": str(rejected), "cause": rejected.cause}
    else:
        named = target.named
        left = abandoned(now, target.images, record, world)
        # An image is put into the containers that its own plan names.
        policy = _policy(target.image, left, now)
        facts = {"good": _labelled(target, left.image, now, world), "image": target.image}
        facts |= {"leaves": left.leaves, "also": left.also, "passed_over": target.passed_over}
        facts["images"] = dict(target.images)
    release = Release(
        id=rollback,
        image=left.image,
        released_at=started_at,
        started_by=StartedBy.MANUAL_ROLLBACK,
        by=wanted.by,
        target=named,
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


@dataclass(frozen=True)
class _Target:
    """What to go back to: a task definition, or an image that is to be put into the running one."""

    images: Mapping[str, str]
    """The image references of the service afterwards, by container."""
    good: Good | None = None
    image: Image | None = None
    named: str | None = None
    """What a person has named: the digest of an image, or the ARN of a task definition."""
    passed_over: tuple[str, ...] = ()
    """Why each newer good version is not the target, in a sentence."""


def _target(
    to: str | None, record: ServiceRecord, now: Running, started_at: datetime, world: World
) -> _Target:
    running = now.revision
    if to is None:
        # A deployment that is under way, or a version that it left unproven, is what to abandon, even if the
        # service has gone back from it already. The target is then the last good version itself.
        under_way = record.claim or running.arn in record.unproven
        return (
            _last_good(record, now, world) if under_way else _last_good_before(record, now, world)
        )
    if ":" in to.removeprefix("sha256:"):
        return _named(to, record, running, started_at, world)
    return _of_image(to, record, now, world)


def _last_good(record: ServiceRecord, now: Running, world: World) -> _Target:
    passed_over: list[str] = []
    for good, revision in _usable(record.all_good, record, world, passed_over):
        return _Target(revision.images, good=good, passed_over=tuple(passed_over))
    return _last_good_before(record, now, world)


def _usable(
    good: Iterable[Good], record: ServiceRecord, world: World, passed_over: list[str]
) -> Iterator[tuple[Good, Revision]]:
    return usable(good, record, world.ledger, world.ecs, world.ecr, passed_over.append)


def _last_good_before(record: ServiceRecord, now: Running, world: World) -> _Target:
    running = now.revision
    service, name = record.service, resource_name(running.arn)
    known = record.good_of(running.arn)
    # A service that has gone back is on an older version already, which newer ones may follow in the list: to
    # go to one of them would be no rollback, even if the version that runs is quarantined.
    earlier = [
        good
        for good in record.all_good
        if good.task_definition != running.arn and (known is None or good.at <= known.at)
    ]
    back = record.gone_back
    if back and back.task_definition == running.arn:
        # Its person may not know yet that the service has gone back. A good version must not be abandoned for
        # that.
        others = [good for good in earlier if not known or not good.has_images_of(known)]
        if others:
            names = ", ".join(_called(good) for good in others[:GOOD_NAMED])
            raise _Rejected(
                Cause.GONE_BACK,
                f"service {service} has gone back to {name} already, at "
                f"{back.at.isoformat(timespec='seconds')}, without a person; to go back further, name the "
                f'version as "to": {names}',
            )
    passed_over: list[str] = []
    for good, revision in _usable(earlier, record, world, passed_over):
        # Another task definition of the same images is the same version, whose stack has changed settings.
        if changes_an_image(now, revision.images, record, world):
            return _Target(revision.images, good=good, passed_over=tuple(passed_over))
    none = f"there is no last good version of service {service} before {name}"
    how = '"to" (a digest, a tag or a task definition)'
    runs = {image.digest for image in now.images.values()}
    quarantined = [
        _quarantined(good, next(iter(leaves.values())))
        for good in record.good
        if (leaves := record.quarantines_of(good)) and runs.isdisjoint(leaves)
    ]
    if quarantined:
        raise _Rejected(
            Cause.NO_TARGET,
            f"{none}: {'; '.join([*passed_over, ''])}others have passed every gate here, but are "
            f"quarantined: {', '.join(quarantined[:GOOD_NAMED])}; to go back to one of them all the same, or "
            f"to any other version, name it as {how}",
        )
    why = "; ".join(passed_over) or "no earlier one has passed every gate here"
    raise _Rejected(Cause.NO_TARGET, f"{none}: {why}; name what to go back to as {how}")


def _quarantined(good: Good, why: Quarantined) -> str:
    """A version with its quarantine: ``v2 (api:41) since 2026-11-22T02:59:00+00:00 (a task failed)``."""
    return f"{good} {_since(why)}"


def _since(why: Quarantined, by: str = "") -> str:
    """Since when an image is quarantined, by whom if that is said, and why."""
    reason = truncate(one_line(why.reason), WHY_LENGTH)
    return f"since {why.at.isoformat(timespec='seconds')}{by} ({reason})"


def _called(good: Good) -> str:
    return good.tag or _name(good)


def _name(good: Good) -> str:
    return resource_name(good.task_definition)


def _named(
    name: str, record: ServiceRecord, running: Revision, started_at: datetime, world: World
) -> _Target:
    """The task definition with this name or ARN.

    Only a version that the ledger knows, or one of the service's own family, has a role that was meant for
    the service.
    """
    revision = find_task_definition(name, world.ecs)
    if revision is None:
        named = (good for good in record.good if name in (good.task_definition, _name(good)))
        revision = next((kept for good in named if (kept := _kept(good, record, world))), None)
    if revision is None:
        raise _Rejected(Cause.NO_TARGET, f"there is no task definition {name}")
    try:
        check_images(revision, world.ecr)
    except CannotStart as why:
        raise _Rejected(Cause.NO_TARGET, str(why)) from why
    for good in record.good:
        if good.task_definition == revision.arn:
            return _Target(revision.images, good=good, named=revision.arn)
    own = {family(running.arn), *(family(good.task_definition) for good in record.good)}
    if family(revision.arn) not in own:
        raise _Rejected(
            Cause.NO_TARGET,
            f"task definition {resource_name(revision.arn)} is none of service {record.service}, whose "
            f"family is {family(running.arn)}; name one of that family, a tag or a digest",
        )
    unknown = Good(task_definition=revision.arn, at=revision.registered_at or started_at)
    return _Target(revision.images, good=unknown, named=revision.arn)


def _kept(good: Good, record: ServiceRecord, world: World) -> Revision | None:
    """A good version that was deleted, as the ledger keeps it; None if it does not."""
    return find_version(good.task_definition, kept_by(world.ledger, record.service), world.ecs)


def _labelled(target: _Target, left: Image, now: Running, world: World) -> Good | None:
    """The target, with the digest of its image of the repository that is gone back in, if it has none yet."""
    if target.good is None or target.good.digest:
        return target.good
    ours = images_of(left.versions_in(target.images), now, world)
    digests = (image.digest for image in ours.values())
    return target.good.model_copy(update={"digest": next(filter(None, digests), "")})


def _policy(put: Image | None, left: Abandoned, now: Running) -> Policy:
    """The policy of the image that is to be put into the running task definition, or of what is abandoned."""
    return now.policy_for(put) if put else now.policy_for(left.image, left.containers)


def family(arn: str) -> str:
    """The family of a task definition, given by its ARN."""
    return resource_name(arn).rpartition(":")[0]


def _of_image(to: str, record: ServiceRecord, now: Running, world: World) -> _Target:
    """The target for a digest or a tag in one of the repositories whose images the service runs."""
    if not _IMAGE.fullmatch(to):
        raise _Rejected(Cause.NO_TARGET, f"{to} is neither a digest nor a tag of ECR")
    images = now.of_releases
    found, refused = _in_ecr(to, images, world)
    if found and not to.startswith("sha256:"):
        # A plan that can't be read may name the service, so that the tag may mean that image.
        others = [image for image in now.of_unknown_plans if image not in images]
        found += _in_ecr(to, others, world)[0]
    passed_over: list[str] = []
    digests = {image.digest for image in found}
    # If several repositories hold the image, only a task definition says which container has it.
    containers = now.containers_of(found[0]) if len(found) == 1 else ()
    if len(digests) == 1 and (
        known := _known(digests.pop(), containers, record, now, world, passed_over)
    ):
        return known
    if len(found) > 1:
        raise _Rejected(Cause.NO_TARGET, "; ".join([_held_by_several(to, found), *passed_over]))
    if found:
        # A repository that can't be read must not keep a person from the image in another one.
        elsewhere = (f"{to} may be in another repository, too: {refused}",) if refused else ()
        return replace(_put(found[0], now), passed_over=elsewhere)
    released = [good for good in record.good if good.tag == to]
    if (
        len(now.planned) + len(now.plans_unreadable) > 1
        and len({good.digest for good in released}) > 1
    ):
        versions = " and ".join(map(str, released[:GOOD_NAMED]))
        raise _Rejected(
            Cause.NO_TARGET,
            f"{to} is the tag of several good versions: {versions}; name the task definition of one",
        )
    if known := _known(to, (), record, now, world, passed_over):
        return known
    if refused:
        raise refused
    why = _held_by_none(to, images, now) if images else _admits_none(to, record, now)
    raise _Rejected(Cause.NO_TARGET, "; ".join([why, *passed_over]))


def _in_ecr(
    to: str, images: Iterable[Image], world: World
) -> tuple[list[Image], AwsRefused | None]:
    """The image with this digest or tag in each repository of these images that holds one.

    With it, the error of a repository that Slipway may not read: it may hold the image, too.
    """
    by: dict[str, Any] = {"imageDigest": to} if to.startswith("sha256:") else {"imageTag": to}
    tag = None if to.startswith("sha256:") else to
    held: list[Image] = []
    refused = None
    for image in images:
        try:
            found = find_image_at(image.uri, by, world.ecr)
        except AwsRefused as error:
            refused = error
            continue
        if found and not artifact_type(found):
            digest = str(found["imageDigest"])
            held.append(image.model_copy(update={"digest": digest, "tag": tag}))
    return held, refused


def _held_by_none(to: str, images: Iterable[Image], now: Running) -> str:
    """Says where the digest or tag was looked for, and where it was not."""
    searched = [image.repository for image in images]
    why = f"repository {' or '.join(searched)} holds no image {to}"
    own = (now.revision.own_repository(image.uri) for image in now.images.values())
    others = sorted({repository.name for repository in own if repository} - {*searched})
    if not others:
        return why
    return (
        f"{why}; {' and '.join(others)} was not searched, because no valid plan deploys it to the service or "
        "the service's policy does not list it"
    )


def _held_by_several(to: str, held: Iterable[Image]) -> str:
    """Says which images a digest or a tag may mean, and how to name one of them."""
    digests = {image.digest for image in held}
    if len(digests) == 1:
        repositories = " and ".join(image.repository for image in held)
        return (
            f"repositories {repositories} hold the same image {to}; name a task definition of the service, "
            "or start a release of the image from one of them"
        )
    each = " and ".join(f"{image.digest} of {image.repository}" for image in held)
    return f"{to} is the tag of several images: {each}; name the digest of one"


def _known(
    to: str,
    containers: Collection[str],
    record: ServiceRecord,
    now: Running,
    world: World,
    passed_over: list[str],
) -> _Target | None:
    """The newest good version of an image that can start; None if there is none.

    One build may run in several containers. A version that has it where the service runs another image is
    what a person means, rather than what runs.

    Args:
        to: a digest, or the tag of a good version.
        containers: those that the image is for; empty if that is not known.
        passed_over: gets a sentence for each version that can't start.

    Raises:
        InvalidInput: each version that can start has another image that is quarantined.
    """
    wanted = [
        (good, good.digest if to == good.tag else to)
        for good in record.good
        if to == good.tag or to in good.digests
    ]
    runs = {name: image.digest for name, image in now.images.items()}
    changing = [each for each in wanted if _changes(*each, containers, runs)]
    others = [each for each in wanted if each not in changing]
    there = [runs[name] for name in containers if name in runs]
    if there and to not in there:
        others = []  # they have the image in containers that it is not for
    return _startable(to, changing, record, world, passed_over) or _startable(
        to, others, record, world, passed_over
    )


def _changes(good: Good, digest: str, containers: Collection[str], runs: Mapping[str, str]) -> bool:
    """Whether the version has the image in a container, of these if any, where the service has another one.

    This is taken to be so if the version's images are not known.

    Args:
        runs: the digests of what the service runs, by container.
    """
    asked = [name for name in good.images if name in containers] or good.images
    return not good.images or any(
        digest_of(good.images[name]) == digest != runs.get(name) for name in asked
    )


def _startable(
    to: str,
    wanted: Iterable[tuple[Good, str]],
    record: ServiceRecord,
    world: World,
    passed_over: list[str],
) -> _Target | None:
    """The first one of these versions that can start, as `_known`; each with the digest of the named image.

    Whoever names an image decides for it, and for no other one that is quarantined: such a version is chosen
    by its task definition only.

    Raises:
        InvalidInput: each version that can start has another image that is quarantined.
    """
    kept = kept_by(world.ledger, record.service)
    refusals: list[str] = []
    for good, named in wanted:
        try:
            revision = startable(good.task_definition, kept, world.ecs, world.ecr)
        except CannotStart as why:
            passed_over.append(str(why))
            continue
        held = record.quarantines_of(good.model_copy(update={"images": revision.pinned_images}))
        others = {digest: why for digest, why in held.items() if digest != named}
        if not others:
            return _Target(revision.images, good, named=named, passed_over=tuple(passed_over))
        refusals.append(_comes_with(to, good, others))
    if refusals:
        raise InvalidInput(refusals[0])
    return None


def _comes_with(to: str, good: Good, others: Mapping[str, Quarantined]) -> str:
    """Says which quarantined images a version would bring along with the image that a person has named."""
    each = ", ".join(
        f"{digest} {_since(why, f' by deployment {why.deployment}' if why.deployment else ' by a person')}"
        for digest, why in others.items()
    )
    return (
        f"the good version with {to}, {good}, has another image that is quarantined: {each}; to bring that "
        f'image back as well, name the task definition ("to": "{_name(good)}"); otherwise lift the '
        'quarantine with Operate ("action": "release_from_quarantine") and start the rollback again'
    )


def _put(image: Image, now: Running) -> _Target:
    """The running task definition with this image in it, as RegisterTaskDefinition will register it."""
    content = with_image(now.revision.content, image, now.policy_for(image).container, now.service)
    return _Target(
        now.revision.model_copy(update={"content": content}).images, image=image, named=image.digest
    )


def _admits_none(to: str, record: ServiceRecord, now: Running) -> str:
    parameter = service_parameter(record.service)
    why = (
        f"the policy of service {record.service} can't be read (SSM parameter {parameter})"
        if now.policy_unreadable
        else f"service {record.service} admits none of the repositories whose images it runs (SSM parameter "
        f"{parameter})"
    )
    return (
        f"{why}, and no good version of the service is {to}; name a task definition of the service"
    )


def abandoning(asked: RollbackRecord, running: Revision, world: World) -> RollbackRecord:
    """The manual rollback, which abandons what the service runs now.

    A task definition has only the digest of an image; the ledger knows the tag with which it was released.

    Raises:
        InvalidInput: no container of the running task definition is for the image.
        AwsUnavailable, AwsRefused, Unreadable: from AWS and the ledger.
    """
    deployment = asked.deployment
    record = world.ledger.service(deployment.service)
    now = read_running(deployment.service, running, world)
    images = _put(asked.image, now).images if asked.image else asked.images
    left = abandoned(now, images, record, world)
    release = deployment.release.model_copy(update={"image": left.image})
    policy = _policy(asked.image, left, now)
    return asked.model_copy(
        update={
            "deployment": deployment.model_copy(update={"release": release, "policy": policy}),
            "leaves": left.leaves,
            "also": left.also,
            "images": dict(images),
        }
    )
