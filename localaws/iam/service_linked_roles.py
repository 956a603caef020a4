"""The roles that AWS makes for its own services when they are first used."""

from __future__ import annotations

import json
import threading

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localaws.aws import ACCOUNT

_POLICIES = "arn:aws:iam::aws:policy/aws-service-role"

_lock = threading.Lock()


def ensure(name: str, service: str, policy: str) -> str:
    """The ARN of a service-linked role, which is made if it is not there yet.

    Not by CreateServiceLinkedRole: moto names AWSServiceRoleForApplicationAutoScaling_ECSService otherwise.
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
