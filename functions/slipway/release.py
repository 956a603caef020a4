"""From a push or a manual start to a release: one image, and the stages its plan names."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, InvalidInput
from slipway.image import Image
from slipway.model import Model, parse
from slipway.plan import Plan, Policy, Route, ServiceName, parameter_name, parse_plan

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ssm import SSMClient

EXECUTION_NAME_LENGTH = 80  # StartExecution's limit


class Release(Model):
    """One image on its way through the stages."""

    id: str
    """The ECR event's id, or the execution's name for a manual start."""
    image: Image
    started_by: str
    """``push`` or ``manual start``."""


class Deployment(Model):
    """One release on one service: the input of the deployment state machine."""

    release: Release
    stage: str
    service: ServiceName
    policy: Policy


class NamedDeployment(Model):
    """A deployment and the name of its execution."""

    name: str
    """The same for every delivery of the same event, so that a repeated one starts nothing twice."""
    input: Deployment


class ReleaseStage(Model):
    """The deployments of one stage."""

    name: str
    deployments: tuple[NamedDeployment, ...]


class Resolution(Model):
    """What becomes of a push or manual start: ``ignored`` says why nothing does."""

    ignored: str | None = None
    release: Release | None = None
    stages: tuple[ReleaseStage, ...] = ()


class ManualStart(Model):
    """A person's input of the release state machine: a repository, and a tag or a digest of it."""

    repository: str = Field(min_length=1)
    tag: str | None = Field(default=None, min_length=1)
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _names_one_image(self) -> ManualStart:
        if (self.tag is None) == (self.digest is None):
            raise ValueError("name the image by tag or by digest, one of the two")
        return self


class _PushDetail(BaseModel):
    """What Slipway reads of the detail of an ``ECR Image Action``.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html; the schema that AWS
    publishes calls tag and digest optional.
    """

    model_config = ConfigDict(strict=True)

    action: str | None = Field(default=None, alias="action-type")
    result: str | None = None
    repository: str | None = Field(default=None, alias="repository-name")
    tag: str | None = Field(default=None, alias="image-tag")
    digest: str | None = Field(default=None, alias="image-digest")


class _Push(BaseModel):
    """An EventBridge event of a push; AWS may add fields to it."""

    id: str
    detail: _PushDetail


class _Ignored(Exception):  # noqa: N818 - not an error: the quiet end of a push that is none of ours
    """Why a push is none of Slipway's business."""


def resolve(start: dict[str, Any], execution: str, ssm: SSMClient, ecr: ECRClient) -> Resolution:
    """Decide what becomes of ``start``, the input of the release state machine.

    Args:
        start: an EventBridge event ``ECR Image Action``, or a ManualStart.
        execution: the name of the release's execution.

    Raises:
        InvalidInput: the plan or the manual start is wrong, or names what does not exist.
        AwsUnavailable, AwsRefused: from SSM or ECR.
    """
    if "detail-type" not in start:
        return _resolve_manual_start(start, execution, ssm, ecr)
    try:
        return _resolve_push(start, ssm, ecr)
    except _Ignored as why:
        return Resolution(ignored=str(why))


def _resolve_push(event: dict[str, Any], ssm: SSMClient, ecr: ECRClient) -> Resolution:
    push = parse(_Push, event, "the event")
    detail = push.detail
    repository, tag = detail.repository, detail.tag
    if (detail.action, detail.result) != ("PUSH", "SUCCESS"):
        raise _Ignored("not a successful push")
    if not repository or not tag:
        raise _Ignored("a push without a repository or a tag")
    if tag.startswith("sha256-"):
        raise _Ignored(f"tag {tag} is a signature or an attestation")
    plan = _read_plan(repository, ssm)
    if plan is None:
        raise _Ignored(f"repository {repository} has no plan at {parameter_name(repository)}")
    route = plan.route_for(tag)
    if route is None:
        raise _Ignored(f"no route of repository {repository} matches tag {tag}")
    found = _find_image(repository, {"imageTag": tag}, ecr)
    if found is None:
        raise _Ignored(f"tag {tag} is no longer in repository {repository}")
    digest = found["imageDigest"]
    # A multi-arch push sets its tag on one platform's manifest first and moves it to the index: each
    # of the two has an event, and only the one that names what the tag points to now is a release.
    if detail.digest and detail.digest != digest:
        raise _Ignored(f"tag {tag} has moved on to {digest}, which has an event of its own")
    image = Image(repository=repository, uri=_uri(repository, ecr), digest=digest, tag=tag)
    return _resolution(Release(id=push.id, image=image, started_by="push"), route)


def _resolve_manual_start(
    start: dict[str, Any], execution: str, ssm: SSMClient, ecr: ECRClient
) -> Resolution:
    allowed = 'a manual start ({"repository": ..., "tag" or "digest": ...})'
    manual = parse(ManualStart, start, allowed)
    repository = manual.repository
    uri = _uri(repository, ecr)
    plan = _read_plan(repository, ssm)
    if plan is None:
        raise InvalidInput(
            f"repository {repository} has no plan: put one at {parameter_name(repository)}"
        )
    if manual.tag:
        found = _find_image(repository, {"imageTag": manual.tag}, ecr)
    else:
        found = _find_image(repository, {"imageDigest": manual.digest}, ecr)
    if found is None:
        named = f"tag {manual.tag}" if manual.tag else f"digest {manual.digest}"
        raise InvalidInput(f"repository {repository} holds no image with {named}")
    tags = [manual.tag] if manual.tag else sorted(found.get("imageTags", []))
    for tag in tags:
        if route := plan.route_for(tag):
            image = Image(repository=repository, uri=uri, digest=found["imageDigest"], tag=tag)
            return _resolution(Release(id=execution, image=image, started_by="manual start"), route)
    raise InvalidInput(
        f"no route of repository {repository} matches {' or '.join(tags) or 'an image without a tag'}: "
        f"see {parameter_name(repository)}"
    )


def _read_plan(repository: str, ssm: SSMClient) -> Plan | None:
    """The plan of ``repository``; None where it has none."""
    name = parameter_name(repository)
    try:
        with calling("ssm:GetParameter", name):
            try:
                # Powertools caches for five seconds; a plan just put must count for the next push.
                text = SSMProvider(boto3_client=ssm).get(name, force_fetch=True)
            except GetParameterError as error:
                raise (error.__context__ or error) from None
    except AwsRefused as error:
        if error_code(error.__cause__) == "ParameterNotFound":
            return None
        raise
    return parse_plan(str(text), repository)


def _find_image(repository: str, image_id: dict[str, Any], ecr: ECRClient) -> Any:
    """ECR's imageDetail of a tag or digest; None where the repository or the image is not there."""
    try:
        with calling("ecr:DescribeImages", f"repository {repository}"):
            found = ecr.describe_images(repositoryName=repository, imageIds=[image_id])  # type: ignore[list-item]
    except AwsRefused as error:
        if error_code(error.__cause__) in {"ImageNotFoundException", "RepositoryNotFoundException"}:
            return None
        raise
    return found["imageDetails"][0]


def _uri(repository: str, ecr: ECRClient) -> str:
    # Asked rather than built: the domain differs by partition.
    try:
        with calling("ecr:DescribeRepositories", f"repository {repository}"):
            found = ecr.describe_repositories(repositoryNames=[repository])
    except AwsRefused as error:
        if error_code(error.__cause__) == "RepositoryNotFoundException":
            raise InvalidInput(
                f"ECR has no repository {repository} in this account and region"
            ) from error
        raise
    return found["repositories"][0]["repositoryUri"]


def _resolution(release: Release, route: Route) -> Resolution:
    stages = []
    for stage in route.stages:
        deployments = [
            Deployment(
                release=release, stage=stage.name, service=planned.service, policy=planned.policy()
            )
            for planned in stage.services
        ]
        named = tuple(NamedDeployment(name=execution_name(d), input=d) for d in deployments)
        stages.append(ReleaseStage(name=stage.name, deployments=named))
    return Resolution(release=release, stages=tuple(stages))


def execution_name(deployment: Deployment) -> str:
    """The name of a deployment's execution: readable, and equal only for the same release and place.

    Step Functions starts nothing for a name that is in use and remembers it for 90 days (StartExecution).
    """
    release = deployment.release
    key = f"{release.id} {release.image.digest} {deployment.stage} {deployment.service}"
    suffix = hashlib.sha256(key.encode()).hexdigest()[:16]
    readable = f"{deployment.service}-{release.image.tag or 'digest'}"
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", readable)[: EXECUTION_NAME_LENGTH - len(suffix) - 1]
    return f"{readable}-{suffix}"
