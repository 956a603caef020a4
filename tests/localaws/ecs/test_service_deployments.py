"""Service deployments and service revisions: what makes them, what they tell, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clock
from localaws.ecs.deployment import BREAKER as FAILURE
from localaws.ecs.service import find
from localaws.ecs.service_deployment import ServiceDeployment
from localaws.ecs.service_deployment_actions import stop
from localaws.ecs.service_deployment_states import advance
from localaws.ecs.state import LOCK
from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import BREAKER, World
from tests.support.waiting import wait_for

SLOW = {"start_seconds": "600"}
HERE = "arn:aws:ecs:us-east-1:123456789012"


class ServiceWorld(World):
    """A world that knows the service deployments of its service."""

    def briefs(self, **filters: Any) -> list[dict[str, Any]]:
        answer = self.ecs.list_service_deployments(
            cluster=self.cluster, service=self.service, **filters
        )
        return list(answer["serviceDeployments"])

    def service_deployment(self, arn: str) -> dict[str, Any]:
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        (found,) = answer["serviceDeployments"]
        return dict(found)

    def revision(self, arn: str) -> dict[str, Any]:
        answer = self.ecs.describe_service_revisions(serviceRevisionArns=[arn])
        (found,) = answer["serviceRevisions"]
        return dict(found)

    def of(self, revision: str, *statuses: str) -> dict[str, Any]:
        """Wait for the newest service deployment of a revision, in one of these states if given."""

        def found() -> dict[str, Any] | None:
            mine = [b for b in self.briefs() if b["targetServiceRevisionArn"] == revision]
            if mine and (not statuses or mine[0]["status"] in statuses):
                return self.service_deployment(mine[0]["serviceDeploymentArn"])
            return None

        return wait_for(found, f"{' or '.join(statuses) or 'a service deployment'}") or {}

    def begin(self, **changes: Any) -> str:
        """Update the service; the ARN of the new service revision."""
        return newest(self.update(**changes))

    def good(self, **settings: Any) -> str:
        """Create a service whose first service deployment is successful; the revision's ARN."""
        self.create(self.definition(self.push()), **settings)
        revision = newest(self.describe())
        self.of(revision, "SUCCESSFUL")
        return revision

    def slow(self) -> str:
        """A task definition that does not come up."""
        return self.definition(self.push("slow", **SLOW))


@pytest.fixture
def world(aws: LocalAws) -> ServiceWorld:
    return ServiceWorld(aws)


def newest(service: dict[str, Any]) -> str:
    return str(service["currentServiceRevisions"][0]["arn"])


def code(call: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**params)
    return str(refused.value.response["Error"]["Code"])


def test_a_service_deployment_tells_of_a_rolling_update_from_its_beginning_to_its_end(
    world: ServiceWorld,
) -> None:
    old = world.good(desired=2)
    answer = world.update(taskDefinition=world.definition(world.push("slow", start_seconds="1.5")))
    new = newest(answer)

    # AWS's answer to UpdateService has the revision only.
    assert "currentServiceDeployment" not in answer
    assert [r["arn"] for r in answer["currentServiceRevisions"]] == [new, old]
    ongoing = world.of(new, "IN_PROGRESS")
    arn = ongoing["serviceDeploymentArn"]
    name = f"{world.cluster}/{world.service}"
    assert arn.startswith(f"{HERE}:service-deployment/{name}/")
    assert len(arn.rpartition("/")[2]) == 21
    assert new.startswith(f"{HERE}:service-revision/{name}/")
    assert world.describe()["currentServiceDeployment"] == arn
    waiting = wait_for(lambda: pending(world.service_deployment(arn)), "pending tasks") or {}
    assert waiting["targetServiceRevision"] == counts(new, requested=2, pending=2)
    assert waiting["sourceServiceRevisions"] == [counts(old, requested=2, running=2)]
    ended = world.of(new, "SUCCESSFUL")
    assert ended["serviceDeploymentArn"] == arn
    assert ended["targetServiceRevision"] == counts(new, requested=2, running=2)
    assert ended["sourceServiceRevisions"] == [counts(old)]
    assert (
        world.revision(new)["createdAt"]
        < ended["createdAt"]
        < ended["startedAt"]
        < ended["finishedAt"]
        <= ended["updatedAt"]
    )
    assert "currentServiceDeployment" not in world.describe()
    assert ended.keys().isdisjoint(
        {"statusReason", "rollback", "stoppedAt", "lifecycleStage", "lifecycleHookDetails"}
    )
    assert ended["deploymentCircuitBreaker"] == ended["alarms"] == {"status": "DISABLED"}
    assert ended["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert ended["clusterArn"] == f"{HERE}:cluster/{world.cluster}"
    assert ended["serviceArn"] == f"{HERE}:service/{name}"
    (brief, first) = world.briefs()  # newest first
    assert brief == {
        "targetServiceRevisionArn": new,
        **{
            name: ended[name]
            for name in (
                "serviceDeploymentArn",
                "serviceArn",
                "clusterArn",
                "createdAt",
                "startedAt",
                "finishedAt",
                "status",
            )
        },
    }
    assert world.service_deployment(first["serviceDeploymentArn"])["sourceServiceRevisions"] == []


def pending(service_deployment: dict[str, Any]) -> dict[str, Any] | None:
    """The service deployment if its new tasks are pending."""
    target = service_deployment["targetServiceRevision"]
    return service_deployment if target["pendingTaskCount"] else None


def counts(revision: str, requested: int = 0, running: int = 0, pending: int = 0) -> dict[str, Any]:
    return {
        "arn": revision,
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    }


def test_an_update_makes_a_service_deployment_if_the_model_says_that_its_parameter_triggers_one(
    world: ServiceWorld,
) -> None:
    definition = world.definition("nginx")
    world.create(definition, desired=0)
    current = newest(world.describe())
    group = world.target_group()
    triggering: list[dict[str, Any]] = [
        {"taskDefinition": world.definition("nginx")},
        {"forceNewDeployment": True},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": world.subnets[:1]}}},
        {"platformVersion": "1.4.0"},
        {"loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": 80}]},
        {"loadBalancers": []},
    ]
    for change in triggering:
        former, current = current, world.begin(**change)
        assert former != current, change
        if change == {"forceNewDeployment": True}:
            old, new = world.revision(former), world.revision(current)
            assert old["taskDefinition"] == new["taskDefinition"]
    world.of(current, "SUCCESSFUL")
    before = world.briefs()
    assert len(before) == 1 + len(triggering)

    for change in (
        {"desiredCount": 1},
        {"taskDefinition": world.describe()["taskDefinition"]},
        {"deploymentConfiguration": {"maximumPercent": 150}},
        {"healthCheckGracePeriodSeconds": 9},
        {"propagateTags": "SERVICE"},
        {"enableECSManagedTags": True},
        {"enableExecuteCommand": True},
        {"availabilityZoneRebalancing": "DISABLED"},
    ):
        assert world.begin(**change) == current, change
    wait_for(lambda: world.describe()["runningCount"] == 1, "the task")
    assert world.briefs() == before
    # What the tasks do later does not change the record.
    last = world.service_deployment(before[0]["serviceDeploymentArn"])
    assert last["targetServiceRevision"]["runningTaskCount"] == 0


def test_a_newer_service_deployment_stops_the_older(world: ServiceWorld) -> None:
    good = world.good()
    first = world.begin(taskDefinition=world.slow())
    world.of(first, "IN_PROGRESS")

    second = world.begin(taskDefinition=world.definition(world.push()))

    stopped = world.of(first, "STOPPED")
    successful = world.of(second, "SUCCESSFUL")
    assert first != second
    assert stopped["createdAt"] < successful["createdAt"] < stopped["finishedAt"]
    assert stopped.keys().isdisjoint({"rollback", "stoppedAt"})
    assert stopped["targetServiceRevision"]["runningTaskCount"] == 0
    sources = [source["arn"] for source in successful["sourceServiceRevisions"]]
    assert sources == [first, good]


def test_the_circuit_breaker_rolls_back_within_the_same_service_deployment(
    world: ServiceWorld,
) -> None:
    good = world.good(desired=2, deploymentConfiguration=BREAKER)
    (first,) = world.briefs()
    failing = world.begin(taskDefinition=world.definition(world.push("crash")))

    ended = world.of(failing, "ROLLBACK_SUCCESSFUL")

    reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
    assert ended["statusReason"] == reason
    rollback = ended["rollback"]
    assert (rollback["reason"], rollback["serviceRevisionArn"]) == (reason, good)
    assert ended["startedAt"] < rollback["startedAt"] < ended["finishedAt"]
    assert ended["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert ended["deploymentCircuitBreaker"]["failureCount"] >= 3
    assert ended["deploymentCircuitBreaker"]["threshold"] == 3
    assert ended["targetServiceRevision"] == counts(failing)
    assert ended["sourceServiceRevisions"] == [counts(good, requested=2, running=2)]
    assert len(world.briefs()) == 2  # the rollback makes neither a service deployment
    current = world.describe()["currentServiceRevisions"]
    assert current == [counts(good, requested=2, running=2)]  # nor a service revision
    (primary,) = world.describe()["deployments"]
    assert primary["id"].rpartition("/")[2] not in {
        each.rpartition("/")[2] for each in (good, failing)
    }
    assert world.service_deployment(first["serviceDeploymentArn"])["deploymentCircuitBreaker"] == {
        "status": "MONITORING_COMPLETE",
        "failureCount": 0,
        "threshold": 3,
    }


def test_without_rollback_a_failed_service_deployment_is_stopped(world: ServiceWorld) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    good = world.good(deploymentConfiguration=breaker)
    failing = world.begin(taskDefinition=world.definition(world.push("crash")))

    stopped = world.of(failing, "STOPPED")

    assert stopped["statusReason"].endswith("because the circuit breaker threshold was exceeded.")
    assert stopped["stoppedAt"] <= stopped["finishedAt"]
    assert "rollback" not in stopped
    assert stopped["sourceServiceRevisions"] == [counts(good, requested=1, running=1)]
    assert [r["arn"] for r in world.describe()["currentServiceRevisions"]] == [failing, good]


def test_the_rollback_of_a_first_deployment_fails(world: ServiceWorld) -> None:
    world.create(world.definition(world.push("crash")), deploymentConfiguration=BREAKER)

    failed = world.of(newest(world.describe()), "ROLLBACK_FAILED")

    assert failed["statusReason"] == "No rollback candidate was found to run the rollback."
    assert "serviceRevisionArn" not in failed["rollback"]


def test_an_alarm_rolls_back_and_is_named(world: ServiceWorld, aws: LocalAws) -> None:
    cloudwatch = aws.client("cloudwatch")
    quiet, ringing = put_alarm(cloudwatch), put_alarm(cloudwatch)
    alarms = {"alarmNames": [quiet, ringing], "enable": True, "rollback": True}
    good = world.good(deploymentConfiguration={"alarms": alarms})
    watched = world.begin(taskDefinition=world.slow())
    assert world.of(watched, "IN_PROGRESS")["alarms"] == {
        "status": "MONITORING",
        "alarmNames": [quiet, ringing],
    }

    cloudwatch.set_alarm_state(AlarmName=ringing, StateValue="ALARM", StateReason="a test")

    ended = world.of(watched, "ROLLBACK_SUCCESSFUL")
    assert ended["alarms"] == {
        "status": "TRIGGERED",
        "alarmNames": [quiet, ringing],
        "triggeredAlarmNames": [ringing],
    }
    assert ended["rollback"]["serviceRevisionArn"] == good
    # ECS does not watch alarms of which one is in ALARM when the deployment begins.
    unwatched = world.begin(forceNewDeployment=True)
    assert world.of(unwatched, "SUCCESSFUL")["alarms"] == {"status": "DISABLED"}


def test_a_user_rolls_back_a_service_deployment_that_has_no_rollback_configured(
    world: ServiceWorld,
) -> None:
    good = world.good()
    bad = world.begin(taskDefinition=world.slow())
    arn = world.of(bad)["serviceDeploymentArn"]
    stop = world.ecs.stop_service_deployment

    assert stop(serviceDeploymentArn=arn, stopType="ROLLBACK")["serviceDeploymentArn"] == arn
    stop(serviceDeploymentArn=arn)  # one that is rolled back goes on

    ended = world.of(bad, "ROLLBACK_SUCCESSFUL")
    assert ended["statusReason"] == "Service deployment rolled back by user."
    assert ended["rollback"]["serviceRevisionArn"] == good
    assert newest(world.describe()) == good
    assert world.settle()["taskDefinition"] == world.revision(good)["taskDefinition"]
    failed = "deployment failed: Service deployment rolled back by user."
    assert any(message.endswith(failed) for message in world.messages())
    assert code(stop, serviceDeploymentArn=arn) == "ConflictException"
    unknown = f"{HERE}:service-deployment/{world.cluster}/{world.service}/none"
    assert code(stop, serviceDeploymentArn=unknown) == "ServiceDeploymentNotFoundException"
    assert code(stop, serviceDeploymentArn=good) == "InvalidParameterException"


def test_a_first_deployment_that_a_user_stops_has_nothing_to_go_back_to(
    world: ServiceWorld,
) -> None:
    world.create(world.slow())
    arn = world.of(newest(world.describe()))["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    wait_for(lambda: world.service_deployment(arn)["status"] == "ROLLBACK_FAILED", "the end")
    assert world.primary()["rolloutState"] == "FAILED"


def test_an_update_during_a_rollback_ends_it(world: ServiceWorld) -> None:
    world.good(desired=0)
    slow = world.definition(world.push("slow", **SLOW))
    world.update(taskDefinition=slow)  # the version to go back to takes its time
    back = newest(world.describe())
    world.of(back, "SUCCESSFUL")
    world.update(desiredCount=1)
    failing = world.begin(taskDefinition=world.slow())
    arn = world.of(failing)["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    assert world.of(failing, "ROLLBACK_IN_PROGRESS")["rollback"]["serviceRevisionArn"] == back

    final = world.begin(taskDefinition=world.definition(world.push()))

    world.of(final, "SUCCESSFUL")
    assert world.service_deployment(arn)["status"] == "ROLLBACK_FAILED"


@pytest.mark.parametrize("params", [{"stopType": "ABORT"}, {}])
def test_what_is_not_documented_or_not_simulated_fails_loudly(
    world: ServiceWorld, params: dict[str, Any]
) -> None:
    arn = f"{HERE}:service-deployment/c/s/d"
    call = world.ecs.stop_service_deployment
    if not params:
        call, params = world.ecs.continue_service_deployment, {"hookId": "h"}
    with pytest.raises(ClientError) as refused:
        call(serviceDeploymentArn=arn, **params)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_service_deployments_are_listed_by_state_and_time_in_pages(world: ServiceWorld) -> None:
    first = world.good(desired=0)
    second = world.begin(forceNewDeployment=True)
    world.of(second, "SUCCESSFUL")
    world.update(desiredCount=1)
    third = world.begin(taskDefinition=world.slow())
    world.of(third, "IN_PROGRESS")

    def targets(**filters: Any) -> list[str]:
        return [brief["targetServiceRevisionArn"] for brief in world.briefs(**filters)]

    newest_first = [third, second, first]
    assert targets() == newest_first
    assert targets(status=["SUCCESSFUL"]) == [second, first]
    assert targets(status=["IN_PROGRESS", "PENDING", "STOPPED"]) == [third]
    now = datetime.now(UTC)
    with LOCK:  # boto3 sends whole seconds
        for minutes, each in enumerate(find(world.cluster, world.service).service_deployments):
            each.created_at = now - timedelta(minutes=minutes)
    assert targets(createdAt={"after": now - timedelta(seconds=90)}) == [third, second]
    assert targets(createdAt={"before": now - timedelta(seconds=90)}) == [first]
    between = {"after": now - timedelta(seconds=90), "before": now - timedelta(seconds=30)}
    assert targets(createdAt=between) == [second]
    # The ARN of the service is enough.
    arn = world.describe()["serviceArn"]
    pages: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = world.ecs.list_service_deployments(service=arn, maxResults=2, **token)
        pages += [brief["targetServiceRevisionArn"] for brief in answer["serviceDeployments"]]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert pages == newest_first
    past = datetime.now(UTC) - timedelta(days=91)
    call, here = world.ecs.list_service_deployments, {"cluster": world.cluster}
    for wrong in (
        {"status": ["DONE"]},
        {"maxResults": 101},
        {"maxResults": 0},
        {"nextToken": "x"},
        {"createdAt": {"after": past}},
        {"createdAt": {"before": past}},
    ):
        refused = code(call, service=world.service, **here, **wrong)
        assert refused == "InvalidParameterException", wrong
    assert code(call, service="none", **here) == "ServiceNotFoundException"
    assert code(call, service="none", cluster="none") == "ClusterNotFoundException"


def test_what_is_described_is_at_most_twenty_and_what_is_missing_is_a_failure(
    world: ServiceWorld,
) -> None:
    revision = world.good(desired=0)
    known = {
        "service-deployment": world.briefs()[0]["serviceDeploymentArn"],
        "service-revision": revision,
    }
    for kind, call, name in (
        ("service-deployment", world.ecs.describe_service_deployments, "serviceDeploymentArns"),
        ("service-revision", world.ecs.describe_service_revisions, "serviceRevisionArns"),
    ):
        missing = f"{HERE}:{kind}/{world.cluster}/{world.service}/1"
        answer = call(**{name: [missing, known[kind]]})
        assert answer["failures"] == [{"arn": missing, "reason": "MISSING"}]
        (found,) = answer[name.removesuffix("Arns") + "s"]
        assert known[kind] in found.values()
        for wrong in ([], [missing] * 21, ["api"], [known[kind].replace(kind, "service")]):
            assert code(call, **{name: wrong}) == "InvalidParameterException"


def test_a_revision_is_the_configuration_of_its_deployment_with_the_digests_of_its_images(
    world: ServiceWorld,
) -> None:
    group, image = world.target_group(), world.push()
    definition = world.definition(image)
    world.create(definition, group=group)
    arn = newest(world.describe())
    world.of(arn, "SUCCESSFUL")

    revision = world.revision(arn)

    created = revision.pop("createdAt")
    assert created <= datetime.now(UTC)
    service = world.describe()
    assert revision == {
        "serviceRevisionArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "taskDefinition": definition,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",  # that LATEST stands for
        "platformFamily": "Linux",
        "loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": world.subnets}},
        "containerImages": [
            {"containerName": "app", "image": image, "imageDigest": image.partition("@")[2]}
        ],
        "guardDutyEnabled": False,
    }
    world.begin(
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets[:1]}},
        desiredCount=0,
    )
    assert world.revision(arn) == {**revision, "createdAt": created}


def test_only_the_service_revision_shows_a_gateway_connector(world: ServiceWorld) -> None:
    before = world.good()
    connectors = [{"portName": "http"}]

    world.begin(gatewayConnectors=connectors)

    service = world.describe()
    assert world.revision(newest(service))["gatewayConnectors"] == connectors
    assert "gatewayConnectors" not in str(service)
    assert "gatewayConnectors" not in world.revision(before)


def test_a_second_gateway_connector_is_refused(world: ServiceWorld) -> None:
    world.good()

    with pytest.raises(ClientError, match="at most one gateway connector"):
        world.update(gatewayConnectors=[{"portName": "http"}, {"portName": "admin"}])


def test_an_image_that_was_never_pulled_has_no_digest(world: ServiceWorld) -> None:
    world.create(world.definition(world.push("unpullable")))
    arn = newest(world.describe())
    wait_for(lambda: world.primary()["failedTasks"], "a failed task")
    (image,) = world.revision(arn)["containerImages"]
    assert "imageDigest" not in image


def test_a_deleted_service_takes_its_service_deployments_and_revisions_with_it(
    world: ServiceWorld,
) -> None:
    revision = world.good()
    arn = world.briefs()[0]["serviceDeploymentArn"]
    world.ecs.delete_service(cluster=world.cluster, service=world.service, force=True)
    gone = world.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["failures"]
    assert gone == [{"arn": arn, "reason": "MISSING"}]
    gone = world.ecs.describe_service_revisions(serviceRevisionArns=[revision])["failures"]
    assert gone == [{"arn": revision, "reason": "MISSING"}]


def test_service_deployments_of_other_controllers_are_not_listed(world: ServiceWorld) -> None:
    world.ecs.create_service(
        cluster=world.cluster,
        serviceName=world.service,
        desiredCount=0,
        deploymentController={"type": "EXTERNAL"},
    )
    with pytest.raises(ClientError) as refused:
        world.briefs()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "currentServiceRevisions" not in world.describe()


def test_service_deployments_are_kept_for_ninety_days_and_a_hundred_at_most(
    world: ServiceWorld,
) -> None:
    world.good(desired=0)
    with LOCK:
        service = find(world.cluster, world.service)
        (only,) = service.service_deployments
        for age in (*range(1, 120), 91 * 24 * 60):
            old = ServiceDeployment(only.deployment, [])
            old.enter("PENDING")
            old.enter("SUCCESSFUL")
            old.created_at = datetime.now(UTC) - timedelta(minutes=age)
            service.service_deployments.append(old)
        advance(service, 0.0)
        kept = service.service_deployments
    assert len(kept) == 100
    assert kept[0] is only
    with LOCK:
        only.created_at = datetime.now(UTC) - timedelta(days=91)
        advance(service, 0.0)
        assert only not in service.service_deployments


class Paused:
    """A service while the scheduler is kept from its rounds, which the test makes instead."""

    def __init__(self, world: ServiceWorld) -> None:
        self.service = find(world.cluster, world.service)

    def begin(self) -> ServiceDeployment:
        """A deployment begins, as by UpdateService with forceNewDeployment."""
        self.service.begin_deployment(self.service.deployments[0].definition)
        return self.service.service_deployments[0]

    def round(self) -> list[str]:
        """The states after a further round, newest first."""
        advance(self.service, clock.monotonic() + 1)
        return [each.status for each in self.service.service_deployments]


def test_a_service_deployment_passes_through_its_states(world: ServiceWorld) -> None:
    world.good(desired=0)
    with LOCK:
        paused = Paused(world)
        first = paused.begin()
        assert [paused.round()[0] for _ in range(3)] == ["PENDING", "IN_PROGRESS", "IN_PROGRESS"]

        second = paused.begin()
        assert paused.round()[:2] == ["PENDING", "STOP_REQUESTED"]
        assert paused.round()[:2] == ["IN_PROGRESS", "STOPPED"]
        assert first.finished_at
        assert second.started_at
        assert second.started_at < first.finished_at

        stop({"serviceDeploymentArn": second.arn})
        assert second.status == "ROLLBACK_REQUESTED"
        assert paused.round()[0] == "ROLLBACK_IN_PROGRESS"
        assert second.brief()["statusReason"] == "Service deployment rolled back by user."
        assert second.ongoing
        paused.service.complete_deployment()
        assert paused.round()[:3] == ["ROLLBACK_SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_a_service_deployment_that_never_started_is_stopped_by_a_newer_one(
    world: ServiceWorld,
) -> None:
    world.good(desired=0)
    with LOCK:
        paused = Paused(world)
        first = paused.begin()
        assert paused.round()[0] == "PENDING"
        paused.begin()
        assert paused.round()[1] == "STOP_REQUESTED"
        assert paused.round()[1] == "STOPPED"
        assert first.started_at is None


def test_a_rollback_that_is_asked_for_too_late_changes_nothing(world: ServiceWorld) -> None:
    world.good(desired=0, deploymentConfiguration=BREAKER)
    with LOCK:
        paused = Paused(world)
        completed = paused.begin()
        paused.round()
        stop({"serviceDeploymentArn": completed.arn})
        paused.service.complete_deployment()
        assert paused.round()[0] == "SUCCESSFUL"

        replaced = paused.begin()
        paused.round()
        stop({"serviceDeploymentArn": replaced.arn})
        newer = paused.begin()  # its service deployment does not exist yet
        paused.round()
        assert (replaced.status, newer.deployment.cause) == ("STOPPED", None)
        assert replaced.stopped_at

        stop({"serviceDeploymentArn": newer.arn})
        paused.service.fail_deployment(FAILURE)  # before the scheduler's next round
        assert paused.round()[0] == "ROLLBACK_IN_PROGRESS"
        assert newer.rollback["reason"].endswith("circuit breaker threshold was exceeded.")
        paused.service.fail_deployment(FAILURE)
        assert paused.round()[0] == "ROLLBACK_FAILED"
