"""Container health: of which tasks it is asked, and what it makes of a deployment."""

from __future__ import annotations

import pytest

from slipway.health.verdict import Verdict, judge
from tests.support.builders import at, watch
from tests.support.ecs_answers import container, ecs_task

CHECK = {"command": ["CMD-SHELL", "true"]}


@pytest.mark.parametrize(
    ("containers", "has_check"),
    [
        ([container()], False),
        ([container(), container(name="x", healthCheck=CHECK)], True),
        ([container(), container(name="x", healthCheck=CHECK, essential=False)], False),
    ],
)
def test_whether_a_container_has_a_check_is_read_from_the_task_definition(
    scene, containers, has_check
):
    scene.containers = containers

    assert scene.observed().has_health_check is has_check


def health_of(scene, api, proxy, overall):
    """Two essential containers, of which only api has a check: a sidecar as most have one."""
    scene.containers = [container(healthCheck=CHECK), container(name="proxy")]
    containers = [{"name": "api", "healthStatus": api}, {"name": "proxy", "healthStatus": proxy}]
    scene.running = [ecs_task(n, healthStatus=overall, containers=containers) for n in ("a", "b")]
    return judge(scene.observed(), watch(), at(30)).verdict


def test_a_sidecar_without_a_check_does_not_keep_the_task_from_being_healthy(scene):
    """ECS: Container1 HEALTHY, Container2 UNKNOWN (it has no check): the task is UNKNOWN."""
    assert health_of(scene, "HEALTHY", "UNKNOWN", "UNKNOWN") is Verdict.HEALTHY


@pytest.mark.parametrize("health", ["UNKNOWN", "UNHEALTHY"])
def test_a_container_whose_check_has_not_passed_keeps_the_task_from_being_healthy(scene, health):
    assert health_of(scene, health, "UNKNOWN", health) is Verdict.PENDING


def test_a_helper_that_fails_its_check_does_not_keep_the_task_from_being_healthy(scene):
    scene.containers = [container(), container(name="x", healthCheck=CHECK, essential=False)]
    containers = [{"name": "x", "healthStatus": "UNHEALTHY"}, {"name": "api"}]
    scene.running = [ecs_task(n, containers=containers) for n in ("a", "b")]

    assert judge(scene.observed(), watch(), at(30)).verdict is Verdict.HEALTHY
