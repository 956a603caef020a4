"""Which containers get the image, when there is nothing to register, and registering once only."""

from __future__ import annotations

import re

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.task_definition import containers_for, register, tagged
from tests.unit.answers import container, defined, described, ecs_deployment, task_definition
from tests.unit.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OTHER,
    SERVICE,
    URI,
    at,
    deployment,
    image,
    release,
)

OURS = container(image=f"{URI}@{DIGEST}")
OWN_TAGS = [
    {"key": "slipway:release", "value": "event-1"},
    {"key": "slipway:image-tag", "value": "v2"},
]
# What ECS takes as a tag's value (API reference, Tag).
TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]*")


def chosen(*containers, name=None):
    return containers_for({"containerDefinitions": list(containers)}, image(), name, SERVICE)


def registered(ecs, arn=OTHER):
    ecs.answers("register_task_definition", {"taskDefinition": {"taskDefinitionArn": arn}})


def revisions(ecs, *arns, **more):
    ecs.answers(
        "list_task_definitions",
        {"taskDefinitionArns": list(arns), **more},
        familyPrefix="shop-api",
        sort="DESC",
    )


def test_every_container_whose_image_is_of_the_repository_gets_it():
    two = (container(name="web"), container(name="worker"), container(name="x", image="x:1"))

    assert chosen(*two) == ["web", "worker"]


@pytest.mark.parametrize("version", [":v1", "@" + DIGEST, f":v1@{DIGEST}", ""])
def test_a_container_is_recognised_whatever_version_it_runs(version):
    assert chosen(container(image=URI + version)) == ["api"]


def test_a_repository_whose_name_only_begins_alike_is_another_one():
    with pytest.raises(InvalidInput):
        chosen(container(image=f"{URI}-beta:v1"))


def test_the_container_that_the_plan_names_gets_it_wherever_its_image_is_from():
    both = (container(), container(name="web", image="docker.io/library/nginx:1"))

    assert chosen(*both, name="web") == ["web"]


def test_no_container_of_the_repository_is_an_error_that_names_those_there_are():
    with pytest.raises(
        InvalidInput,
        match=rf"no container of service {SERVICE} runs an image of {URI}; .*: web \(nginx:1\); name",
    ):
        chosen(container(name="web", image="nginx:1"))


def test_a_container_that_is_not_there_is_an_error_that_names_those_there_are():
    with pytest.raises(InvalidInput, match=rf"service {SERVICE} has no container web; .*: api \("):
        chosen(container(), name="web")


def test_a_settled_service_that_runs_just_this_is_not_changed(ecs):
    described(ecs)
    defined(ecs, OURS, taskDefinitionArn=NEW)

    done = register(deployment(), NOW, ecs.client)

    assert (done.task_definition, done.no_change) == (NEW, True)


def test_a_service_that_is_just_being_changed_to_this_is_watched_without_a_new_revision(ecs):
    described(ecs, ecs_deployment(rolloutState="IN_PROGRESS"))
    defined(ecs, OURS, taskDefinitionArn=NEW)

    done = register(deployment(), NOW, ecs.client)

    assert (done.task_definition, done.no_change) == (NEW, False)


def test_another_image_is_registered(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OLD)
    defined(ecs)
    registered(ecs)

    done = register(deployment(), NOW, ecs.client)

    assert (done.task_definition, done.no_change) == (OTHER, False)


def test_after_a_lost_answer_the_retry_takes_the_revision_that_is_there(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OTHER, OLD)
    defined(ecs, OURS, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


def test_the_retry_finds_the_revision_whatever_order_aws_gives_the_tags_in(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OTHER, OLD)
    tags = list(reversed(OWN_TAGS))
    defined(ecs, OURS, tags=tags, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


def test_the_retry_finds_the_revision_whatever_order_aws_gives_the_environment_in(ecs):
    a, b = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    described(ecs)
    defined(ecs, container(environment=[a, b]))
    revisions(ecs, OTHER, OLD)
    again = OURS | {"environment": [b, a]}
    defined(ecs, again, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


def test_the_retry_looks_past_revisions_that_others_registered_meanwhile(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, f"{OTHER}1", OTHER, OLD)
    defined(ecs, container(image="x:1"), taskDefinitionArn=f"{OTHER}1", registeredAt=at(2))
    defined(ecs, OURS, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


def test_a_revision_of_an_earlier_release_is_not_taken_for_ours(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, NEW)
    earlier = [{"key": "slipway:release", "value": "event-0"}, OWN_TAGS[1]]
    defined(ecs, OURS, tags=earlier, taskDefinitionArn=NEW, registeredAt=at(1))
    registered(ecs)

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


@pytest.mark.parametrize("registered_at", [at(-1), None])
def test_the_search_ends_at_the_first_revision_from_before_the_deployment(ecs, registered_at):
    described(ecs)
    defined(ecs)
    revisions(ecs, OLD, f"{OLD}0", nextToken="more")
    old = task_definition() | {"registeredAt": registered_at}
    old = {field: value for field, value in old.items() if value is not None}
    ecs.answers("describe_task_definition", {"taskDefinition": old})
    registered(ecs)

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


def test_a_family_without_active_revisions_gets_one(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs)
    registered(ecs)

    assert register(deployment(), NOW, ecs.client).task_definition == OTHER


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_registration_that_fails_names_action_and_family(ecs, code, kind):
    described(ecs)
    defined(ecs)
    revisions(ecs)
    ecs.refuses("register_task_definition", code)

    with pytest.raises(kind, match="ecs:RegisterTaskDefinition on task definition shop-api"):
        register(deployment(), NOW, ecs.client)


def test_too_many_tags_are_an_error_before_aws_says_so():
    content = {"family": "shop-api", "tags": [{"key": str(n), "value": ""} for n in range(49)]}

    with pytest.raises(InvalidInput, match="shop-api has 49 tags of its own; ECS allows 50"):
        tagged(content, release())


def test_as_many_tags_as_ecs_allows_are_no_error():
    content = {"family": "shop-api", "tags": [{"key": str(n), "value": ""} for n in range(48)]}

    assert len(tagged(content, release())["tags"]) == 50


def test_an_image_without_a_tag_says_so_in_its_tag():
    untagged = release(image=image(tag=None))

    assert tagged({"family": "f", "tags": []}, untagged)["tags"][1]["value"] == "none"


@pytest.mark.parametrize("name", ["event-1", "back(2)!", "l'image"])
def test_the_tags_are_such_as_ecs_takes_whatever_an_execution_may_be_named(name):
    tags = tagged({"family": "f", "tags": []}, release(id=name))["tags"]

    assert all(TAG_VALUE.fullmatch(tag["value"]) for tag in tags)
