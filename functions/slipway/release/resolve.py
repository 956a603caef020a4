"""Turns a push or a manual start into a release with the stages of its repository's plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from slipway.errors import InvalidInput
from slipway.image import Image, RepositoryName, Tag
from slipway.model import Model, parse, parse_written, together
from slipway.reasons import Written
from slipway.release.parameter_names import plan_parameter
from slipway.release.parameters import read_plan, read_service_policy
from slipway.release.plan import Policy, Route
from slipway.release.registry import artifact_type, find_image, uri_of
from slipway.release.release import (
    PlannedDeployment,
    Release,
    ReleaseStage,
    Resolved,
    StartedBy,
    pushed_id,
    started_id,
)
from slipway.release.service_policy import admitted

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ssm import SSMClient

SWEPT = "slipway.sweep"
"""The ``source`` of an event that the sweep sends because the one from ECR was lost."""
SOURCES = ("aws.ecr", SWEPT)
# How far the time of a push may be ahead of Step Functions' clock. A release with a time in the future would
# make every later one on its services SUPERSEDED until that time.
AHEAD = timedelta(minutes=1)
# EventBridge delivers most events within a second or two; later ones than PLACES steps count as equally late.
STEP = timedelta(milliseconds=10)
PLACES = 999
# No registry had a push before it. Some times of the first year have no equal in UTC, by which the ledger
# orders releases; those of the last year are in the future.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class ManualStart(Model):
    """The input with which a person starts the release state machine: a repository, and a tag or a digest."""

    repository: RepositoryName
    tag: Tag | None = None
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    force: bool = Field(default=False, strict=True)
    by: Written | None = None

    @model_validator(mode="after")
    def _names_one_image(self) -> ManualStart:
        if (self.tag is None) == (self.digest is None):
            raise ValueError("name the image by tag or by digest, one of the two")
        return self


class _PushDetail(BaseModel):
    """The fields that Slipway reads from the detail of an ``ECR Image Action``.

    See https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html. In the event schema that
    AWS publishes, tag and digest are optional.
    """

    model_config = ConfigDict(strict=True)

    action: str | None = Field(default=None, alias="action-type")
    result: str | None = None
    repository: str | None = Field(default=None, alias="repository-name")
    tag: str | None = Field(default=None, alias="image-tag")
    digest: str | None = Field(default=None, alias="image-digest")


class _Push(BaseModel):
    """An EventBridge event of a push; AWS may add fields to it."""

    id: str = Field(pattern=r"^[!-~]{1,200}$")
    """A UUID, or what the sweep gives."""
    source: str
    account: str
    region: str
    time: AwareDatetime
    detail: _PushDetail


class _Ignored(Exception):  # noqa: N818 - not an error: a push that Slipway ignores is normal
    """Slipway does not deploy this push; the message says why."""


def resolve(
    start: dict[str, Any],
    execution: str,
    started_at: datetime,
    ssm: SSMClient,
    ecr: ECRClient,
    *,
    policies_required: bool,
) -> Resolved:
    """Resolve ``start``, the input of the release state machine, to a release or to a reason to ignore it.

    A push is ignored if no plan or route is for it, or if it is no image. A manual start is never ignored: if
    nothing can be deployed, that is an error, because a person waits for the result.

    Args:
        start: an EventBridge event ``ECR Image Action``, or a ManualStart.
        execution: ARN of the release's execution.
        started_at: when that execution started, which is the time of a manually started release.
        policies_required: whether a service without a policy is not deployed to.

    Raises:
        InvalidInput: the plan, the event or the manual start is not valid, the event is not ECR's or lies in
            the future or before 2000, or it names a repository, image or route that does not exist; or a
            service of the route has an invalid policy or does not admit the repository.
        AwsUnavailable, AwsRefused: from SSM or ECR.
    """
    try:
        if "detail-type" in start:
            release, route = _resolve_push(start, execution, started_at, ssm, ecr)
        else:
            release, route = _resolve_manual_start(start, execution, started_at, ssm, ecr)
    except _Ignored as why:
        return Resolved(ignored=str(why))
    policies = _policies(release, route, ssm, policies_required=policies_required)
    return _resolution(release, route, policies)


def _read_push(event: dict[str, Any], execution: str, started_at: datetime) -> _Push:
    push = parse(_Push, event, "the event")
    if push.source not in SOURCES:
        raise InvalidInput(
            f"an event of source {push.source} is no push; to deploy manually, give repository and tag"
        )
    if push.time > started_at + AHEAD:
        raise InvalidInput(
            f"the time of the event, {push.time.isoformat()}, is in the future: its execution started at "
            f"{started_at.isoformat()}"
        )
    if push.time < EARLIEST:
        raise InvalidInput(
            f"the time of the event, {push.time.isoformat()}, is before {EARLIEST.year}"
        )
    region, account = execution.split(":")[3:5]
    if (push.account, push.region) != (account, region):
        raise _Ignored(
            f"a push in account {push.account} and region {push.region}; this is {account} in {region}"
        )
    if (push.detail.action, push.detail.result) != ("PUSH", "SUCCESS"):
        raise _Ignored("not a successful push")
    return push


def _resolve_push(
    event: dict[str, Any], execution: str, started_at: datetime, ssm: SSMClient, ecr: ECRClient
) -> tuple[Release, Route]:
    push = _read_push(event, execution, started_at)
    detail = push.detail
    repository, tag = detail.repository, detail.tag
    if not repository or not tag:
        raise _Ignored("a push without a repository or a tag")
    if tag.startswith("sha256-"):
        raise _Ignored(f"tag {tag} is a signature or an attestation")
    plan = read_plan(repository, ssm)
    if plan is None:
        raise _Ignored(f"repository {repository} has no plan at {plan_parameter(repository)}")
    route = plan.route_for(tag)
    if route is None:
        raise _Ignored(f"no route of repository {repository} matches tag {tag}")
    if not route.takes(tag):
        raise _Ignored(
            f"tag {tag} is no version of SemVer 2.0, such as v1.2.3 or 1.2.3-rc.1, and its route takes only "
            f'versions ("semver" in {plan_parameter(repository)})'
        )
    found = find_image(repository, {"imageTag": tag}, ecr)
    if found is None:
        raise _Ignored(f"tag {tag} is no longer in repository {repository}")
    digest = found["imageDigest"]
    # A push of a multi-architecture image first puts the tag on the manifest of one platform and then moves
    # it to the index. Both steps have an event. Only the event with the digest to which the tag points now
    # is a release.
    if detail.digest and detail.digest != digest:
        raise _Ignored(f"tag {tag} has moved on to {digest}, which has an event of its own")
    if kind := artifact_type(found):
        raise _Ignored(f"tag {tag} is on an artifact of type {kind}, which is no image")
    image = Image(repository=repository, uri=uri_of(repository, ecr), digest=digest, tag=tag)
    release = Release(
        id=pushed_id(push.id, push.time, image),
        image=image,
        released_at=_pushed_at(push.time, found.get("imagePushedAt"), started_at),
        started_by=StartedBy.SWEEP if push.source == SWEPT else StartedBy.PUSH,
        version=route.version_of(tag),
    )
    return release, route


def _pushed_at(in_event: datetime, in_ecr: datetime | None, started_at: datetime) -> datetime:
    """The time by which a push is ordered among others of its second.

    The event has whole seconds. DescribeImages has milliseconds, but it has the time of the image's first
    push for good, even if the image gets another tag later.

    ==========================  ================================  =====================================
    two events of one second    what is known                     the newer one
    ==========================  ================================  =====================================
    two pushes                  both times of the image           the one that was pushed later
    an image, pushed in this    the image's time, which may be    the one that was pushed later; of one
    second, gets another tag    before that of the tag            image, by the ids of the events
    a push, and an older image  when the image was pushed, but    the push: a new image is meant to be
    that gets another tag       not when the tag was put          deployed, and it is no older
    two older images that get   nothing but the order in which    the one whose execution started later,
    another tag                 the events have come              if at least STEP lies between them
    ==========================  ================================  =====================================

    So an older image with another tag comes right before the first push of the second, which is still after
    every push of the second before. That its event came after that of a push can't be seen here: a release
    is ordered by a value of its own, so that the order is the same whoever compares, and when.
    """
    second = in_event.replace(microsecond=0)
    if in_ecr is not None and second <= in_ecr < second + timedelta(seconds=1):
        return in_ecr
    if in_event.microsecond:  # of the sweep
        return in_event
    # ECR's milliseconds leave 999 places between the last push of a second and the first of the next one.
    place = min(max((started_at - second) // STEP, 0), PLACES - 1)
    return second - timedelta(microseconds=PLACES - place)


def _resolve_manual_start(
    start: dict[str, Any],
    execution: str,
    started_at: datetime,
    ssm: SSMClient,
    ecr: ECRClient,
) -> tuple[Release, Route]:
    allowed = 'a manual start ({"repository": ..., "tag" or "digest": ...})'
    manual = parse_written(ManualStart, start, allowed)
    repository = manual.repository
    uri = uri_of(repository, ecr)
    plan = read_plan(repository, ssm)
    if plan is None:
        raise InvalidInput(
            f"repository {repository} has no plan: put one at {plan_parameter(repository)}"
        )
    if manual.tag:
        found = find_image(repository, {"imageTag": manual.tag}, ecr)
    else:
        found = find_image(repository, {"imageDigest": manual.digest}, ecr)
    if found is None:
        named = f"tag {manual.tag}" if manual.tag else f"digest {manual.digest}"
        raise InvalidInput(f"repository {repository} holds no image with {named}")
    if kind := artifact_type(found):
        raise InvalidInput(
            f"{manual.tag or manual.digest} of repository {repository} is an artifact of type {kind}, which "
            "is no image; name an image"
        )
    tags = [manual.tag] if manual.tag else sorted(found.get("imageTags", []))
    for tag in tags:
        if route := plan.route_for(tag):
            release = Release(
                id=started_id(execution, started_at),
                image=Image(repository=repository, uri=uri, digest=found["imageDigest"], tag=tag),
                released_at=started_at,
                started_by=StartedBy.MANUAL_START,
                by=manual.by,
                force=manual.force,
                version=route.version_of(tag),
            )
            return release, route
    raise InvalidInput(
        f"no route of repository {repository} matches {' or '.join(tags) or 'an image without a tag'}: "
        f"see {plan_parameter(repository)}"
    )


def _policies(
    release: Release, route: Route, ssm: SSMClient, *, policies_required: bool
) -> dict[tuple[str, str], Policy]:
    """The policy of each deployment, by stage and service.

    Every service of the route is asked before the first stage begins, so a release that a later stage does
    not admit changes nothing.
    """
    of_services = {
        service: read_service_policy(service, ssm)
        for service in dict.fromkeys(
            planned.service for stage in route.stages for planned in stage.services
        )
    }
    policies = {}
    refusals = []
    for stage in route.stages:
        for planned in stage.services:
            service = planned.service
            try:
                policies[stage.name, service] = admitted(
                    release.image.repository,
                    service,
                    planned.policy(),
                    of_services[service],
                    required=policies_required,
                )
            except InvalidInput as refused:
                refusals.append(str(refused))
    if refusals:
        raise InvalidInput(together(list(dict.fromkeys(refusals))))
    return policies


def _resolution(
    release: Release, route: Route, policies: dict[tuple[str, str], Policy]
) -> Resolved:
    stages = [
        ReleaseStage(
            name=stage.name,
            services=tuple(
                PlannedDeployment(
                    service=planned.service, policy=policies[stage.name, planned.service]
                )
                for planned in stage.services
            ),
        )
        for stage in route.stages
    ]
    return Resolved(release=release, stages=tuple(stages))
