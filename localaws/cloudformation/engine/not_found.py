"""The error codes with which services say that a resource does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

_EC2 = (
    "Address AssociationID FlowLogId Group InternetGatewayID NetworkAclEntry NetworkAclID Permission"
    " Route RouteTableID SecurityGroupRuleId SubnetID VpcEndpointId VpcID"
)
_CODES = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "ClusterNotFoundException",
        "Gateway.NotAttached",
        "InvalidLaunchTemplateName.NotFoundException",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "NamespaceNotFound",
        "NatGatewayNotFound",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ObjectNotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "RepositoryNotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "RuleNotFound",
        "ServiceNotFound",
        "ServiceNotFoundException",
        "StateMachineDoesNotExist",
        "TargetGroupNotFound",
        "WAFNonexistentItemException",
        *(f"Invalid{what}.NotFound" for what in _EC2.split()),
    }
)


@contextmanager
def gone_already() -> Iterator[None]:
    """Treat a resource that no longer exists as deleted."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CODES:
            raise
