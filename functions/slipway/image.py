"""What a container's ``image`` says: where it comes from and which one it is."""

from __future__ import annotations

from slipway.model import Model

SHORT_DIGEST = 12


class Image(Model):
    """One image of one ECR repository."""

    repository: str
    """Name of the repository, without registry: ``shop/api``."""
    uri: str
    """The repository with its registry: ``123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api``."""
    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    tag: str | None = None
    """The tag it was pushed or asked for with."""

    @property
    def reference(self) -> str:
        """What a task definition names: ``registry/repository@sha256:...``."""
        return f"{self.uri}@{self.digest}"

    def __str__(self) -> str:
        """For people: ``shop/api:v2 (0123456789ab)``."""
        return (
            f"{self.repository}{f':{self.tag}' if self.tag else ''} ({short_digest(self.digest)})"
        )


def source(reference: str) -> str:
    """Where an image reference comes from, without tag and digest: ``registry/repository``.

    >>> source("localhost:5000/shop/api:v1@sha256:ab")
    'localhost:5000/shop/api'
    """
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def short_digest(digest: str) -> str:
    """The first digits of a digest, enough for people."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]
