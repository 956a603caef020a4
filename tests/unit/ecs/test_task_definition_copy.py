"""The copy of a task definition: every field that AWS knows, and only the image changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from slipway.ecs.task_definition import Base, read_task_definition, register, tagged, with_image
from tests.support.builders import DIGEST, NEW, NOW, OLD, SERVICE, URI, deployment, image
from tests.support.ecs_answers import described
from tests.support.filling import filled

OWN = [
    {"key": "slipway:release", "value": "event-1"},
    {"key": "slipway:image-tag", "value": "v2"},
]
THEIR_TAG = {"key": "team", "value": "shop"}
AWS_TAG = {"key": "aws:cloudformation:stack-name", "value": "shop"}


def shape(ecs: Any, operation: str) -> Any:
    return ecs.client.meta.service_model.operation_model(operation)


@pytest.fixture
def every_field(ecs) -> dict[str, Any]:
    """The input of RegisterTaskDefinition with every field filled in, and a sidecar."""
    every = filled(shape(ecs, "RegisterTaskDefinition").input_shape)
    [container] = every["containerDefinitions"]
    every["containerDefinitions"] = [
        {**copy.deepcopy(container), "name": "api", "image": f"{URI}:v1"},
        {**copy.deepcopy(container), "name": "proxy", "image": "public.ecr.aws/envoy:1"},
    ]
    return every | {"tags": [THEIR_TAG]}


def answer(ecs: Any, content: dict[str, Any], *more_tags: dict[str, str]) -> dict[str, Any]:
    """How ECS describes it: with every field that only the answer has."""
    members = shape(ecs, "DescribeTaskDefinition").output_shape.members
    found = filled(members["taskDefinition"]) | {
        "taskDefinitionArn": OLD,
        **{field: value for field, value in content.items() if field != "tags"},
    }
    return {"taskDefinition": found, "tags": [*content["tags"], *more_tags]}


def copied(ecs: Any, every_field: dict[str, Any], *more_tags: dict[str, str]) -> dict[str, Any]:
    ecs.answers("describe_task_definition", answer(ecs, every_field, *more_tags))
    running = read_task_definition(OLD, ecs.client).content
    return tagged(with_image(running, image(), None, SERVICE), "event-1", "v2")


def test_only_the_image_and_slipways_own_tags_differ_after_the_copy(ecs, every_field):
    wanted = copy.deepcopy(every_field)
    wanted["containerDefinitions"][0]["image"] = f"{URI}@{DIGEST}"
    wanted["tags"] += OWN

    assert copied(ecs, every_field) == wanted


def test_the_registration_sends_the_copy_and_nothing_else(ecs, every_field):
    wanted = copy.deepcopy(every_field)
    wanted["containerDefinitions"][0]["image"] = f"{URI}@{DIGEST}"
    wanted["tags"] += OWN
    described(ecs)
    ecs.answers("describe_task_definition", answer(ecs, every_field))
    ecs.answers("list_task_definitions", {"taskDefinitionArns": []})
    registered = {"taskDefinition": {"taskDefinitionArn": NEW}}
    ecs.answers("register_task_definition", registered, **wanted)

    assert register(deployment(), image(), Base(), NOW, ecs.client).task_definition == NEW


def test_describing_answers_every_field_that_registering_takes(ecs):
    """Else the copy would lose it: tags are the one that is answered beside the task definition."""
    taken = set(shape(ecs, "RegisterTaskDefinition").input_shape.members)
    members = shape(ecs, "DescribeTaskDefinition").output_shape.members

    assert taken - set(members["taskDefinition"].members) == {"tags"}


def test_fields_that_only_the_answer_has_are_not_sent(ecs, every_field):
    sent = set(copied(ecs, every_field))

    assert sent.isdisjoint({"taskDefinitionArn", "revision", "status", "registeredAt"})
    assert sent == set(shape(ecs, "RegisterTaskDefinition").input_shape.members)


def test_fields_that_are_not_set_are_not_sent(ecs):
    ecs.answers(
        "describe_task_definition",
        {"taskDefinition": {"taskDefinitionArn": OLD, "family": "shop-api"}},
    )

    assert set(read_task_definition(OLD, ecs.client).content) == {"family", "tags"}


def test_tags_that_aws_sets_itself_are_not_sent(ecs, every_field):
    assert copied(ecs, every_field, AWS_TAG)["tags"] == [THEIR_TAG, *OWN]


def test_the_tags_of_an_earlier_release_are_replaced(ecs, every_field):
    earlier = {"key": "slipway:release", "value": "event-0"}

    assert copied(ecs, every_field, earlier)["tags"] == [THEIR_TAG, *OWN]


def test_the_running_task_definition_is_left_as_it_was(ecs, every_field):
    ecs.answers("describe_task_definition", answer(ecs, every_field))
    running = read_task_definition(OLD, ecs.client).content
    before = copy.deepcopy(running)
    tagged(with_image(running, image(), None, SERVICE), "event-1", "v2")

    assert running == before
