"""The account in which the functions run: the demo's environment with Slipway.

Nothing happens by itself there: the rules that start the pipeline are off, the topic has no subscribers,
and pushes never settle. Instead, the functions get the events of events/ one after the other (path.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localaws import aws, seed
from localaws.faults import faults
from localaws.server import LocalAws
from tools.demo import story
from tools.samlocal import slack

EVENTS = story.REPO / "events"
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.05

SLACK_SECRET = "/slipway/slack"  # noqa: S105 - its name
PARAMETERS = {
    # In SSM, because the ARNs of its parameters have no random part.
    "SlackSecret": f"arn:aws:ssm:{aws.REGION}:{aws.ACCOUNT}:parameter{SLACK_SECRET}",
    "SlackChannel": slack.CHANNEL,
    # With this, the event of an image counts as lost at once.
    "SweepMaturitySeconds": "0",
}
"""Parameters in addition to the demo's."""
# For as long as this, the execution of a push's release waits and does nothing. The most that is allowed.
NEVER_SETTLING = {"SettleSeconds": "300"}
CRASHING = story.STORY[1][1]
IMAGES: dict[str, dict[str, str]] = {"v1": {}, "v2": CRASHING, "v3": {}}
"""How the images of the events behave, by tag."""

T = TypeVar("T")


@dataclass
class Account:
    """A local AWS with Slipway in it, and a Slack."""

    aws: LocalAws
    outputs: dict[str, str]
    slack: slack.Slack
    anew: dict[str, str] = field(default_factory=dict)
    """The IDs that this account made up, by those of the recorded events."""

    @classmethod
    @contextmanager
    def seeded(cls, running: LocalAws) -> Iterator[Account]:
        """Deploy, switch off what happens by itself, and push the images of the events."""
        with slack.listening() as listening:
            outputs = story.deploy(running, {**PARAMETERS, **NEVER_SETTLING})
            account = cls(running, outputs, listening)
            events, sns = running.client("events"), running.client("sns")
            for rule in events.list_rules()["Rules"]:
                events.disable_rule(Name=rule["Name"])
            for subscription in sns.list_subscriptions()["Subscriptions"]:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            account._leave_going_back_to_slipway()
            for tag, behaviour in IMAGES.items():
                seed.push(story.REPOSITORY, tag, seed.manifest(tag, behaviour))
            yield account

    def functions(self) -> dict[str, dict[str, Any]]:
        """The configuration of each function, by logical ID."""
        found = self.aws.client("cloudformation").describe_stack_resources(StackName="slipway")
        return {
            resource["LogicalResourceId"]: self.aws.client("lambda").get_function_configuration(
                FunctionName=resource["PhysicalResourceId"]
            )
            for resource in found["StackResources"]
            if resource["ResourceType"] == "AWS::Lambda::Function"
        }

    def event(self, name: str) -> Any:
        """An event of events/, with the IDs of this account."""
        text = json.dumps(recorded(name))
        for old, new in self.anew.items():
            text = text.replace(old, new)
        return json.loads(text)

    def settled(self) -> str:
        """The ID of the service deployment, after ECS has finished it and its tasks have settled."""

        def settled() -> str | None:
            first = self._service()["deployments"][0]
            if first["rolloutState"] == "IN_PROGRESS":
                return None
            end = "RUNNING" if first["rolloutState"] == "COMPLETED" else "STOPPED"
            done = {task["lastStatus"] for task in self._tasks_of(first["id"])} == {end}
            return str(first["id"]) if done else None

        return _awaited(settled)

    def wait_for_push(self, name: str) -> str:
        """Start an execution of the release state machine that goes on waiting; return its ARN."""
        started = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["ReleaseStateMachineArn"],
            name=name,
            input=json.dumps(recorded("ecr_push")),
        )
        return str(started["executionArn"])

    def release(self, name: str, start: Any, at: str) -> str:
        """Have ResolveRelease record a release, whose execution goes on waiting.

        Args:
            name: of the release's execution.
            start: a push or a manual start.
            at: when it happened.

        Returns:
            The release's id.
        """
        given = {"start": start, "execution": self.wait_for_push(name), "started_at": at}
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.functions()["ResolveRelease"]["FunctionName"],
            Payload=json.dumps(given),
        )
        return str(json.loads(answer["Payload"].read())["release"]["id"])

    def died(self, execution: str, given: str, state: str) -> None:
        """Make an execution of the deployment state machine that was stopped as it entered a state.

        Args:
            execution: its ARN.
            given: its input.
        """
        faults.add(state=state, how="stop")
        client = self.aws.client("stepfunctions")
        client.start_execution(
            stateMachineArn=self.outputs["DeploymentStateMachineArn"],
            name=execution.rpartition(":")[2],
            input=given,
        )
        _awaited(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    def deployment_of(self, execution: str) -> str:
        """The ID of the deployment that has claimed the service; it must be this execution's."""
        key = {"pk": {"S": story.SERVICE}, "sk": {"S": "state#claim"}}
        table = self.outputs["LedgerTable"]
        item = self.aws.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
        claim = item["claim"]["M"]
        if claim["execution"]["S"] != execution:
            raise LookupError(f"{claim['execution']['S']} holds the service, not {execution}")
        return str(claim["deployment"]["S"])

    def recovered_thrice(self, deployment: str, execution: str) -> None:
        """Make the deployment's recovery, which Recover has recorded, the third one, by this execution."""
        self.aws.client("dynamodb").update_item(
            TableName=self.outputs["LedgerTable"],
            Key={"pk": {"S": story.SERVICE}, "sk": {"S": f"deployment#{deployment}"}},
            UpdateExpression="SET #recovery.#attempt = :third, #recovery.#execution = :execution",
            ExpressionAttributeNames={f"#{n}": n for n in ("recovery", "attempt", "execution")},
            ExpressionAttributeValues={":third": {"N": "3"}, ":execution": {"S": execution}},
        )

    def _service(self) -> dict[str, Any]:
        cluster, _, name = story.SERVICE.partition("/")
        found = self.aws.client("ecs").describe_services(cluster=cluster, services=[name])
        service: dict[str, Any] = found["services"][0]
        return service

    def _tasks_of(self, ecs_deployment: str) -> list[dict[str, Any]]:
        cluster, _, name = story.SERVICE.partition("/")
        ecs = self.aws.client("ecs")
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)[
                "taskArns"
            ]
        ]
        found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return [task for task in found if task["startedBy"] == ecs_deployment]

    def _leave_going_back_to_slipway(self) -> None:
        """Otherwise, ECS's circuit breaker would roll back before RollBack does."""
        cluster, _, name = story.SERVICE.partition("/")
        configuration = self._service()["deploymentConfiguration"]
        breaker = {**configuration["deploymentCircuitBreaker"], "rollback": False}
        self.aws.client("ecs").update_service(
            cluster=cluster,
            service=name,
            deploymentConfiguration={**configuration, "deploymentCircuitBreaker": breaker},
        )


def recorded(name: str) -> Any:
    """An event of events/."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def _awaited(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"not within {PATIENCE_SECONDS} s: {look}")
