"""What one look finds of the service, its deployment, its tasks and the alarms."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.observation import OldTasks, observe
from tests.support.builders import BEFORE, NEW, NOW, OLD, OTHER, OURS, SERVICE, THEIRS, at, update
from tests.support.ecs_answers import (
    before,
    container,
    described,
    ecs_deployment,
    ecs_task,
    recorded_deployment,
    stopped_task,
    task_arn,
)


def test_a_service_that_is_gone_is_no_error(ecs, elbv2, cloudwatch):
    ecs.answers("describe_services", {"services": []})

    observation = observe(SERVICE, update(), [], ecs.client, elbv2.client, cloudwatch.client)

    assert (observation.exists, observation.gone) == (
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


THEIR_PRIMARY = ecs_deployment(id=THEIRS, taskDefinition=OTHER, createdAt=at(20))


def test_a_newer_service_deployment_of_another_task_definition_is_observed_beside_ours(scene):
    scene.deployments = [THEIR_PRIMARY, ecs_deployment(status="ACTIVE")]
    scene.recorded = [
        recorded_deployment(status="STOPPED"),
        recorded_deployment(name="theirs", createdAt=at(20), taskDefinition=OTHER),
    ]

    observation = scene.observed()

    assert (observation.service_deployment.id, observation.service_deployment.primary) == (
        OURS,
        False,
    )
    assert (observation.newer.task_definition, observation.newer.created_at) == (OTHER, at(20))
    assert observation.rolled_back is None


def test_a_service_deployment_that_ecs_rolled_back_is_observed_with_its_reason(scene):
    scene.deployments = [ecs_deployment(id=THEIRS, taskDefinition=OLD, createdAt=at(20))]
    why = {
        "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded."
    }
    alarms = {"status": "TRIGGERED", "triggeredAlarmNames": ["api-5xx"]}
    scene.recorded = [
        recorded_deployment(status="ROLLBACK_SUCCESSFUL", rollback=why, alarms=alarms)
    ]

    observation = scene.observed()

    assert (observation.rolled_back.reason, observation.rolled_back.alarms) == (
        why["reason"],
        ("api-5xx",),
    )
    assert (observation.newer, observation.service_deployment) == (None, None)


@pytest.mark.parametrize(
    "recorded",
    [
        [],
        [recorded_deployment()],
        [recorded_deployment(createdAt=at(-30), taskDefinition=OLD), recorded_deployment()],
        [
            recorded_deployment(createdAt=at(20), taskDefinition=OTHER),
            recorded_deployment(createdAt=at(30)),
        ],
    ],
    ids=["nothing", "only ours", "an older one", "ours again, after another one"],
)
def test_a_record_without_a_newer_one_than_ours_says_nothing_yet(scene, recorded):
    scene.deployments = [THEIR_PRIMARY]
    scene.recorded = recorded

    observation = scene.observed()

    assert (observation.newer, observation.rolled_back) == (None, None)


def test_an_older_primary_is_as_of_a_moment_ago_and_nothing_else_is_asked(scene):
    scene.deployments = [before(status="PRIMARY")]

    observation = scene.observed()

    assert (observation.service_deployment, observation.newer) == (None, None)


def test_a_newer_service_deployment_of_the_same_task_definition_is_followed(scene):
    scene.deployments = [
        ecs_deployment(id=THEIRS, createdAt=at(20)),
        ecs_deployment(status="ACTIVE"),
    ]
    scene.running = [ecs_task("first"), ecs_task("forced", startedBy=THEIRS)]
    scene.stopped = [stopped_task("a"), stopped_task("b", startedBy=THEIRS)]

    observation = scene.observed()

    assert (observation.service_deployment.id, observation.service_deployment.primary) == (
        THEIRS,
        True,
    )
    assert [task.id for task in observation.running] == ["forced"]
    assert [task.id for task in observation.stopped] == ["a", "b"]


def test_what_ecs_says_since_the_update_is_observed(scene):
    scene.service = {
        "events": [
            {"id": "2", "createdAt": at(5), "message": "unable to place a task"},
            {"id": "1", "createdAt": at(-5), "message": "has reached a steady state."},
        ]
    }

    assert scene.observed().events == ("unable to place a task",)


def test_old_tasks_that_drain_are_protected_or_run_on_are_counted(scene):
    scene.running = [
        ecs_task("protected", startedBy=BEFORE, taskDefinitionArn=OLD),
        ecs_task("other", startedBy=BEFORE, taskDefinitionArn=OLD),
    ]
    scene.stopped = [
        stopped_task(
            "draining", startedBy=BEFORE, taskDefinitionArn=OLD, lastStatus="DEACTIVATING"
        ),
        stopped_task("gone", startedBy=BEFORE, taskDefinitionArn=OLD),
    ]
    scene.protected = ["protected"]

    assert scene.observed().old_tasks == OldTasks(stopping=1, protected=1, others=1)


def test_protection_is_not_asked_for_while_our_own_tasks_are_missing(scene):
    scene.deployments = [ecs_deployment(runningCount=1), before()]
    scene.running = [ecs_task("other", startedBy=BEFORE, taskDefinitionArn=OLD)]

    assert scene.observed().old_tasks == OldTasks(others=1)


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
        {"name": "aws-guardduty-agent-1", "reason": "CannotPullContainerError: denied"},
        {"name": "web", "exitCode": 0},
        {"name": "api", "exitCode": 137, "reason": "OutOfMemoryError"},
        {"name": "pull", "reason": "CannotPullContainerError: not found"},
        {"name": "never"},
    ]
    scene.containers = [container(name=name) for name in ("api", "web", "pull", "never")]
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


def test_a_stopped_container_is_observed_with_whether_it_had_to_run_and_was_waited_for(scene):
    scene.containers = [
        container(dependsOn=[{"containerName": "migrate", "condition": "SUCCESS"}]),
        container(name="migrate", essential=False),
        container(name="proxy", essential=False),
    ]
    scene.stopped = [stopped_task(containers=[{"name": n} for n in ("proxy", "migrate", "api")])]

    [task] = scene.observed().stopped

    assert [(c.name, c.essential, c.awaited) for c in task.containers] == [
        ("api", True, False),
        ("migrate", False, True),
        ("proxy", False, False),
    ]


def test_a_task_that_is_still_stopping_counts_as_stopped(scene):
    scene.stopped = [stopped_task(lastStatus="DEPROVISIONING")]

    assert [task.id for task in scene.observed().stopped] == ["s1"]


def test_the_tasks_of_other_deployments_are_left_out(scene):
    theirs = {"startedBy": BEFORE, "taskDefinitionArn": OLD}
    scene.running = [ecs_task("ours"), ecs_task("old", **theirs)]
    scene.stopped = [stopped_task("old-stopped", **theirs), stopped_task("by-hand", **theirs)]
    del scene.stopped[1]["startedBy"]
    scene.protected = []

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

    observation = observe(SERVICE, update(), [], ecs.client, elbv2.client, cloudwatch.client)

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

    observation = observe(SERVICE, update(), ["a"], ecs.client, elbv2.client, cloudwatch.client)

    assert observation.alarms == {}
    assert observation.alarms_unreadable == (
        f"{code} from cloudwatch:DescribeAlarms on alarms a: not now"
    )
    assert observation.service_deployment.id == OURS
    assert [task.id for task in observation.running] == ["t1"]


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
        observe(SERVICE, update(), [], ecs.client, elbv2.client, cloudwatch.client)
