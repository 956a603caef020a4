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

    seen = observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)

    assert (seen.exists, seen.failure) == (False, "cluster production has no service api")


def test_our_deployment_is_seen_with_its_state_and_counts(look):
    look.deployments = [
        ecs_deployment(rolloutState="IN_PROGRESS", rolloutStateReason="busy", runningCount=1),
        before(),
    ]

    rollout = look.taken().rollout

    assert (rollout.id, rollout.task_definition) == (OURS, NEW)
    assert (rollout.state, rollout.reason) == ("IN_PROGRESS", "busy")
    assert (rollout.desired, rollout.running) == (2, 1)


def test_a_rollout_that_ecs_gives_no_state_of_is_in_progress(look):
    bare = ecs_deployment()
    del bare["rolloutState"], bare["rolloutStateReason"]
    look.deployments = [bare]

    assert (rollout := look.taken().rollout).state == "IN_PROGRESS"
    assert rollout.reason == ""


def test_the_primary_deployment_is_seen_beside_ours(look):
    theirs = ecs_deployment(id=THEIRS, taskDefinition=OTHER)
    look.deployments = [theirs, ecs_deployment(status="ACTIVE")]

    seen = look.taken()

    assert (seen.primary, seen.primary_task_definition) == (THEIRS, OTHER)
    assert seen.rollout.id == OURS


def test_a_deployment_that_ecs_no_longer_lists_has_no_rollout(look):
    look.deployments = [ecs_deployment(id=THEIRS, taskDefinition=OTHER)]
    look.is_listed = False

    assert look.taken().rollout is None


def events(*messages: str) -> list[dict[str, object]]:
    return [{"id": str(n), "createdAt": NOW, "message": text} for n, text in enumerate(messages)]


FAILURE = "(service api) (deployment ecs-svc/2) deployment failed: tasks failed to start."


def test_the_circuit_breakers_event_about_our_deployment_is_seen_after_it_left_the_list(look):
    look.deployments = [ecs_deployment(id=BEFORE, taskDefinition=OLD)]
    look.is_listed = False
    look.service = {
        "events": events("(service api) rolling back to deployment ecs-svc/1.", FAILURE)
    }

    assert look.taken().failure == FAILURE


@pytest.mark.parametrize(
    "message",
    [
        FAILURE.replace("ecs-svc/2", "ecs-svc/1"),
        FAILURE.replace("ecs-svc/2", "ecs-svc/22"),
        "(service api) (deployment ecs-svc/2) deployment completed.",
        "(service api) has started 1 tasks: (task 0668979337dc48ebb791640cd1162053).",
    ],
)
def test_other_events_are_no_failure_of_ours(look, message):
    look.service = {"events": events(message)}

    assert look.taken().failure == ""


def test_a_service_without_tasks_asks_for_nothing_of_them(look):
    seen = look.taken()

    assert (seen.running, seen.stopped) == ((), ())


def test_running_tasks_are_seen_with_their_status_and_health(look):
    look.containers = [container(healthCheck={"command": ["CMD", "true"]})]
    failing = [{"name": "api", "healthStatus": "UNHEALTHY"}]
    look.running = [ecs_task("a", lastStatus="PENDING", containers=failing), ecs_task("b")]

    assert [(t.id, t.status, t.health) for t in look.taken().running] == [
        ("a", "PENDING", "UNHEALTHY"),
        ("b", "RUNNING", "UNKNOWN"),
    ]


def test_a_task_that_ecs_gives_no_health_of_is_unknown(look):
    task = ecs_task()
    del task["healthStatus"]
    look.running = [task]

    assert look.taken().running[0].health == "UNKNOWN"


def test_a_stopped_task_is_seen_with_code_reason_and_what_became_of_its_containers(look):
    containers = [
        {"name": "api", "exitCode": 137, "reason": "OutOfMemoryError"},
        {"name": "web", "exitCode": 0},
        {"name": "pull", "reason": "CannotPullContainerError: not found"},
        {"name": "never"},
    ]
    look.stopped = [stopped_task(containers=containers)]

    [task] = look.taken().stopped

    assert (task.id, task.code) == ("s1", "EssentialContainerExited")
    assert task.reason == "Essential container in task exited"
    assert task.task_definition == NEW
    assert tuple(container.said for container in task.containers if container.said) == (
        "container api, exit code 137, OutOfMemoryError",
        "container web, exit code 0",
        "container pull, CannotPullContainerError: not found",
    )


def test_a_task_that_is_still_stopping_is_a_stopped_one(look):
    look.stopped = [stopped_task(lastStatus="DEPROVISIONING")]

    assert [task.id for task in look.taken().stopped] == ["s1"]


def test_the_tasks_of_other_deployments_are_left_out(look):
    look.running = [ecs_task("ours"), ecs_task("old", startedBy=BEFORE)]
    look.stopped = [stopped_task("old-stopped", startedBy=BEFORE), stopped_task("by-hand")]
    del look.stopped[1]["startedBy"]

    seen = look.taken()

    assert [task.id for task in seen.running] == ["ours"]
    assert seen.stopped == ()


def test_more_than_a_hundred_tasks_are_read_in_batches(look):
    look.running = [ecs_task(f"t{n}") for n in range(150)]
    look.stopped = [stopped_task(f"s{n}") for n in range(100)]

    seen = look.taken()

    assert (len(seen.running), len(seen.stopped)) == (150, 100)


def test_every_page_of_tasks_is_read(ecs, elbv2, cloudwatch):
    described(ecs)
    ecs.answers("list_tasks", {"taskArns": [task_arn("a")], "nextToken": "more"})
    ecs.answers("list_tasks", {"taskArns": [task_arn("b")]})
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("describe_tasks", {"tasks": [ecs_task("a"), ecs_task("b")]})
    definition = {"containerDefinitions": [container()]}
    ecs.answers("describe_task_definition", {"taskDefinition": definition})

    seen = observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)

    assert len(seen.running) == 2


def test_a_task_that_stopped_between_the_two_listings_counts_once(look):
    task = stopped_task("a")
    look.running, look.stopped = [task], [task]

    seen = look.taken()

    assert (len(seen.running), len(seen.stopped)) == (0, 1)


def test_the_last_stopped_task_is_the_one_that_stopped_last(look):
    look.stopped = [stopped_task("b", stoppedAt=at(20)), stopped_task("a", stoppedAt=at(10))]

    assert [task.id for task in look.taken().stopped] == ["a", "b"]


def test_the_alarms_are_seen_by_name(look):
    look.alarms = [{"AlarmName": "api-5xx", "StateValue": "ALARM", "StateUpdatedTimestamp": NOW}]

    seen = look.taken()

    assert seen.alarms["api-5xx"].state == "ALARM"
    assert seen.alarms_unreadable == ""


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_alarms_that_cannot_be_read_leave_the_rest_of_the_look_as_it_is(
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

    seen = observe(SERVICE, OURS, ["a"], ecs.client, elbv2.client, cloudwatch.client)

    assert seen.alarms == {}
    assert seen.alarms_unreadable == (f"{code} from cloudwatch:DescribeAlarms on alarms a: not now")
    assert (seen.primary, seen.rollout.id, [task.id for task in seen.running]) == (
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
def test_a_look_that_failed_is_an_error_and_says_nothing_of_the_deployment(
    ecs, elbv2, cloudwatch, operation, action, code, error
):
    if operation != "describe_services":
        described(ecs)
    ecs.refuses(operation, code)

    with pytest.raises(error, match=f"{code} from {action} on service {SERVICE}"):
        observe(SERVICE, OURS, [], ecs.client, elbv2.client, cloudwatch.client)
