"""Starts and stops the local AWS in rounds, and prints the memory that each round leaves in use.

It runs as a process of its own. Objects that a process makes once (models of services, parsed expressions,
compiled patterns) are made in the first rounds, which are not measured.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3

from localaws import seed
from localaws.lambda_ import awslambda
from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.localaws.stacks import change, outputs, packaged_template
from tests.support.waiting import wait_for

FIRST_ROUNDS, ROUNDS = 3, 10
CLUSTER, SERVICE = "production", "api"


def use(aws: LocalAws) -> None:
    """Make each service of the local AWS do what it does for the pipeline."""
    made = deploy(aws)
    run(aws, made)
    release(aws)
    publish(aws, made["Alerts"])
    write(aws)


def deploy(aws: LocalAws) -> dict[str, str]:
    stack = change(aws, "stack", packaged_template(aws), {"Email": "oncall@example.com"})
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return outputs(stack)


def run(aws: LocalAws, made: dict[str, str]) -> None:
    """Run a state machine that starts another one, which invokes a function in a process of its own."""
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=made["Outer"], input='{"name": "x"}')

    def ended() -> str | None:
        status = states.describe_execution(executionArn=execution["executionArn"])["status"]
        return None if status == "RUNNING" else str(status)

    assert wait_for(ended, "the end of the execution") == "SUCCEEDED"
    assert awslambda.invocations()
    assert aws.client("logs").filter_log_events(logGroupName=made["StepsLogGroup"])["events"]


def release(aws: LocalAws) -> None:
    """Update a service that has a load balancer, a plan, an alarm and a scalable target."""
    uri = seed.repository(SERVICE)
    first, second = (seed.push(SERVICE, tag, seed.manifest(tag)) for tag in ("v1", "v2"))
    seed.plan(SERVICE, {"routes": []})
    seed.alarm(SERVICE)
    name = f"{CLUSTER}/{SERVICE}"
    seed.service(name, f"{uri}@{first}", behind=[seed.target_group(SERVICE)])
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{name}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=3,
    )
    ecs = aws.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition=f"{CLUSTER}-{SERVICE}")
    containers = definition["taskDefinition"]["containerDefinitions"]
    containers[0]["image"] = f"{uri}@{second}"
    registered = ecs.register_task_definition(
        family=f"{CLUSTER}-{SERVICE}",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=containers,
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=registered)

    def settled() -> bool:
        found = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        states = [(each["taskDefinition"], each["rolloutState"]) for each in found["deployments"]]
        return states == [(registered, "COMPLETED")]

    wait_for(settled, f"{name} to run v2")


def publish(aws: LocalAws, topic: str) -> None:
    outcome = {"outcome": {"DataType": "String", "StringValue": "FAILED"}}
    aws.client("sns").publish(TopicArn=topic, Message="x" * 10_000, MessageAttributes=outcome)
    wait_for(sns.mails, "the email")


def write(aws: LocalAws) -> None:
    """Write an item through a boto3 session, as functions do, then a secret and an object."""
    tables: Any = boto3.Session().resource("dynamodb")
    table = tables.create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"pk": "production/api", "history": ["x" * 1_000] * 100}
    table.put_item(Item=item, ConditionExpression="attribute_not_exists(pk)")
    assert table.get_item(Key={"pk": "production/api"})["Item"] == item
    aws.client("secretsmanager").create_secret(Name="slack", SecretString="nothing")
    aws.client("s3").create_bucket(Bucket="artifacts")
    aws.client("s3").put_object(Bucket="artifacts", Key="zip", Body=b"x" * 8_000_000)


def resident() -> int:
    """The bytes of memory that this process holds, after it has returned the free ones."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Print the bytes that each measured round has added."""
    sizes = []
    for count in range(FIRST_ROUNDS + ROUNDS):
        if count == FIRST_ROUNDS:
            gc.freeze()  # the objects of the first rounds stay: no later collection has to look at them
        with LocalAws() as aws:
            use(aws)
        sizes.append(resident())
    measured = sizes[FIRST_ROUNDS - 1 :]
    json.dump([after - before for before, after in pairwise(measured)], sys.stdout)


if __name__ == "__main__":
    main()
