"""The behaviour of an image. Its manifest's annotations define it, so a test needs PutImage only.

``localaws.behaviour`` is one of

* ``healthy``, the default, and the behaviour of every image outside of the account's registry;
* ``crash``: exits ``localaws.exit-seconds`` (0.1) after its start with ``localaws.exit-code`` (1);
* ``no-capacity``: Fargate has no capacity for its tasks;
* ``unpullable``: can't be pulled, like an image that ECR does not have;
* ``unhealthy``: health checks of targets get ``localaws.health-status`` (502), and container health
  checks fail;
* ``slow``: takes ``localaws.start-seconds`` to start;
* ``regression``: is healthy, but ``localaws.alarm-after-seconds`` (0) after its task became healthy the
  CloudWatch alarm ``localaws.alarm`` goes to ALARM, and to OK once no such task runs any more.

With any behaviour the containers take ``localaws.stop-seconds`` (0) to exit when ECS stops them. They
first write the lines of ``localaws.log``, and their task gets the containers that ``localaws.inject`` and
``localaws.inject-first`` name, as AWS adds some: separated by spaces, each with ``:unpullable`` or
``:crash`` if it does not just run.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from moto.ecr.models import ecr_backends

from localaws import ecr
from localaws.aws import ACCOUNT, REGION
from localaws.ecs.state import CRASH, PENDING

INJECTED = ("healthy", "unpullable", "crash")
BEHAVIOURS = ("healthy", "crash", "unpullable", "unhealthy", "slow", "regression", "no-capacity")

_REGISTRY = (
    rf"{ACCOUNT}\.dkr(\.ecr(-fips)?\.{REGION}\.amazonaws\.com|-ecr(-fips)?\.{REGION}\.on\.aws)"
)
_IMAGE = re.compile(
    rf"{_REGISTRY}/(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?(@(?P<digest>sha256:\S+))?"
)


class StartError(Exception):
    """The task does not start. The message is the reason that ECS gives, or says what can't be
    simulated.
    """


@dataclass(frozen=True)
class Injection:
    """A container that AWS adds to the task, such as GuardDuty's agent or Service Connect's proxy."""

    name: str
    kind: str
    first: bool
    """Whether DescribeTasks lists it before the containers of the task definition."""


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a container that is started from an image."""

    digest: str | None = None
    kind: str = "healthy"
    pull_error: str = ""
    """ECS's reason if it can't be pulled."""
    exit_code: int = 1
    exit_seconds: float = CRASH
    health_status: int = 502
    start_seconds: float = PENDING
    stop_seconds: float = 0.0
    alarm: str = ""
    alarm_after_seconds: float = 0.0
    log: tuple[str, ...] = ()
    """The lines that the container writes at its start."""
    injections: tuple[Injection, ...] = ()


def behaviour_of(image: str) -> Behaviour:
    """Pull an image and return its behaviour. Raises StartError if that can't be simulated."""
    match = _IMAGE.fullmatch(image)
    if match is None:
        return Behaviour()
    reference = match["digest"] or match["tag"] or "latest"
    pulled = _pull(match["repository"], reference)
    if pulled is None:
        return Behaviour(
            kind="unpullable",
            pull_error=f"CannotPullContainerError: pull image manifest has been retried 1 time(s):"
            f" failed to resolve ref {image}: {image}: not found",
        )
    digest, manifest = pulled
    try:
        behaviour = _read(digest, manifest.get("annotations") or {})
    except ValueError as error:
        print(f"localaws: {image}: {error}", file=sys.stderr)  # noqa: T201
        raise StartError(f"localaws: {error}") from error
    if behaviour.kind == "unpullable":
        return replace(
            behaviour,
            digest=None,
            pull_error=f"CannotPullContainerError: pull image manifest has been retried 5 time(s):"
            f" failed to copy: httpReadSeeker: failed open: unexpected status code for {image}:"
            " 403 Forbidden",
        )
    return behaviour


def _read(digest: str, annotations: Mapping[str, str]) -> Behaviour:
    kind = annotations.get("localaws.behaviour", "healthy")
    if kind not in BEHAVIOURS:
        raise ValueError(f"unknown localaws.behaviour {kind!r}, not one of {', '.join(BEHAVIOURS)}")
    wanted = {"slow": "localaws.start-seconds", "regression": "localaws.alarm"}.get(kind)
    if wanted and not annotations.get(wanted):
        raise ValueError(f"localaws.behaviour {kind} needs the annotation {wanted}")
    return Behaviour(
        digest=digest,
        kind=kind,
        exit_code=int(annotations.get("localaws.exit-code", 1)),
        exit_seconds=float(annotations.get("localaws.exit-seconds", CRASH)),
        health_status=int(annotations.get("localaws.health-status", 502)),
        start_seconds=float(annotations.get("localaws.start-seconds", PENDING)),
        stop_seconds=float(annotations.get("localaws.stop-seconds", 0)),
        alarm=annotations.get("localaws.alarm", ""),
        alarm_after_seconds=float(annotations.get("localaws.alarm-after-seconds", 0)),
        # The driver omits empty lines, because CloudWatch Logs refuses empty events.
        log=tuple(filter(None, annotations.get("localaws.log", "").split("\n"))),
        injections=(
            *_injections("localaws.inject-first", annotations),
            *_injections("localaws.inject", annotations),
        ),
    )


def _injections(key: str, annotations: Mapping[str, str]) -> Iterator[Injection]:
    for item in annotations.get(key, "").split():
        name, _, kind = item.partition(":")
        if (kind or "healthy") not in INJECTED:
            raise ValueError(f"{key}: {item}: not one of {', '.join(INJECTED)}")
        yield Injection(name, kind or "healthy", first=key.endswith("-first"))


def _pull(repository: str, reference: str) -> tuple[str, dict[str, Any]] | None:
    """The digest and the manifest for a tag or a digest; None if ECR has no such image."""
    digest = reference if reference.startswith("sha256:") else _digest_of(repository, reference)
    manifest = ecr.manifest(repository, digest) if digest else None
    return (digest, manifest) if digest and manifest is not None else None


def _digest_of(repository: str, tag: str) -> str | None:
    held = ecr_backends[ACCOUNT][REGION].repositories.get(repository)
    images = list(held.images) if held else []
    return next((image.image_digest for image in images if tag in image.image_tags), None)
