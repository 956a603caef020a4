"""Turns a push or a manual start into a release with the stages of its repository's plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from slipway.errors import InvalidInput
from slipway.image import Image
from slipway.model import Model, parse, parse_written
from slipway.reasons import MASKING
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


class ManualStart(Model):
    """The input with which a person starts the release state machine: a repository, and a tag or a digest."""

    repository: str = Field(min_length=1)
    tag: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$")
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    force: bool = Field(default=False, strict=True)
    by: Annotated[str, MASKING] | None = Field(default=None, min_length=1, max_length=256)

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
    """A UUID, or what the sweep gives. It is a key in the ledger."""
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
            the future, or it names a repository, image or route that does not exist; or a service of the
            route has an invalid policy or does not admit the repository.
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
        id=push.id,
        image=image,
        released_at=_pushed_at(push.time, found.get("imagePushedAt"), started_at),
        started_by=StartedBy.SWEEP if push.source == SWEPT else StartedBy.PUSH,
        version=route.version_of(tag),
    )
    return release, route


def _pushed_at(in_event: datetime, in_ecr: datetime | None, started_at: datetime) -> datetime:
    """The time of the push, as precisely as AWS gives it.

    The event has whole seconds. DescribeImages has milliseconds, but if an image that is in the repository
    already gets another tag, it still has the time of the first push. So its time counts only if it lies
    within the second of the event. Otherwise the tag was put at any time in that second, but before the
    execution started: the latest of these times counts, so that a tag which follows a push in the same second
    is the newer one.
    """
    second = in_event.replace(microsecond=0)
    last = second + timedelta(seconds=1) - timedelta(microseconds=1)
    if in_ecr is not None and second <= in_ecr <= last:
        return in_ecr
    return in_event if in_event.microsecond else max(in_event, min(last, started_at))


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
        raise InvalidInput("\n".join(dict.fromkeys(refusals)))
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
