"""What is left when the stack is deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from localaws.server import LocalAws
from tests.support.commands import Page
from tests.support.environment_services import runs
from tests.support.environments import EVERYTHING, REPO, Environment, certificate, ended_stack
from tools import sam

PAGE = Page("environment.md")
# service, operation, where the list is, what names an item
LISTS = (
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("autoscaling", "describe_policies", "ScalingPolicies", "PolicyARN"),
    ("servicediscovery", "list_namespaces", "Namespaces", "Id"),
    ("servicediscovery", "list_services", "Services", "Id"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    ("events", "list_rules", "Rules", "Name"),
)
INSTANCES_THAT_ARE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping"]}


def contents(aws: LocalAws) -> set[tuple[str, str]]:
    """Everything that the account's APIs list."""

    def names(found: Iterable[Any], name: str) -> set[str]:
        return {item if isinstance(item, str) else item[name] for item in found}

    found = {
        (operation, name)
        for service, operation, key, identity in LISTS
        for name in names(getattr(aws.client(service), operation)().get(key, []), identity)
        if not name.startswith("/aws/service/")  # parameters that AWS has for everyone
    }
    roles = aws.client("iam").list_roles()["Roles"]
    # AWS makes and keeps those.
    ours = (role for role in roles if not role["Path"].startswith("/aws-service-role/"))
    instances = aws.client("ec2").describe_instances(Filters=[INSTANCES_THAT_ARE])
    scaling, ecs = aws.client("application-autoscaling"), aws.client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    gateways = aws.client("ec2").describe_nat_gateways()["NatGateways"]
    more: dict[str, Callable[[], Iterable[str]]] = {
        "list_roles": lambda: (role["RoleName"] for role in ours),
        "describe_instances": lambda: (
            instance["InstanceId"]
            for reservation in instances["Reservations"]
            for instance in reservation["Instances"]
        ),
        # What is deleted can be seen for an hour yet.
        "describe_nat_gateways": lambda: (
            gateway["NatGatewayId"] for gateway in gateways if gateway["State"] != "deleted"
        ),
        "list_clusters": lambda: (
            cluster["clusterName"] for cluster in clusters if cluster["status"] == "ACTIVE"
        ),
        "describe_scalable_targets": lambda: (
            target["ResourceId"]
            for target in scaling.describe_scalable_targets(ServiceNamespace="ecs")[
                "ScalableTargets"
            ]
        ),
        "list_web_acls": lambda: (
            acl["Name"] for acl in aws.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
        ),
        "list_keys": lambda: keys(aws),
    }
    return found | {(listed, name) for listed, names_of in more.items() for name in names_of()}


def keys(aws: LocalAws) -> list[str]:
    """The keys that may be used, without AWS's own; a deleted one waits for a week."""
    kms = aws.client("kms")
    aliases = kms.list_aliases()["Aliases"]
    managed = {a["TargetKeyId"] for a in aliases if a["AliasName"].startswith("alias/aws/")}
    ids = {key["KeyId"] for key in kms.list_keys()["Keys"]} - managed
    described = [kms.describe_key(KeyId=key)["KeyMetadata"] for key in ids]
    return [key["KeyId"] for key in described if key["KeyState"] == "Enabled"]


def test_a_deleted_stack_leaves_nothing_but_what_it_says_that_it_keeps() -> None:
    with LocalAws() as aws:
        aws.client("s3").create_bucket(Bucket="slipway-local")  # the SAM CLI's
        given = {"WithEnvironment": "true", "LaunchType": "EC2", **EVERYTHING}
        given["CertificateArn"] = certificate(aws)
        before = contents(aws)
        environment = Environment(aws, sam.deploy(aws, REPO, given), given)
        table = environment.outputs["LedgerTable"]
        bucket = environment.physical("Cluster")["AccessLogs"]
        environment.quicken()
        digest = environment.push("v1")
        assert environment.deployment("v1").outcome == "SUCCEEDED"
        runs(environment, "api", digest)

        cloudformation = aws.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName="slipway")["Stacks"]
        PAGE.run("the instances")
        cloudformation.delete_stack(StackName="slipway")
        assert ended_stack(environment, stack["StackId"]) == "DELETE_COMPLETE"

        left = PAGE.run("what is left", once=False)  # there is no stack to ask any more
        assert table in left
        assert "shop/api" in left
        assert contents(aws) - before == {
            ("list_tables", table),
            ("describe_repositories", "shop/api"),
            ("list_buckets", bucket),
        }
        assert before - contents(aws) == set()
