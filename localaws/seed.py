"""Resources for the demo and the tests: repositories, images, a load balancer, services, alarms, plans.

Everything is created through AWS's APIs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from localaws import aws

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def manifest(name: str, annotations: Mapping[str, str] | None = None) -> str:
    """An OCI image manifest. Annotations such as ``localaws.behaviour`` say how its containers
    behave.
    """
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": _digest(f"{name} config"), "size": 1024},
            "layers": [{"mediaType": LAYER, "digest": _digest(f"{name} layer"), "size": 2048}],
            "annotations": {"org.opencontainers.image.version": name, **(annotations or {})},
        }
    )


def artifact(name: str, kind: str) -> str:
    """An OCI manifest of something that is no image; ``kind`` is the media type of its config."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": kind, "digest": _digest(f"{name} config"), "size": 1024},
            "layers": [{"mediaType": LAYER, "digest": _digest(f"{name} layer"), "size": 2048}],
        }
    )


def index(manifests: Sequence[str]) -> str:
    """An OCI image index, which is a multi-arch image, of these manifests."""
    platforms = ("amd64", "arm64")
    entries = [
        {
            "mediaType": MANIFEST,
            "digest": _digest(text),
            "size": len(text),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for text, architecture in zip(manifests, platforms, strict=True)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def push(repository: str, tag: str | None, text: str) -> str:
    """Put an image, as ``docker push`` does in the end, and return its digest."""
    named = {"imageTag": tag} if tag else {}
    answer = aws.client("ecr").put_image(repositoryName=repository, imageManifest=text, **named)
    return str(answer["image"]["imageId"]["imageDigest"])


def repository(name: str) -> str:
    """Create a repository and return its URI."""
    answer = aws.client("ecr").create_repository(repositoryName=name)
    return str(answer["repository"]["repositoryUri"])


def plan(repository: str, value: Any) -> None:
    """Put the plan of a repository. A string is stored as it is, so it may be invalid."""
    text = value if isinstance(value, str) else json.dumps(value)
    name = f"/slipway/repositories/{repository}"
    aws.client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)


def quicken_plan(repository: str, times: Mapping[str, int]) -> None:
    """Set these times for every service of a plan, so that minutes on AWS are seconds here."""
    name = f"/slipway/repositories/{repository}"
    found = json.loads(aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    for route in found["routes"]:
        for stage in route["stages"]:
            stage["services"] = [{**service, **times} for service in stage["services"]]
    plan(repository, found)


def alarm(name: str) -> None:
    """Create an alarm on a load balancer's count of 5xx answers, and set it to OK."""
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="no errors")


def target_group(name: str, target_type: str = "ip") -> str:
    """Create a target group, and a load balancer and listener that forward to it; return its ARN."""
    elbv2, ec2 = aws.client("elbv2"), aws.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"][:2]
    group = elbv2.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], TargetType=target_type
    )["TargetGroups"][0]["TargetGroupArn"]
    balancer = elbv2.create_load_balancer(
        Name=name, Subnets=[subnet["SubnetId"] for subnet in subnets]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return str(group)


def service(
    name: str, image: str, *, behind: Sequence[str] = (), tasks: int = 2, **settings: Any
) -> None:
    """Create the Fargate service ``cluster/service``, which runs ``image`` in the container ``app``.

    Args:
        behind: ARNs of the target groups that it registers with.
        settings: further arguments of CreateService.
    """
    ecs = aws.client("ecs")
    cluster, _, short = name.partition("/")
    ecs.create_cluster(clusterName=cluster)
    ecs.register_task_definition(
        family=f"{cluster}-{short}",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {
                "name": "app",
                "image": image,
                "essential": True,
                "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "STAGE", "value": cluster}],
            }
        ],
    )
    subnets = [subnet["SubnetId"] for subnet in aws.client("ec2").describe_subnets()["Subnets"][:2]]
    ecs.create_service(
        cluster=cluster,
        serviceName=short,
        taskDefinition=f"{cluster}-{short}",
        desiredCount=tasks,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
        loadBalancers=[
            {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}
            for group in behind
        ],
        **settings,
    )


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
