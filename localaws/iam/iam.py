"""IAM: a function, and whoever has assumed a role, may make only the calls that the role allows.

moto lets every caller do everything, and its own access control supports neither resources nor
conditions. Here each request of a Lambda function, and each with the credentials of AssumeRole
(iam/sessions.py), is checked against the present policies of the role, inline and attached, and refused as
the service would refuse it.

The role of a state machine has to allow the functions that its Tasks invoke
(stepfunctions/lambda_permissions.py). All other callers are not checked: a developer's CLI has no identity
here, because any other access key is accepted, and Step Functions, EventBridge and CloudFormation act inside
this process with one key. Resource-based policies are not evaluated, except a function's own policy when
SNS or EventBridge invokes it, a queue's when SNS delivers to it, and what a bucket's denies to everybody in
the account. Service control policies do not exist.

Unknown policy elements, operators and condition keys are NotImplemented, never ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.iam.models import Role, iam_backends

from localaws.aws import ACCOUNT, REGION, listed
from localaws.iam import sessions
from localaws.iam.access import CONDITION_KEYS, Access
from localaws.signature import Signature

_STATEMENT = {"Sid", "Effect", "Action", "Resource", "Condition"}
_KEYS = {key.lower(): key for key in CONDITION_KEYS}  # IAM ignores their case

# Code and status of a refusal by services whose first protocol was not JSON.
_REFUSALS = {
    "cloudformation": ("AccessDenied", 403),
    "cloudwatch": ("AccessDenied", 403),
    "elasticloadbalancing": ("AccessDenied", 403),
    "iam": ("AccessDenied", 403),
    "lambda": ("AccessDeniedException", 403),
    "sns": ("AuthorizationError", 403),
    "sqs": ("AccessDenied", 403),
}


class AccessDeniedError(Exception):
    """A refusal in the wording of the service."""

    def __init__(self, service: str, message: str) -> None:
        super().__init__(message)
        self.code, self.status = _REFUSALS.get(service, ("AccessDeniedException", 400))


@dataclass(frozen=True)
class Caller:
    """Who has made a request, if IAM is to check it."""

    role: str
    """ARN of the role."""
    session: str
    """The name of the session, which the refusal names."""


def caller(signature: Signature) -> Caller | None:
    """Who signed a request; None if the request is not checked."""
    if version := signature.function_version:
        return Caller(_role(version).arn, version.partition(":")[0])
    session = sessions.find(signature.access_key)
    return Caller(session.role_arn, session.session_name) if session else None


def check(function: str, service: str, needed: Iterable[Access]) -> None:
    """Raise AccessDeniedError unless the function's role allows all that a request needs.

    Args:
        function: its name; with ``:`` and a version, that one's role counts.
    """
    check_role(_role(function).arn, function.partition(":")[0], service, needed)


def check_role(arn: str, session: str, service: str, needed: Iterable[Access]) -> None:
    """Raise AccessDeniedError unless the role allows all that a request of this session needs."""
    role = iam_backends[ACCOUNT]["aws"].get_role_by_arn(arn)
    if role.permissions_boundary_arn:
        raise NotImplementedError(f"IAM: PermissionsBoundary of role {role.name}")
    statements = list(_statements(role))
    for access in needed:
        effects = {statement["Effect"] for statement in statements if _applies(statement, access)}
        if effects != {"Allow"}:
            message = _message(f"{role.name}/{session}", access, denied="Deny" in effects)
            raise AccessDeniedError(service, message)


def resource_allows(statements: Iterable[dict[str, Any]], service: str, access: Access) -> bool:
    """Whether a resource-based policy allows an AWS service (``sns.amazonaws.com``) an action."""
    return resource_effects(statements, service, access) == {"Allow"}


def resource_effects(
    statements: Iterable[dict[str, Any]], principal: str, access: Access
) -> set[str]:
    """The effects that a resource-based policy has on an action of a service or an account."""
    effects = set()
    for statement in statements:
        rest = {name: value for name, value in statement.items() if name != "Principal"}
        if _is_for(statement["Principal"], principal) and _applies(rest, access):
            effects.add(rest["Effect"])
    return effects


def _is_for(named: Any, principal: str) -> bool:
    if not isinstance(named, dict):
        return bool(named == "*")
    accounts = listed(named.get("AWS", []))
    return "*" in accounts or principal in [*accounts, *listed(named.get("Service", []))]


def _role(function: str) -> Role:
    arn = lambda_backends[ACCOUNT][REGION].get_function(function).role
    return iam_backends[ACCOUNT]["aws"].get_role_by_arn(arn)


def _statements(role: Role) -> Iterator[dict[str, Any]]:
    documents = list(role.policies.values())
    for policy in list(role.managed_policies.values()):
        documents += [version.document for version in policy.versions if version.is_default]
    for document in documents:
        if "${" in document:
            raise NotImplementedError(f"IAM: policy variables, in a policy of role {role.name}")
        yield from listed(json.loads(document)["Statement"])


def _message(session: str, access: Access, *, denied: bool) -> str:
    action = _in_words(access.action)
    # For an action without resource types Elastic Load Balancing names no resource, other services "*".
    silent = action.startswith("elasticloadbalancing:") and access.resource == "*"
    return (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{session} is not authorized to perform: {action}"
        + ("" if silent else f" on resource: {access.resource}")
        + (
            " with an explicit deny in an identity-based policy"
            if denied
            else f" because no identity-based policy allows the {action} action"
        )
    )


def _in_words(action: str) -> str:
    """An action as the message of its service writes it."""
    service, _, name = action.partition(":")
    if service == "sqs":
        return action.lower()
    return f"SNS:{name}" if service == "sns" else action


def _applies(statement: dict[str, Any], access: Access) -> bool:
    for element in sorted(statement.keys() - _STATEMENT):
        raise NotImplementedError(f"IAM: policy element {element}")
    action = access.action.lower()
    return (
        any(_like(pattern.lower(), action) for pattern in listed(statement["Action"]))
        and any(_arn_like(pattern, access.resource) for pattern in listed(statement["Resource"]))
        and _holds(statement.get("Condition", {}), access)
    )


def _holds(condition: dict[str, dict[str, Any]], access: Access) -> bool:
    for operator, tests in condition.items():
        if operator not in _OPERATORS:
            raise NotImplementedError(f"IAM: condition operator {operator}")
        for key, wanted in tests.items():
            if key.lower() not in _KEYS:
                raise NotImplementedError(f"IAM: condition key {key}")
            value = {**_EVERY_REQUEST, **access.context}.get(_KEYS[key.lower()])
            # Of several patterns that a value must not be like, it must be like none.
            enough = all if "Not" in operator else any
            if value is None or not enough(_OPERATORS[operator](w, value) for w in listed(wanted)):
                return False
    return True


def _like(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


def _arn_like(pattern: str, arn: str) -> bool:
    """Match ARNs part by part: a wildcard does not reach beyond its one of the six parts."""
    if pattern == "*":
        return True
    parts, wanted = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(map(_like, wanted, parts))


# The SDKs call AWS by HTTPS. The local AWS is on loopback, and counts as if it were called so.
_EVERY_REQUEST = {"aws:SecureTransport": "true"}
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _arn_like,  # IAM treats it as ArnLike
    "ArnLike": _arn_like,
    "Bool": lambda wanted, value: str(wanted).lower() == value,
    # Keys have one value in all requests here.
    "ForAllValues:StringEquals": str.__eq__,
    "ForAllValues:StringLike": lambda pattern, value: _like(pattern, value),
    "ForAllValues:StringNotLike": lambda pattern, value: not _like(pattern, value),
    "StringEquals": str.__eq__,
    "StringLike": _like,
}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(c, re.escape(c)) for c in pattern), re.DOTALL)
