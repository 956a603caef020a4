"""The fixture ``scene``: an observation of a service, with AWS's answers in the order of the calls."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.health.observation import Observation, observe
from tests.support.builders import NEW, SERVICE, at, update
from tests.support.ecs_answers import CLUSTER, NAME, container, described, task_arn, task_definition
from tests.support.stubs import Stubbed


class Scene:
    """AWS's answers, which a test changes before it calls ``observed``."""

    def __init__(self, ecs: Stubbed, elbv2: Stubbed, cloudwatch: Stubbed) -> None:
        self.ecs, self.elbv2, self.cloudwatch = ecs, elbv2, cloudwatch
        self.deployments: list[dict[str, Any]] = []
        self.service: dict[str, Any] = {}
        self.running: list[dict[str, Any]] = []
        self.stopped: list[dict[str, Any]] = []
        self.containers = [container()]
        self.instances: dict[str, str] = {}
        self.recorded: list[dict[str, Any]] | None = None
        """ECS's own record of the service deployments, if it is asked for."""
        self.protected: list[str] | None = None
        """The ids of the protected tasks, if they are asked for."""
        self.health: dict[str, list[dict[str, Any]]] = {}
        self.alarms: list[dict[str, Any]] = []

    def observed(self) -> Observation:
        described(self.ecs, *self.deployments, **self.service)
        self._recorded()
        self._tasks()
        definition = task_definition(*self.containers, taskDefinitionArn=NEW)
        self.ecs.answers(
            "describe_task_definition", {"taskDefinition": definition}, taskDefinition=NEW
        )
        self._instances()
        self._protected()
        for group, targets in self.health.items():
            answer = {"TargetHealthDescriptions": targets}
            self.elbv2.answers("describe_target_health", answer, TargetGroupArn=group)
        if self.alarms:
            answer = {"MetricAlarms": self.alarms, "CompositeAlarms": []}
            self.cloudwatch.answers("describe_alarms", answer)
        names = [alarm["AlarmName"] for alarm in self.alarms]
        clients = (self.ecs.client, self.elbv2.client, self.cloudwatch.client)
        return observe(SERVICE, update(), names, *clients)

    def _recorded(self) -> None:
        if self.recorded is None:
            return
        briefs = [
            {name: each[name] for name in ("serviceDeploymentArn", "createdAt")}
            for each in self.recorded
        ]
        self.ecs.answers(
            "list_service_deployments",
            {"serviceDeployments": briefs},
            cluster=CLUSTER,
            service=NAME,
            createdAt={"after": at(-60)},
        )
        if not briefs:
            return
        full = [
            {**{n: v for n, v in each.items() if n != "taskDefinition"}} for each in self.recorded
        ]
        self.ecs.answers("describe_service_deployments", {"serviceDeployments": full})
        revisions = [
            {
                "serviceRevisionArn": each["targetServiceRevision"]["arn"],
                "taskDefinition": each["taskDefinition"],
            }
            for each in self.recorded
        ]
        self.ecs.answers("describe_service_revisions", {"serviceRevisions": revisions})

    def _protected(self) -> None:
        if self.protected is not None:
            found = [
                {"taskArn": task_arn(task), "protectionEnabled": True} for task in self.protected
            ]
            self.ecs.answers("get_task_protection", {"protectedTasks": found})

    def _tasks(self) -> None:
        asked = {"cluster": CLUSTER, "serviceName": NAME}
        for status, tasks in (("RUNNING", self.running), ("STOPPED", self.stopped)):
            arns = [task["taskArn"] for task in tasks]
            self.ecs.answers("list_tasks", {"taskArns": arns}, **asked, desiredStatus=status)
        tasks = {task["taskArn"]: task for task in [*self.running, *self.stopped]}
        for start in range(0, len(tasks), 100):
            batch = list(tasks)[start : start + 100]
            answer = {"tasks": [tasks[arn] for arn in batch]}
            self.ecs.answers("describe_tasks", answer, cluster=CLUSTER, tasks=batch)

    def _instances(self) -> None:
        if self.instances:
            found = [
                {"containerInstanceArn": arn, "ec2InstanceId": instance}
                for arn, instance in self.instances.items()
            ]
            self.ecs.answers(
                "describe_container_instances",
                {"containerInstances": found},
                cluster=CLUSTER,
                containerInstances=sorted(self.instances),
            )


@pytest.fixture
def scene(ecs: Stubbed, elbv2: Stubbed, cloudwatch: Stubbed) -> Scene:
    return Scene(ecs, elbv2, cloudwatch)
