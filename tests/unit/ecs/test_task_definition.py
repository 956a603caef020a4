"""Which containers get the image, when there is nothing to register, and registering once only."""

from __future__ import annotations

import re

import pytest

from slipway.ecs.task_definition import (
    Base,
    containers_for,
    read_task_definition,
    register,
    tagged,
    usable_revision,
    with_image,
)
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from tests.support.builders import (
    ACCOUNT,
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    REGION,
    SERVICE,
    THEIRS,
    URI,
    at,
    copied,
    deployment,
    image,
)
from tests.support.ecs_answers import (
    before,
    container,
    defined,
    described,
    ecs_deployment,
    registered,
    revisions,
    task_definition,
)

OURS = container(image=f"{URI}@{DIGEST}")
OTHER_DIGEST = "sha256:" + "ef" * 32
OWN_TAGS = [
    {"key": "slipway:release", "value": "event-1"},
    {"key": "slipway:image-tag", "value": "v2"},
]
# What ECS takes as a tag's value (API reference, Tag).
TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]*")


def chosen(*containers, name=None):
    return containers_for({"containerDefinitions": list(containers)}, image(), name, SERVICE)


def on_behalf(ecs, of=None):
    """The ARN of what is registered for a deployment that began at NOW."""
    return registration(ecs, of=of).task_definition


def registration(ecs, of=None, **base):
    return register(deployment(), of or image(), Base(**base), NOW, ecs.client)


def test_every_container_whose_image_is_of_the_repository_gets_the_new_image():
    two = (container(name="web"), container(name="worker"), container(name="x", image="x:1"))

    assert chosen(*two) == ["web", "worker"]


@pytest.mark.parametrize("version", [":v1", "@" + DIGEST, f":v1@{DIGEST}", ""])
def test_a_container_is_recognised_whatever_version_it_runs(version):
    assert chosen(container(image=URI + version)) == ["api"]


def test_a_container_keeps_the_dual_stack_name_of_the_registry():
    dual_stack = f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/shop/api"
    content = {"containerDefinitions": [container(image=f"{dual_stack}:v1")]}

    [changed] = with_image(content, image(), None, SERVICE)["containerDefinitions"]

    assert changed["image"] == f"{dual_stack}@{DIGEST}"


def test_an_image_of_a_repository_whose_name_only_begins_alike_does_not_match():
    with pytest.raises(InvalidInput):
        chosen(container(image=f"{URI}-beta:v1"))


def test_the_container_that_the_plan_names_gets_the_new_image_wherever_its_image_is_from():
    both = (container(), container(name="web", image="docker.io/library/nginx:1"))

    assert chosen(*both, name="web") == ["web"]


def test_a_service_without_a_container_of_the_repository_is_an_error_that_names_its_containers():
    with pytest.raises(
        InvalidInput,
        match=rf"no container of service {SERVICE} runs an image of {URI}; .*: web \(nginx:1\); name",
    ):
        chosen(container(name="web", image="nginx:1"))


def test_a_container_that_the_service_does_not_have_is_an_error_that_names_its_containers():
    with pytest.raises(InvalidInput, match=rf"service {SERVICE} has no container web; .*: api \("):
        chosen(container(), name="web")


@pytest.mark.parametrize("state", ["COMPLETED", "IN_PROGRESS"])
def test_a_service_that_has_the_releases_revision_already_gets_no_new_one(ecs, state):
    described(ecs, ecs_deployment(rolloutState=state))
    defined(ecs, OURS, taskDefinitionArn=NEW)

    assert on_behalf(ecs) == NEW


def test_an_image_that_the_service_does_not_run_is_registered(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OLD)
    defined(ecs)
    registered(ecs)

    assert on_behalf(ecs) == OTHER


def test_a_registration_says_what_the_service_ran_when_it_was_copied(ecs):
    described(ecs, before(status="PRIMARY"))
    defined(ecs, OURS, asked=OLD)

    assert registration(ecs).copied == copied()


LEFT = container(image=f"{URI}@{OTHER_DIGEST}", environment=[{"name": "A", "value": "of a crash"}])
"""The container of what another deployment has left on the service, which nobody has seen healthy."""


def test_a_version_is_built_on_the_rollback_target_while_something_unproven_runs(ecs):
    described(ecs)
    defined(ecs, LEFT, asked=NEW, taskDefinitionArn=NEW)
    defined(ecs, asked=OLD)
    revisions(ecs)
    ecs.answers(
        "register_task_definition",
        {"taskDefinition": {"taskDefinitionArn": OTHER}},
        family="shop-api",
        containerDefinitions=[OURS],
        tags=OWN_TAGS,
    )

    made = registration(ecs, unproven=(NEW,), rollback_target=OLD)

    assert (made.task_definition, made.copied.task_definition) == (OTHER, NEW)


def test_what_a_person_has_put_on_the_service_is_built_on_though_something_else_is_unproven(ecs):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OTHER))
    defined(ecs, LEFT, asked=OTHER, taskDefinitionArn=OTHER)
    revisions(ecs)
    ecs.answers(
        "register_task_definition",
        {"taskDefinition": {"taskDefinitionArn": NEW}},
        family="shop-api",
        containerDefinitions=[LEFT | {"image": OURS["image"]}],
        tags=OWN_TAGS,
    )

    assert registration(ecs, unproven=(NEW,), rollback_target=OLD).task_definition == NEW


def test_the_same_image_of_an_earlier_release_is_not_registered_again(ecs):
    """Its tags name another release."""
    described(ecs)
    tags = [{"key": "slipway:release", "value": "event-0"}]
    defined(ecs, OURS, asked=NEW, taskDefinitionArn=NEW, tags=tags)
    defined(ecs, asked=OLD)

    assert registration(ecs, unproven=(NEW,), rollback_target=OLD).task_definition == NEW


def test_a_deregistered_revision_without_tags_is_registered_anew_without_the_empty_list(ecs):
    """ECS refuses it: "Tags can not be empty." """
    defined(ecs, asked=OLD, status="INACTIVE")
    revisions(ecs)
    ecs.answers(
        "register_task_definition",
        {"taskDefinition": {"taskDefinitionArn": OTHER}},
        family="shop-api",
        containerDefinitions=[container()],
    )

    assert usable_revision(read_task_definition(OLD, ecs.client), NOW, ecs.client) == OTHER


@pytest.mark.parametrize(
    ("runs", "target"),
    [
        ([container(environment=[{"name": "A", "value": "b"}])], OTHER),
        ([container(image=f"{URI}@{OTHER_DIGEST}")], None),
        ([container(), container(name="proxy", image="envoy:2")], None),
    ],
    ids=["other settings", "another image", "another container"],
)
def test_settings_that_someone_has_changed_meanwhile_belong_to_the_rollback_target(
    ecs, runs, target
):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OTHER))
    defined(ecs, *runs, asked=OTHER, taskDefinitionArn=OTHER)
    defined(ecs, asked=OLD)
    revisions(ecs)
    registered(ecs, NEW)

    assert registration(ecs, rollback_target=OLD, changed=True).rollback_target == target


def test_an_image_other_than_the_releases_is_registered_for_a_manual_rollback(ecs):
    """A manual rollback leaves the release's, for another one."""
    described(ecs)
    defined(ecs, OURS, taskDefinitionArn=NEW)
    revisions(ecs)
    back = image(digest=OLD_DIGEST, tag="v1")
    answer = {"taskDefinition": {"taskDefinitionArn": OTHER}}
    ecs.answers(
        "register_task_definition",
        answer,
        family="shop-api",
        containerDefinitions=[container(image=f"{URI}@{OLD_DIGEST}")],
        tags=[OWN_TAGS[0], {"key": "slipway:image-tag", "value": "v1"}],
    )

    assert on_behalf(ecs, back) == OTHER


def test_a_retry_after_a_lost_answer_takes_the_revision_that_was_registered(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OTHER, OLD)
    defined(ecs, OURS, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert on_behalf(ecs) == OTHER


def test_the_retry_finds_the_revision_whatever_order_aws_gives_the_tags_in(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, OTHER, OLD)
    tags = list(reversed(OWN_TAGS))
    defined(ecs, OURS, tags=tags, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert on_behalf(ecs) == OTHER


def test_the_retry_finds_the_revision_whatever_order_aws_gives_the_environment_in(ecs):
    a, b = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    described(ecs)
    defined(ecs, container(environment=[a, b]))
    revisions(ecs, OTHER, OLD)
    again = OURS | {"environment": [b, a]}
    defined(ecs, again, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert on_behalf(ecs) == OTHER


def test_the_retry_looks_past_revisions_that_others_registered_meanwhile(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, f"{OTHER}1", OTHER, OLD)
    defined(ecs, container(image="x:1"), taskDefinitionArn=f"{OTHER}1", registeredAt=at(2))
    defined(ecs, OURS, tags=OWN_TAGS, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert on_behalf(ecs) == OTHER


def test_a_revision_of_an_earlier_release_is_not_taken_for_ours(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs, NEW)
    earlier = [{"key": "slipway:release", "value": "event-0"}, OWN_TAGS[1]]
    defined(ecs, OURS, tags=earlier, taskDefinitionArn=NEW, registeredAt=at(1))
    registered(ecs)

    assert on_behalf(ecs) == OTHER


@pytest.mark.parametrize("registered_at", [at(-1), None])
def test_the_search_ends_at_the_first_revision_from_before_the_deployment(ecs, registered_at):
    described(ecs)
    defined(ecs)
    revisions(ecs, OLD, f"{OLD}0", nextToken="more")
    old = task_definition() | {"registeredAt": registered_at}
    old = {field: value for field, value in old.items() if value is not None}
    ecs.answers("describe_task_definition", {"taskDefinition": old})
    registered(ecs)

    assert on_behalf(ecs) == OTHER


def test_a_family_without_active_revisions_gets_a_new_revision(ecs):
    described(ecs)
    defined(ecs)
    revisions(ecs)
    registered(ecs)

    assert on_behalf(ecs) == OTHER


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
        on_behalf(ecs)


def test_a_task_definition_with_too_many_tags_is_an_error_before_ecs_is_called():
    content = {"family": "shop-api", "tags": [{"key": str(n), "value": ""} for n in range(49)]}

    with pytest.raises(InvalidInput, match="shop-api has 49 tags of its own; ECS allows 50"):
        tagged(content, "event-1", "v2")


def test_a_task_definition_with_as_many_tags_as_ecs_allows_is_no_error():
    content = {"family": "shop-api", "tags": [{"key": str(n), "value": ""} for n in range(48)]}

    assert len(tagged(content, "event-1", "v2")["tags"]) == 50


def test_an_image_without_a_tag_says_so_in_its_tag():
    tags = tagged({"family": "f", "tags": []}, "event-1", None)["tags"]

    assert tags == [OWN_TAGS[0], {"key": "slipway:image-tag", "value": "none"}]


@pytest.mark.parametrize("name", ["event-1", "back(2)!", "l'image"])
def test_ecs_takes_the_tags_whatever_the_execution_is_named(name):
    tags = tagged({"family": "f", "tags": []}, name, "v2")["tags"]

    assert all(TAG_VALUE.fullmatch(tag["value"]) for tag in tags)


def test_an_active_revision_is_usable_as_it_is(ecs):
    defined(ecs, asked="shop-api:41")

    assert usable_revision(read_task_definition("shop-api:41", ecs.client), NOW, ecs.client) == OLD


@pytest.mark.parametrize("status", ["INACTIVE", "DELETE_IN_PROGRESS"])
def test_a_revision_that_was_deregistered_is_registered_anew_with_the_same_content(ecs, status):
    tags = [{"key": "team", "value": "shop"}, *OWN_TAGS]
    defined(ecs, tags=tags, status=status, cpu="256")
    revisions(ecs)
    answer = {"taskDefinition": {"taskDefinitionArn": OTHER}}
    ecs.answers(
        "register_task_definition",
        answer,
        family="shop-api",
        containerDefinitions=[container()],
        cpu="256",
        tags=tags,
    )

    assert usable_revision(read_task_definition(OLD, ecs.client), NOW, ecs.client) == OTHER


def test_a_revision_that_was_registered_anew_by_an_earlier_try_is_taken(ecs):
    defined(ecs, status="INACTIVE")
    revisions(ecs, OTHER, NEW)
    defined(ecs, taskDefinitionArn=OTHER, registeredAt=at(1))

    assert usable_revision(read_task_definition(OLD, ecs.client), NOW, ecs.client) == OTHER


def test_the_images_of_a_revision_are_known_by_container(ecs):
    defined(ecs, container(), container(name="proxy", image="envoy:1"))

    images = read_task_definition(OLD, ecs.client).images

    assert images == {"api": f"{URI}@{OLD_DIGEST}", "proxy": "envoy:1"}
