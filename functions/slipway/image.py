"""Images of ECR, and the references with which task definitions name them."""

from __future__ import annotations

from slipway.aws import resource_name
from slipway.model import Model

SHORT_DIGEST = 12


class Image(Model):
    """An image of an ECR repository."""

    repository: str
    """Name of the repository without its registry, such as ``shop/api``."""
    uri: str
    """Registry and repository, such as ``123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api``."""
    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    tag: str | None = None
    """The tag that it was pushed with, or that a person named."""

    @property
    def reference(self) -> str:
        """The reference for a task definition, ``registry/repository@sha256:...``.

        It has the digest and not the tag, so that a tag that moves later changes nothing.
        """
        return f"{self.uri}@{self.digest}"

    def __str__(self) -> str:
        """The image as people read it, such as ``shop/api:v2 (0123456789ab)``."""
        return (
            f"{self.repository}{f':{self.tag}' if self.tag else ''} ({short_digest(self.digest)})"
        )


def source(reference: str) -> str:
    """The ``registry/repository`` of an image reference, without tag and digest.

    >>> source("localhost:5000/shop/api:v1@sha256:ab")
    'localhost:5000/shop/api'
    """
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def version_name(tag: str | None, task_definition: str | None) -> str:
    """A version as people call it: ``v1 (api:41)``, or as much of that as is known.

    Args:
        task_definition: its ARN.
    """
    revision = resource_name(task_definition) if task_definition else ""
    return f"{tag} ({revision})" if tag and revision else tag or revision


def short_digest(digest: str) -> str:
    """The first 12 hexadecimal digits of a digest, which are enough for people to recognize it."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]
