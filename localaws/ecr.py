"""ECR, whose PutImage is a push: ``aws ecr put-image`` is all that the pipeline needs.

moto's PutImage makes up a digest, deletes the image that loses its tag, has no errors for wrong
digests, tags and types, emits no event, rounds the time of a push to seconds, and describes all images on
one page. Here the digest is the OCI digest of the manifest's bytes, a tag moves to the new image
unless it is immutable, and pushes and deletions emit "ECR Image Action" events.

The layers of an image and the images of an index need not have been pushed before. On AWS they must;
here a test needs no layers.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from copy import copy
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr.exceptions import ImageAlreadyExistsException, InvalidParameterException
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends
from moto.ecr.responses import ECRResponse

from localaws import aws

_MEDIA_TYPES = {
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
}
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ASKED_TAG = re.compile(r"[a-zA-Z0-9-_.]{1,300}")
_lock = threading.RLock()


class ImageTagAlreadyExistsException(ServiceException):
    """The tag is immutable, and another image has it."""

    code = "ImageTagAlreadyExistsException"


class ImageDigestDoesNotMatchException(ServiceException):
    """The digest in the request is not that of the manifest."""

    code = "ImageDigestDoesNotMatchException"


def manifest(repository: str, digest: str) -> dict[str, Any] | None:
    """The manifest of an image, or None if there is no such image."""
    found = ecr_backends[aws.ACCOUNT][aws.REGION].repositories.get(repository)
    if found is None:
        return None
    for image in list(found.images):
        if image.get_image_digest() == digest:
            return json.loads(image.get_image_manifest())  # type: ignore[no-any-return]
    return None


# --- PutImage -------------------------------------------------------------------------------------


def _put_image(
    self: ECRBackend,
    repository_name: str,
    image_manifest: str,
    image_tag: str | None,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Image:
    repository = self._get_repository(repository_name)
    if image_tag is not None and not _TAG.fullmatch(image_tag):
        raise _wrong_tag()
    media_type = _media_type(image_manifest, image_manifest_mediatype)
    actual = "sha256:" + hashlib.sha256(image_manifest.encode()).hexdigest()
    if digest is not None and digest != actual:
        raise ImageDigestDoesNotMatchException(
            f"The provided digest '{digest}' does not match the image's digest '{actual}'"
        )
    with _lock:
        image = _image(repository, digest=actual)
        if image is not None and (image_tag is None or image_tag in image.image_tags):
            raise ImageAlreadyExistsException(
                repository_name, repository.registry_id, actual, image_tag or "null"
            )
        tagged = _image(repository, tag=image_tag) if image_tag else None
        if tagged is not None:
            _refuse_if_immutable(repository, str(image_tag))
            _untag(tagged, str(image_tag))
        if image is None:
            image = Image(self.account_id, "", image_manifest, repository_name, media_type, actual)
            image.image_tags.clear()
            image.image_pushed_at = datetime.now(UTC)  # type: ignore[assignment] # not whole seconds
            image.artifact_media_type = _artifact_type(image_manifest)  # type: ignore[attr-defined]
            repository.images.append(image)
        image.image_tag = image_tag  # type: ignore[assignment]
        if image_tag:
            image.image_tags.append(image_tag)
        pushed = copy(image)
    _emit("PUSH", pushed, image_tag)
    return pushed


def _media_type(text: str, given: str | None) -> str:
    constraint = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
    syntax = InvalidParameterException(f"{constraint}'Invalid JSON syntax'")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise syntax from error
    if not isinstance(content, dict) or content.get("schemaVersion") != 2:
        raise InvalidParameterException(f"{constraint}'schemaVersion must be 2'")
    own = content.get("mediaType")
    if own and given and own != given:
        raise InvalidParameterException(
            f"{constraint}'mediaType is {own}, imageManifestMediaType {given}'"
        )
    media_type = own or given
    if media_type is None:
        raise syntax
    if media_type not in _MEDIA_TYPES:
        raise InvalidParameterException(f"{constraint}'unsupported media type {media_type}'")
    # Types with parameters are refused, as is an index of layers, which older build caches are.
    parts = [content.get("config") or {}, *content.get("layers", [])]
    kinds = [content.get("artifactType"), *(part.get("mediaType") for part in parts)]
    members = {member.get("mediaType") for member in content.get("manifests", [])}
    if any(";" in kind for kind in kinds if kind) or members - _MEDIA_TYPES:
        raise syntax
    return str(media_type)


def _artifact_type(manifest: str) -> str | None:
    """The type by the rule of OCI; None for an index that has none."""
    content = json.loads(manifest)
    kind: str | None = content.get("artifactType") or (content.get("config") or {}).get("mediaType")
    return kind


def _wrong_tag() -> InvalidParameterException:
    return InvalidParameterException(
        "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular"
        " expression '[a-zA-Z0-9-_.]+''"
    )


def _image(
    repository: Repository, digest: str | None = None, tag: str | None = None
) -> Image | None:
    for image in repository.images:
        if digest in (None, image.get_image_digest()) and (tag is None or tag in image.image_tags):
            return image
    return None


def _refuse_if_immutable(repository: Repository, tag: str) -> None:
    filters = repository.image_tag_mutability_exclusion_filters or []
    excluded = any(fnmatchcase(tag, item["filter"]) for item in filters)
    if repository.is_tag_immutable() != excluded:
        raise ImageTagAlreadyExistsException(
            f"The image tag '{tag}' already exists in the '{repository.name}' repository "
            "and cannot be overwritten because the tag is immutable."
        )


def _untag(image: Image, tag: str) -> None:
    image.image_tags.remove(tag)
    image.image_tag = image.image_tags[-1] if image.image_tags else None  # type: ignore[assignment]


def _emit(action: str, image: Image, tag: str | None) -> None:
    detail = {
        "result": "SUCCESS",
        "repository-name": image.repository_name,
        "image-digest": image.image_digest,
        "action-type": action,
        "image-tag": tag,
        "manifest-media-type": image.image_manifest_media_type,
        "artifact-media-type": _artifact_type(image.image_manifest),
    }
    known = {name: value for name, value in detail.items() if value}
    aws.emit("aws.ecr", "ECR Image Action", known, [])


# --- BatchGetImage, BatchDeleteImage, DescribeImages ------------------------------------------------


def _batch_get_image(
    self: ECRBackend,
    repository_name: str,
    registry_id: str | None = None,
    image_ids: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    repository = self._get_repository(repository_name, registry_id)
    response: dict[str, Any] = {"images": [], "failures": []}
    with _lock:
        for wanted in image_ids or []:
            found = _find(repository, wanted, response["failures"])
            if found is not None:
                found = copy(found)
                found.image_tag = wanted.get("imageTag", found.image_tag)
                response["images"].append(found)
    return response


def _batch_delete_image(
    self: ECRBackend,
    repository_name: str,
    registry_id: str | None = None,
    image_ids: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    repository = self._get_repository(repository_name, registry_id)
    response: dict[str, Any] = {"imageIds": [], "failures": []}
    deleted: list[tuple[Image, str | None]] = []
    with _lock:
        for wanted in image_ids or []:
            found = _find(repository, wanted, response["failures"])
            if found is None:
                continue
            tags: list[Any] = [wanted["imageTag"]] if "imageTag" in wanted else found.image_tags
            deleted += [(found, tag) for tag in tags or [None]]
            for tag in list(tags):
                _untag(found, tag)
            if not found.image_tags:
                repository.images.remove(found)
    for image, tag in deleted:
        image_id = {"imageDigest": image.image_digest, "imageTag": tag}
        response["imageIds"].append({name: value for name, value in image_id.items() if value})
        _emit("DELETE", image, tag)
    return response


def _find(
    repository: Repository, wanted: dict[str, str], failures: list[dict[str, Any]]
) -> Image | None:
    if not wanted.get("imageDigest") and not wanted.get("imageTag"):
        code, reason = "MissingDigestAndTag", "both tag and digest cannot be null"
    else:
        found = _image(repository, wanted.get("imageDigest"), wanted.get("imageTag"))
        if found is not None:
            return found
        code, reason = "ImageNotFound", "Requested image not found"
    failures.append({"imageId": wanted, "failureCode": code, "failureReason": reason})
    return None


_describe_images = ECRResponse.describe_images
_PAGE, _LONGEST_PAGE = 100, 1000  # botocore's model of DescribeImages: maxResults


def _describe_images_in_pages(self: ECRResponse) -> ActionResult:
    """DescribeImages with maxResults, nextToken and the filter tagStatus, which moto ignores."""
    wanted: dict[str, str] = self._get_param("filter") or {}
    if set(wanted) - {"tagStatus"}:
        raise NotImplementedError(f"ECR: DescribeImages with filter {sorted(wanted)}")
    token, size = self._get_param("nextToken"), self._get_param("maxResults")
    if asked := self._get_param("imageIds"):
        if not all(_ASKED_TAG.fullmatch(each.get("imageTag", "v1")) for each in asked):
            raise _wrong_tag()
        for name, value in (("nextToken", token), ("maxResults", size)):
            if value is not None:
                raise InvalidParameterException(f"{name} can't be used together with imageIds")
        return _describe_images(self)
    if not 1 <= (size or _PAGE) <= _LONGEST_PAGE:
        raise InvalidParameterException(f"maxResults must be from 1 to {_LONGEST_PAGE}")
    result: Any = _describe_images(self).result
    described: list[Any] = result["imageDetails"]
    start = 0
    if token is not None:
        # The token names the last image of the page before, so that a push between two pages
        # moves nothing.
        digests = [image.image_digest for image in described]
        if token not in digests:
            raise InvalidParameterException("nextToken is not one that DescribeImages has returned")
        start = digests.index(token) + 1
    status = wanted.get("tagStatus", "ANY")
    rest = [
        image
        for image in described[start:]
        if status == "ANY" or hasattr(image, "image_tags") == (status == "TAGGED")
    ]
    page = rest[: size or _PAGE]
    more = {"nextToken": page[-1].image_digest} if len(rest) > len(page) else {}
    return ActionResult({"imageDetails": page, **more})


def install() -> None:
    """Make PutImage a push."""
    ECRBackend.put_image = _put_image  # type: ignore[method-assign]
    ECRBackend.batch_get_image = _batch_get_image  # type: ignore[method-assign]
    ECRBackend.batch_delete_image = _batch_delete_image  # type: ignore[method-assign]
    ECRResponse.describe_images = _describe_images_in_pages  # type: ignore[method-assign]
