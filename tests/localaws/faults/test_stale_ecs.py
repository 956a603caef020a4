"""Stale reads of ECS: what a call has changed is not visible to the next one yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.faults import faults
from localaws.server import LocalAws
from tests.support.localaws.ecs import World
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> Iterator[World]:
    yield World(aws)
    faults.clear()


def stale(world: World, action: str, **more: Any) -> str:
    return faults.add(action=f"ecs:{action}", how="stale", containing=world.cluster, **more)


def hits(fault: str) -> int:
    return int(faults.get(fault)["hits"])


def test_an_update_is_not_visible_in_the_service_yet(world: World) -> None:
    old, new = world.definition("nginx"), world.definition(world.push())
    world.create(old)
    before = world.settle()
    world.update(taskDefinition=new)
    fault = stale(world, "DescribeServices", times=2)

    seen = [world.describe() for _ in range(2)]

    for each in seen:
        assert each["taskDefinition"] == old
        assert [d["id"] for d in each["deployments"]] == [before["deployments"][0]["id"]]
        assert each["deployments"][0]["rolloutState"] == "COMPLETED"
    assert world.describe()["taskDefinition"] == new
    assert hits(fault) == 2


def test_a_deployment_that_has_ended_is_still_in_progress(world: World) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    stale(world, "DescribeServices")

    assert world.primary()["rolloutState"] == "IN_PROGRESS"
    assert world.primary()["rolloutState"] == "COMPLETED"


def test_a_service_that_was_just_created_is_missing(world: World) -> None:
    world.create(world.definition(world.push("slow", start_seconds="3600")))
    stale(world, "DescribeServices")
    stale(world, "ListServices")
    stale(world, "ListServiceDeployments")
    arn = f"arn:aws:ecs:us-east-1:123456789012:service/{world.cluster}/{world.service}"

    answer = world.ecs.describe_services(cluster=world.cluster, services=[world.service])

    assert (answer["services"], answer["failures"]) == ([], [{"arn": arn, "reason": "MISSING"}])
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == []
    with pytest.raises(world.ecs.exceptions.ServiceNotFoundException):
        world.ecs.list_service_deployments(cluster=world.cluster, service=world.service)
    assert world.ecs.list_services(cluster=world.cluster)["serviceArns"] == [arn]


def test_a_deleted_service_is_still_active(world: World) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    world.ecs.delete_service(cluster=world.cluster, service=world.service, force=True)
    stale(world, "DescribeServices")

    assert world.describe()["status"] == "ACTIVE"
    assert world.describe()["status"] in ("DRAINING", "INACTIVE")


def test_a_new_service_deployment_is_not_listed_yet(world: World) -> None:
    def listed() -> list[str]:
        answer = world.ecs.list_service_deployments(cluster=world.cluster, service=world.service)
        return [each["serviceDeploymentArn"] for each in answer["serviceDeployments"]]

    world.create(world.definition("nginx"))
    world.settle()
    [first] = wait_for(listed, "the first") or []
    world.update(taskDefinition=world.definition(world.push("slow", start_seconds="3600")))
    [second, _] = wait_for(lambda: listed() if len(listed()) == 2 else [], "the second") or []
    fault = stale(world, "ListServiceDeployments")
    stale(world, "DescribeServiceDeployments")

    assert listed() == [first]
    assert hits(fault) == 1
    answer = world.ecs.describe_service_deployments(serviceDeploymentArns=[first, second])
    assert [each["serviceDeploymentArn"] for each in answer["serviceDeployments"]] == [first]
    assert answer["failures"] == [{"arn": second, "reason": "MISSING"}]


def test_a_task_is_seen_in_its_former_status(world: World) -> None:
    definition = world.definition(world.push("slow", start_seconds="3600"))
    [task] = world.run(definition)
    wait_for(lambda: world.task(task)["lastStatus"] == "PENDING", "PENDING")
    stale(world, "DescribeTasks", times=2)

    former = world.task(task)
    assert former["lastStatus"] == "PROVISIONING"
    assert "pullStartedAt" not in former
    world.ecs.stop_task(cluster=world.cluster, task=task)
    pending = world.task(task)
    assert (pending["lastStatus"], pending["desiredStatus"]) == ("PENDING", "RUNNING")
    assert "stoppedReason" not in pending
    assert world.task(task)["lastStatus"] == "STOPPED"


def test_a_task_that_was_just_started_is_missing(world: World) -> None:
    fault = stale(world, "DescribeTasks", times=9)
    listing = stale(world, "ListTasks")
    [task] = world.run(world.definition("nginx"))

    answer = world.ecs.describe_tasks(cluster=world.cluster, tasks=[task])

    assert (answer["tasks"], answer["failures"]) == ([], [{"arn": task, "reason": "MISSING"}])
    assert world.ecs.list_tasks(cluster=world.cluster)["taskArns"] == []
    assert (hits(fault), hits(listing)) == (1, 1)


def test_a_revision_of_a_task_definition_is_unknown_and_later_still_active(world: World) -> None:
    arn = world.definition("nginx")
    for action in ("DescribeTaskDefinition", "ListTaskDefinitions"):
        faults.add(action=f"ecs:{action}", how="stale", containing=world.service, times=2)

    def described() -> dict[str, Any]:
        return dict(world.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"])

    def listed() -> list[str]:
        return list(
            world.ecs.list_task_definitions(familyPrefix=world.service)["taskDefinitionArns"]
        )

    with pytest.raises(ClientError, match="Unable to describe task definition"):
        described()
    assert listed() == []
    world.ecs.deregister_task_definition(taskDefinition=arn)
    assert described()["status"] == "ACTIVE"
    assert listed() == [arn]
    assert described()["status"] == "INACTIVE"
    assert listed() == []


def test_a_read_is_stale_for_so_many_seconds_after_the_change(world: World) -> None:
    world.create(world.definition("nginx"))
    world.settle()
    world.update(desiredCount=0)
    long = stale(world, "DescribeServices", seconds=3600)
    assert [world.describe()["desiredCount"] for _ in range(3)] == [1] * 3
    assert faults.remove(long)["hits"] == 3

    short = stale(world, "DescribeServices", seconds=0.001)

    assert world.describe()["desiredCount"] == 0
    assert hits(short) == 0


def test_a_stale_read_of_what_has_not_changed_hits_nothing(world: World) -> None:
    world.create(world.definition("nginx"), desired=0)
    world.settle()
    world.update(desiredCount=0)
    fault = stale(world, "ListServices")

    world.ecs.list_services(cluster=world.cluster)

    assert (faults.get(fault)["seen"], hits(fault)) == (1, 0)


def test_other_processes_ask_for_stale_answers_too(aws: LocalAws, world: World) -> None:
    url = f"{aws.url}/_localaws/faults"
    wanted = {"action": "ecs:DescribeServices", "how": "stale", "seconds": 5}
    added = requests.post(url, json=wanted, timeout=10).json()
    shown = requests.get(f"{url}/{added['id']}", timeout=10).json()
    assert shown.items() >= wanted.items()
    refused = requests.post(url, json={**wanted, "action": "ecs:UpdateService"}, timeout=10)
    assert "ecs:UpdateService can't be stale here" in refused.json()["message"]
