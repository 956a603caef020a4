"""The containers of a task: which of them it needs, and what they wait for."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import World, app, let_pass, unique
from tests.support.waiting import wait_for

CHECK = {"command": ["CMD-SHELL", "curl localhost"]}


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def sidecar(image: str, **container: Any) -> dict[str, Any]:
    return {"name": "sidecar", "image": image, "essential": False, **container}


def waits(condition: str, name: str = "sidecar") -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def containers(task: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a task by name."""
    return {container["name"]: container for container in task["containers"]}


def statuses(task: dict[str, Any]) -> dict[str, str]:
    return {name: container["lastStatus"] for name, container in containers(task).items()}


class Run:
    """A task that runs without a service."""

    def __init__(self, world: World, *definitions: dict[str, Any]) -> None:
        self.world = world
        (self.arn,) = world.run(world.define(*definitions))

    def now(self) -> dict[str, Any]:
        return self.world.task(self.arn)

    def until(self, **expected: str) -> dict[str, Any]:
        """Wait until these containers, or the ``task``, have these statuses; the task then."""

        def reached() -> dict[str, Any] | None:
            task = self.now()
            seen = {"task": task["lastStatus"], **statuses(task)}
            return task if expected.items() <= seen.items() else None

        return wait_for(reached, f"{expected}") or {}


def test_a_service_deploys_although_a_container_that_is_not_essential_cannot_be_pulled(
    world: World,
) -> None:
    world.create(world.define(app(world.push()), sidecar(world.push("unpullable"))))

    assert world.settle()["deployments"][0]["failedTasks"] == 0

    (task,) = world.tasks()
    assert task["lastStatus"] == "RUNNING"
    assert statuses(task) == {"app": "RUNNING", "sidecar": "STOPPED"}
    failed = containers(task)["sidecar"]
    assert failed["reason"].startswith("CannotPullContainerError: ")
    assert not {"exitCode", "imageDigest", "runtimeId"} & set(failed)


def test_an_essential_container_that_cannot_be_pulled_keeps_the_others_from_starting(
    world: World,
) -> None:
    task = Run(world, sidecar(world.push()), app(world.push("unpullable"))).until(task="STOPPED")

    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == containers(task)["app"]["reason"]
    assert "exitCode" not in containers(task)["sidecar"]


@pytest.mark.parametrize("code", ["0", "3"])
def test_a_container_that_is_not_essential_may_exit_with_any_code(world: World, code: str) -> None:
    world.create(world.define(app(world.push()), sidecar(world.push("crash", exit_code=code))))

    assert world.settle()["deployments"][0]["failedTasks"] == 0

    (task,) = world.tasks()
    assert task["lastStatus"] == "RUNNING"
    assert statuses(task) == {"app": "RUNNING", "sidecar": "STOPPED"}
    assert containers(task)["sidecar"]["exitCode"] == int(code)


def test_a_task_stops_with_the_first_essential_container_that_exits_even_with_0(
    world: World,
) -> None:
    ends = app(world.push("crash", exit_code="0"))
    task = Run(world, ends, sidecar(world.push(), essential=True)).until(task="STOPPED")

    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert {c["exitCode"] for c in task["containers"]} == {0}
    assert set(statuses(task).values()) == {"STOPPED"}


def test_the_health_of_a_task_is_that_of_its_essential_containers_with_a_check(
    world: World,
) -> None:
    failing = sidecar(world.push("unhealthy"), healthCheck=CHECK)
    unchecked = {"name": "unchecked", "image": world.push(), "essential": True}
    world.create(world.define(failing, app(world.push(), healthCheck=CHECK), unchecked))

    assert world.settle()["deployments"][0]["failedTasks"] == 0

    (task,) = world.tasks()
    assert {name: c["healthStatus"] for name, c in containers(task).items()} == {
        "sidecar": "UNHEALTHY",
        "app": "HEALTHY",
        "unchecked": "UNKNOWN",
    }
    assert task["healthStatus"] == "HEALTHY"


def test_the_health_of_a_task_without_an_essential_check_is_unknown(world: World) -> None:
    run = Run(world, app(world.push()), sidecar(world.push("unhealthy"), healthCheck=CHECK))

    wait_for(lambda: containers(run.now())["sidecar"]["healthStatus"] == "UNHEALTHY", "the check")

    assert run.now()["healthStatus"] == "UNKNOWN"


def test_a_task_with_one_unhealthy_essential_container_is_unhealthy_and_a_service_replaces_it(
    world: World,
) -> None:
    definition = world.define(
        app(world.push(), healthCheck=CHECK),
        sidecar(world.push("unhealthy"), essential=True, healthCheck=CHECK),
    )
    (alone,) = world.run(definition)
    world.create(definition)

    task = world.stopped(lambda t: t["healthStatus"] == "UNHEALTHY")

    assert task["stoppedReason"] == "Task failed container health checks"
    wait_for(lambda: [t for t in world.tasks() if t["taskArn"] != task["taskArn"]], "another")
    # Without a service it goes on, whatever its health.
    assert world.task(alone)["healthStatus"] == "UNHEALTHY"
    assert world.task(alone)["lastStatus"] == "RUNNING"


def test_a_container_that_waits_for_the_start_of_another_keeps_its_task_pending(
    world: World,
) -> None:
    slow = sidecar(world.push("slow", start_seconds="60"))
    third = {"name": "third", "image": "nginx", "essential": False}
    run = Run(world, app(world.push(), dependsOn=waits("START")), third, slow)

    task = run.until(third="RUNNING")
    assert (task["lastStatus"], "startedAt" in task) == ("PENDING", False)
    assert statuses(task) == {"app": "PENDING", "third": "RUNNING", "sidecar": "PENDING"}

    let_pass(60)
    assert "startedAt" in run.until(task="RUNNING", app="RUNNING", sidecar="RUNNING")


@pytest.mark.parametrize(
    ("condition", "code"), [("START", "1"), ("COMPLETE", "3"), ("COMPLETE", "0"), ("SUCCESS", "0")]
)
def test_a_container_starts_after_one_that_has_exited_as_it_waits_for(
    world: World, condition: str, code: str
) -> None:
    init = sidecar(world.push("crash", exit_code=code, exit_seconds="60"))
    world.create(world.define(app(world.push(), dependsOn=waits(condition)), init))
    wait_for(lambda: [statuses(t)["sidecar"] for t in world.tasks()] == ["RUNNING"], "init")
    let_pass(60)

    assert world.settle()["deployments"][0]["failedTasks"] == 0

    (task,) = world.tasks()
    assert task["lastStatus"] == "RUNNING"
    assert statuses(task) == {"app": "RUNNING", "sidecar": "STOPPED"}
    assert containers(task)["sidecar"]["exitCode"] == int(code)


@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS"])
def test_a_container_does_not_start_before_the_end_that_it_waits_for(
    world: World, condition: str
) -> None:
    run = Run(world, app(world.push(), dependsOn=waits(condition)), sidecar(world.push()))
    other = Run(world, app(world.push()))

    run.until(sidecar="RUNNING")

    other.until(task="RUNNING")  # a container that waits for nothing has started meanwhile
    assert statuses(run.now()) == {"app": "PENDING", "sidecar": "RUNNING"}
    assert run.now()["lastStatus"] == "PENDING"


def test_a_task_whose_init_container_fails_does_not_start(world: World) -> None:
    init = sidecar(world.push("crash", exit_code="7"))
    world.create(world.define(init, app(world.push(), dependsOn=waits("SUCCESS"))))

    task = world.stopped(lambda t: "stopCode" in t)

    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == "Task failed to start"
    assert containers(task)["sidecar"]["exitCode"] == 7
    waiting = containers(task)["app"]
    assert waiting["exitCode"] == 143
    assert waiting["reason"].startswith("CannotStartContainerError: dependency graph: ")
    assert waiting["reason"].endswith("as dependency did not exit successfully.")
    wait_for(lambda: world.primary()["failedTasks"], "a failed task")


def test_only_the_container_that_waits_in_vain_does_not_start_if_it_is_not_essential(
    world: World,
) -> None:
    late = {**sidecar(world.push(), dependsOn=waits("SUCCESS", "init")), "name": "late"}
    init = {**sidecar(world.push("crash")), "name": "init"}

    task = Run(world, late, init, app(world.push())).until(task="RUNNING")

    assert statuses(task) == {"late": "STOPPED", "init": "STOPPED", "app": "RUNNING"}
    assert containers(task)["late"]["exitCode"] == 143


@pytest.mark.parametrize("last", [waits("SUCCESS", "init"), waits("SUCCESS"), waits("START")])
def test_a_chain_of_containers_stops_at_the_first_that_fails(
    world: World, last: list[dict[str, str]]
) -> None:
    init = {**sidecar(world.push("crash")), "name": "init"}
    middle = sidecar(world.push(), dependsOn=waits("SUCCESS", "init"))

    task = Run(world, app(world.push(), dependsOn=last), middle, init).until(task="STOPPED")

    assert task["stoppedReason"] == "Task failed to start"
    assert containers(task)["init"]["exitCode"] == 1
    assert "runtimeId" not in containers(task)["app"]


@pytest.mark.parametrize("condition", ["START", "COMPLETE", "HEALTHY"])
def test_a_container_that_waits_for_one_that_cannot_be_pulled_never_starts(
    world: World, condition: str
) -> None:
    awaited = sidecar(world.push("unpullable"), healthCheck=CHECK)

    task = Run(world, awaited, app(world.push(), dependsOn=waits(condition))).until(task="STOPPED")

    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        "Task failed to start",
    )
    assert containers(task)["app"]["reason"].endswith("because dependency will never start")


def test_a_container_starts_once_the_one_that_it_waits_for_is_healthy(world: World) -> None:
    slow = sidecar(world.push("slow", start_seconds="60"), essential=True, healthCheck=CHECK)
    run = Run(world, app(world.push(), dependsOn=waits("HEALTHY")), slow)
    run.until(task="PENDING")
    let_pass(60)

    task = run.until(task="RUNNING", app="RUNNING")

    assert containers(task)["sidecar"]["healthStatus"] == "HEALTHY"
    assert task["healthStatus"] == "HEALTHY"


@pytest.mark.parametrize(
    ("timeout", "seconds", "reason"),
    [({"startTimeout": 30}, 30, "has timed out."), ({}, 3 * 3600, "")],
    ids=["its startTimeout", "three hours"],
)
def test_a_task_that_waits_for_an_unhealthy_container_is_pending_for(
    world: World, timeout: dict[str, int], seconds: int, reason: str
) -> None:
    ill = sidecar(world.push("unhealthy"), healthCheck=CHECK, **timeout)
    run = Run(world, app(world.push(), dependsOn=waits("HEALTHY")), ill)
    wait_for(lambda: containers(run.now())["sidecar"]["healthStatus"] == "UNHEALTHY", "the check")
    let_pass(seconds - 20)
    Run(world, app(world.push())).until(task="RUNNING")
    assert run.now()["lastStatus"] == "PENDING"
    assert statuses(run.now()) == {"app": "PENDING", "sidecar": "RUNNING"}

    let_pass(20)

    task = run.until(task="STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        "Task failed to start",
    )
    assert containers(task)["app"].get("reason", "").endswith(reason)
    assert containers(task)["sidecar"]["exitCode"] == 0


AGENT = "aws-guardduty-agent"


@pytest.mark.parametrize("place", ["inject", "inject_first"])
def test_aws_adds_a_container_to_a_task_that_no_task_definition_names(
    world: World, place: str
) -> None:
    image = world.push(**{place: f"{AGENT} ecs-service-connect"})
    definition = world.define(app(image))
    world.create(definition)
    world.settle()

    (task,) = world.tasks()

    names = [container["name"] for container in task["containers"]]
    added = [name for name in names if name != "app"]
    assert names == ([*added, "app"] if place == "inject_first" else ["app", *added])
    assert {name.rpartition("-")[0] for name in added} == {AGENT, "ecs-service-connect"}
    assert set(statuses(task).values()) == {"RUNNING"}
    # What is known of such containers has no image and no health.
    assert not {"image", "imageDigest", "healthStatus"} & set(containers(task)[added[0]])
    assert containers(task)[added[0]]["taskArn"] == task["taskArn"]
    told = world.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert [container["name"] for container in told["containerDefinitions"]] == ["app"]


def test_a_task_runs_although_the_container_that_aws_adds_cannot_be_pulled(world: World) -> None:
    world.create(world.define(app(world.push(inject_first=f"{AGENT}:unpullable"))))

    assert world.settle()["deployments"][0]["failedTasks"] == 0

    (task,) = world.tasks()
    agent = task["containers"][0]
    assert agent["name"].startswith(f"{AGENT}-")
    assert agent["lastStatus"] == "STOPPED"
    assert agent["reason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in agent
    assert (task["lastStatus"], statuses(task)["app"]) == ("RUNNING", "RUNNING")


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [("crash", "EssentialContainerExited"), ("unpullable", "TaskFailedToStart")],
)
def test_a_task_that_fails_lists_the_added_container_that_is_not_to_blame_first(
    world: World, behaviour: str, code: str
) -> None:
    image = world.push(behaviour, inject_first=f"{AGENT}:unpullable")

    task = Run(world, app(image)).until(task="STOPPED")

    agent, failed = task["containers"]
    assert agent["reason"].startswith("CannotPullContainerError: ")
    assert task["stopCode"] == code
    assert failed["name"] == "app"
    assert failed.get("reason", task["stoppedReason"]) == task["stoppedReason"]
    assert task["stoppedReason"] != agent["reason"]


def test_a_container_that_aws_adds_may_exit_and_is_added_once(world: World) -> None:
    images = [world.push(inject=f"{AGENT}:crash") for _ in range(2)]
    run = Run(world, app(images[0]), sidecar(images[1]))

    def exited() -> bool:
        return [c.get("exitCode") for c in run.now()["containers"]] == [None, None, 1]

    wait_for(exited, "the agent to exit")
    assert run.until(task="RUNNING")["containers"][2]["name"].startswith(AGENT)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [("crash", "EssentialContainerExited"), ("unpullable", "TaskFailedToStart")],
)
def test_service_connects_proxy_is_essential_although_no_task_definition_names_it(
    world: World, behaviour: str, code: str
) -> None:
    image = world.push(inject=f"{AGENT} ecs-service-connect:{behaviour}")

    task = Run(world, app(image)).until(task="STOPPED")

    assert task["stopCode"] == code
    _, agent, proxy = task["containers"]
    assert proxy["name"].startswith("ecs-service-connect-")
    assert proxy.get("reason", task["stoppedReason"]) == task["stoppedReason"]
    assert "reason" not in agent


def test_a_container_that_does_not_exit_after_the_proxy_crashed_is_killed(world: World) -> None:
    image = world.push(inject="ecs-service-connect:crash", stop_seconds="600")
    run = Run(world, app(image))
    wait_for(lambda: run.now()["lastStatus"] == "STOPPING", "the proxy to crash")
    assert [c.get("exitCode") for c in run.now()["containers"]] == [None, 1]

    let_pass(30)

    task = run.until(task="STOPPED")
    assert [c.get("exitCode") for c in task["containers"]] == [137, 1]
    assert task["stopCode"] == "EssentialContainerExited"


def test_an_added_container_whose_behaviour_is_not_simulated_fails_the_task(world: World) -> None:
    task = Run(world, app(world.push(inject=f"{AGENT}:slow"))).until(task="STOPPED")

    assert task["stoppedReason"] == (
        f"localaws: localaws.inject: {AGENT}:slow: not one of healthy, unpullable, crash"
    )


class TestRestartPolicy:
    """A container that is restarted in its task."""

    def crashing(self, world: World, *, after: int, **policy: Any) -> tuple[dict[str, Any], str]:
        """A container that exits after so many seconds, and the name of its log group."""
        group = unique("/restarts")
        world.aws.client("logs").create_log_group(logGroupName=group)
        options = {
            "awslogs-group": group,
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "app",
        }
        definition = app(
            world.push("crash", exit_code="5", exit_seconds=str(after), log="started"),
            logConfiguration={"logDriver": "awslogs", "options": options},
            restartPolicy={"enabled": True, **policy},
        )
        return definition, group

    def starts(self, world: World, group: str) -> int:
        events = world.aws.client("logs").filter_log_events(logGroupName=group)["events"]
        return len(events)

    @pytest.mark.parametrize(("policy", "after"), [({"restartAttemptPeriod": 60}, 60), ({}, 300)])
    def test_a_container_that_ran_for_its_period_is_restarted_in_place_each_time(
        self, world: World, policy: dict[str, Any], after: int
    ) -> None:
        definition, group = self.crashing(world, after=after, **policy)
        world.create(world.define(definition))
        (before,) = world.settle() and world.tasks()

        for times in (2, 3):
            let_pass(after)
            wait_for(lambda times=times: self.starts(world, group) == times, f"start {times}")

        (task,) = world.tasks()
        assert task["taskArn"] == before["taskArn"]
        assert (task["lastStatus"], statuses(task)["app"]) == ("RUNNING", "RUNNING")
        assert "exitCode" not in containers(task)["app"]
        assert world.primary()["failedTasks"] == 0

    @pytest.mark.parametrize(
        ("policy", "after"),
        [
            ({"restartAttemptPeriod": 61}, 60),
            ({}, 299),
            ({"restartAttemptPeriod": 60, "ignoredExitCodes": [0, 5]}, 60),
            ({"enabled": False, "restartAttemptPeriod": 60}, 60),
        ],
        ids=["too early", "too early by default", "ignored exit code", "disabled"],
    )
    def test_a_container_is_not_restarted_if_its_policy_does_not_say_so(
        self, world: World, policy: dict[str, Any], after: int
    ) -> None:
        definition, group = self.crashing(world, after=after, **policy)
        run = Run(world, definition)
        run.until(task="RUNNING")
        let_pass(after)

        task = run.until(task="STOPPED")

        assert task["stopCode"] == "EssentialContainerExited"
        assert containers(task)["app"]["exitCode"] == 5
        assert self.starts(world, group) == 1

    def test_a_container_is_not_restarted_in_a_task_that_is_stopped(self, world: World) -> None:
        definition, group = self.crashing(world, after=60, restartAttemptPeriod=60)
        run = Run(world, definition)
        run.until(task="RUNNING")
        let_pass(60)
        wait_for(lambda: self.starts(world, group) == 2, "the restart")
        world.ecs.stop_task(cluster=world.cluster, task=run.arn)

        task = run.until(task="STOPPED")

        assert task["stopCode"] == "UserInitiated"
        assert self.starts(world, group) == 2
