"""Reads ECR: the URI of a repository, and the images that its tags and digests name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.image import Image, ecr_repository, source

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

PAGE = 1000  # the most images that DescribeImages returns at once

# What a registry holds has the type of its config, and these are the ones of images that ECS can run. A build
# cache, a chart or a signature has another one.
_IMAGE_TYPES = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
)


def find_image(
    repository: str, image_id: dict[str, Any], ecr: ECRClient, account: str | None = None
) -> Any:
    """ECR's ``imageDetail`` of a tag or digest, or None if the repository or the image does not exist.

    Args:
        image_id: ``{"imageTag": ...}`` or ``{"imageDigest": ...}``, as DescribeImages takes it.
        account: whose registry it is; by default the caller's.

    Raises:
        AwsUnavailable, AwsRefused: from ECR.
    """
    registry: Any = {"registryId": account} if account else {}
    try:
        with calling("ecr:DescribeImages", f"repository {repository}"):
            found = ecr.describe_images(
                repositoryName=repository,
                imageIds=[image_id],  # type: ignore[list-item]
                **registry,
            )
    except AwsRefused as error:
        if error_code(error.__cause__) in {"ImageNotFoundException", "RepositoryNotFoundException"}:
            return None
        raise
    return next(iter(found["imageDetails"]), None)


def artifact_type(detail: Any) -> str | None:
    """The type of an artifact that is no image, such as a build cache; None for an image.

    An index, with the images of several platforms, has no config and so no type: it counts as an image.

    Args:
        detail: ECR's ``imageDetail``.
    """
    kind: str | None = detail.get("artifactMediaType")
    return kind if kind and kind not in _IMAGE_TYPES else None


def find_image_at(uri: str, image_id: dict[str, Any], ecr: ECRClient) -> Any:
    """As `find_image`, in the repository with this URI; None if it is not in ECR, or in another region.

    A repository of another account may have the name of one of this account's, and other images.
    """
    found = ecr_repository(uri)
    if found is None or found.region != ecr.meta.region_name:
        return None
    return find_image(found.name, image_id, ecr, found.account)


def uri_of(repository: str, ecr: ECRClient) -> str:
    """The URI of a repository: ``123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api``.

    ECR names it, because the domain of a registry depends on the partition of AWS.

    Raises:
        InvalidInput: the repository does not exist.
        AwsUnavailable, AwsRefused: from ECR.
    """
    try:
        with calling("ecr:DescribeRepositories", f"repository {repository}"):
            found = ecr.describe_repositories(repositoryNames=[repository])
    except AwsRefused as error:
        if error_code(error.__cause__) == "RepositoryNotFoundException":
            raise InvalidInput(
                f"ECR has no repository {repository} in this account and region; check its name"
            ) from error
        raise
    return found["repositories"][0]["repositoryUri"]


def tagged_images(
    repository: str, ecr: ECRClient, before_page: Callable[[], None]
) -> Iterator[Any]:
    """ECR's ``imageDetail`` of every image of a repository that has a tag, a page in memory at a time.

    Args:
        before_page: called before each call of ECR; what it raises ends the iteration.

    Yields:
        Nothing if the repository does not exist.

    Raises:
        AwsUnavailable, AwsRefused: from ECR.
    """
    more: dict[str, str] = {}
    while True:
        before_page()
        try:
            with calling("ecr:DescribeImages", f"repository {repository}"):
                page = ecr.describe_images(
                    repositoryName=repository,
                    maxResults=PAGE,
                    filter={"tagStatus": "TAGGED"},
                    **more,  # type: ignore[arg-type]
                )
        except AwsRefused as error:
            if error_code(error.__cause__) == "RepositoryNotFoundException":
                return
            raise
        yield from page["imageDetails"]
        if "nextToken" not in page:
            return
        more = {"nextToken": page["nextToken"]}


def gone_image(references: Iterable[str], ecr: ECRClient) -> str | None:
    """The first of these images that ECR no longer has, or that it has archived; None if all can be pulled.

    An image counts as there unless ECR says that it is not: outside ECR or in another region, in a repository
    that Slipway may not read, or while ECR does not answer. A doubt must not keep a bad version on a service.

    Args:
        references: as task definitions name images.
    """
    for reference in references:
        try:
            if _is_gone(reference, ecr):
                return reference
        except AwsRefused:
            continue
        except AwsUnavailable:
            return None  # to ask for the others would take as long again
    return None


def _is_gone(reference: str, ecr: ECRClient) -> bool:
    found = ecr_repository(source(reference))
    if found is None or found.region != ecr.meta.region_name:
        return False
    detail = find_image(found.name, _image_id(reference), ecr, found.account)
    # An archived image has to be restored before it can be pulled. DescribeImages may leave it out, too.
    return detail is None or detail.get("imageStatus", "ACTIVE") != "ACTIVE"


def _image_id(reference: str) -> dict[str, Any]:
    """What a reference names in its repository, as DescribeImages takes it."""
    named, _, digest = reference.partition("@")
    if digest:
        return {"imageDigest": digest}
    return {"imageTag": named.removeprefix(source(reference)).removeprefix(":") or "latest"}


def image_of(reference: str, ecr: ECRClient) -> Image:
    """The image that a container of a task definition names.

    If the reference has a tag and no digest, the digest is the one to which the tag points in ECR now. It
    is empty if the image is not in ECR or in another region, if ECR no longer has the tag, or if ECR refuses
    the answer.

    Args:
        reference: ``registry/repository@sha256:...`` or ``registry/repository:tag``.

    Raises:
        AwsUnavailable: from ECR.
    """
    uri = source(reference)
    repository = uri.partition("/")[2]
    named, _, digest = reference.partition("@")
    tag = named.removeprefix(uri).removeprefix(":") or None
    if not digest:
        try:
            found = find_image_at(uri, {"imageTag": tag or "latest"}, ecr)
        except AwsRefused:
            found = None  # Slipway need not be allowed to read the repository of a sidecar
        digest = str(found["imageDigest"]) if found else ""
    return Image(repository=repository or uri, uri=uri, digest=digest, tag=tag)
