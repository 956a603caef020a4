"""The AWS clients, made once per process, and the translation of their errors into ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name for it
    HTTPClientError,
)

from slipway.errors import AwsRefused, AwsUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

# Short enough that three tries fit into a function's 60 s: the state machine retries after that, with
# a longer breath than a running Lambda function should be paid for.
CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
)
ONCE = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))

# For what is worth no waiting: people are notified without a log's last lines, and a deployment goes on
# without a notice of its progress.
BRIEFLY = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 1},
)

# The codes that botocore's own standard retry mode takes for throttling; some come with status 400.
THROTTLED = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "EC2ThrottledException",
}

# What passes by itself and has no code of its own: RegisterTaskDefinition's ClientException for two
# revisions of one family at the same moment, which services of one stage that share a family ask for.
TOO_MANY_AT_ONCE = "Too many concurrent attempts"
# Why DynamoDB cancels a transaction that another one was in the way of.
IN_EACH_OTHERS_WAY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@cache
def ecs() -> ECSClient:
    """The ECS client."""
    return boto3.client("ecs", config=CONFIG)


@cache
def ecs_once() -> ECSClient:
    """The ECS client that tries nothing again by itself.

    RegisterTaskDefinition has no natural key: where its answer is lost, a second try must first check
    whether the first one was done, which the step does when the state machine tries it again.
    """
    return boto3.client("ecs", config=ONCE)


@cache
def ecr() -> ECRClient:
    """The ECR client."""
    return boto3.client("ecr", config=CONFIG)


@cache
def elbv2() -> ElasticLoadBalancingv2Client:
    """The Elastic Load Balancing client (application and network load balancers)."""
    return boto3.client("elbv2", config=CONFIG)


@cache
def cloudwatch() -> CloudWatchClient:
    """The CloudWatch client."""
    return boto3.client("cloudwatch", config=CONFIG)


@cache
def logs(region: str) -> CloudWatchLogsClient:
    """The CloudWatch Logs client of a region: a container may write into another one's logs."""
    return boto3.client("logs", region_name=region, config=BRIEFLY)


@cache
def secretsmanager() -> SecretsManagerClient:
    """The Secrets Manager client."""
    return boto3.client("secretsmanager", config=CONFIG)


@cache
def ssm() -> SSMClient:
    """The Systems Manager client."""
    return boto3.client("ssm", config=CONFIG)


@cache
def sns() -> SNSClient:
    """The SNS client."""
    return boto3.client("sns", config=CONFIG)


@cache
def sns_once() -> SNSClient:
    """The SNS client that gives up soon: for what may be lost."""
    return boto3.client("sns", config=BRIEFLY)


@cache
def stepfunctions() -> SFNClient:
    """The Step Functions client."""
    return boto3.client("stepfunctions", config=CONFIG)


@cache
def table() -> Table:
    """The ledger's table, which LEDGER_TABLE names."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["LEDGER_TABLE"])


@contextmanager
def calling(action: str, resource: str) -> Iterator[None]:
    """Translate what AWS says no with: the IAM ``action`` and the ``resource`` go into the message.

    Raises:
        AwsUnavailable: throttled, a server error, or no answer at all.
        AwsRefused: every other error; its ``__cause__`` is the ClientError.
    """
    try:
        yield
    except ClientError as error:
        code, said = error_code(error), error.response["Error"].get("Message", "")
        message = f"{code} from {action} on {resource}: {said}"
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if (
            code in THROTTLED
            or status == 429
            or status >= 500
            or TOO_MANY_AT_ONCE in said
            or not IN_EACH_OTHERS_WAY.isdisjoint(cancellation_codes(error))
        ):
            raise AwsUnavailable(message) from error
        raise AwsRefused(message) from error
    except (ConnectionError, HTTPClientError) as error:
        raise AwsUnavailable(f"no answer from {action} on {resource}: {error}") from error
    except BotoCoreError as error:  # not sent at all: a wrong parameter, no credentials
        raise AwsRefused(f"{action} on {resource} was not sent: {error}") from error


def resource_name(arn: str) -> str:
    """What stands after the last slash of an ARN or an image: ``family:revision``, ``api:v1``."""
    return arn.rpartition("/")[2]


def cancellation_codes(error: BaseException | None) -> set[str]:
    """Why DynamoDB cancelled a transaction: the codes that it gives for its items."""
    reasons: Any = (
        error.response.get("CancellationReasons", []) if isinstance(error, ClientError) else []
    )
    return {reason["Code"] for reason in reasons if "Code" in reason}


def error_code(error: BaseException | None) -> str:
    """The code of AWS's error (``AccessDeniedException``), or "" for any other exception."""
    if not isinstance(error, ClientError):
        return ""
    details: dict[str, Any] = dict(error.response.get("Error", {}))
    return str(details.get("Code", ""))
