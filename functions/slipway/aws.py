"""The AWS clients, made once per process, and the translation of AWS's errors into Slipway's own."""

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
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

# Three attempts fit into a function's timeout of 60 s. The state machine does the later retries: its
# longer pauses cost nothing, while a Lambda function that waits is paid for.
CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
)
ECR_THREADS = 16
ONCE = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))

# For calls that are not worth waiting for: without an answer, people are notified without the last lines
# of a log, and a deployment goes on without a notice of its progress.
BRIEFLY = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 1},
)

# The codes that botocore's standard retry mode treats as throttling. Some come with HTTP status 400, so
# the status alone does not identify them.
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

# RegisterTaskDefinition refuses to register two revisions of one family at the same moment. Services of
# one stage that share a family cause that. The error passes by itself, but its code is the general
# ClientException, so only the message identifies it.
TOO_MANY_AT_ONCE = "Too many concurrent attempts"
# The cancellation codes of a DynamoDB transaction that can succeed if it is tried again.
IN_EACH_OTHERS_WAY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@cache
def ecs() -> ECSClient:
    """The ECS client, with retries."""
    return boto3.client("ecs", config=CONFIG)


@cache
def ecs_once() -> ECSClient:
    """The ECS client without retries.

    RegisterTaskDefinition has no idempotency key. If its answer is lost, the next attempt must first check
    whether the revision was registered. The step does so when the state machine retries it; botocore's
    retry would register a second revision.
    """
    return boto3.client("ecs", config=ONCE)


@cache
def ecr() -> ECRClient:
    """The ECR client, with retries."""
    return boto3.client("ecr", config=CONFIG)


@cache
def ecr_briefly() -> ECRClient:
    """The ECR client without retries and with short timeouts, for a rollback, which must not wait for ECR."""
    return boto3.client("ecr", config=BRIEFLY)


@cache
def ecr_of_many_threads() -> ECRClient:
    """The ECR client for many threads that read at once.

    It slows down while ECR throttles: ECR does not publish how often DescribeImages may be called.
    """
    slowing_down = Config(
        max_pool_connections=ECR_THREADS, retries={"mode": "adaptive", "total_max_attempts": 3}
    )
    return boto3.client("ecr", config=CONFIG.merge(slowing_down))


@cache
def elbv2() -> ElasticLoadBalancingv2Client:
    """The client for application and network load balancers, with retries."""
    return boto3.client("elbv2", config=CONFIG)


@cache
def cloudwatch() -> CloudWatchClient:
    """The CloudWatch client, with retries."""
    return boto3.client("cloudwatch", config=CONFIG)


@cache
def logs(region: str) -> CloudWatchLogsClient:
    """The CloudWatch Logs client of a region, without retries.

    A container may write its log to another region than the one that its service runs in.
    """
    return boto3.client("logs", region_name=region, config=BRIEFLY)


@cache
def secretsmanager() -> SecretsManagerClient:
    """The Secrets Manager client, with retries."""
    return boto3.client("secretsmanager", config=CONFIG)


@cache
def ssm() -> SSMClient:
    """The Systems Manager client, with retries."""
    return boto3.client("ssm", config=CONFIG)


@cache
def sns() -> SNSClient:
    """The SNS client, with retries."""
    return boto3.client("sns", config=CONFIG)


@cache
def sns_once() -> SNSClient:
    """The SNS client without retries and with short timeouts, for messages that may be lost."""
    return boto3.client("sns", config=BRIEFLY)


@cache
def stepfunctions() -> SFNClient:
    """The Step Functions client, with retries."""
    return boto3.client("stepfunctions", config=CONFIG)


@cache
def functions() -> LambdaClient:
    """The Lambda client, with retries."""
    return boto3.client("lambda", config=CONFIG)


@cache
def table() -> Table:
    """The ledger's table, whose name is in the environment variable LEDGER_TABLE."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["LEDGER_TABLE"])


@contextmanager
def calling(action: str, resource: str) -> Iterator[None]:
    """Translate the errors of the AWS calls in the block into Slipway's own.

    Args:
        action: the IAM action, such as ``ecs:DescribeServices``; it is part of the error's message.
        resource: what the call is about, for people; it is part of the error's message.

    Raises:
        AwsUnavailable: the call was throttled or met a server error, or there was no answer.
        AwsRefused: every other error; its ``__cause__`` is botocore's exception.
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
    except BotoCoreError as error:  # nothing was sent, as with a wrong parameter or no credentials
        raise AwsRefused(f"{action} on {resource} was not sent: {error}") from error


def resource_name(arn: str) -> str:
    """The part after the last slash of an ARN or an image, such as ``family:revision`` or ``api:v1``."""
    return arn.rpartition("/")[2]


def cancellation_codes(error: BaseException | None) -> set[str]:
    """The codes that say, item by item, why DynamoDB cancelled a transaction.

    Empty for every error that is not a cancelled transaction.
    """
    reasons: Any = (
        error.response.get("CancellationReasons", []) if isinstance(error, ClientError) else []
    )
    return {reason["Code"] for reason in reasons if "Code" in reason}


def error_code(error: BaseException | None) -> str:
    """The code of an AWS error, such as ``AccessDeniedException``; "" for any other exception."""
    if not isinstance(error, ClientError):
        return ""
    details: dict[str, Any] = dict(error.response.get("Error", {}))
    return str(details.get("Code", ""))
