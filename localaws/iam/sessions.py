"""Sessions of roles: whoever has called sts:AssumeRole may do what the role allows.

moto gives credentials for every role, existing or not, and ignores the policies that narrow a session. The
trust policy of a role is not evaluated, because those who assume roles here have no identity.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

from localaws.aws import ACCOUNT

_PARTITION = "aws"
_ACCESS_KEY_PREFIX = "ASIA"  # of temporary credentials
_NARROWING = ("Policy", "PolicyArns", "SourceIdentity", "Tags")


def find(access_key: str) -> AssumedRole | None:
    """The session with this access key, or None.

    Raises:
        NotImplementedError: AWS would refuse every call of the session, in words that have no source.
    """
    if not access_key.startswith(_ACCESS_KEY_PREFIX):
        return None
    sessions = sts_backends[ACCOUNT][_PARTITION]
    session = sessions.get_assumed_role_from_access_key(access_key)
    if session is None:
        return None
    if session.expiration <= utcnow():
        raise NotImplementedError(f"IAM: an expired session of role {session.role_arn}")
    if not _exists(session.role_arn):
        raise NotImplementedError(f"IAM: a session of role {session.role_arn}, which was deleted")
    return session


def _exists(role: str) -> bool:
    try:
        iam_backends[ACCOUNT][_PARTITION].get_role_by_arn(role)
    except NotFoundException:
        return False
    return True


def install() -> None:
    """Refuse what a session could not be checked for."""
    assume = TokenResponse.assume_role

    @wraps(assume)
    def assume_role(self: TokenResponse) -> Any:
        for name in _NARROWING:
            if self._get_param(name):
                raise NotImplementedError(f"AssumeRole with {name}")
        role = self._get_param("RoleArn")
        if not _exists(role):
            caller = self.backend.get_caller_identity(self.get_access_key(), self.region)[1]
            raise STSClientError(
                "AccessDenied",
                f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}",
            )
        return assume(self)

    TokenResponse.assume_role = assume_role  # type: ignore[method-assign]
