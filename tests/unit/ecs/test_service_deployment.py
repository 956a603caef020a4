"""Reading ECS's own record of the service deployments of a service."""

from __future__ import annotations

from typing import Any

from slipway.ecs.service_deployment import deployments_since
from tests.support.builders import NEW, NOW, SERVICE, at
from tests.support.ecs_answers import recorded_deployment
from tests.support.stubs import Stubbed


def brief(recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: recorded[name] for name in ("serviceDeploymentArn", "createdAt")}


def full(recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recorded.items() if name != "taskDefinition"}


def revision(recorded: dict[str, Any]) -> dict[str, Any]:
    return {
        "serviceRevisionArn": recorded["targetServiceRevision"]["arn"],
        "taskDefinition": recorded["taskDefinition"],
    }


def lists(ecs: Stubbed, *pages: list[dict[str, Any]]) -> None:
    for number, page in enumerate(pages):
        more = {} if page is pages[-1] else {"nextToken": str(number)}
        ecs.answers(
            "list_service_deployments",
            {"serviceDeployments": [brief(each) for each in page], **more},
        )


def test_every_page_is_read_and_the_oldest_comes_first(ecs):
    first = recorded_deployment(name="first")
    second = recorded_deployment(name="second", createdAt=at(20))
    lists(ecs, [second], [first])
    described = [full(second), full(first)]
    ecs.answers("describe_service_deployments", {"serviceDeployments": described})
    revisions = [revision(first), revision(second)]
    ecs.answers("describe_service_revisions", {"serviceRevisions": revisions})

    found = deployments_since(SERVICE, NOW, ecs.client)

    assert [each.arn.rpartition("/")[2] for each in found] == ["first", "second"]


def test_only_the_newest_twenty_are_described(ecs):
    many = [recorded_deployment(name=f"n{n}", createdAt=at(n)) for n in range(25)]
    lists(ecs, many)
    newest = many[5:]
    ecs.answers(
        "describe_service_deployments",
        {"serviceDeployments": [full(each) for each in newest]},
        serviceDeploymentArns=[each["serviceDeploymentArn"] for each in newest],
    )
    revisions = [revision(each) for each in newest]
    ecs.answers("describe_service_revisions", {"serviceRevisions": revisions})

    assert len(deployments_since(SERVICE, NOW, ecs.client)) == 20


def test_what_is_listed_but_not_there_yet_is_left_out(ecs):
    lists(ecs, [recorded_deployment()])
    ecs.answers("describe_service_deployments", {"serviceDeployments": []})

    assert deployments_since(SERVICE, NOW, ecs.client) == ()


def test_a_service_deployment_whose_revision_is_not_there_yet_is_left_out(ecs):
    ours, theirs = recorded_deployment(), recorded_deployment(name="theirs")
    lists(ecs, [ours, theirs])
    described = [full(ours), full(theirs)]
    ecs.answers("describe_service_deployments", {"serviceDeployments": described})
    ecs.answers("describe_service_revisions", {"serviceRevisions": [revision(ours)]})

    [found] = deployments_since(SERVICE, NOW, ecs.client)

    assert found.task_definition == NEW
