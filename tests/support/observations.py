"""The fixture ``scene``: an observation of a service, with AWS's answers in the order of the calls."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.health.observation import Observation, observe
from tests.support.builders import NEW, OURS, SERVICE
from tests.support.ecs_answers import CLUSTER, NAME, container, described, task_definition
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
        self.health: dict[str, list[dict[str, Any]]] = {}
        self.is_listed = True
        self.alarms: list[dict[str, Any]] = []

    def observed(self) -> Observation:
        described(self.ecs, *self.deployments, **self.service)
        self._tasks()
        if self.is_listed:
            definition = task_definition(*self.containers, taskDefinitionArn=NEW)
            self.ecs.answers(
                "describe_task_definition", {"taskDefinition": definition}, taskDefinition=NEW
            )
        self._instances()
        for group, targets in self.health.items():
            answer = {"TargetHealthDescriptions": targets}
            self.elbv2.answers("describe_target_health", answer, TargetGroupArn=group)
        if self.alarms:
            answer = {"MetricAlarms": self.alarms, "CompositeAlarms": []}
            self.cloudwatch.answers("describe_alarms", answer)
        names = [alarm["AlarmName"] for alarm in self.alarms]
        clients = (self.ecs.client, self.elbv2.client, self.cloudwatch.client)
        return observe(SERVICE, OURS, names, *clients)

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
