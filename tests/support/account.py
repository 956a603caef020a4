"""A local AWS account with Slipway, in which teams have services, push images and read the outcomes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from localaws import seed
from localaws.server import LocalAws
from localaws.sns import sns
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ServiceRecord
from tests.support import executions
from tests.support.executions import ENDED_SECONDS, Listed
from tests.support.waiting import wait_for

STACK = "slipway"
QUICK = {"bake_seconds": 1, "timeout_seconds": 60, "poll_seconds": 1}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    """An execution that has ended."""

    arn: str
    input: dict[str, Any]
    outcome: str
    """The outcome or IGNORED; else the error of the execution, or its status."""
    reason: str
    output: dict[str, Any]


@dataclass
class Account:
    """An account in which Slipway is deployed, with the outputs of its stack."""

    aws: LocalAws
    outputs: dict[str, str]

    def shop(self, **settings: Any) -> Shop:
        """A team with a repository, a service ``production/<name>`` on v1, and a plan."""
        return Shop(self, f"shop{next(_numbers):04}", **settings)

    def functions(self) -> dict[str, str]:
        """The names of Slipway's functions, by logical id."""
        found = self.aws.client("cloudformation").describe_stack_resources(StackName=STACK)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in found["StackResources"]
            if resource["ResourceType"] == "AWS::Lambda::Function"
        }

    def start_release(self, start: Any) -> Ended:
        """Start the release state machine manually and wait for its end."""
        return self.ended(self.start("ReleaseStateMachineArn", start))

    def start(self, output: str, start: Any, name: str | None = None) -> str:
        """Start the state machine whose ARN the stack has under this output; the execution's ARN."""
        named = {"name": name} if name else {}
        started = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[output], input=json.dumps(start), **named
        )
        return str(started["executionArn"])

    @contextmanager
    def disabled(self, source: str) -> Iterator[None]:
        """Disable the EventBridge rule on the events of this source within the context."""
        events = self.aws.client("events")
        rules = events.list_rules()["Rules"]
        name = next(r["Name"] for r in rules if source in r.get("EventPattern", ""))
        events.disable_rule(Name=name)
        try:
            yield
        finally:
            events.enable_rule(Name=name)

    @cached_property
    def table(self) -> Any:
        """The ledger's table."""
        return boto3.resource("dynamodb").Table(self.outputs["LedgerTable"])

    @property
    def ledger(self) -> Ledger:
        """The ledger, through the functions' own code."""
        return Ledger(self.table)

    def ended(self, arn: str) -> Ended:
        """Wait for the end of an execution."""
        found = executions.ended(arn)
        output = json.loads(found["output"] or "{}")
        return Ended(
            arn=arn,
            input=json.loads(found["input"]),
            outcome=output.get("outcome") or found["error"] or found["status"],
            reason=output.get("reason") or found["cause"] or "",
            output=output,
        )

    def executions(self, output: str) -> list[Listed]:
        """The executions of the state machine under this output, newest first.

        Without those whose input is no object, or has a detail that is none, as only a forged one has.
        """
        return [
            each
            for each in executions.listed(self.outputs[output])
            if isinstance(each.input, dict) and isinstance(each.input.get("detail", {}), dict)
        ]

    def releases_of(self, repository: str, tag: str, count: int = 1) -> list[Ended]:
        """Wait until ``count`` releases were started by pushes of this tag, and for their ends."""

        def started() -> list[str] | None:
            arns = [
                each.arn
                for each in self.executions("ReleaseStateMachineArn")
                if {"repository-name": repository, "image-tag": tag}.items()
                <= each.input.get("detail", {}).items()
            ]
            return arns if len(arns) >= count else None

        arns = wait_for(started, f"{count} releases of {repository}:{tag}", ENDED_SECONDS)
        return [self.ended(arn) for arn in arns]

    def deployments_of(self, repository: str, tag: str) -> dict[str, list[Ended]]:
        """Wait for the end of each deployment of this tag that has started; the deployments by service."""
        found: dict[str, list[Ended]] = {}
        for each in self.executions("DeploymentStateMachineArn"):
            release = self.ledger.release(each.input.get("release", "none"))
            image = release.release.image if release else None
            if image and (image.repository, image.tag) == (repository, tag):
                found.setdefault(each.input["service"], []).append(self.ended(each.arn))
        return found


@dataclass
class Shop:
    """One team's repository and service, which runs v1 before Slipway has deployed anything."""

    account: Account
    name: str
    behind_load_balancer: bool = True
    alarms: tuple[str, ...] = ()
    tasks: int = 2
    cluster: str = "production"
    tagged: bool = True
    """Whether the first image has the tag v1."""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cluster = self.cluster.format(name=self.name)
        self.alarms = tuple(alarm.format(name=self.name) for alarm in self.alarms)
        self.uri = seed.repository(self.repository)
        # Neither push of the first image is released: one has no tag, and at the other there is no plan yet.
        v1 = seed.manifest(f"{self.name} v1")
        self.v1 = seed.push(self.repository, None, v1)
        self.add_service(self.service)
        for alarm in self.alarms:
            seed.alarm(alarm)
        if self.tagged:
            seed.push(self.repository, "v1", v1)
            self.account.releases_of(self.repository, "v1")  # ignored: there is no plan yet
        self.plan([{"name": "production", "services": [self.planned(self.service)]}])

    @property
    def repository(self) -> str:
        return f"teams/{self.name}"

    @property
    def service(self) -> str:
        return f"{self.cluster}/{self.name}"

    def add_service(self, service: str) -> None:
        """Create another service that runs v1."""
        name = service.replace("/", "-")
        groups = [seed.target_group(name)] if self.behind_load_balancer else []
        image = f"{self.uri}@{self.v1}"
        seed.service(service, image, behind=groups, tasks=self.tasks, **self.settings)
        wait_for(lambda: self.settled(service), f"{service} to run v1")

    def close(self) -> None:
        """Delete the service, because the local AWS spends time on every service that exists."""
        self.account.aws.client("ecs").delete_service(
            cluster=self.cluster, service=self.name, force=True
        )

    def add_container(self, name: str, uri: str, digest: str) -> None:
        """Put another container beside the first one, as a person or a stack does."""
        ecs = self.account.aws.client("ecs")
        arn = self.described()["taskDefinition"]
        found = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
        content = {field: found[field] for field in shape.members if field in found}
        containers = [*found["containerDefinitions"], {"name": name, "image": f"{uri}@{digest}"}]
        content["containerDefinitions"] = containers
        made = ecs.register_task_definition(**content)["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(cluster=self.cluster, service=self.name, taskDefinition=made)
        wait_for(self.settled, f"{self.service} to run {name}, too")

    def planned(self, service: str, **policy: Any) -> dict[str, Any]:
        """A service's entry in the plan, with this policy."""
        return {"service": service, "alarms": list(self.alarms), **QUICK, **policy}

    def plan(self, stages: Any, tags: tuple[str, ...] = ("v*",)) -> None:
        """Put the repository's plan."""
        seed.plan(self.repository, {"routes": [{"tags": list(tags), "stages": stages}]})

    def push(self, tag: str, **behaviour: str) -> str:
        """Push an image whose containers behave in this way on the local AWS; its digest."""
        annotations = {
            f"localaws.{name.replace('_', '-')}": value for name, value in behaviour.items()
        }
        return seed.push(self.repository, tag, seed.manifest(f"{self.name} {tag}", annotations))

    def released(self, tag: str) -> Ended:
        """The end of the one release of this tag."""
        (release,) = self.account.releases_of(self.repository, tag)
        return release

    def released_all(self, tag: str) -> list[str]:
        """The outcomes of every release of this tag."""
        return [release.outcome for release in self.account.releases_of(self.repository, tag)]

    def deployed(self, tag: str, service: str | None = None) -> Ended:
        """The end of the one deployment of this tag on the service."""
        self.released(tag)
        (deployment,) = self.account.deployments_of(self.repository, tag)[service or self.service]
        return deployment

    def described(self, service: str | None = None) -> dict[str, Any]:
        """The service as ECS describes it."""
        cluster, _, name = (service or self.service).partition("/")
        ecs = self.account.aws.client("ecs")
        found: dict[str, Any] = ecs.describe_services(cluster=cluster, services=[name])["services"][
            0
        ]
        return found

    def settled(self, service: str | None = None) -> bool:
        """Whether the service has one deployment, completed."""
        deployments = self.described(service)["deployments"]
        return [d["rolloutState"] for d in deployments] == ["COMPLETED"]

    def running(self, service: str | None = None) -> str:
        """The digest that the service's task definition names, once the service has settled."""
        wait_for(lambda: self.settled(service), f"{service or self.service} to settle")
        ecs = self.account.aws.client("ecs")
        arn = self.described(service)["taskDefinition"]
        found = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return str(found["containerDefinitions"][0]["image"].partition("@")[2])

    def digests(self) -> dict[str, str]:
        """The digests of the service's containers, once the service has settled."""
        wait_for(self.settled, f"{self.service} to settle")
        ecs = self.account.aws.client("ecs")
        arn = self.described()["taskDefinition"]
        found = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return {c["name"]: c["image"].partition("@")[2] for c in found["containerDefinitions"]}

    def revisions(self, service: str | None = None) -> int:
        """How many task definitions the service's family has."""
        family = (service or self.service).replace("/", "-")
        ecs = self.account.aws.client("ecs")
        return len(ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"])

    def mails(self, service: str | None = None, kind: str = "end") -> list[dict[str, Any]]:
        """The emails about the service's deployments, by default those about their ends."""
        about = {"service": service or self.service, "kind": kind}
        return [mail for mail in sns.mails() if about.items() <= mail["attributes"].items()]

    def record(self, service: str | None = None) -> ServiceRecord:
        """The ledger's record of the service."""
        return self.account.ledger.service(service or self.service)

    def outcomes(self) -> dict[str, str]:
        """The outcomes of the service's deployments that have ended, by tag."""
        return {
            item["deployment"]["release"]["image"]["tag"]: item["outcome"]
            for item in self.history()
            if "outcome" in item
        }

    def history(self, service: str | None = None) -> list[dict[str, Any]]:
        """The service's deployments in the ledger, oldest first."""
        key = Key("pk").eq(service or self.service) & Key("sk").begins_with("deployment#")
        return list(
            self.account.table.query(KeyConditionExpression=key, ConsistentRead=True)["Items"]
        )

    def roll_back(self, **wanted: str) -> Ended:
        """Start a rollback of the service manually and wait for its end."""
        start = {"service": self.service, **wanted}
        return self.account.ended(self.account.start("RollbackStateMachineArn", start))
