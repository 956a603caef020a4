"""Everything that the environment is said to have is there, as AWS's APIs list it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.environments import CLUSTER, EVERYTHING, Environment, deployed
from tests.support.waiting import wait_for

VARIANTS: dict[str, dict[str, Any]] = {
    "fargate-http": {"NatGateways": "1"},
    "fargate-https": {"https": True},
    "ec2-http": {"LaunchType": "EC2"},
    "ec2-https": {"LaunchType": "EC2", "https": True, **EVERYTHING},
}


ALWAYS = "fargate-http"
"""The variant that `make test` tries, too."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(parameters, id=name, marks=() if name == ALWAYS else pytest.mark.exhaustive)
        for name, parameters in VARIANTS.items()
    ],
)
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    with deployed(**request.param) as made:
        yield made


def on_ec2(environment: Environment) -> bool:
    return environment.parameters.get("LaunchType") == "EC2"


def https(environment: Environment) -> bool:
    return "CertificateArn" in environment.parameters


def with_everything(environment: Environment) -> bool:
    return environment.parameters.keys() >= EVERYTHING.keys()


def only_on_ec2(environment: Environment) -> None:
    if not on_ec2(environment):
        pytest.skip("there are no instances")


# ---------------------------------------------------------------- the network


def test_two_public_and_two_private_subnets_lie_in_two_zones(environment: Environment) -> None:
    network, ec2 = environment.of("Network"), environment.client("ec2")
    for kind in ("PublicSubnets", "PrivateSubnets"):
        subnets = ec2.describe_subnets(SubnetIds=network[kind].split(","))["Subnets"]
        assert {subnet["VpcId"] for subnet in subnets} == {network["VpcId"]}
        assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
        assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)


def routes(environment: Environment, kind: str) -> list[dict[str, Any]]:
    """Where each subnet's default route goes."""
    subnets = environment.of("Network")[kind].split(",")
    found = []
    for subnet in subnets:
        (table,) = environment.client("ec2").describe_route_tables(
            Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
        )["RouteTables"]
        found += [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
    return found


def test_public_subnets_go_out_through_the_internet_gateway(environment: Environment) -> None:
    vpc = environment.of("Network")["VpcId"]
    gateways = environment.client("ec2").describe_internet_gateways(
        Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}]
    )["InternetGateways"]
    assert len(gateways) == 1
    used = {route["GatewayId"] for route in routes(environment, "PublicSubnets")}
    assert used == {gateways[0]["InternetGatewayId"]}


def test_private_subnets_go_out_through_nat_gateways_with_addresses(
    environment: Environment,
) -> None:
    ec2 = environment.client("ec2")
    gateways = ec2.describe_nat_gateways(Filters=environment.vpc)["NatGateways"]
    wanted = int(environment.parameters.get("NatGateways", 2))
    assert {gateway["State"] for gateway in gateways} == {"available"}
    assert len({gateway["SubnetId"] for gateway in gateways}) == len(gateways) == wanted
    used = {route["NatGatewayId"] for route in routes(environment, "PrivateSubnets")}
    assert used == {gateway["NatGatewayId"] for gateway in gateways}
    allocated = {address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]}
    held = {a["AllocationId"] for gateway in gateways for a in gateway["NatGatewayAddresses"]}
    assert held <= allocated
    assert len(held) == wanted


def test_network_acls_say_what_each_subnet_lets_in_and_out(environment: Environment) -> None:
    network, ec2 = environment.of("Network"), environment.client("ec2")
    for kind, ports in (("PublicSubnets", {80, 443}), ("PrivateSubnets", set())):
        for subnet in network[kind].split(","):
            (acl,) = ec2.describe_network_acls(
                Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
            )["NetworkAcls"]
            assert not acl["IsDefault"]
            incoming = [
                entry
                for entry in acl["Entries"]
                if not entry["Egress"]
                and entry["RuleAction"] == "allow"
                and entry.get("CidrBlock") == "0.0.0.0/0"
                and entry.get("PortRange")
            ]
            low = {entry["PortRange"]["From"] for entry in incoming} - {1024}
            assert low == ports


def test_s3_and_dynamodb_are_reached_through_gateway_endpoints(environment: Environment) -> None:
    found = environment.client("ec2").describe_vpc_endpoints(Filters=environment.vpc)
    endpoints: dict[str, list[dict[str, Any]]] = {"Gateway": [], "Interface": []}
    for endpoint in found["VpcEndpoints"]:
        endpoints[endpoint["VpcEndpointType"]].append(endpoint)
    gateways = {e["ServiceName"].rpartition(".")[2]: e for e in endpoints["Gateway"]}
    assert gateways.keys() == {"s3", "dynamodb"}
    assert all(len(gateway["RouteTableIds"]) == 2 for gateway in gateways.values())
    interfaces = {
        e["ServiceName"].removeprefix("com.amazonaws.us-east-1.") for e in endpoints["Interface"]
    }
    wanted = {"ecr.api", "ecr.dkr", "logs"} if with_everything(environment) else set()
    assert interfaces == wanted


def test_flow_logs_say_who_talked_to_whom(environment: Environment) -> None:
    vpc = environment.of("Network")["VpcId"]
    (log,) = environment.client("ec2").describe_flow_logs(
        Filters=[{"Name": "resource-id", "Values": [vpc]}]
    )["FlowLogs"]
    assert (log["TrafficType"], log["FlowLogStatus"]) == ("ALL", "ACTIVE")
    groups = environment.client("logs").describe_log_groups(logGroupNamePrefix=log["LogGroupName"])
    assert groups["logGroups"][0]["retentionInDays"] == 30


# ---------------------------------------------------------------- the load balancer


def balancer(environment: Environment) -> dict[str, Any]:
    (found,) = environment.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return dict(found)


def group(environment: Environment, logical_id: str) -> dict[str, Any]:
    """A security group of the cluster's stack."""
    name = environment.physical("Cluster")[logical_id]
    (found,) = environment.client("ec2").describe_security_groups(GroupIds=[name])["SecurityGroups"]
    return dict(found)


def open_ports(found: dict[str, Any], source: str = "0.0.0.0/0") -> set[int]:
    return {
        permission["FromPort"]
        for permission in found["IpPermissions"]
        if source in {block["CidrIp"] for block in permission["IpRanges"]}
    }


def test_the_load_balancer_lies_in_the_public_subnets_behind_its_security_group(
    environment: Environment,
) -> None:
    found = balancer(environment)
    assert (found["Type"], found["Scheme"]) == ("application", "internet-facing")
    zones = {zone["SubnetId"] for zone in found["AvailabilityZones"]}
    assert zones == set(environment.of("Network")["PublicSubnets"].split(","))
    own = group(environment, "LoadBalancerSecurityGroup")
    assert own["GroupId"] in found["SecurityGroups"]
    assert open_ports(own) == ({80, 443} if https(environment) else {80})


def test_with_a_certificate_it_speaks_tls_and_redirects_http(environment: Environment) -> None:
    elbv2 = environment.client("elbv2")
    arn = balancer(environment)["LoadBalancerArn"]
    listeners = {
        listener["Protocol"]: listener
        for listener in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    }
    default = environment.physical("Cluster")["DefaultTargetGroup"]
    (plain,) = listeners["HTTP"]["DefaultActions"]
    if not https(environment):
        assert listeners.keys() == {"HTTP"}
        assert plain["TargetGroupArn"] == default
        assert environment.outputs["Transport"].startswith("NOT ENCRYPTED (HTTP)")
        assert environment.outputs["Url"].startswith("http://")
        return
    assert plain["RedirectConfig"]["Protocol"] == "HTTPS"
    assert plain["RedirectConfig"]["StatusCode"] == "HTTP_301"
    encrypted = listeners["HTTPS"]
    assert encrypted["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    certificates = [certificate["CertificateArn"] for certificate in encrypted["Certificates"]]
    assert certificates == [environment.parameters["CertificateArn"]]
    assert encrypted["DefaultActions"][0]["TargetGroupArn"] == default
    assert environment.outputs["Transport"].startswith("encrypted")
    assert environment.outputs["Url"].startswith("https://")


def test_access_logs_and_a_web_acl_are_there_where_they_are_asked_for(
    environment: Environment,
) -> None:
    arn = balancer(environment)["LoadBalancerArn"]
    found = environment.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)
    attributes = {attribute["Key"]: attribute["Value"] for attribute in found["Attributes"]}
    acls = environment.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
    if not with_everything(environment):
        assert attributes["access_logs.s3.enabled"] == "false"
        assert acls == []
        return
    assert attributes["access_logs.s3.enabled"] == "true"
    s3, bucket = environment.client("s3"), attributes["access_logs.s3.bucket"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0]["Expiration"]["Days"] == 7
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    writer = policy["Statement"][0]["Principal"]["Service"]
    assert writer == "logdelivery.elasticloadbalancing.amazonaws.com"
    wafv2 = environment.client("wafv2")
    associated = wafv2.get_web_acl_for_resource(ResourceArn=arn)["WebACL"]
    assert associated["ARN"] == acls[0]["ARN"]
    managed = [r["Statement"]["ManagedRuleGroupStatement"]["Name"] for r in associated["Rules"]]
    assert "AWSManagedRulesCommonRuleSet" in managed


# ---------------------------------------------------------------- the cluster


def test_the_cluster_has_insights_exec_logs_and_capacity_providers(
    environment: Environment,
) -> None:
    ecs = environment.client("ecs")
    (cluster,) = ecs.describe_clusters(
        clusters=[CLUSTER], include=["SETTINGS", "CONFIGURATIONS", "ATTACHMENTS"]
    )["clusters"]
    assert {"name": "containerInsights", "value": "enhanced"} in cluster["settings"]
    logging = cluster["configuration"]["executeCommandConfiguration"]
    assert logging["logging"] == "OVERRIDE"
    named = logging["logConfiguration"]["cloudWatchLogGroupName"]
    assert environment.client("logs").describe_log_groups(logGroupNamePrefix=named)["logGroups"]
    providers = {"FARGATE", "FARGATE_SPOT"}
    if on_ec2(environment):
        providers.add(environment.of("Cluster")["InstanceCapacityProvider"])
    assert set(cluster["capacityProviders"]) == providers


def test_instances_come_from_a_launch_template_and_hide_their_metadata(
    environment: Environment,
) -> None:
    only_on_ec2(environment)
    ec2, physical = environment.client("ec2"), environment.physical("Cluster")
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=physical["LaunchTemplate"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert group(environment, "InstanceSecurityGroup")["GroupId"] in data["SecurityGroupIds"]
    image = environment.client("ssm").get_parameter(
        Name="/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    )["Parameter"]["Value"]
    assert data["ImageId"] == image
    profile = data["IamInstanceProfile"]["Arn"].rpartition("/")[2]
    found = environment.client("iam").get_instance_profile(InstanceProfileName=profile)
    roles = [role["RoleName"] for role in found["InstanceProfile"]["Roles"]]
    assert roles == [physical["InstanceRole"]]
    attached = environment.client("iam").list_attached_role_policies(RoleName=roles[0])
    names = {policy["PolicyName"] for policy in attached["AttachedPolicies"]}
    assert names == {"AmazonEC2ContainerServiceforEC2Role", "AmazonSSMManagedInstanceCore"}


def auto_scaling_group(environment: Environment) -> dict[str, Any]:
    name = environment.physical("Cluster")["InstanceGroup"]
    found = environment.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[name]
    )
    return dict(found["AutoScalingGroups"][0])


def test_instances_are_scaled_over_both_private_subnets_by_ecs(environment: Environment) -> None:
    only_on_ec2(environment)
    scaled = auto_scaling_group(environment)
    subnets = set(environment.of("Network")["PrivateSubnets"].split(","))
    assert set(scaled["VPCZoneIdentifier"].split(",")) == subnets
    assert scaled["NewInstancesProtectedFromScaleIn"]
    assert len({instance["AvailabilityZone"] for instance in scaled["Instances"]}) == 2
    ecs = environment.client("ecs")
    (provider,) = ecs.describe_capacity_providers(
        capacityProviders=[environment.of("Cluster")["InstanceCapacityProvider"]]
    )["capacityProviders"]
    settings = provider["autoScalingGroupProvider"]
    assert settings["autoScalingGroupArn"] == scaled["AutoScalingGroupARN"]
    assert settings["managedScaling"]["status"] == "ENABLED"
    assert settings["managedTerminationProtection"] == "ENABLED"
    registered = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    assert len(registered) == len(scaled["Instances"]) == 2


def test_the_groups_scaling_policies_each_have_their_alarm(environment: Environment) -> None:
    only_on_ec2(environment)
    name = auto_scaling_group(environment)["AutoScalingGroupName"]
    found = environment.client("autoscaling").describe_policies(AutoScalingGroupName=name)
    policies = {
        policy["PolicyARN"]: policy["ScalingAdjustment"] for policy in found["ScalingPolicies"]
    }
    alarms = environment.client("cloudwatch").describe_alarms(
        AlarmNames=[environment.physical("Cluster")[a] for a in ("InstancesBusy", "InstancesIdle")]
    )["MetricAlarms"]
    acted_on = [
        policies[action]
        for alarm in alarms
        for action in alarm["AlarmActions"]
        if action in policies
    ]
    assert sorted(acted_on) == [-1, 1]


def test_the_infrastructure_topic_hears_of_instances(environment: Environment) -> None:
    topic = environment.of("Cluster")["InfrastructureTopic"]
    sns = environment.client("sns")
    addresses = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [address["Endpoint"] for address in addresses] == ["oncall@example.com"]
    key = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"]
    assert environment.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    if on_ec2(environment):
        name = auto_scaling_group(environment)["AutoScalingGroupName"]
        notified = environment.client("autoscaling").describe_notification_configurations(
            AutoScalingGroupNames=[name]
        )["NotificationConfigurations"]
        assert {entry["TopicARN"] for entry in notified} == {topic}
        assert len(notified) == 4


def test_the_bastions_security_group_is_closed_unless_somebody_is_named(
    environment: Environment,
) -> None:
    found = group(environment, "BastionSecurityGroup")
    if not with_everything(environment):
        assert found["IpPermissions"] == []
        return
    assert open_ports(found, "203.0.113.7/32") == {22}
    assert len(found["IpPermissions"]) == 1


def test_only_the_load_balancer_lets_the_internet_in(environment: Environment) -> None:
    groups = environment.client("ec2").describe_security_groups(Filters=environment.vpc)
    reachable = {found["GroupId"] for found in groups["SecurityGroups"] if open_ports(found)}
    assert reachable == {environment.physical("Cluster")["LoadBalancerSecurityGroup"]}


def test_tasks_have_roles_and_aws_has_its_own_for_ecs_and_scaling(environment: Environment) -> None:
    iam, physical = environment.client("iam"), environment.physical("Cluster")
    for logical_id in ("TaskRole", "TaskExecutionRole"):
        trusted = iam.get_role(RoleName=physical[logical_id])["Role"]["AssumeRolePolicyDocument"]
        assert trusted["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    linked = {"AWSServiceRoleForECS", "AWSServiceRoleForApplicationAutoScaling_ECSService"}
    if on_ec2(environment):
        linked.add("AWSServiceRoleForAutoScaling")
    names = {role["RoleName"] for role in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]}
    assert linked <= names


# ---------------------------------------------------------------- the service


def test_the_service_is_found_by_its_name(environment: Environment) -> None:
    discovery = environment.client("servicediscovery")
    (namespace,) = discovery.list_namespaces()["Namespaces"]
    assert (namespace["Name"], namespace["Type"]) == ("production.internal", "DNS_PRIVATE")
    (service,) = discovery.list_services()["Services"]
    assert service["Name"] == "api"
    instances = discovery.list_instances(ServiceId=service["Id"])["Instances"]
    addresses = {instance["Attributes"]["AWS_INSTANCE_IPV4"] for instance in instances}
    assert len(addresses) == 2


def test_the_load_balancer_sends_the_services_requests_to_its_target_group(
    environment: Environment,
) -> None:
    elbv2, cluster = environment.client("elbv2"), environment.of("Cluster")
    rules = elbv2.describe_rules(ListenerArn=cluster["Listener"])["Rules"]
    (rule,) = (rule for rule in rules if not rule["IsDefault"])
    target_group = environment.of("Service")["TargetGroup"]
    assert rule["Actions"][0]["TargetGroupArn"] == target_group
    assert rule["Conditions"][0]["PathPatternConfig"]["Values"] == ["/*"]
    found = elbv2.describe_target_group_attributes(TargetGroupArn=target_group)
    attributes = {attribute["Key"]: attribute["Value"] for attribute in found["Attributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "30"

    def both_are_healthy() -> bool:
        found = elbv2.describe_target_health(TargetGroupArn=target_group)
        states = [each["TargetHealth"]["State"] for each in found["TargetHealthDescriptions"]]
        return states == ["healthy", "healthy"]

    wait_for(both_are_healthy, "both targets to be healthy")


def test_the_task_definition_has_every_kind_of_setting(environment: Environment) -> None:
    arn = environment.service()["taskDefinition"]
    found = environment.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    app, sidecar = found["containerDefinitions"]
    launch_type = "EC2" if on_ec2(environment) else "FARGATE"
    assert found["requiresCompatibilities"] == [launch_type]
    assert (found["networkMode"], found["cpu"], found["memory"]) == ("awsvpc", "256", "512")
    roles = environment.of("Cluster")
    assert found["taskRoleArn"] == roles["TaskRole"]
    assert found["executionRoleArn"] == roles["TaskExecutionRole"]
    assert found["volumes"][0]["name"] == app["mountPoints"][0]["sourceVolume"] == "scratch"
    assert app["image"] == "public.ecr.aws/nginx/nginx-unprivileged:stable-alpine"
    assert app["portMappings"][0]["containerPort"] == 8080
    assert (app["essential"], sidecar["essential"]) == (True, False)
    assert sidecar["restartPolicy"]["enabled"]
    assert app["dependsOn"] == [{"containerName": "sidecar", "condition": "START"}]
    assert {"name": "STATSD_HOST", "value": "localhost"} in app["environment"]
    secret = app["secrets"][0]["valueFrom"]
    described = environment.client("secretsmanager").describe_secret(SecretId=secret)
    assert described["Name"] == "production/api/session-key"
    logs = app["logConfiguration"]["options"]["awslogs-group"]
    assert environment.client("logs").describe_log_groups(logGroupNamePrefix=logs)["logGroups"]


def test_the_ecs_service_has_every_net_that_ecs_has(environment: Environment) -> None:
    service = environment.service()
    deployment = service["deploymentConfiguration"]
    assert deployment["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert deployment["alarms"]["enable"]
    assert set(deployment["alarms"]["alarmNames"]) == {
        "production-api-5xx",
        "production-api-latency",
    }
    assert service["availabilityZoneRebalancing"] == "ENABLED"
    assert service["enableExecuteCommand"]
    assert service["runningCount"] == service["desiredCount"] == 2
    zones = {task["availabilityZone"] for task in environment.tasks()}
    assert len(zones) == 2
    (strategy,) = service["capacityProviderStrategy"]
    provider = environment.of("Cluster").get("InstanceCapacityProvider", "FARGATE")
    assert strategy["capacityProvider"] == provider


def test_the_service_scales_by_steps_with_an_alarm_for_each_way(environment: Environment) -> None:
    scaling = environment.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (
        "service/production/api",
        2,
        6,
    )
    found = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    policies = {policy["PolicyARN"]: policy["PolicyName"] for policy in found}
    alarms = environment.client("cloudwatch").describe_alarms(
        AlarmNames=["production-api-busy", "production-api-idle"]
    )["MetricAlarms"]
    acted_on = {alarm["AlarmName"]: policies[alarm["AlarmActions"][0]] for alarm in alarms}
    assert acted_on == {
        "production-api-busy": "production-api-up",
        "production-api-idle": "production-api-down",
    }


def test_alarms_notify_the_topic_of_what_must_not_be(environment: Environment) -> None:
    names = [f"production-api-{kind}" for kind in ("5xx", "latency", "unhealthy", "tasks")]
    alarms = environment.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert len(alarms) == 4
    topic = environment.of("Cluster")["InfrastructureTopic"]
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)


def test_the_image_parameter_of_a_new_service_has_the_first_image(environment: Environment) -> None:
    found = environment.client("ssm").get_parameter(Name="/slipway/images/production/api")
    first = "public.ecr.aws/nginx/nginx-unprivileged:stable-alpine"
    assert found["Parameter"]["Value"] == first
    assert environment.images() == {first}


def test_people_are_notified_where_the_load_balancer_itself_answers_for_services(
    environment: Environment,
) -> None:
    name = environment.physical("Cluster")["BadGateway"]
    (alarm,) = environment.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["AlarmActions"] == [environment.of("Cluster")["InfrastructureTopic"]]


def test_the_service_admits_its_own_repository_only(environment: Environment) -> None:
    found = environment.client("ssm").get_parameter(Name="/slipway/services/production/api")
    assert json.loads(found["Parameter"]["Value"]) == {"repositories": ["shop/api"]}


def test_the_service_has_its_plan_and_its_repository(environment: Environment) -> None:
    found = environment.client("ssm").get_parameter(Name="/slipway/repositories/shop/api")
    (route,) = json.loads(found["Parameter"]["Value"])["routes"]
    assert route["tags"] == ["v*"]
    (planned,) = route["stages"][0]["services"]
    assert planned == {
        "service": "production/api",
        "container": "app",
        "alarms": [f"production-api-{kind}" for kind in ("5xx", "latency", "unhealthy", "tasks")],
        "bake_seconds": 300,
    }
    ecr = environment.client("ecr")
    (repository,) = ecr.describe_repositories(repositoryNames=["shop/api"])["repositories"]
    assert repository["repositoryUri"] == environment.outputs["RepositoryUri"]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    (exception,) = repository["imageTagMutabilityExclusionFilters"]
    assert exception["filter"] == "latest"
    policy = ecr.get_lifecycle_policy(repositoryName="shop/api")["lifecyclePolicyText"]
    deployed_ones, others = json.loads(policy)["rules"]
    assert deployed_ones["selection"]["tagPatternList"] == ["v*"]
    assert others["selection"]["countNumber"] == 1000
