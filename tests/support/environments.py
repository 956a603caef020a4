"""An account in which Slipway's environment is deployed, and what the APIs of AWS say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localaws import seed
from localaws.server import LocalAws
from tests.support import deployed as support
from tests.support.account import Account, Ended
from tests.support.paths import REPO
from tests.support.waiting import wait_for

EVERYTHING = {
    "AccessLogDays": "7",
    "BastionCidr": "203.0.113.7/32",
    "InterfaceEndpoints": "true",
    "WebAcl": "true",
}


PATIENCE_SECONDS = 120  # how long a test waits on a slow machine
CLUSTER = "production"
QUICK = {"bake_seconds": 1, "timeout_seconds": 60, "poll_seconds": 1}


@dataclass
class Environment:
    """The environment in its account, with the outputs of the root stack."""

    aws: LocalAws
    outputs: dict[str, str]
    parameters: dict[str, str]

    def client(self, service: str) -> Any:
        """A client of this service of AWS."""
        return self.aws.client(service)

    def deploy(self, **parameters: str) -> None:
        """Deploy the environment again, with other parameters."""
        self.parameters |= parameters
        self.outputs = support.deploy(self.aws, self.parameters)

    def stack(self, application: str) -> dict[str, Any]:
        """The nested stack with the logical id Network, Cluster or Service."""
        cloudformation = self.client("cloudformation")
        found = cloudformation.describe_stack_resource(
            StackName="slipway", LogicalResourceId=application
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return dict(stack)

    def of(self, application: str) -> dict[str, str]:
        """The outputs of a nested stack."""
        found = self.stack(application)["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def physical(self, application: str) -> dict[str, str]:
        """The physical ids of a nested stack, by logical id."""
        name = self.stack(application)["StackId"]
        found = self.client("cloudformation").list_stack_resources(StackName=name)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in found["StackResourceSummaries"]
        }

    @cached_property
    def vpc(self) -> list[dict[str, Any]]:
        """EC2's filter on the environment's VPC."""
        return [{"Name": "vpc-id", "Values": [self.of("Network")["VpcId"]]}]

    def service(self, name: str = "api") -> dict[str, Any]:
        """A service, as ECS describes it."""
        found = self.client("ecs").describe_services(cluster=CLUSTER, services=[name])
        return dict(found["services"][0])

    def tasks(self, name: str = "api") -> list[dict[str, Any]]:
        """The running tasks of a service."""
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name)["taskArns"]
        found = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return [task for task in found if task["lastStatus"] == "RUNNING"]

    def images(self, name: str = "api") -> set[str]:
        """The images of the container ``app`` in a service's running tasks."""
        containers = (c for task in self.tasks(name) for c in task["containers"])
        return {container["image"] for container in containers if container["name"] == "app"}

    def steady(self, name: str = "api") -> bool:
        """Whether as many tasks run as are desired, and all belong to one service deployment."""
        found = self.service(name)
        counts = {found["runningCount"], found["desiredCount"], len(self.tasks(name))}
        return len(found["deployments"]) == len(counts) == 1

    def quicken(self, repository: str = "shop/api") -> None:
        """Shorten the times in a repository's plan."""
        seed.quicken_plan(repository, QUICK)

    def push(self, tag: str, repository: str = "shop/api", **behaviour: str) -> str:
        """Push an image; its digest."""
        annotations = {f"localaws.{name}": value for name, value in behaviour.items()}
        return seed.push(repository, tag, seed.manifest(f"{repository} {tag}", annotations))

    def deployment(self, tag: str, repository: str = "shop/api") -> Ended:
        """Wait for the end of the deployment that a push started."""
        account = Account(self.aws, self.outputs)

        def started() -> Ended | None:
            found = account.deployments_of(repository, tag)
            return next((ended for of_service in found.values() for ended in of_service), None)

        return wait_for(started, f"a deployment of {repository}:{tag}", PATIENCE_SECONDS)


@contextmanager
def deployed(*, https: bool = False, **parameters: str) -> Iterator[Environment]:
    """A local AWS with Slipway and its environment."""
    # The schedule never fires during a run, because the sweep is not tested here.
    given = {"WithEnvironment": "true", "SweepMinutes": "480", **parameters}
    with support.deployed(given, _certified if https else None) as (aws, outputs):
        if https:
            (made,) = aws.client("acm").list_certificates()["CertificateSummaryList"]
            given["CertificateArn"] = made["CertificateArn"]
        yield Environment(aws, outputs, given)


def _certified(aws: LocalAws) -> dict[str, str]:
    return {"CertificateArn": certificate(aws)}


def certificate(aws: LocalAws) -> str:
    """Request a certificate; its ARN."""
    return str(
        aws.client("acm").request_certificate(DomainName="api.example.com")["CertificateArn"]
    )


def add_service(environment: Environment, name: str, **parameters: str) -> None:
    """Create a stack of environment/service.yaml on the environment's cluster."""
    network, cluster = environment.of("Network"), environment.of("Cluster")
    image = f"/slipway/images/{CLUSTER}/{name}"
    first = "public.ecr.aws/nginx/nginx-unprivileged:stable-alpine"
    environment.client("ssm").put_parameter(Name=image, Value=first, Type="String", Overwrite=True)
    given = {
        "ServiceName": name,
        "RepositoryName": f"shop/{name}",
        "Image": image,
        "VpcId": network["VpcId"],
        "PrivateSubnets": network["PrivateSubnets"],
        "InternalSecurityGroup": cluster["InternalSecurityGroup"],
        "NamespaceId": cluster["NamespaceId"],
        "TaskExecutionRoleArn": cluster["TaskExecutionRole"],
        "TaskRoleArn": cluster["TaskRole"],
        "InfrastructureTopic": cluster["InfrastructureTopic"],
        **parameters,
    }
    change_stack(environment, name, given, "create_stack", "CREATE_COMPLETE")


def change_stack(
    environment: Environment,
    name: str,
    parameters: dict[str, str],
    operation: str = "update_stack",
    ends: str = "UPDATE_COMPLETE",
) -> None:
    """Create or update a stack of environment/service.yaml, and check the status that this ends in."""
    cloudformation = environment.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": v} for key, v in parameters.items()]
    if operation == "update_stack":
        (before,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        kept = {p["ParameterKey"] for p in before["Parameters"]} - parameters.keys()
        given += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
    getattr(cloudformation, operation)(
        StackName=name,
        TemplateBody=(REPO / "environment/service.yaml").read_text(),
        Parameters=given,
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
    )

    assert ended_stack(environment, name) == ends


def ended_stack(environment: Environment, name: str) -> str:
    """Wait for the end of the operation on a stack, given by name or id; the stack's status."""

    def ended() -> str | None:
        found = environment.client("cloudformation").describe_stacks(StackName=name)
        status = str(found["Stacks"][0]["StackStatus"])
        return None if status.endswith("_IN_PROGRESS") else status

    return wait_for(ended, f"the end of what is done with {name}", PATIENCE_SECONDS)
