"""A Lambda function in whose name a test calls AWS."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from localaws.signature import function_access_key

HERE = "us-east-1:123456789012"
SERVICE = f"arn:aws:ecs:{HERE}:service/production/api"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
NAMES = iter(range(1, 10_000))
SESSION: Any = boto3.Session(region_name="us-east-1")  # loads each service's model once

Statement = dict[str, Any]


class Function:
    """A Lambda function that never runs: the test makes its calls, with its access key."""

    def __init__(self, aws: LocalAws, *statements: Statement) -> None:
        self.aws, self.iam = aws, aws.client("iam")
        self.name, self.role = f"caller-{next(NAMES)}", f"role-{next(NAMES)}"
        self.session = f"arn:aws:sts::123456789012:assumed-role/{self.role}/{self.name}"
        role = self.iam.create_role(RoleName=self.role, AssumeRolePolicyDocument=TRUST)["Role"]
        if statements:
            self.may(*statements)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as artifact:
            artifact.writestr("app.py", "handler = print")
        aws.client("lambda").create_function(
            FunctionName=self.name,
            Role=role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
        )

    def may(self, *statements: Statement) -> None:
        """Replace the inline policy of the function's role by these statements."""
        self.iam.put_role_policy(
            RoleName=self.role, PolicyName="inline", PolicyDocument=document(*statements)
        )

    def client(self, service: str, version: str = "$LATEST") -> Any:
        return SESSION.client(
            service,
            endpoint_url=self.aws.url,
            aws_access_key_id=function_access_key(self.name, version),
            aws_secret_access_key="localaws",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def refusal(self, service: str, call: str, /, **parameters: Any) -> str:
        """The code, status and message with which IAM refuses a call; "" if IAM allows the call."""
        return refusal(self.client(service), call, **parameters)


class Session:
    """Whoever has assumed a role."""

    def __init__(self, aws: LocalAws, role: str, name: str = "jo") -> None:
        self.aws = aws
        arn = aws.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        assumed = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)
        self.arn = assumed["AssumedRoleUser"]["Arn"]
        self.credentials = assumed["Credentials"]
        self._clients: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a command runs in this session."""
        return {
            "AWS_ACCESS_KEY_ID": self.credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": self.credentials["SessionToken"],
        }

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = SESSION.client(
                service,
                endpoint_url=self.aws.url,
                config=Config(retries={"total_max_attempts": 1}),
                **{name.lower(): value for name, value in self.environment.items()},
            )
        return self._clients[service]

    def refusal(self, service: str, call: str, /, **parameters: Any) -> str:
        """The code, status and message with which IAM refuses a call; "" if IAM allows the call."""
        return refusal(self.client(service), call, **parameters)


def role(aws: LocalAws, *statements: Statement, policy: str | None = None) -> str:
    """The name of a new role, with an inline policy of these statements, and a managed policy."""
    iam, name = aws.client("iam"), f"role-{next(NAMES)}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    if statements:
        iam.put_role_policy(
            RoleName=name, PolicyName="inline", PolicyDocument=document(*statements)
        )
    if policy:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return name


def refusal(client: Any, call: str, **parameters: Any) -> str:
    """The code, status and message with which IAM refuses a call; "" if IAM allows the call."""
    try:
        getattr(client, call)(**parameters)
    except ClientError as error:
        answer: Any = error.response
        if answer["Error"]["Code"] in LET_THROUGH:
            return ""
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        return f"{answer['Error']['Code']} {status} {answer['Error']['Message']}"
    return ""


# The errors of calls that IAM allows: the resources that they name do not exist, or they come too often.
LET_THROUGH = {
    "AWS.SimpleQueueService.PurgeQueueInProgress",
    "ClusterNotFoundException",
    "ParameterNotFound",
    "ServiceDeploymentNotFoundException",
    "ServiceNotFoundException",
}


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: Any, resource: Any = "*", **rest: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def deny(action: Any, resource: Any = "*", **rest: Any) -> Statement:
    return {**allow(action, resource, **rest), "Effect": "Deny"}


def update(function: Function, service: str = "api", **cluster: str) -> str:
    cluster = cluster or {"cluster": "production"}
    return function.refusal("ecs", "update_service", service=service, **cluster)


def register(function: Function, **more: Any) -> str:
    containers = [{"name": "app", "image": "i", "memory": 9}]
    return function.refusal(
        "ecs", "register_task_definition", family="api", containerDefinitions=containers, **more
    )
