"""Which target of a target group is a task's, by network mode, and what is said of it."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused
from slipway.health.observation import observe
from tests.support.builders import ACCOUNT, GROUP, GROUP_2, REGION, SERVICE, update
from tests.support.ecs_answers import (
    balancer,
    container,
    described,
    ecs_task,
    interface,
    stopped_task,
    target_health,
    task_arn,
)

HOST = f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/production/1"
HOST_2 = f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/production/2"


def bound(*bindings, task="t1", host=HOST, name="api"):
    """A task on EC2 without an interface of its own."""
    containers = [
        {"name": "sidecar", "networkBindings": [{"containerPort": 8080, "hostPort": 1}]},
        {"name": name, "networkBindings": list(bindings)},
    ]
    return ecs_task(task, attachments=[], containerInstanceArn=host, containers=containers)


def states(observation):
    return [[target.state for target in task.targets] for task in observation.running]


def test_a_service_without_a_load_balancer_has_no_targets(scene):
    scene.running = [ecs_task()]

    assert states(scene.observed()) == [[]]


def test_a_classic_load_balancer_is_not_observed(scene):
    scene.service = {"loadBalancers": [{"loadBalancerName": "old", "containerPort": 80}]}
    scene.running = [ecs_task()]

    assert states(scene.observed()) == [[]]


def test_a_service_without_tasks_asks_for_no_target_health(scene):
    scene.service = {"loadBalancers": [balancer()]}

    assert scene.observed().running == ()


@pytest.mark.parametrize(
    "state", ["initial", "healthy", "unhealthy", "unhealthy.draining", "unused", "draining"]
)
def test_a_task_on_fargate_is_the_target_with_its_address_and_the_containers_port(scene, state):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task()]
    others = [target_health("10.0.0.2"), target_health(port=80)]
    scene.health = {GROUP: [*others, target_health(state=state)]}

    assert states(scene.observed()) == [[state]]


def test_a_target_is_observed_with_its_group_reason_and_description(scene):
    said = {"Reason": "Target.ResponseCodeMismatch", "Description": "[502]"}
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task()]
    scene.health = {GROUP: [target_health(state="unhealthy", **said)]}

    [target] = scene.observed().running[0].targets

    assert (target.group, target.reason) == (GROUP, "Target.ResponseCodeMismatch: [502]")


def test_a_task_is_found_by_its_ipv6_address(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task(attachments=[interface("10.0.0.1", "2001:db8::1")])]
    scene.health = {GROUP: [target_health("2001:db8::1")]}

    assert states(scene.observed()) == [["healthy"]]


@pytest.mark.parametrize(
    "attachments", [[], [interface()], [{"type": "ServiceConnect", "details": []}]]
)
def test_a_task_whose_interface_has_no_address_yet_is_unregistered(scene, attachments):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task(attachments=attachments)]
    scene.health = {GROUP: [target_health()]}

    assert states(scene.observed()) == [["unregistered"]]


def test_a_task_that_is_not_in_the_group_is_unregistered(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task()]
    scene.health = {GROUP: [target_health("10.0.0.9")]}

    assert states(scene.observed()) == [["unregistered"]]


def test_every_target_group_of_the_service_is_observed_with_its_own_port(scene):
    admin = balancer(targetGroupArn=GROUP_2, containerPort=9090)
    scene.service = {"loadBalancers": [balancer(), admin]}
    scene.running = [ecs_task()]
    scene.health = {
        GROUP: [target_health()],
        GROUP_2: [target_health(port=9090, state="initial")],
    }

    assert states(scene.observed()) == [["healthy", "initial"]]


def test_a_bridged_task_is_the_target_with_its_instance_and_the_hosts_port(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [bound({"containerPort": 8080, "hostPort": 32768})]
    scene.instances = {HOST: "i-1"}
    others = [target_health("i-1", 1), target_health("i-1", 8080), target_health("i-2", 32768)]
    mine = target_health("i-1", 32768, state="draining")
    scene.health = {GROUP: [*others, mine]}

    assert states(scene.observed()) == [["draining"]]


def test_two_bridged_tasks_on_one_instance_are_told_apart_by_the_hosts_port(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [
        bound({"containerPort": 8080, "hostPort": 32768}, task="a"),
        bound({"containerPort": 8080, "hostPort": 32769}, task="b"),
    ]
    scene.instances = {HOST: "i-1"}
    scene.health = {
        GROUP: [target_health("i-1", 32768), target_health("i-1", 32769, state="initial")]
    }

    assert states(scene.observed()) == [["healthy"], ["initial"]]


def test_tasks_on_several_instances_are_asked_for_at_once(scene):
    binding = {"containerPort": 8080, "hostPort": 32768}
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [bound(binding, task="b", host=HOST_2), bound(binding, task="a")]
    scene.instances = {HOST: "i-1", HOST_2: "i-2"}
    scene.health = {GROUP: [target_health("i-1", 32768), target_health("i-2", 32768)]}

    assert states(scene.observed()) == [["healthy"], ["healthy"]]


@pytest.mark.parametrize(
    "bindings",
    [(), ({"containerPort": 9090, "hostPort": 32768},)],
    ids=["no port bound yet", "another port"],
)
def test_a_bridged_task_without_its_port_bound_is_unregistered(scene, bindings):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [bound(*bindings)]
    scene.instances = {HOST: "i-1"}
    scene.health = {GROUP: [target_health("i-1", 32768)]}

    assert states(scene.observed()) == [["unregistered"]]


def test_a_bridged_task_that_also_binds_a_range_of_ports_is_found(scene):
    """Of a range the ECS agent reports containerPortRange and hostPortRange, and no containerPort."""
    several = {"containerPortRange": "7000-7001", "hostPortRange": "40000-40001"}
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [bound(several, {"containerPort": 8080, "hostPort": 32768})]
    scene.instances = {HOST: "i-1"}
    scene.health = {GROUP: [target_health("i-1", 32768)]}

    assert states(scene.observed()) == [["healthy"]]


def test_a_task_on_ec2_with_an_interface_of_its_own_is_found_by_its_address(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [ecs_task(containerInstanceArn=HOST)]
    scene.instances = {HOST: "i-1"}
    scene.health = {GROUP: [target_health("i-1", 8080), target_health("10.0.0.1")]}

    assert states(scene.observed()) == [["healthy"]]


def test_the_targets_of_stopped_tasks_are_not_observed(scene):
    scene.service = {"loadBalancers": [balancer()]}
    scene.stopped = [stopped_task()]

    assert scene.observed().running == ()


def test_target_health_that_may_not_be_read_names_action_and_group(ecs, elbv2, cloudwatch):
    described(ecs, loadBalancers=[balancer()])
    ecs.answers("list_tasks", {"taskArns": [task_arn("t1")]})
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("describe_tasks", {"tasks": [ecs_task()]})
    definition = {"containerDefinitions": [container()]}
    ecs.answers("describe_task_definition", {"taskDefinition": definition})
    elbv2.refuses("describe_target_health", "AccessDenied", status=403)

    with pytest.raises(
        AwsRefused,
        match=f"elasticloadbalancing:DescribeTargetHealth on target group {GROUP}",
    ):
        observe(SERVICE, update(), [], ecs.client, elbv2.client, cloudwatch.client)


def test_a_port_of_a_range_is_found_at_its_place_in_the_hosts_range(scene):
    several = {"containerPortRange": "8079-8081", "hostPortRange": "40000-40002"}
    scene.service = {"loadBalancers": [balancer()]}
    scene.running = [bound(several)]
    scene.instances = {HOST: "i-1"}
    scene.health = {GROUP: [target_health("i-1", 40001)]}

    assert states(scene.observed()) == [["healthy"]]
