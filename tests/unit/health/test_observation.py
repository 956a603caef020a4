"""What one look finds of the service, its deployment, its tasks and the alarms."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.observation import observe
from tests.support.builders import BEFORE, NEW, NOW, OLD, OTHER, OURS, SERVICE, THEIRS, at
from tests.support.ecs_answers import (
    before,
    container,
    described,
    ecs_deployment,
    ecs_task,
    stopped_task,
    task_arn,
)


def test_a_service_that_is_gone_is_no_error(ecs, elbv2, cloudwatch):
    ecs.answers("describe_services", {"services": []})

    observation = observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)

    assert (observation.exists, observation.failure) == (
        False,
        "cluster production has no service api",
    )


def test_our_deployment_is_observed_with_its_state_and_counts(scene):
    scene.deployments = [
        ecs_deployment(rolloutState="IN_PROGRESS", rolloutStateReason="busy", runningCount=1),
        before(),
    ]

    service_deployment = scene.observed().service_deployment

    assert (service_deployment.id, service_deployment.task_definition) == (OURS, NEW)
    assert (service_deployment.state, service_deployment.reason) == ("IN_PROGRESS", "busy")
    assert (service_deployment.desired, service_deployment.running) == (2, 1)


def test_a_service_deployment_that_ecs_gives_no_state_of_is_in_progress(scene):
    bare = ecs_deployment()
    del bare["rolloutState"], bare["rolloutStateReason"]
    scene.deployments = [bare]

    assert (service_deployment := scene.observed().service_deployment).state == "IN_PROGRESS"
    assert service_deployment.reason == ""


def test_the_primary_deployment_is_observed_beside_ours(scene):
    theirs = ecs_deployment(id=THEIRS, taskDefinition=OTHER)
    scene.deployments = [theirs, ecs_deployment(status="ACTIVE")]

    observation = scene.observed()

    assert (observation.primary, observation.primary_task_definition) == (THEIRS, OTHER)
    assert observation.service_deployment.id == OURS


def test_a_deployment_that_ecs_no_longer_lists_has_no_service_deployment(scene):
    scene.deployments = [ecs_deployment(id=THEIRS, taskDefinition=OTHER)]
    scene.is_listed = False

    assert scene.observed().service_deployment is None


def events(*messages: str) -> list[dict[str, object]]:
    return [{"id": str(n), "createdAt": NOW, "message": text} for n, text in enumerate(messages)]


FAILURE = "(service api) (deployment ecs-svc/2) deployment failed: tasks failed to start."


def test_the_circuit_breakers_event_about_our_deployment_is_observed_after_it_left_the_list(scene):
    scene.deployments = [ecs_deployment(id=BEFORE, taskDefinition=OLD)]
    scene.is_listed = False
    scene.service = {
        "events": events("(service api) rolling back to deployment ecs-svc/1.", FAILURE)
    }

    assert scene.observed().failure == FAILURE


@pytest.mark.parametrize(
    "message",
    [
        FAILURE.replace("ecs-svc/2", "ecs-svc/1"),
        FAILURE.replace("ecs-svc/2", "ecs-svc/22"),
        "(service api) (deployment ecs-svc/2) deployment completed.",
        "(service api) has started 1 tasks: (task 0668979337dc48ebb791640cd1162053).",
    ],
)
def test_an_event_other_than_the_circuit_breakers_about_our_deployment_is_no_failure(
    scene, message
):
    scene.service = {"events": events(message)}

    assert scene.observed().failure == ""


def test_a_service_without_tasks_is_observed_without_describing_tasks(scene):
    observation = scene.observed()

    assert (observation.running, observation.stopped) == ((), ())


def test_running_tasks_are_observed_with_their_status_and_health(scene):
    scene.containers = [container(healthCheck={"command": ["CMD", "true"]})]
    failing = [{"name": "api", "healthStatus": "UNHEALTHY"}]
    scene.running = [ecs_task("a", lastStatus="PENDING", containers=failing), ecs_task("b")]

    assert [(t.id, t.status, t.health) for t in scene.observed().running] == [
        ("a", "PENDING", "UNHEALTHY"),
        ("b", "RUNNING", "UNKNOWN"),
    ]


def test_a_task_that_ecs_gives_no_health_of_is_unknown(scene):
    task = ecs_task()
    del task["healthStatus"]
    scene.running = [task]

    assert scene.observed().running[0].health == "UNKNOWN"


def test_a_stopped_task_is_observed_with_code_reason_and_what_became_of_its_containers(scene):
    containers = [
        {"name": "api", "exitCode": 137, "reason": "OutOfMemoryError"},
        {"name": "web", "exitCode": 0},
        {"name": "pull", "reason": "CannotPullContainerError: not found"},
        {"name": "never"},
    ]
    scene.stopped = [stopped_task(containers=containers)]

    [task] = scene.observed().stopped

    assert (task.id, task.code) == ("s1", "EssentialContainerExited")
    assert task.reason == "Essential container in task exited"
    assert task.task_definition == NEW
    assert tuple(container.said for container in task.containers if container.said) == (
        "container api, exit code 137, OutOfMemoryError",
        "container web, exit code 0",
        "container pull, CannotPullContainerError: not found",
    )


def test_a_task_that_is_still_stopping_counts_as_stopped(scene):
    scene.stopped = [stopped_task(lastStatus="DEPROVISIONING")]

    assert [task.id for task in scene.observed().stopped] == ["s1"]


def test_the_tasks_of_other_deployments_are_left_out(scene):
    scene.running = [ecs_task("ours"), ecs_task("old", startedBy=BEFORE)]
    scene.stopped = [stopped_task("old-stopped", startedBy=BEFORE), stopped_task("by-hand")]
    del scene.stopped[1]["startedBy"]

    observation = scene.observed()

    assert [task.id for task in observation.running] == ["ours"]
    assert observation.stopped == ()


def test_more_than_a_hundred_tasks_are_read_in_batches(scene):
    scene.running = [ecs_task(f"t{n}") for n in range(150)]
    scene.stopped = [stopped_task(f"s{n}") for n in range(100)]

    observation = scene.observed()

    assert (len(observation.running), len(observation.stopped)) == (150, 100)


def test_every_page_of_tasks_is_read(ecs, elbv2, cloudwatch):
    described(ecs)
    ecs.answers("list_tasks", {"taskArns": [task_arn("a")], "nextToken": "more"})
    ecs.answers("list_tasks", {"taskArns": [task_arn("b")]})
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("describe_tasks", {"tasks": [ecs_task("a"), ecs_task("b")]})
    definition = {"containerDefinitions": [container()]}
    ecs.answers("describe_task_definition", {"taskDefinition": definition})

    observation = observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)

    assert len(observation.running) == 2


def test_a_task_that_stopped_between_the_two_listings_counts_once(scene):
    task = stopped_task("a")
    scene.running, scene.stopped = [task], [task]

    observation = scene.observed()

    assert (len(observation.running), len(observation.stopped)) == (0, 1)


def test_the_last_stopped_task_is_the_one_that_stopped_last(scene):
    scene.stopped = [stopped_task("b", stoppedAt=at(20)), stopped_task("a", stoppedAt=at(10))]

    assert [task.id for task in scene.observed().stopped] == ["a", "b"]


def test_the_alarms_are_observed_by_name(scene):
    scene.alarms = [{"AlarmName": "api-5xx", "StateValue": "ALARM", "StateUpdatedTimestamp": NOW}]

    observation = scene.observed()

    assert observation.alarms["api-5xx"].state == "ALARM"
    assert observation.alarms_unreadable == ""


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_alarms_that_cannot_be_read_leave_the_rest_of_the_observation_as_it_is(
    ecs, elbv2, cloudwatch, code
):
    described(ecs, loadBalancers=[])
    for tasks in ([task_arn("t1")], []):
        ecs.answers("list_tasks", {"taskArns": tasks})
    ecs.answers("describe_tasks", {"tasks": [ecs_task()]})
    ecs.answers(
        "describe_task_definition", {"taskDefinition": {"containerDefinitions": [container()]}}
    )
    cloudwatch.refuses("describe_alarms", code, "not now")

    observation = observe(SERVICE, OURS, ["a"], ecs.client, elbv2.client, cloudwatch.client)

    assert observation.alarms == {}
    assert observation.alarms_unreadable == (
        f"{code} from cloudwatch:DescribeAlarms on alarms a: not now"
    )
    assert (
        observation.primary,
        observation.service_deployment.id,
        [task.id for task in observation.running],
    ) == (
        OURS,
        OURS,
        ["t1"],
    )


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", AwsRefused), ("Throttling", AwsUnavailable)]
)
@pytest.mark.parametrize(
    ("operation", "action"),
    [("describe_services", "ecs:DescribeServices"), ("list_tasks", "ecs:ListTasks")],
)
def test_a_read_that_failed_is_an_error_and_says_nothing_of_the_deployment(
    ecs, elbv2, cloudwatch, operation, action, code, error
):
    if operation != "describe_services":
        described(ecs)
    ecs.refuses(operation, code)

    with pytest.raises(error, match=f"{code} from {action} on service {SERVICE}"):
        observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)
