"""Answers of ECS with defaults, and calls of ECS that a stubbed client expects."""

from __future__ import annotations

from typing import Any

from tests.support.builders import (
    ACCOUNT,
    BEFORE,
    DIGEST,
    GROUP,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    OURS,
    REGION,
    URI,
    at,
)
from tests.support.stubs import Stubbed

CLUSTER, NAME = "production", "api"


def ecs_deployment(**changes: Any) -> dict[str, Any]:
    """A service deployment in DescribeServices; by default our own, PRIMARY and COMPLETED."""
    return {
        "id": OURS,
        "status": "PRIMARY",
        "taskDefinition": NEW,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": "ECS deployment ecs-svc/2 completed.",
        "createdAt": NOW,
        "desiredCount": 2,
        "runningCount": 2,
    } | changes


def before(**changes: Any) -> dict[str, Any]:
    """The service deployment before ours."""
    return (
        ecs_deployment(id=BEFORE, status="ACTIVE", taskDefinition=OLD, createdAt=at(-3600))
        | changes
    )


def recorded_deployment(**changes: Any) -> dict[str, Any]:
    """ECS's own record of a service deployment, with its task definition; by default ours."""
    name = changes.pop("name", "ours")
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{CLUSTER}/{NAME}/{name}"
    return {
        "serviceDeploymentArn": arn,
        "createdAt": NOW,
        "status": "IN_PROGRESS",
        "targetServiceRevision": {"arn": arn.replace("-deployment/", "-revision/")},
        "taskDefinition": NEW,
    } | changes


def ecs_service(*deployments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    deployed = list(deployments) or [ecs_deployment()]
    first = next(d for d in deployed if d["status"] == "PRIMARY")
    return {
        "serviceName": NAME,
        "status": "ACTIVE",
        "desiredCount": first["desiredCount"],
        "taskDefinition": first["taskDefinition"],
        "deployments": deployed,
        "events": [],
        "loadBalancers": [],
    } | changes


def described(ecs: Stubbed, *deployments: dict[str, Any], **changes: Any) -> None:
    """Expect DescribeServices; it answers with a service with these deployments."""
    found = {"services": [ecs_service(*deployments, **changes)], "failures": []}
    ecs.answers("describe_services", found, cluster=CLUSTER, services=[NAME])


def service_revision(name: str = "1", **changes: Any) -> dict[str, Any]:
    """A service revision as DescribeServiceRevisions returns it."""
    arn = f"arn:aws:ecs:eu-west-1:123456789012:service-revision/{CLUSTER}/{NAME}/{name}"
    return {"serviceRevisionArn": arn, "createdAt": at(0)} | changes


REVISED = {"currentServiceRevisions": [{"arn": service_revision()["serviceRevisionArn"]}]}
"""What DescribeServices says of a service that has a service revision."""


def revision_read(ecs: Stubbed, **changes: Any) -> None:
    """Expect DescribeServiceRevisions of the revision of a REVISED service."""
    [current] = REVISED["currentServiceRevisions"]
    found = {"serviceRevisions": [service_revision(**changes)]}
    ecs.answers("describe_service_revisions", found, serviceRevisionArns=[current["arn"]])


def container(**changes: Any) -> dict[str, Any]:
    return {"name": "api", "image": f"{URI}@{OLD_DIGEST}", "essential": True} | changes


def task_definition(*containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "taskDefinitionArn": OLD,
        "family": "shop-api",
        "revision": 41,
        "status": "ACTIVE",
        "registeredAt": at(-3600),
        "containerDefinitions": list(containers) or [container()],
    } | changes


def defined(
    ecs: Stubbed,
    *containers: dict[str, Any],
    tags: list[dict[str, str]] | None = None,
    asked: str | None = None,
    **changes: Any,
) -> None:
    """Expect DescribeTaskDefinition, of the task definition ``asked`` if that is given."""
    found = task_definition(*containers, **changes)
    expected: dict[str, Any] = {"taskDefinition": asked, "include": ["TAGS"]} if asked else {}
    answer = {"taskDefinition": found, "tags": tags or []}
    ecs.answers("describe_task_definition", answer, **expected)


def updated(ecs: Stubbed, task_definition: str, **deployment: Any) -> None:
    """Expect UpdateService with exactly the cluster, the service and this task definition."""
    put = ecs_deployment(taskDefinition=task_definition, rolloutState="IN_PROGRESS", **deployment)
    ecs.answers(
        "update_service",
        {"service": ecs_service(put, before())},
        cluster=CLUSTER,
        service=NAME,
        taskDefinition=task_definition,
    )


def registered(ecs: Stubbed, arn: str = OTHER) -> None:
    """Expect RegisterTaskDefinition; it answers with this ARN."""
    ecs.answers("register_task_definition", {"taskDefinition": {"taskDefinitionArn": arn}})


def revisions(ecs: Stubbed, *arns: str, **more: str) -> None:
    """Expect ListTaskDefinitions; it answers with these ARNs, newest first."""
    ecs.answers(
        "list_task_definitions",
        {"taskDefinitionArns": list(arns), **more},
        familyPrefix="shop-api",
        sort="DESC",
    )


def alarms_read(cloudwatch: Stubbed, **states: str) -> None:
    """Expect DescribeAlarms; it answers with alarms of these names and states."""
    found = [
        {
            "AlarmName": name,
            "StateValue": state,
            "StateReason": f"{name} says so",
            "StateUpdatedTimestamp": NOW,
        }
        for name, state in states.items()
    ]
    cloudwatch.answers("describe_alarms", {"MetricAlarms": found, "CompositeAlarms": []})


def ecs_task(task: str = "t1", **changes: Any) -> dict[str, Any]:
    """A running task of our service deployment on Fargate, with the address 10.0.0.1."""
    return {
        "taskArn": task_arn(task),
        "taskDefinitionArn": NEW,
        "startedBy": OURS,
        "createdAt": at(1),
        "desiredStatus": "RUNNING",
        "lastStatus": "RUNNING",
        "healthStatus": "UNKNOWN",
        "attachments": [interface("10.0.0.1")],
        "containers": [{"name": "api", "healthStatus": "UNKNOWN"}],
    } | changes


def stopped_task(task: str = "s1", **changes: Any) -> dict[str, Any]:
    stopped = {
        "desiredStatus": "STOPPED",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": NOW,
        "containers": [{"name": "api", "exitCode": 1, "reason": "boom"}],
    }
    return ecs_task(task, **stopped | changes)


def task_arn(task: str) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{task}"


def interface(*addresses: str) -> dict[str, Any]:
    """A task's network interface with these IPv4 and IPv6 addresses; it has none while it is created."""
    details = [{"name": "subnetId", "value": "subnet-1"}]
    for address in addresses:
        name = "privateIPv6Address" if ":" in address else "privateIPv4Address"
        details.append({"name": name, "value": address})
    return {"type": "ElasticNetworkInterface", "details": details}


def balancer(**changes: Any) -> dict[str, Any]:
    return {"targetGroupArn": GROUP, "containerName": "api", "containerPort": 8080} | changes


def target_health(
    target: str = "10.0.0.1", port: int = 8080, state: str = "healthy", **why: str
) -> dict[str, Any]:
    return {"Target": {"Id": target, "Port": port}, "TargetHealth": {"State": state, **why}}


def image_detail(digest: str = DIGEST, **changes: Any) -> dict[str, Any]:
    return {"imageDetails": [{"repositoryName": "shop/api", "imageDigest": digest} | changes]}
