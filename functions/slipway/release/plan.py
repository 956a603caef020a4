"""The plan of a repository: which tags go through which stages to which services.

Each repository has one SSM parameter, ``<prefix>/repositories/<repository name>``, which holds its plan as
JSON. ``make schema`` generates docs/plan.schema.json from these models.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from slipway.model import Model, parse_member, parse_written, read_json
from slipway.release.freeze import Windows
from slipway.release.parameter_names import plan_parameter
from slipway.release.semver import version_of

# One check adds nine events to an execution's history, and Step Functions ends an execution whose history
# reaches 25,000 (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). A check that was
# tried again adds three more each time, for which the state machine waits longer: so it comes to no more in
# the same time. The other states need the rest.
MAXIMUM_POLLS = 2300

Name = Annotated[str, Field(min_length=1, max_length=255)]
# With the longest name of a service, it is a part of a sort key in the ledger, which has 1,024 bytes at most.
STAGE_NAME_LENGTH = 100
StageName = Annotated[str, Field(min_length=1, max_length=STAGE_NAME_LENGTH)]
ServiceName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$",
        description="cluster/service, as ECS names them",
        examples=["production/api"],
    ),
]


class GuardingAlarm(Model):
    """An alarm, and its effect if it is in ALARM already before a deployment begins."""

    name: Name
    when_firing: Literal["ignore", "block"] = Field(
        default="ignore",
        description="what it means when it is in ALARM already before a deployment begins; ignore: it "
        "cannot fail the deployment until it has been OK again; block: nothing is deployed while it "
        "fires",
    )


_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _by_form(
    value: Any, _union: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> str | GuardingAlarm:
    # The errors of a union would name what is wrong with the alarm as either form. A person who wrote it
    # meant one of the two, and its type shows which.
    if isinstance(value, GuardingAlarm):
        return value
    if isinstance(value, str):
        return _NAME.validate_python(value)
    if isinstance(value, dict):
        return parse_member(GuardingAlarm, value, info)
    raise ValueError('an alarm is its name, or {"name": ..., "when_firing": "ignore" or "block"}')


def _each_alarm_once(alarms: tuple[PlannedAlarm, ...]) -> tuple[PlannedAlarm, ...]:
    _each_once([alarm_name(alarm) for alarm in alarms], "an alarm")
    return alarms


PlannedAlarm = Annotated[Name | GuardingAlarm, WrapValidator(_by_form)]
Alarms = Annotated[
    tuple[PlannedAlarm, ...], Field(max_length=100), AfterValidator(_each_alarm_once)
]
BakeSeconds = Annotated[int, Field(ge=0, le=86_400, strict=True)]
TimeoutSeconds = Annotated[int, Field(ge=1, le=21_600, strict=True)]
PollSeconds = Annotated[int, Field(ge=1, le=300, strict=True)]

_PERCENTAGE = r"^([1-9][0-9]?|100)%$"


def _failed_tasks(value: Any, info: ValidationInfo) -> tuple[int | str, ...]:
    # A person writes one limit. A deployment may have two, because only the desired count shows which of a
    # number and a percentage is the smaller one.
    written = bool(info.context)
    values = value if isinstance(value, list | tuple) and not written else (value,)
    for limit in values:
        number = type(limit) is int and 1 <= limit <= 100
        if not number and not (isinstance(limit, str) and re.fullmatch(_PERCENTAGE, limit)):
            raise ValueError(
                'a number of tasks from 1 to 100, or a percentage of the desired count from "1%" to "100%"'
            )
    return tuple(values)


FailedTasks = Annotated[
    tuple[int | str, ...],
    BeforeValidator(_failed_tasks),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 100},
                {"type": "string", "pattern": _PERCENTAGE},
            ]
        }
    ),
]


class Policy(Model):
    """How one service is deployed: alarms, times, failed tasks, container, freezes."""

    alarms: Alarms = Field(
        default=(),
        description="CloudWatch alarms of any kind; one that goes to ALARM fails the deployment. A bare "
        "name means when_firing: ignore",
    )
    bake_seconds: BakeSeconds = Field(
        default=300,
        description="how long it is watched after it was first healthy",
    )
    timeout_seconds: TimeoutSeconds = Field(
        default=1800,
        description="how long it may take to become healthy",
    )
    poll_seconds: PollSeconds = Field(default=15, description="time between two checks")
    failed_tasks: FailedTasks = Field(
        default=(2,),
        description="as many failed tasks fail the deployment; a percentage is of the desired count, rounded "
        "up, at least 1",
        examples=[1, "50%"],
        json_schema_extra={"default": 2},
    )
    container: Name | None = Field(
        default=None,
        description="the container that gets the image; by default every one whose image is from "
        "this repository",
    )
    freeze: Windows = Field(
        default=(), description="windows in which nothing is deployed to this service"
    )

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The names of the alarms, in the order of the plan."""
        return tuple(alarm_name(alarm) for alarm in self.alarms)

    @property
    def blocking(self) -> tuple[str, ...]:
        """The names of the alarms that keep a deployment from beginning while they fire."""
        return tuple(
            alarm.name
            for alarm in self.alarms
            if isinstance(alarm, GuardingAlarm) and alarm.when_firing == "block"
        )

    def failed_tasks_of(self, desired: int) -> int:
        """How many failed tasks fail a deployment of so many desired tasks."""
        return min(
            limit if isinstance(limit, int) else max(1, -(-desired * int(limit[:-1]) // 100))
            for limit in self.failed_tasks
        )

    @model_validator(mode="after")
    def _fits_into_one_execution(self) -> Policy:
        # The timeout applies four times: until the deployment can begin, until the service is healthy, until
        # it has recovered after the bake, and until the rollback is healthy.
        longest = 4 * self.timeout_seconds + self.bake_seconds
        if longest > MAXIMUM_POLLS * self.poll_seconds:
            least = -(-longest // MAXIMUM_POLLS)
            raise ValueError(
                f"poll_seconds is too short for this timeout and bake: at least {least} is needed "
                "to stay within Step Functions' limit of 25,000 events an execution"
            )
        return self


class PlannedService(Policy):
    """A service of a stage, and the policy for it in this stage."""

    service: ServiceName

    def policy(self) -> Policy:
        """The policy without the name of the service, as the input of a deployment holds it."""
        return Policy(**self.model_dump(exclude={"service"}))


class Stage(Model):
    """The services that are deployed at the same time."""

    name: StageName
    services: tuple[PlannedService, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_service_once(self) -> Stage:
        _each_once([planned.service for planned in self.services], "a service")
        return self


class Route(Model):
    """Patterns of tags (shell globs, case-sensitive), and the stages for images with such a tag, in order."""

    tags: tuple[Name, ...] = Field(min_length=1)
    # ``except`` is a keyword of Python, so the field needs another name than in JSON.
    excluded: tuple[Name, ...] = Field(
        default=(),
        alias="except",
        description="patterns of tags that the route does not match, whatever tags says",
        examples=[["*-rc*"]],
    )
    semver: bool = Field(
        default=False,
        strict=True,
        description="whether a pushed tag is ignored that is a lower version than the newest one that a "
        "service of the route has accepted, or that is no version of SemVer 2.0; it may begin with v",
    )
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _names_each_stage_once(self) -> Route:
        _each_once([stage.name for stage in self.stages], "a stage")
        return self

    def matches(self, tag: str) -> bool:
        """Whether one of the patterns matches ``tag``, and none of those that exclude tags does."""
        return _one_matches(self.tags, tag) and not _one_matches(self.excluded, tag)

    def version_of(self, tag: str) -> str | None:
        """The version that ``tag`` names, if the route orders images by SemVer; None if it names none."""
        return version_of(tag) if self.semver else None

    def takes(self, tag: str) -> bool:
        """Whether an image is deployed that is pushed with this tag, which the route matches."""
        return not self.semver or version_of(tag) is not None


class Plan(Model):
    """The routes of one repository; the first one that matches a tag wins."""

    routes: tuple[Route, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_containers_everywhere_or_nowhere(self) -> Plan:
        # What replaces every image of the repository and what replaces one would not be ordered.
        named: dict[str, str | None] = {}
        for planned in self._planned():
            before = named.setdefault(planned.service, planned.container)
            if (before is None) is not (planned.container is None):
                raise ValueError(
                    f"service {planned.service} is named with container {before or planned.container} in one "
                    "place and without one in another: name a container in every place, or in none"
                )
        return self

    def _planned(self, tag: str | None = None) -> Iterator[PlannedService]:
        for route in self.routes if tag is None else filter(None, [self.route_for(tag)]):
            for stage in route.stages:
                yield from stage.services

    def route_for(self, tag: str) -> Route | None:
        """The first route that matches ``tag``, or None."""
        return next((route for route in self.routes if route.matches(tag)), None)

    def all_policies_of(self, service: str, tag: str | None = None) -> tuple[Policy, ...]:
        """The policies of a service in every stage that names it.

        Args:
            tag: only the route for images with this tag counts; None for all routes.
        """
        return tuple(each.policy() for each in self._planned(tag) if each.service == service)

    def policies_of(self, service: str, tag: str | None = None) -> tuple[Policy, ...]:
        """The policies of a service, one for each container that is named: the last one that names it.

        Args:
            tag: as for `all_policies_of`.
        """
        named = self.all_policies_of(service, tag)
        return tuple({policy.container: policy for policy in named}.values())

    def policy_of(
        self, service: str, tag: str | None, containers: Collection[str]
    ) -> Policy | None:
        """The policy by which an image is deployed to a service; None if no stage names the service.

        Args:
            tag: the image's tag; None if it is not known.
            containers: those that run the image. They decide if its tag does not.
        """
        policies = self.policies_of(service, tag) or self.policies_of(service)
        running = [policy for policy in policies if policy.container in containers]
        return next(reversed(running or policies), None)


def parse_plan(text: str, repository: str) -> Plan:
    """Read the plan of ``repository`` from JSON.

    Raises:
        InvalidInput: the text is not JSON, or not a valid plan. The message names the repository, the
            parameter and each wrong field.
    """
    where = f"the plan of repository {repository} (SSM parameter {plan_parameter(repository)})"
    return parse_written(Plan, read_json(text, where), where)


def alarm_name(alarm: PlannedAlarm) -> str:
    """The name of an alarm in either of its two forms."""
    return alarm if isinstance(alarm, str) else alarm.name


def _one_matches(patterns: Iterable[str], tag: str) -> bool:
    return any(fnmatchcase(tag, pattern) for pattern in patterns)


def _each_once(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} is named twice: {name}")  # the end of a long message is cut
        seen.add(name)
