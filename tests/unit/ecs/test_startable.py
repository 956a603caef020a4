"""Whether the tasks of a version can start."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.ecs.startable import CannotStart, startable
from slipway.errors import AwsRefused
from tests.support.builders import OLD
from tests.support.ecs_answers import container, defined


def starts(ecs, kept=None):
    return startable(OLD, lambda _arn: kept, ecs.client, aws.ecr())


def test_a_version_needs_the_images_of_its_essential_containers_and_of_what_these_wait_for(
    ecs, gone
):
    gone |= {"init:1", "migrate:1"}
    waits = [{"containerName": "migrate", "condition": "SUCCESS"}]
    waits_too = [{"containerName": "init", "condition": "COMPLETE"}]
    defined(
        ecs,
        container(dependsOn=waits),
        container(name="migrate", image="migrate:2", essential=False, dependsOn=waits_too),
        container(name="init", image="init:1", essential=False),
    )

    with pytest.raises(CannotStart, match=r"^shop-api:41 can't start: .* image init:1$"):
        starts(ecs)


def test_a_version_starts_without_a_sidecar_that_is_not_essential(ecs, gone):
    gone.add("agent:1")
    defined(ecs, container(), container(name="agent", image="agent:1", essential=False))

    assert starts(ecs).arn == OLD


def test_a_version_that_may_not_be_read_is_not_taken_for_deleted(ecs):
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    with pytest.raises(AwsRefused):
        starts(ecs, {"family": "shop-api"})
