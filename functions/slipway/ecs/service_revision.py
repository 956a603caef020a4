"""Reads the newest service revision of a service.

It shows what DescribeServices does not: the gateways and load balancers that ECS manages for the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.ecs.service import Service
from slipway.ecs.service_deployment import DESCRIBE_LIMIT
from slipway.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

Revision = dict[str, Any]
"""A service revision as DescribeServiceRevisions returns it."""

# ECS can't describe revisions from before 25 October 2024 (botocore's model of `ecs`,
# DescribeServiceRevisions). It is not documented which error it answers then, so that each of these counts as
# "not there".
NOT_THERE = ("ClientException", "InvalidParameterException", "UnsupportedFeatureException")


def newest_revision(service: str, found: Service, ecs: ECSClient) -> Revision | None:
    """The newest of the service revisions that a service runs; None if ECS has none of them.

    Like all that ECS answers, this may be as of a moment ago: a revision may be missing.

    Args:
        service: ``cluster/service``.
        found: the service as DescribeServices returned it.

    Raises:
        AwsUnavailable, AwsRefused: from ECS.
    """
    arns = [current["arn"] for current in found.get("currentServiceRevisions", [])]
    if not arns:
        return None
    try:
        with calling("ecs:DescribeServiceRevisions", f"service {service}"):
            answer: Any = ecs.describe_service_revisions(serviceRevisionArns=arns[:DESCRIBE_LIMIT])
    except AwsRefused as refused:
        if error_code(refused.__cause__) in NOT_THERE:
            return None
        raise
    revisions: list[Revision] = answer["serviceRevisions"]
    return max(revisions, key=lambda revision: revision["createdAt"], default=None)
