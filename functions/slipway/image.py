"""Images of ECR, and the references with which task definitions name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import Field

from slipway.aws import resource_name
from slipway.model import Model

SHORT_DIGEST = 12

RepositoryName = Annotated[
    str,
    Field(
        # As ECR has it. A pattern such as shop/* would never be equal to a repository's name.
        pattern=r"^[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*$",
        max_length=256,
        description="the name of an ECR repository, in full",
        examples=["shop/api"],
    ),
]
Tag = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$")]
"""A tag, as ECR takes it."""

# A registry of ECR has several host names: for IPv4, dual-stack, and FIPS forms of both. The names for IPv4
# and those of the dual-stack end in different domains, one of each for every partition of AWS.
_DOMAINS = (
    "amazonaws.com",
    "on.aws",
    "amazonaws.com.cn",
    "on.amazonwebservices.com.cn",
    "amazonaws.eu",
    "on.amazonwebservices.eu",
    "c2s.ic.gov",
    "on.aws.ic.gov",
    "sc2s.sgov.gov",
    "on.aws.scloud",
    "cloud.adc-e.uk",
    "on.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "on.aws.hci.ic.gov",
)
_REGISTRY = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    rf"(?:{'|'.join(map(re.escape, _DOMAINS))})"
)


class EcrRepository(NamedTuple):
    """A repository of ECR, whichever host name a reference calls its registry by."""

    account: str
    region: str
    name: str
    """Such as ``shop/api``."""


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

    def is_version_of(self, reference: str) -> bool:
        """Whether ``reference`` is to this image's repository, by any host name of the registry."""
        found = source(reference)
        return found == self.uri or (
            ecr_repository(found) is not None and ecr_repository(found) == ecr_repository(self.uri)
        )

    def versions_in(
        self, images: Mapping[str, str], container: str | None = None
    ) -> dict[str, str]:
        """The references to this image's repository among these, by container.

        Args:
            container: the only one that counts; None for all.
        """
        return {
            name: reference
            for name, reference in images.items()
            if container in (None, name) and self.is_version_of(reference)
        }

    def reference_instead_of(self, running: str) -> str:
        """The reference for a container that has ``running`` so far.

        If that is to the same repository, the host name of its registry stays: a network may reach only that
        one, as a network without IPv4 reaches only the dual-stack name.
        """
        return f"{source(running)}@{self.digest}" if self.is_version_of(running) else self.reference

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


def digest_of(reference: str) -> str:
    """The digest in an image reference; empty if it names none.

    >>> digest_of("localhost:5000/shop/api:v1@sha256:ab")
    'sha256:ab'
    """
    return reference.partition("@")[2]


def ecr_repository(uri: str) -> EcrRepository | None:
    """The repository of ECR with this ``registry/repository``; None if the registry is not ECR's.

    >>> ecr_repository("123456789012.dkr-ecr.eu-west-1.on.aws/shop/api")
    EcrRepository(account='123456789012', region='eu-west-1', name='shop/api')
    """
    host, _, name = uri.partition("/")
    registry = _REGISTRY.fullmatch(host)
    return EcrRepository(registry["account"], registry["region"], name) if registry else None


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
