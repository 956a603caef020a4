"""Task definitions: every field survives, and revisions are numbered, listed and retired."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape

from localaws.server import LocalAws
from tests.support.localaws.ecs import unique

MODEL = botocore.session.get_session().get_service_model("ecs")
INPUT = MODEL.operation_model("RegisterTaskDefinition").input_shape
# Where any value of the right type will not do.
VALUES = {
    "networkMode": "awsvpc",
    "hostPort": 80,
    "containerPort": 80,
    "family": "",
    "memory": 512,
    "restartAttemptPeriod": 60,
}


def filled(shape: Shape, name: str = "") -> Any:
    """A value with every field that a shape has."""
    if shape.type_name == "structure":
        return {member: filled(inner, member) for member, inner in shape.members.items()}
    if shape.type_name == "list":
        return [filled(shape.member, name)]
    if shape.type_name == "map":
        return {"key": filled(shape.value)}
    if shape.type_name == "boolean":
        return True
    if shape.type_name in ("integer", "long"):
        return VALUES.get(name, 7)
    if enum := getattr(shape, "enum", None):
        return VALUES.get(name, enum[0])
    return f"some-{name}"


@pytest.fixture
def ecs(aws: LocalAws) -> Any:
    return aws.client("ecs")


def register(ecs: Any, family: str, **fields: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": "nginx", "memory": 64}]
    answer = ecs.register_task_definition(
        family=family, **{"containerDefinitions": containers, **fields}
    )
    return dict(answer["taskDefinition"])


def test_every_field_of_the_request_comes_back(ecs: Any) -> None:
    given = filled(INPUT)
    given.update(family=unique("all"), tags=[{"key": "release", "value": "v1"}])
    first = given["containerDefinitions"][0]
    first["links"] = []  # for bridge mode only, which others are not for
    awaited = {**first, "name": first["dependsOn"][0]["containerName"], "dependsOn": []}
    given["containerDefinitions"].append(awaited)

    arn = ecs.register_task_definition(**given)["taskDefinition"]["taskDefinitionArn"]

    answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    told = answer["taskDefinition"]
    assert answer["tags"] == given.pop("tags")
    assert set(INPUT.members) - {"tags"} == set(given)
    for field, value in given.items():
        assert told[field] == value, field


def test_ecs_adds_its_outputs(ecs: Any) -> None:
    family = unique("outputs")
    told = register(ecs, family, networkMode="awsvpc", cpu="256", memory="512")

    assert told["taskDefinitionArn"].endswith(f":task-definition/{family}:1")
    assert (told["revision"], told["status"]) == (1, "ACTIVE")
    assert told["compatibilities"] == ["EC2", "FARGATE"]
    assert {"name": "ecs.capability.task-eni"} in told["requiresAttributes"]
    assert told["registeredAt"]
    assert told["registeredBy"].startswith("arn:aws:iam::")
    container = told["containerDefinitions"][0]
    assert (container["essential"], container["cpu"], container["portMappings"]) == (True, 0, [])


def test_a_family_means_its_newest_active_revision(ecs: Any) -> None:
    family = unique("family")
    for _ in range(3):
        register(ecs, family)

    retired = ecs.deregister_task_definition(taskDefinition=f"{family}:3")["taskDefinition"]

    assert retired["status"] == "INACTIVE"
    assert retired["deregisteredAt"]
    newest = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert newest["revision"] == 2
    third = ecs.describe_task_definition(taskDefinition=f"{family}:3")["taskDefinition"]
    assert third["status"] == "INACTIVE"


def test_revisions_are_listed_newest_first_of_exactly_one_family_in_pages(ecs: Any) -> None:
    family = unique("list")
    for _ in range(11):
        register(ecs, family)
    register(ecs, f"{family}-other")

    pages = ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, sort="DESC", PaginationConfig={"PageSize": 4}
    )

    revisions = [
        int(arn.rpartition(":")[2]) for page in pages for arn in page["taskDefinitionArns"]
    ]
    assert revisions == list(range(11, 0, -1))


def test_the_number_of_a_deleted_revision_is_not_used_again(ecs: Any) -> None:
    family = unique("delete")
    register(ecs, family)
    register(ecs, family)
    ecs.deregister_task_definition(taskDefinition=f"{family}:2")

    deleted = ecs.delete_task_definitions(taskDefinitions=[f"{family}:2"])["taskDefinitions"]

    assert deleted[0]["status"] == "DELETE_IN_PROGRESS"
    assert register(ecs, family)["revision"] == 3


def test_a_task_definition_that_does_not_exist_cannot_be_described(ecs: Any) -> None:
    with pytest.raises(ClientError, match="Unable to describe task definition") as refused:
        ecs.describe_task_definition(taskDefinition=unique("none"))
    assert refused.value.response["Error"]["Code"] == "ClientException"


def test_an_empty_list_of_tags_is_refused_and_no_list_at_all_is_not(ecs: Any) -> None:
    family = unique("tags")

    with pytest.raises(ClientError, match=r"Tags can not be empty\.") as refused:
        register(ecs, family, tags=[])

    assert refused.value.response["Error"]["Code"] == "ClientException"
    assert register(ecs, family)["revision"] == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"containerDefinitions": []}, "Container list cannot be empty"),
        ({"requiresCompatibilities": ["FARGATE"]}, "only supports network mode"),
        ({"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc"}, "'cpu' and 'memory'"),
        (
            {
                "networkMode": "host",
                "containerDefinitions": [{"name": "a", "image": "i", "memory": 64, "links": ["b"]}],
            },
            "Links are not supported when networkMode=host",
        ),
        (
            {
                "networkMode": "awsvpc",
                "containerDefinitions": [
                    {
                        "name": "a",
                        "image": "i",
                        "memory": 64,
                        "portMappings": [{"containerPort": 80, "hostPort": 81}],
                    }
                ],
            },
            "the host ports and container ports in port mappings must match",
        ),
    ],
)
def test_mistakes_are_refused(ecs: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        register(ecs, unique("bad"), **fields)


def awaiting(name: str, condition: str = "START") -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "nginx", "memory": 64, **fields}


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        (
            [container("a", dependsOn=awaiting("b"))],
            r"Cannot depend on container \+ 'b' because it does not exist",
        ),
        ([container("a", dependsOn=awaiting("a"))], "cycle: a"),
        (
            [container("a", dependsOn=awaiting("b")), container("b", dependsOn=awaiting("a"))],
            "cycle: a, b",
        ),
        (
            [
                container("a"),
                container("b", dependsOn=[*awaiting("a"), *awaiting("d")]),
                container("c", dependsOn=awaiting("b")),
                container("d", dependsOn=awaiting("c")),
            ],
            "cycle: b, c, d",
        ),
        (
            [container("a", dependsOn=awaiting("b", "COMPLETE")), container("b")],
            "with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            [container("a", dependsOn=awaiting("b", "SUCCESS")), container("b", essential=True)],
            "with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            [container("a", dependsOn=awaiting("b", "HEALTHY")), container("b")],
            "needs a health check: b",
        ),
        ([container("a", dependsOn=awaiting("b", "DONE")), container("b")], "condition DONE"),
        ([container("a", restartPolicy={"enabled": True, "restartAttemptPeriod": 59})], "60 to"),
        ([container("a", restartPolicy={"enabled": True, "restartAttemptPeriod": 1801})], "60 to"),
        ([container("a", restartPolicy={"enabled": True, "ignoredExitCodes": [1] * 51})], "50 at"),
    ],
)
def test_container_dependencies_and_restart_policies_that_cannot_work_are_refused(
    ecs: Any, containers: list[dict[str, Any]], message: str
) -> None:
    family = unique("bad")
    with pytest.raises(ClientError, match=message) as refused:
        register(ecs, family, containerDefinitions=containers)
    assert refused.value.response["Error"]["Code"] == "ClientException"
    assert ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == []


def test_containers_may_depend_on_each_other_without_a_cycle(ecs: Any) -> None:
    check = {"command": ["CMD-SHELL", "true"]}
    policy = {"enabled": True, "restartAttemptPeriod": 1800, "ignoredExitCodes": [0] * 50}
    containers = [
        container("d", dependsOn=[*awaiting("b", "HEALTHY"), *awaiting("c", "COMPLETE")]),
        container("b", dependsOn=awaiting("a", "SUCCESS"), healthCheck=check),
        container("c", dependsOn=awaiting("a", "SUCCESS"), essential=False),
        container("a", essential=False, restartPolicy=policy),
    ]
    assert register(ecs, unique("diamond"), containerDefinitions=containers)["revision"] == 1
