"""The plan of a repository: which tags go through which stages to which services.

One SSM parameter per repository, ``/slipway/repositories/<repository name>``. docs/plan.schema.json
is generated from these models (``make schema``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, model_validator

from slipway.errors import InvalidInput
from slipway.model import Model, parse

PARAMETER_PREFIX = "/slipway/repositories/"

# One poll leaves about ten events in an execution's history, which ends at 25,000
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
MAXIMUM_POLLS = 2000

Name = Annotated[str, Field(min_length=1, max_length=255)]
ServiceName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$",
        description="cluster/service, as ECS names them",
        examples=["production/api"],
    ),
]


class Policy(Model):
    """When a deployment on one service is good, and how long Slipway waits for it."""

    alarms: tuple[Name, ...] = Field(
        default=(),
        max_length=100,
        description="CloudWatch alarms of any kind; one that goes to ALARM fails the deployment",
    )
    bake_seconds: int = Field(
        default=300,
        ge=0,
        le=86_400,
        strict=True,
        description="how long it is watched after it was first healthy",
    )
    timeout_seconds: int = Field(
        default=1800,
        ge=1,
        le=21_600,
        strict=True,
        description="how long it may take to become healthy",
    )
    poll_seconds: int = Field(
        default=15, ge=1, le=300, strict=True, description="time between two looks"
    )
    container: Name | None = Field(
        default=None,
        description="the container that gets the image; by default every one whose image is from "
        "this repository",
    )

    @model_validator(mode="after")
    def _fits_into_one_execution(self) -> Policy:
        # Until healthy, to recover after the bake, and to roll back: the timeout each.
        longest = 3 * self.timeout_seconds + self.bake_seconds
        if longest > MAXIMUM_POLLS * self.poll_seconds:
            least = -(-longest // MAXIMUM_POLLS)
            raise ValueError(
                f"poll_seconds is too short for this timeout and bake: at least {least} is needed "
                "to stay within Step Functions' limit of 25,000 events an execution"
            )
        return self


class PlannedService(Policy):
    """A service of a stage, with its policy."""

    service: ServiceName

    def policy(self) -> Policy:
        """The policy alone."""
        return Policy(**self.model_dump(exclude={"service"}))


class Stage(Model):
    """Services that are deployed side by side."""

    name: Name
    services: tuple[PlannedService, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_service_once(self) -> Stage:
        _each_once([planned.service for planned in self.services], "service")
        return self


class Route(Model):
    """Tags (shell globs, case-sensitive) and the stages that such an image goes through in order."""

    tags: tuple[Name, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _names_each_stage_once(self) -> Route:
        _each_once([stage.name for stage in self.stages], "stage")
        return self

    def matches(self, tag: str) -> bool:
        """Whether one of the patterns matches ``tag``."""
        return any(fnmatchcase(tag, pattern) for pattern in self.tags)


class Plan(Model):
    """The routes of one repository; the first one that matches a tag wins."""

    routes: tuple[Route, ...] = Field(min_length=1)

    def route_for(self, tag: str) -> Route | None:
        """The first route whose patterns match ``tag``."""
        return next((route for route in self.routes if route.matches(tag)), None)


def parameter_name(repository: str) -> str:
    """The SSM parameter that holds the plan of ``repository``."""
    return PARAMETER_PREFIX + repository


def parse_plan(text: str, repository: str) -> Plan:
    """Read a plan.

    Raises:
        InvalidInput: not JSON, or not a plan; names the repository, the parameter and each wrong field.
    """
    where = f"the plan of repository {repository} (SSM parameter {parameter_name(repository)})"
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where} is not JSON: {error}") from error
    return parse(Plan, value, where)


def _each_once(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name} is named twice")
        seen.add(name)
