"""Service-linked roles, which AWS creates when a service is first used."""

from __future__ import annotations

import json
import threading

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localaws.aws import ACCOUNT

_POLICIES = "arn:aws:iam::aws:policy/aws-service-role"

_lock = threading.Lock()


def ensure(name: str, service: str, policy: str) -> str:
    """The ARN of a service-linked role, which is created if it does not exist.

    CreateServiceLinkedRole is not used, because moto gives
    AWSServiceRoleForApplicationAutoScaling_ECSService another name.
    """
    iam = iam_backends[ACCOUNT]["aws"]
    with _lock:
        try:
            return str(iam.get_role(name).arn)
        except NotFoundException:
            trust = {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
            }
            role = iam.create_role(
                name,
                json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
                path=f"/aws-service-role/{service}/",
                permissions_boundary=None,
                description="",
                tags=[],
                max_session_duration="3600",
            )
            iam.attach_role_policy(f"{_POLICIES}/{policy}", name)
            return str(role.arn)
