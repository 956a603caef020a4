"""What the rules of iam/required_permissions.py are made of: an action that has to be allowed, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.aws import ACCOUNT, REGION

CONDITION_KEYS = frozenset(
    {
        "aws:SourceAccount",
        "aws:SourceArn",
        "dynamodb:LeadingKeys",
        "ecs:CreateAction",
        "ecs:cluster",
        "iam:PassedToService",
        "kms:EncryptionContext:PARAMETER_ARN",
        "kms:EncryptionContext:SecretARN",
        "kms:ViaService",
    }
)
"""What the rules fill in. A policy that asks for another key can't be judged here."""


@dataclass(frozen=True)
class Access:
    """One action that a request needs, on one resource."""

    action: str
    resource: str
    """An ARN, or "*" where AWS does not narrow the action to a resource."""
    context: Mapping[str, str] = field(default_factory=dict)
    """The values of condition keys; a key that is not there is not in the request."""


Parameters = Mapping[str, Any]
Rule = Callable[[str, Parameters], list[Access]]
"""From an action and the request's parameters to everything that has to be allowed."""


def arn(service: str, prefix: str, name: str) -> str:
    """The ARN of what a parameter names, by name or by ARN."""
    if name.startswith("arn:"):
        return name
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{name}"
