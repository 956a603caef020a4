"""What stops a deployment before anything is changed, and what it starts from."""

from __future__ import annotations

import pytest

from slipway.begin import begin
from slipway.errors import AwsRefused, InvalidInput
from tests.unit.answers import balancer, before, container, defined, described, ecs_deployment
from tests.unit.builders import NOW, OLD, OLD_DIGEST, URI, deployment


def alarms(cloudwatch, **states):
    found = [
        {"AlarmName": name, "StateValue": state, "StateUpdatedTimestamp": NOW}
        for name, state in states.items()
    ]
    cloudwatch.answers("describe_alarms", {"MetricAlarms": found, "CompositeAlarms": []})


def on(ecs, cloudwatch, **changes):
    return begin(deployment(**changes), NOW, ecs.client, cloudwatch.client)


def test_a_deployment_starts_from_what_the_service_runs(ecs, cloudwatch):
    described(ecs, before(status="PRIMARY"))
    defined(ecs)
    defined(ecs)

    beginning = on(ecs, cloudwatch)

    assert (beginning.began_at, beginning.previous) == (NOW, OLD)
    assert beginning.previous_images == {"api": f"{URI}@{OLD_DIGEST}"}


def test_in_mid_rollout_it_goes_back_to_what_completed_before(ecs, cloudwatch):
    described(ecs, ecs_deployment(rolloutState="IN_PROGRESS"), before())
    defined(ecs)
    ecs.answers(
        "describe_task_definition",
        {
            "taskDefinition": {
                "taskDefinitionArn": OLD,
                "containerDefinitions": [container(image=f"{URI}:v1")],
            }
        },
        taskDefinition=OLD,
        include=["TAGS"],
    )

    assert on(ecs, cloudwatch).previous_images == {"api": f"{URI}:v1"}


def test_alarms_that_fire_already_are_noted(ecs, cloudwatch):
    described(ecs)
    defined(ecs)
    alarms(cloudwatch, errors="OK", latency="ALARM")
    defined(ecs)

    beginning = on(ecs, cloudwatch, policy={"alarms": ("errors", "latency")})

    assert beginning.alarms_firing == ("latency",)


def test_alarms_that_do_not_exist_are_named(ecs, cloudwatch):
    described(ecs)
    defined(ecs)
    alarms(cloudwatch, errors="OK")

    with pytest.raises(InvalidInput, match=r"service production/api .* not have .*: gone, lost$"):
        on(ecs, cloudwatch, policy={"alarms": ("gone", "errors", "lost")})


def test_a_container_that_the_service_does_not_have_is_named(ecs, cloudwatch):
    described(ecs)
    defined(ecs)

    with pytest.raises(InvalidInput, match="service production/api has no container web"):
        on(ecs, cloudwatch, policy={"container": "web"})


def test_a_service_that_does_not_exist_is_named(ecs, cloudwatch):
    ecs.answers("describe_services", {"services": []})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        on(ecs, cloudwatch)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "is deployed by CODE_DEPLOY"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "is deployed by EXTERNAL"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "has strategy BLUE_GREEN"),
        ({"deploymentConfiguration": {"strategy": "CANARY"}}, "has strategy CANARY"),
        (
            {"loadBalancers": [balancer(), {"loadBalancerName": "old"}]},
            "uses a Classic Load Balancer",
        ),
    ],
)
def test_a_service_of_another_kind_is_refused_with_its_kind(ecs, cloudwatch, kind, why):
    described(ecs, **kind)

    with pytest.raises(InvalidInput, match=f"service production/api {why}"):
        on(ecs, cloudwatch)


@pytest.mark.parametrize(
    "kind",
    [
        {"deploymentController": {"type": "ECS"}},
        {"deploymentConfiguration": {"strategy": "ROLLING"}},
        {"loadBalancers": [balancer()]},
    ],
)
def test_a_service_with_rolling_updates_is_deployed_to(ecs, cloudwatch, kind):
    described(ecs, **kind)
    defined(ecs)
    defined(ecs)

    assert on(ecs, cloudwatch).previous == OLD


def test_a_denied_look_says_which(ecs, cloudwatch):
    described(ecs)
    ecs.refuses("describe_task_definition", "AccessDeniedException", "not authorized")

    with pytest.raises(AwsRefused, match="ecs:DescribeTaskDefinition on task definition"):
        on(ecs, cloudwatch)


def test_a_service_that_could_not_go_back_is_refused(ecs, cloudwatch):
    """ECS keeps running tasks of a revision that was deregistered, but takes no update to it."""
    described(ecs)
    defined(ecs)
    defined(ecs, status="INACTIVE")

    with pytest.raises(InvalidInput, match=r"runs shop-api:41, which has been deregistered"):
        on(ecs, cloudwatch)
