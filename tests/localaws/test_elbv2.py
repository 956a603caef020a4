"""Target health follows what is behind the target."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws import elbv2
from localaws.server import LocalAws
from tests.support.localaws.ecs import World, let_pass, unique
from tests.support.waiting import wait_for


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def health(world: World, group: str) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            t["TargetHealth"]["State"],
            t["TargetHealth"].get("Reason"),
            t["TargetHealth"].get("Description"),
        )
        for t in world.targets(group)
    ]


def test_a_target_is_initial_until_its_first_check(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elbv2, "FIRST_CHECK", 3600)
    group = world.target_group()
    world.create(world.definition(world.push()), group=group)

    wait_for(
        lambda: (
            [target[:2] for target in health(world, group)]
            == [("initial", "Elb.InitialHealthChecking")]
        ),
        "initial",
    )

    assert world.primary()["rolloutState"] == "IN_PROGRESS"


def test_a_deregistered_target_drains_before_its_task_stops(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = world.target_group()
    world.create(world.definition(world.push()), group=group)
    world.settle()
    assert health(world, group) == [("healthy", None, None)]
    monkeypatch.setattr(elbv2, "DRAINING_SCALE", 1)

    world.update(desiredCount=0)

    wait_for(
        lambda: (
            [target[:2] for target in health(world, group)]
            == [("draining", "Target.DeregistrationInProgress")]
        ),
        "draining",
    )
    assert [task["lastStatus"] for task in world.tasks("STOPPED")] == ["DEACTIVATING"]


def test_a_target_drains_for_the_deregistration_delay_of_its_group(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elbv2, "DRAINING_SCALE", 1)
    delays = {"0": world.target_group(), "60": world.target_group(), "3600": world.target_group()}
    for delay, group in delays.items():
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": delay}
        world.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
        targets = [{"Id": "10.1.2.3"}]
        world.elbv2.register_targets(TargetGroupArn=group, Targets=targets)
        world.elbv2.deregister_targets(TargetGroupArn=group, Targets=targets)

    def draining() -> list[str]:
        return [delay for delay, group in delays.items() if health(world, group)]

    assert draining() == ["60", "3600"]
    let_pass(60)
    assert draining() == ["3600"]
    let_pass(3540)
    assert draining() == []


def test_a_drained_target_is_gone(world: World) -> None:
    group = world.target_group()
    world.create(world.definition(world.push()), group=group)
    world.settle()

    world.update(desiredCount=0)

    wait_for(lambda: not health(world, group), "gone")


def test_a_failing_check_says_which_status_it_saw(world: World) -> None:
    group = world.target_group()
    world.create(
        world.definition(world.push("unhealthy", health_status="503")),
        group=group,
        healthCheckGracePeriodSeconds=600,
    )
    expected = (
        "unhealthy",
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [503]",
    )
    wait_for(lambda: health(world, group) == [expected], "unhealthy")
    target = world.targets(group)[0]
    assert target["HealthCheckPort"] == str(target["Target"]["Port"]) == "80"


def test_a_target_of_no_task_answers_nobody(world: World) -> None:
    group = world.target_group()
    world.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.1.2.3", "Port": 8080}])

    wait_for(
        lambda: health(world, group) == [("unhealthy", "Target.Timeout", "Request timed out")],
        "a timeout",
    )


def test_targets_are_unused_while_no_listener_sends_traffic(world: World) -> None:
    group = world.target_group(listener=False)
    world.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.1.2.3"}])

    assert [(state, reason) for state, reason, _ in health(world, group)] == [
        ("unused", "Target.NotInUse")
    ]


def test_a_target_that_was_never_registered_is_unused(world: World) -> None:
    answer = world.elbv2.describe_target_health(
        TargetGroupArn=world.target_group(), Targets=[{"Id": "10.9.9.9", "Port": 80}]
    )["TargetHealthDescriptions"]

    assert answer[0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_one_address_may_be_registered_on_many_ports(world: World) -> None:
    group = world.target_group()
    ports = [{"Id": "10.1.2.3", "Port": port} for port in (8080, 8081)]
    world.elbv2.register_targets(TargetGroupArn=group, Targets=ports)
    assert [t["Target"]["Port"] for t in world.targets(group)] == [8080, 8081]

    world.elbv2.deregister_targets(TargetGroupArn=group, Targets=ports[:1])

    wait_for(lambda: [t["Target"]["Port"] for t in world.targets(group)] == [8081], "one left")


def test_a_target_group_that_does_not_exist_has_no_health(world: World) -> None:
    group = world.target_group(listener=False)
    world.elbv2.delete_target_group(TargetGroupArn=group)
    with pytest.raises(ClientError, match="TargetGroupNotFound"):
        world.targets(group.replace("tg", unique("tg")))


def test_load_balancers_may_be_made_while_the_scheduler_looks_for_a_target_groups_listener(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = world.target_group()
    sends, made = elbv2._sends, []

    def another_is_made_meanwhile(listener: object, arn: str) -> bool:
        made.append(world.target_group())
        return sends(listener, arn)

    monkeypatch.setattr(elbv2, "_sends", another_is_made_meanwhile)
    monkeypatch.setattr(elbv2, "_last_used_by", {})

    assert elbv2.in_use(group)
    assert made
