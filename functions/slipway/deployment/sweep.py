"""The sweep: finds images whose push event was lost, and claims whose execution died unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from slipway.aws import calling, error_code
from slipway.deployment.pace import Pace
from slipway.deployment.recovery import Recoverer
from slipway.errors import AwsRefused, SlipwayError
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ServiceRecord, timestamp
from slipway.release.parameter_names import plans_path
from slipway.release.plan import Plan, Route, parse_plan
from slipway.release.registry import artifact_type, tagged_images
from slipway.release.release import unique_name
from slipway.release.resolve import SWEPT
from slipway.release.semver import is_lower, precedence

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

# An older image is not released. The ledger may have forgotten its deployments, so that it would look missed.
# If its event was really lost, an alarm has notified people: EventBridge gives an event up after a day.
LONG_AGO = timedelta(days=7)


# ECR publishes no rate for DescribeImages, and the account's other callers need it, too. At this rate, a run
# of 15 minutes reads 10,000 pages, which are 1,000 repositories with 10,000 images each.
CALLS_PER_SECOND = 12.5


class _OutOfTimeError(Exception):
    """The run has to end before everything of a repository was read."""


@dataclass(frozen=True)
class _Planned:
    """A repository with a plan."""

    repository: str
    text: str
    """The plan as it is written, which may be invalid."""
    changed_at: datetime
    """When the plan was last written."""


@dataclass(frozen=True, order=True)
class _Pushed:
    """An image; of two, the one that was pushed later is the greater."""

    at: datetime
    tag: str
    digest: str


@dataclass(frozen=True)
class _Found:
    """What was found in one repository."""

    repository: str
    images: tuple[tuple[Route, _Pushed], ...] = ()
    """The newest image of each route, if it may have been missed."""
    problem: str = ""
    out_of_time: bool = False


@dataclass(frozen=True)
class Sweeper:
    """One run of the sweep: its clients, settings and time."""

    ledger: Ledger
    ssm: SSMClient
    ecr: ECRClient
    """Several threads may use it at once, see ``in_parallel``."""
    stepfunctions: SFNClient
    release_machine: str
    """ARN of the release state machine."""
    deployment_machine: str
    """ARN of the deployment state machine."""
    repository_prefix: str
    """Only the repository of this name and those below it are swept; every one if it is empty."""
    maturity: timedelta
    """The age at which an image's event counts as lost. The event of a younger image may still come."""
    pace: Pace
    in_parallel: Callable[[Callable[[_Planned], _Found], Iterable[_Planned]], Iterator[_Found]]
    """Calls a function with each of several values, and returns its answers in their order, like ``map``."""
    clock: Callable[[], float]
    """Seconds, as of time.monotonic."""
    deadline: float
    """When the run has to end, by the clock."""

    def sweep(self, now: datetime) -> dict[str, list[str]]:
        """Recover deployments whose lease has expired, and start the releases that were missed.

        A problem with one of them does not stop the others. A run goes on with the repository at which the
        last one ended, so that each has its turn even if no run has the time for all of them.

        Returns:
            Texts under ``released`` (``repository:tag``), ``recovered``, ``problems``, and ``left``: what
            the next run goes on with.
        """
        done: dict[str, list[str]] = {"released": [], "recovered": [], "problems": [], "left": []}
        claimed, done["problems"] = self.ledger.claimed()
        recoverer = Recoverer(self.deployment_machine, self.ledger, self.stepfunctions)
        for execution in _ran_out(claimed, now):
            try:
                said = recoverer.recover(execution, claimed=True)
                done["recovered"].append(f"{execution}: {said}")
            except SlipwayError as error:
                done["problems"].append(str(error))
        before = last = self.ledger.cursor()
        planned = _beginning_after(before, self._plans())
        for swept, found in enumerate(
            self.in_parallel(lambda each: self._find_missed(each, now), planned)
        ):
            # The first repository is not tried again at once: if its images fill a whole run, no other
            # repository would ever have its turn.
            if found.out_of_time and swept > 0:
                done["left"].append(
                    f"{len(planned) - swept} repositories, from {found.repository} on"
                )
                break
            last = found.repository
            if found.problem:
                done["problems"].append(found.problem)
            for route, image in found.images:
                try:
                    if self._is_new(last, route, image, now) and self._start(last, image, now):
                        done["released"].append(f"{last}:{image.tag}")
                except SlipwayError as error:
                    done["problems"].append(str(error))
        if last != before:
            self.ledger.keep_cursor(last)
        return done

    def _plans(self) -> list[_Planned]:
        """The plans of all repositories that are swept, in the order of the repositories' names."""
        path = plans_path()
        plans = []
        more: dict[str, str] = {}
        while True:
            self.pace.wait()
            with calling("ssm:GetParametersByPath", path):
                page = self.ssm.get_parameters_by_path(
                    Path=path,
                    Recursive=True,
                    MaxResults=10,
                    **more,  # type: ignore[arg-type]
                )
            for parameter in page["Parameters"]:
                repository = parameter["Name"].removeprefix(f"{path}/")
                if _is_within(repository, self.repository_prefix):
                    changed_at = parameter["LastModifiedDate"]
                    plans.append(_Planned(repository, parameter["Value"], changed_at))
            if "NextToken" not in page:
                return sorted(plans, key=lambda planned: planned.repository)
            more = {"NextToken": page["NextToken"]}

    def _find_missed(self, planned: _Planned, now: datetime) -> _Found:
        """Read a repository. This runs in a thread of its own, so it uses nothing but ECR."""
        repository = planned.repository
        # An image that is older than the plan's last change is not released: the plan may not have had a
        # route for it when it was pushed.
        since = max(planned.changed_at, now - LONG_AGO)
        try:
            plan = parse_plan(planned.text, repository)
            images = tagged_images(repository, self.ecr, self._before_page)
            newest = newest_of_each_route(plan, images, since)
        except _OutOfTimeError:
            problem = (
                f"there was no time to read every image of repository {repository}, which comes to its turn "
                "again after all others; delete images of it, as with a lifecycle policy"
            )
            return _Found(repository, problem=problem, out_of_time=True)
        except SlipwayError as error:
            return _Found(repository, problem=str(error))
        mature = [(route, image) for route, image in newest if image.at <= now - self.maturity]
        return _Found(repository, tuple(mature))

    def _before_page(self) -> None:
        if self.clock() >= self.deadline:
            raise _OutOfTimeError
        self.pace.wait()

    def _is_new(self, repository: str, route: Route, image: _Pushed, now: datetime) -> bool:
        """Whether no service of the first stage has had, superseded or quarantined this image."""
        for planned in route.stages[0].services:
            record = self.ledger.service(planned.service)
            newest_at = record.newest_at(repository, planned.container)
            if newest_at and newest_at >= image.at:
                return False
            version = route.version_of(image.tag)
            known = [
                each
                for lane in record.lanes_of(repository, planned.container)
                for each in record.versions_of(lane, now)
            ]
            if version and any(is_lower(version, each) for each in known):
                return False
            if image.digest in record.quarantined:
                return False
            if self.ledger.knows(planned.service, image.digest):
                return False
        return True

    def _start(self, repository: str, image: _Pushed, now: datetime) -> bool:
        """Start the release with the event that was lost; False if another sweep has done so.

        The name of its execution is recorded, so that every sweep gives the same one, and nobody can foresee
        it: an execution that somebody else has started under it would stand in the way.
        """
        tag, digest = image.tag, image.digest
        name = self.ledger.record_swept(
            f"{repository}:{tag}@{digest}",
            unique_name(f"sweep-{repository}-{tag}", uuid4().hex),
            int((now + 2 * LONG_AGO).timestamp()),
        )
        region, account = self.release_machine.split(":")[3:5]
        event: dict[str, Any] = {
            "version": "0",
            "id": name,
            "detail-type": "ECR Image Action",
            "source": SWEPT,
            "account": account,
            "region": region,
            "time": timestamp(image.at),
            "detail": {
                "result": "SUCCESS",
                "action-type": "PUSH",
                "repository-name": repository,
                "image-digest": digest,
                "image-tag": tag,
            },
        }
        try:
            with calling("states:StartExecution", f"state machine {self.release_machine}"):
                self.stepfunctions.start_execution(
                    stateMachineArn=self.release_machine, name=name, input=json.dumps(event)
                )
        except AwsRefused as refused:
            if error_code(refused.__cause__) == "ExecutionAlreadyExists":
                return False
            raise
        return True


def _ran_out(claimed: Iterable[ServiceRecord], now: datetime) -> Iterator[str]:
    """ARNs of the executions that have a claim whose lease has expired."""
    for record in claimed:
        claim = record.claim
        if claim and claim.has_expired(now):
            yield claim.execution


def _beginning_after(cursor: str, plans: list[_Planned]) -> list[_Planned]:
    """The plans in their order, but first those of the repositories that come after the cursor."""
    later = [planned for planned in plans if planned.repository > cursor]
    return later + plans[: len(plans) - len(later)]


def newest_of_each_route(
    plan: Plan, images: Iterable[Any], since: datetime
) -> list[tuple[Route, _Pushed]]:
    """The newest image of each route that has one, if it was pushed after ``since``.

    Of a route that orders images by SemVer, it is the highest version: a lower one that was pushed later is
    ignored, and must not hide it. No more is kept of the images, of which a repository may have 100,000.
    """
    newest: dict[int, tuple[Any, _Pushed]] = {}  # by the identity of the route, with what orders it
    for detail in images:
        if detail["imagePushedAt"] <= since or artifact_type(detail):
            continue
        for tag in detail.get("imageTags", []):
            if tag.startswith("sha256-"):
                continue
            route = plan.route_for(tag)
            if route and route.takes(tag):
                version = route.version_of(tag)
                pushed = _Pushed(detail["imagePushedAt"], tag, detail["imageDigest"])
                found = (precedence(version) if version else (), pushed)
                newest[id(route)] = max(found, newest.get(id(route), found))
    return [(route, newest[id(route)][1]) for route in plan.routes if id(route) in newest]


def _is_within(repository: str, prefix: str) -> bool:
    """As the template's policies and its rule have it: ``shop`` does not mean ``shopping/api``."""
    return not prefix or f"{repository}/".startswith(f"{prefix}/")
