"""A service in a cluster of its own, and images whose containers behave as a test says."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.ec2.models.amis import AMIS

from localaws import clock
from localaws.server import LocalAws
from tests.support.waiting import wait_for

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
MACHINE_IMAGE = AMIS[0]["ami_id"]  # to ask EC2 for all images takes a second
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def app(image: str, **container: Any) -> dict[str, Any]:
    """The definition of the container ``app`` on port 80."""
    return {"name": "app", "image": image, "portMappings": [{"containerPort": 80}], **container}


def let_pass(seconds: float) -> None:
    """Let the local AWS believe that so much time has passed, instead of waiting for it."""
    clock.go_on_from(clock.monotonic() + seconds)


class World:
    """One cluster, one repository and one service, under names that no other test has."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.ecs, self.elbv2, self.ecr = aws.client("ecs"), aws.client("elbv2"), aws.client("ecr")
        self.cluster, self.service, self.repository = unique("c"), unique("s"), unique("r")
        self.ecs.create_cluster(clusterName=self.cluster)
        self.ecr.create_repository(repositoryName=self.repository)
        subnets = aws.client("ec2").describe_subnets()["Subnets"]
        self.subnets = [subnet["SubnetId"] for subnet in subnets[:2]]
        self.vpc = subnets[0]["VpcId"]

    def push(self, behaviour: str = "healthy", **annotations: str) -> str:
        """Push an image whose containers behave in this way; its name with the digest."""
        layer = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"digest": "sha256:0", "size": 1},
            "layers": [{"digest": f"sha256:{layer}", "size": 1}],
            "annotations": {
                "localaws.behaviour": behaviour,
                **{f"localaws.{k.replace('_', '-')}": v for k, v in annotations.items()},
            },
        }
        image = self.ecr.put_image(
            repositoryName=self.repository,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageTag=unique("t"),
        )["image"]
        return f"{REGISTRY}/{self.repository}@{image['imageId']['imageDigest']}"

    def definition(self, image: str, **container: Any) -> str:
        """Register a Fargate task definition with one container, ``app``, on port 80; its ARN."""
        return self.define(app(image, **container))

    def define(self, *containers: dict[str, Any]) -> str:
        """Register a Fargate task definition with these containers; its ARN."""
        answer = self.ecs.register_task_definition(
            family=self.service,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=list(containers),
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def target_group(self, *, listener: bool = True, target_type: str = "ip") -> str:
        name = unique("tg")
        arn = self.elbv2.create_target_group(
            Name=name, Port=80, Protocol="HTTP", VpcId=self.vpc, TargetType=target_type
        )["TargetGroups"][0]["TargetGroupArn"]
        if listener:
            balancer = self.elbv2.create_load_balancer(Name=unique("lb"), Subnets=self.subnets)
            self.elbv2.create_listener(
                LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
                Port=80,
                Protocol="HTTP",
                DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
            )
        return str(arn)

    def create(
        self, definition: str, desired: int = 1, group: str | None = None, **settings: Any
    ) -> None:
        if group:
            balancer = {"targetGroupArn": group, "containerName": "app", "containerPort": 80}
            settings["loadBalancers"] = [balancer]
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=definition,
            desiredCount=desired,
            **{
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": self.subnets}},
                **settings,
            },
        )

    def run(self, definition: str, **settings: Any) -> list[str]:
        """Run a Fargate task without a service; the ARNs of the tasks."""
        answer = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            **settings,
        )
        return [task["taskArn"] for task in answer["tasks"]]

    def task(self, arn: str) -> dict[str, Any]:
        """The task with this ARN, stopped or not."""
        return dict(self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0])

    def update(self, **changes: Any) -> dict[str, Any]:
        answer = self.ecs.update_service(cluster=self.cluster, service=self.service, **changes)
        return dict(answer["service"])

    def describe(self) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster=self.cluster, services=[self.service])
        return dict(answer["services"][0])

    def primary(self) -> dict[str, Any]:
        return dict(self.describe()["deployments"][0])

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(
            cluster=self.cluster, serviceName=self.service, desiredStatus=status
        )["taskArns"]
        if not arns:
            return []
        return list(self.ecs.describe_tasks(cluster=self.cluster, tasks=arns[:100])["tasks"])

    def targets(self, group: str) -> list[dict[str, Any]]:
        answer = self.elbv2.describe_target_health(TargetGroupArn=group)
        return list(answer["TargetHealthDescriptions"])

    def messages(self) -> list[str]:
        return [event["message"] for event in self.describe()["events"]]

    def settle(self, state: str = "COMPLETED") -> dict[str, Any]:
        """Wait until the service has only one deployment, in this state; the service."""

        def settled() -> dict[str, Any] | None:
            service = self.describe()
            states = [deployment["rolloutState"] for deployment in service["deployments"]]
            return service if states == [state] else None

        return wait_for(settled, f"{self.service} alone and {state}") or {}

    def stopped(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a stopped task that matches; the task."""
        return wait_for(
            lambda: next(
                (t for t in self.tasks("STOPPED") if t["lastStatus"] == "STOPPED" and matches(t)),
                {},
            ),
            "a stopped task that matches",
        )


def listen(aws: LocalAws, pattern: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """Send the matching events of the default bus to a queue; a function that returns all so far."""
    sqs, events, name = aws.client("sqs"), aws.client("events"), unique("listen")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}])
    seen: list[dict[str, Any]] = []

    def receive() -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            seen.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return seen

    return receive


def listen_to_deployments(
    world: World, besides: str
) -> Callable[[int], dict[tuple[str, str], dict[str, Any]]]:
    """Listen to the deployments of the service from now on.

    Args:
        besides: id of a deployment that ended before; its events may still be on their way.

    Returns:
        A function that waits for so many events, and returns their details by name and deployment.
    """
    seen = listen(
        world.aws,
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Deployment State Change"],
            "resources": [world.describe()["serviceArn"]],
        },
    )

    def told() -> dict[tuple[str, str], dict[str, Any]]:
        told = [e["detail"] for e in seen() if e["detail"]["deploymentId"] != besides]
        return {(detail["eventName"], detail["deploymentId"]): detail for detail in told}

    def waited_for(count: int) -> dict[tuple[str, str], dict[str, Any]]:
        def enough() -> dict[tuple[str, str], dict[str, Any]]:
            so_far = told()
            return so_far if len(so_far) >= count else {}

        return wait_for(enough, f"{count} events") or {}

    return waited_for


def details(task: dict[str, Any]) -> dict[str, str]:
    """The details of a task's network interface, by name."""
    return {d["name"]: d["value"] for d in task["attachments"][0]["details"]}


def register_instance(world: World) -> str:
    ec2 = world.aws.client("ec2")
    instance = ec2.run_instances(ImageId=MACHINE_IMAGE, MinCount=1, MaxCount=1)["Instances"][0][
        "InstanceId"
    ]
    document = json.dumps({"instanceId": instance, "region": "us-east-1"})
    world.ecs.register_container_instance(
        cluster=world.cluster,
        instanceIdentityDocument=document,
        instanceIdentityDocumentSignature="s",
    )
    return str(instance)
