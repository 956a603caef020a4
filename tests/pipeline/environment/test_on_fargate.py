"""Rolling, scaling, discovery and updates on Fargate, behind the load balancer and without one."""

from __future__ import annotations

import pytest

from tests.support.commands import Page
from tests.support.environment_services import (
    alarmed,
    deploys_and_rolls_back,
    desired,
    discovered,
    kept,
    runs,
)
from tests.support.environments import REPO, Environment, add_service, change_stack, ended_stack
from tools import sam


@pytest.fixture(scope="module")
def environment(on_fargate: Environment) -> Environment:
    add_service(on_fargate, "worker", Scaling="target-tracking", HealthCommand="true")
    return on_fargate


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_good_image_is_deployed_and_a_bad_one_rolled_back(
    name: str, environment: Environment
) -> None:
    deploys_and_rolls_back(environment, name)
    addresses = {
        detail["value"]
        for task in environment.tasks(name)
        for detail in task["attachments"][0]["details"]
        if detail["name"] == "privateIPv4Address"
    }
    assert discovered(environment, name) == {(address, None) for address in addresses}


def test_a_service_without_a_load_balancer_has_no_target_group(environment: Environment) -> None:
    found = environment.service("worker")
    assert found["loadBalancers"] == []
    assert "alarms" not in found["deploymentConfiguration"]


def test_a_service_has_the_options_that_its_parameters_ask_for(environment: Environment) -> None:
    listener = environment.of("Cluster")["Listener"]
    add_service(
        environment,
        "spot",
        LaunchType="FARGATE_SPOT",
        Listener=listener,
        Host="spot.example.com",
        Priority="50",
        Command="nginx,-g,daemon off;",
        ReplicationRegion="us-west-2",
    )
    desired(environment, 2, "spot")
    service = environment.service("spot")
    strategy = {item["capacityProvider"]: item for item in service["capacityProviderStrategy"]}
    assert strategy["FARGATE"]["base"] == strategy["FARGATE_SPOT"]["weight"] == 1
    providers = {task["capacityProviderName"] for task in environment.tasks("spot")}
    assert providers == {"FARGATE", "FARGATE_SPOT"}
    definition = environment.client("ecs").describe_task_definition(
        taskDefinition=service["taskDefinition"]
    )["taskDefinition"]
    assert definition["containerDefinitions"][0]["command"] == ["nginx", "-g", "daemon off;"]
    rules = environment.client("elbv2").describe_rules(ListenerArn=listener)["Rules"]
    (rule,) = (rule for rule in rules if rule["Priority"] == "50")
    hosts = [c["HostHeaderConfig"]["Values"] for c in rule["Conditions"] if "HostHeaderConfig" in c]
    assert hosts == [["spot.example.com"]]
    registry = environment.client("ecr").describe_registry()
    (replication,) = registry["replicationConfiguration"]["rules"]
    assert replication["destinations"][0]["region"] == "us-west-2"
    assert replication["repositoryFilters"][0]["filter"] == "shop"


def test_busy_tasks_get_more_and_a_deployment_keeps_their_number(environment: Environment) -> None:
    alarmed(environment, "production-api-busy")
    desired(environment, 3)
    alarmed(environment, "production-api-busy", "OK")
    good = environment.push("v3")
    assert environment.deployment("v3").outcome == "SUCCEEDED"
    runs(environment, "api", good)
    assert environment.service()["desiredCount"] == 3
    alarmed(environment, "production-api-idle")
    desired(environment, 2)


def test_target_tracking_scales_with_alarms_of_its_own(environment: Environment) -> None:
    (policy,) = environment.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId="service/production/worker"
    )["ScalingPolicies"]
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 60
    high = next(a["AlarmName"] for a in policy["Alarms"] if "AlarmHigh" in a["AlarmName"])
    alarmed(environment, high)
    desired(environment, 3, "worker")


def test_an_update_of_the_stack_changes_what_it_says_and_keeps_the_good_image(
    environment: Environment,
) -> None:
    good = environment.push("v4", "shop/worker")
    environment.quicken("shop/worker")
    assert environment.deployment("v4", "shop/worker").outcome == "SUCCEEDED"

    change_stack(environment, "worker", {"Memory": "1024"})

    arn = environment.service("worker")["taskDefinition"]
    ecs = environment.client("ecs")
    assert ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["memory"] == "1024"
    assert kept(environment, "worker").endswith(good)
    runs(environment, "worker", good)

    # And a rollback does not undo the update, whether ECS's circuit breaker is first or not.
    environment.push("v4-crash", "shop/worker", behaviour="crash")
    assert environment.deployment("v4-crash", "shop/worker").outcome == "ROLLED_BACK"
    assert environment.service("worker")["taskDefinition"] == arn
    runs(environment, "worker", good)


def test_an_update_of_a_stack_that_slipway_has_not_deployed_to_changes_no_image(
    environment: Environment,
) -> None:
    add_service(environment, "other")
    before = environment.images("other")
    change_stack(environment, "other", {"MinTasks": "3"})
    desired(environment, 3, "other")
    assert environment.images("other") == before


def test_a_changed_parameter_changes_the_network_the_cluster_and_the_service(
    environment: Environment,
) -> None:
    good = kept(environment, "api").partition("@")[2]

    environment.deploy(NatGateways="2", BastionCidr="203.0.113.7/32", LogRetentionDays="7")

    ec2 = environment.client("ec2")
    gateways = ec2.describe_nat_gateways(Filters=environment.vpc)["NatGateways"]
    assert len(gateways) == 2
    bastion = environment.physical("Cluster")["BastionSecurityGroup"]
    (group,) = ec2.describe_security_groups(GroupIds=[bastion])["SecurityGroups"]
    assert len(group["IpPermissions"]) == 1
    (logs,) = environment.client("logs").describe_log_groups(
        logGroupNamePrefix="/ecs/production/api"
    )["logGroups"]
    assert logs["retentionInDays"] == 7
    runs(environment, "api", good)


def test_a_tag_of_the_stack_puts_no_first_image_back(environment: Environment) -> None:
    good = kept(environment, "api")
    cloudformation = environment.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="slipway")["Stacks"]
    cloudformation.update_stack(
        StackName="slipway",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": p["ParameterKey"], "UsePreviousValue": True}
            for p in stack["Parameters"]
        ],
        Tags=[{"Key": "team", "Value": "a"}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    assert ended_stack(environment, "slipway") == "UPDATE_COMPLETE"
    assert kept(environment, "api") == good
    runs(environment, "api", good.partition("@")[2])


def test_an_update_that_fails_elsewhere_does_not_come_to_the_service(
    environment: Environment,
) -> None:
    before, good = environment.service()["taskDefinition"], kept(environment, "api")
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/none"
    with pytest.raises(sam.SamError):
        sam.deploy(environment.aws, REPO, {**environment.parameters, "CertificateArn": certificate})
    assert ended_stack(environment, "slipway") == "UPDATE_ROLLBACK_COMPLETE"
    assert environment.service()["taskDefinition"] == before
    runs(environment, "api", good.partition("@")[2])


def test_after_an_update_that_failed_the_last_good_image_is_deployed_manually(
    environment: Environment,
) -> None:
    first = environment.push("v5", "shop/worker")
    environment.quicken("shop/worker")
    assert environment.deployment("v5", "shop/worker").outcome == "SUCCEEDED"
    change_stack(environment, "worker", {"Memory": "2048", "Cpu": "512"})
    good = environment.push("v6", "shop/worker")
    assert environment.deployment("v6", "shop/worker").outcome == "SUCCEEDED"

    # It fails after the service was changed: scaling comes after it.
    wrong = {"Memory": "1024", "MinTasks": "9", "MaxTasks": "3"}
    change_stack(environment, "worker", wrong, ends="UPDATE_ROLLBACK_COMPLETE")
    runs(environment, "worker", first)  # what CloudFormation had made before
    assert kept(environment, "worker").endswith(good)

    Page("environment.md").run(
        "the last good image", SERVICE="production/worker", REPOSITORY="shop/worker"
    )
    runs(environment, "worker", good)
