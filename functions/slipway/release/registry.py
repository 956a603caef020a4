"""ECR: where a repository is, and what a tag or a digest of it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, InvalidInput
from slipway.image import Image, source

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def find_image(repository: str, image_id: dict[str, Any], ecr: ECRClient) -> Any:
    """ECR's imageDetail of a tag or digest; None where the repository or the image is not there.

    Args:
        image_id: ``{"imageTag": ...}`` or ``{"imageDigest": ...}``.

    Raises:
        AwsUnavailable, AwsRefused: from ECR.
    """
    try:
        with calling("ecr:DescribeImages", f"repository {repository}"):
            found = ecr.describe_images(repositoryName=repository, imageIds=[image_id])  # type: ignore[list-item]
    except AwsRefused as error:
        if error_code(error.__cause__) in {"ImageNotFoundException", "RepositoryNotFoundException"}:
            return None
        raise
    return found["imageDetails"][0]


def uri_of(repository: str, ecr: ECRClient) -> str:
    """The URI of a repository. Asked rather than built: the domain differs by partition.

    Raises:
        InvalidInput: there is no such repository.
        AwsUnavailable, AwsRefused: from ECR.
    """
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


def every_image(repository: str, ecr: ECRClient) -> list[Any]:
    """Every imageDetail of a repository; empty where there is no such repository.

    Raises:
        AwsUnavailable, AwsRefused: from ECR.
    """
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
    try:
        with calling("ecr:DescribeImages", f"repository {repository}"):
            return [detail for page in pages for detail in page["imageDetails"]]
    except AwsRefused as error:
        if error_code(error.__cause__) == "RepositoryNotFoundException":
            return []
        raise


def image_of(reference: str, ecr: ECRClient) -> Image:
    """The image that a container of a task definition names.

    ``registry/repository@sha256:...``, or ``registry/repository:tag``, whose digest is then ECR's word of
    now; empty where ECR no longer has the tag or does not say, or the image is from elsewhere.

    Raises:
        AwsUnavailable: from ECR.
    """
    uri = source(reference)
    registry, _, repository = uri.partition("/")
    named, _, digest = reference.partition("@")
    tag = named.removeprefix(uri).removeprefix(":") or None
    if not digest and (".dkr.ecr." in registry or ".dkr-ecr." in registry):
        try:
            found = find_image(repository, {"imageTag": tag or "latest"}, ecr)
        except AwsRefused:
            found = None  # a sidecar's repository may be none that Slipway is allowed to read
        digest = str(found["imageDigest"]) if found else ""
    return Image(repository=repository or uri, uri=uri, digest=digest, tag=tag)
