"""The sweep: finds images whose push event was lost, and claims whose execution died unnoticed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.deployment.recovery import recover
from slipway.errors import AwsRefused, SlipwayError
from slipway.ledger.ledger import CLOCKS_APART_SECONDS, Ledger
from slipway.ledger.records import ServiceRecord, timestamp
from slipway.release.parameter_names import plans_path
from slipway.release.plan import Plan, Route, parse_plan
from slipway.release.registry import every_image
from slipway.release.release import unique_name
from slipway.release.resolve import SWEPT

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

# An older image is not released. The ledger may have forgotten its deployments, so that it would look missed.
# If its event was really lost, an alarm has notified people: EventBridge gives an event up after a day.
LONG_AGO = timedelta(days=7)


@dataclass(frozen=True)
class Sweeper:
    """The sweep's clients and settings."""

    ledger: Ledger
    ssm: SSMClient
    ecr: ECRClient
    stepfunctions: SFNClient
    release_machine: str
    """ARN of the release state machine."""
    deployment_machine: str
    """ARN of the deployment state machine."""
    repository_prefix: str
    """Only the repository of this name and those below it are swept; every one if it is empty."""
    maturity: timedelta
    """The age at which an image's event counts as lost. The event of a younger image may still come."""

    def sweep(self, now: datetime) -> dict[str, list[str]]:
        """Start the releases that were missed, and recover deployments whose lease has expired.

        A problem with one of them does not stop the others.

        Returns:
            Texts under ``released`` (``repository:tag``), ``recovered`` and ``problems``.
        """
        done: dict[str, list[str]] = {"released": [], "recovered": [], "problems": []}
        claimed, done["problems"] = self.ledger.claimed()
        for execution in _ran_out(claimed, now):
            try:
                said = recover(execution, self.deployment_machine, self.ledger, self.stepfunctions)
                done["recovered"].append(f"{execution}: {said}")
            except SlipwayError as error:
                done["problems"].append(str(error))
        for repository, value, changed_at in self._plans():
            try:
                plan = parse_plan(value, repository)
                done["released"] += self._release_missed(repository, plan, changed_at, now)
            except SlipwayError as error:
                done["problems"].append(str(error))
        return done

    def _plans(self) -> Iterator[tuple[str, str, datetime]]:
        """The repository, the text and the time of the last change of each plan."""
        path = plans_path()
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        with calling("ssm:GetParametersByPath", path):
            for page in pages:
                for parameter in page["Parameters"]:
                    repository = parameter["Name"].removeprefix(f"{path}/")
                    if _is_within(repository, self.repository_prefix):
                        yield repository, parameter["Value"], parameter["LastModifiedDate"]

    def _release_missed(
        self, repository: str, plan: Plan, changed_at: datetime, now: datetime
    ) -> list[str]:
        images = [
            (detail["imagePushedAt"], tag, detail["imageDigest"])
            for detail in every_image(repository, self.ecr)
            for tag in detail.get("imageTags", [])
            if not tag.startswith("sha256-")
        ]
        released = []
        for route in plan.routes:
            # An image that is older than the plan's last change is not released: the plan may not have had a
            # route for it when it was pushed.
            ours = [image for image in images if plan.route_for(image[1]) is route]
            pushed_at, tag, digest = max(ours, default=(changed_at, "", ""))
            if pushed_at <= max(changed_at, now - LONG_AGO) or pushed_at > now - self.maturity:
                continue
            if self._is_new(route, digest, pushed_at) and self._start(
                repository, tag, digest, pushed_at
            ):
                released.append(f"{repository}:{tag}")
        return released

    def _is_new(self, route: Route, digest: str, pushed_at: datetime) -> bool:
        """Whether no service of the first stage has had, superseded or quarantined this image."""
        for planned in route.stages[0].services:
            record = self.ledger.service(planned.service)
            if record.newest_at and record.newest_at >= pushed_at:
                return False
            if digest in record.quarantined or self.ledger.knows(planned.service, digest):
                return False
        return True

    def _start(self, repository: str, tag: str, digest: str, pushed_at: datetime) -> bool:
        """Start the release with the event that was lost; False if an earlier sweep has done so."""
        name = unique_name(f"sweep-{repository}-{tag}", f"{repository} {tag} {digest}")
        region, account = self.release_machine.split(":")[3:5]
        event: dict[str, Any] = {
            "version": "0",
            "id": name,
            "detail-type": "ECR Image Action",
            "source": SWEPT,
            "account": account,
            "region": region,
            "time": timestamp(pushed_at),
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
        if claim and claim.lease_until < now - timedelta(seconds=CLOCKS_APART_SECONDS):
            yield claim.execution


def _is_within(repository: str, prefix: str) -> bool:
    """As the template's policies and its rule have it: ``shop`` does not mean ``shopping/api``."""
    return not prefix or f"{repository}/".startswith(f"{prefix}/")
